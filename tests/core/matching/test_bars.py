from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from core.matching.bars import BarBook

TICK, LOT = Decimal("0.5"), Decimal("0.01")


class Log:
    def __init__(self, slippage: float = 0.0) -> None:
        self.fills: list[tuple[str, int, int, int, bool]] = []
        self.drops: list[tuple[str, str]] = []
        self.book = BarBook(TICK, LOT, self.fill, self.drop, slippage)
        self.on_fill: dict[str, object] = {}

    def fill(self, order_id: str, sign: int, lots: int, tick: int, maker: bool) -> None:
        self.fills.append((order_id, sign, lots, tick, maker))
        then = self.on_fill.pop(order_id, None)
        if callable(then):
            then()

    def drop(self, order_id: str, reason: str) -> None:
        self.drops.append((order_id, reason))

    def bar(self, opened: int, high: int, low: int, close: int) -> None:
        """A bar given in ticks."""
        self.book.bar(opened * 0.5, high * 0.5, low * 0.5, close * 0.5)


def test_market_orders_fill_at_the_next_open_and_pay_slippage() -> None:
    log = Log(slippage=0.01)
    log.book.market("a", 1, 7)
    log.bar(200, 210, 190, 205)
    log.bar(205, 210, 190, 205)
    assert log.fills == [("a", 1, 7, 202, False)]
    assert log.book.position == 7


def test_a_stop_pays_the_gap_and_a_limit_does_not() -> None:
    log = Log()
    log.book.market("in", 1, 5)
    log.bar(200, 201, 199, 200)
    log.book.stop("stop", -1, 190, 5)
    log.book.limit("more", 1, 195, 2)
    log.bar(200, 201, 198, 200)
    assert len(log.fills) == 1
    log.bar(180, 185, 170, 175)
    assert log.fills[1:] == [("more", 1, 2, 195, True), ("stop", -1, 5, 180, False)]
    assert log.book.position == 2


def test_a_stop_given_on_a_fill_works_in_the_same_bar() -> None:
    log = Log()
    log.on_fill["in"] = lambda: log.book.stop("stop", -1, 195, 5)
    log.book.market("in", 1, 5)
    log.bar(200, 201, 190, 200)
    assert log.fills == [("in", 1, 5, 200, False), ("stop", -1, 5, 195, False)]
    assert log.book.working == 0


def test_the_nearer_extreme_comes_first() -> None:
    log = Log()
    log.book.position = 5
    log.book.stop("stop", -1, 190, 5)
    log.book.limit("target", -1, 204, 5, reduce_only=True)
    log.bar(200, 205, 185, 195)  # up is nearer: the target is met first
    assert log.fills == [("target", -1, 5, 204, True)]
    assert log.drops == [("stop", "reduce_only")]


def test_new_limits_meet_the_open_first() -> None:
    log = Log()
    log.book.limit("cross", 1, 205, 1)
    log.book.limit("maker", 1, 205, 1, post_only=True)
    log.book.limit("now", 1, 195, 1, immediate=True)
    log.book.limit("rest", 1, 195, 1)
    log.bar(200, 201, 196, 200)
    assert log.fills == [("cross", 1, 1, 200, False)]
    assert log.drops == [("maker", "post_only"), ("now", "ioc")]
    log.bar(200, 201, 195, 200)
    assert log.fills[1:] == [("rest", 1, 1, 195, True)]


def test_cancel_works_for_every_kind_and_only_once() -> None:
    log = Log()
    log.book.market("a", 1, 1)
    log.book.limit("b", 1, 100, 1)
    log.book.stop("c", -1, 90, 1)
    assert all(log.book.cancel(name) for name in "abc")
    assert not any(log.book.cancel(name) for name in "abc")
    log.bar(100, 300, 1, 100)
    assert (log.fills, log.drops) == ([], [])


ORDERS = st.lists(
    st.tuples(st.sampled_from(("limit", "stop")), st.sampled_from((1, -1)), st.integers(60, 140)),
    max_size=8,
    unique_by=lambda row: row[2],
)


@st.composite
def bars(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        opened, close = draw(st.integers(70, 130)), draw(st.integers(70, 130))
        high = draw(st.integers(max(opened, close), 135))
        low = draw(st.integers(65, min(opened, close)))
        rows.append((opened, high, low, close))
    return rows


@settings(max_examples=400)
@given(ORDERS, bars())
def test_same_as_walking_every_tick(
    orders: list[tuple[str, int, int]], rows: list[tuple[int, int, int, int]]
) -> None:
    """The fills, in order, are those of a walk over every tick of the path."""
    log = Log()
    waiting = {}
    for number, (kind, sign, tick) in enumerate(orders):
        # Clear of the first open, so that none of them takes there.
        opened = rows[0][0]
        way = -sign if kind == "limit" else sign
        if (tick - opened) * way <= 0:
            continue
        name = str(number)
        waiting[name] = (kind, sign, tick, way)
        if kind == "limit":
            log.book.limit(name, sign, tick, 1)
        else:
            log.book.stop(name, sign, tick, 1, reduce_only=False)
    expected = []
    for opened, high, low, close in rows:
        turns = (high, low) if high - opened < opened - low else (low, high)
        gapped = [n for n, o in waiting.items() if (opened - o[2]) * o[3] >= 0]
        # A jump passes falling orders from the highest, rising ones from the lowest.
        falling = sorted((n for n in gapped if waiting[n][3] < 0), key=lambda n: -waiting[n][2])
        rising = sorted((n for n in gapped if waiting[n][3] > 0), key=lambda n: waiting[n][2])
        for name in falling + rising:
            kind, sign, tick, _ = waiting.pop(name)
            at = opened if kind == "stop" else tick
            expected.append((name, sign, 1, at, kind == "limit"))
        at = opened
        for turn in (*turns, close):
            while at != turn:
                at += 1 if turn > at else -1
                for name, (kind, sign, tick, _) in list(waiting.items()):
                    if tick == at:
                        expected.append((name, sign, 1, at, kind == "limit"))
                        del waiting[name]
    for row in rows:
        log.bar(*row)
    assert log.fills == expected
    assert log.book.working == len(waiting)
