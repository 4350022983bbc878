from __future__ import annotations

from collections import defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.matching.book import Book, BookOrder, End, Tif, Trigger, Triggers


class Ears:
    """Books what the book tells, and keeps positions for reduce-only."""

    def __init__(self) -> None:
        self.fills: list[tuple[int, int, int, bool]] = []
        self.drops: list[tuple[int, End]] = []
        self.prints: list[tuple[int, int, int]] = []
        self.position: dict[str, int] = defaultdict(int)
        self.filled_lots: dict[int, int] = defaultdict(int)

    def filled(self, order: BookOrder, tick: int, lots: int, maker: bool) -> None:
        assert lots > 0
        before = self.position[order.owner]
        self.position[order.owner] += order.sign * lots
        if order.reduce_only:
            assert abs(self.position[order.owner]) < abs(before)
            assert self.position[order.owner] * before >= 0
        self.fills.append((order.number, tick, lots, maker))
        self.filled_lots[order.number] += lots

    def dropped(self, order: BookOrder, end: End) -> None:
        self.drops.append((order.number, end))

    def traded(self, tick: int, lots: int, taker_sign: int) -> None:
        self.prints.append((tick, lots, taker_sign))

    def reducible(self, owner: str, sign: int) -> int:
        return max(-self.position[owner] * sign, 0)


def make() -> tuple[Book, Ears]:
    ears = Ears()
    return Book(ears), ears


def order(number: int, sign: int, lots: int, tick: int | None, **more: object) -> BookOrder:
    return BookOrder(number, str(more.pop("owner", "me")), sign, lots, tick, **more)  # type: ignore[arg-type]


def test_market_order_takes_level_by_level_and_shrinks_what_is_seen() -> None:
    book, ears = make()
    for tick, lots in ((101, 5), (102, 5), (104, 5)):
        book.set_level(-1, tick, lots)
    book.submit(order(1, 1, 12, None))
    assert ears.fills == [(1, 101, 5, False), (1, 102, 5, False), (1, 104, 2, False)]
    assert book.levels(-1, 9) == [(104, 3)]
    assert ears.prints == [(101, 5, 1), (102, 5, 1), (104, 2, 1)]


def test_what_stood_before_an_order_trades_before_it() -> None:
    book, ears = make()
    book.set_level(1, 100, 10)
    book.submit(order(1, 1, 4, 100))
    book.set_level(1, 100, 30)  # twenty more came behind
    assert book.trade(100, 10, -1) == 0
    assert book.trade(100, 3, -1) == 3
    assert book.trade(99, 5, -1) == 1  # a print below went through the level
    assert ears.fills == [(1, 100, 3, True), (1, 100, 1, True)]


def test_cancels_ahead_are_believed_only_when_the_level_proves_them() -> None:
    book, ears = make()
    book.set_level(1, 100, 10)
    book.submit(order(1, 1, 4, 100))
    book.set_level(1, 100, 6)
    assert book.trade(100, 6, -1) == 0
    assert book.trade(100, 4, -1) == 4
    assert ears.filled_lots[1] == 4


def test_orders_of_two_owners_trade_in_time_order_and_never_with_themselves() -> None:
    book, ears = make()
    book.submit(order(1, -1, 3, 101, owner="you"))
    book.set_level(-1, 101, 5)
    book.submit(order(2, -1, 3, 101, owner="me"))
    book.submit(order(3, 1, 20, 101, owner="me"))
    # All of the other's order, all of the market's five, then its own order: the newest gives way.
    assert ears.fills == [(1, 101, 3, True), (3, 101, 3, False), (3, 101, 5, False)]
    assert ears.drops == [(3, End.SELF_TRADE)]
    assert book.levels(-1, 5) == [(101, 3)]


def test_time_in_force() -> None:
    book, ears = make()
    book.set_level(-1, 101, 5)
    book.submit(order(1, 1, 9, 101, tif=Tif.FOK))
    assert (ears.fills, ears.drops) == ([], [(1, End.FOK)])
    book.submit(order(2, 1, 5, 101, tif=Tif.POST_ONLY))
    assert ears.drops[-1] == (2, End.POST_ONLY)
    book.submit(order(3, 1, 9, 101, tif=Tif.IOC))
    assert ears.filled_lots[3] == 5
    assert ears.drops[-1] == (3, End.IOC)
    book.submit(order(4, 1, 5, 101, tif=Tif.POST_ONLY))
    assert book.levels(1, 5) == [(101, 5)]
    book.submit(order(5, -1, 5, 101, owner="you", tif=Tif.FOK))
    assert ears.filled_lots[4] == ears.filled_lots[5] == 5


def test_a_level_that_crosses_an_order_trades_with_it() -> None:
    book, ears = make()
    book.submit(order(1, 1, 10, 100))
    book.set_level(-1, 99, 4)
    assert ears.fills == [(1, 100, 4, True)]
    assert book.best(-1) is None
    book.set_level(-1, 99, 9)
    assert ears.filled_lots[1] == 10
    assert book.levels(-1, 5) == [(99, 3)]


def test_reduce_only_is_cut_to_the_position_and_dropped() -> None:
    book, ears = make()
    ears.position["me"] = 5
    book.set_level(1, 100, 50)
    book.submit(order(1, -1, 9, None, reduce_only=True))
    assert ears.position["me"] == 0
    assert ears.drops == [(1, End.REDUCE_ONLY)]
    ears.position["me"] = 2
    book.submit(order(2, -1, 9, 101, reduce_only=True))
    book.trade(101, 9, 1)
    assert ears.position["me"] == 0
    assert ears.drops[-1] == (2, End.REDUCE_ONLY)
    assert book.resting == 0


SIGNS = st.sampled_from((1, -1))
STEP = st.one_of(
    st.tuples(st.just("level"), SIGNS, st.integers(1, 8), st.integers(0, 12)),
    st.tuples(st.just("trade"), SIGNS, st.integers(94, 106), st.integers(1, 20)),
    st.tuples(
        st.just("order"), SIGNS, st.integers(94, 106), st.integers(1, 20),
        st.sampled_from(tuple(Tif)), st.booleans(), st.sampled_from(("me", "you")), st.booleans(),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(STEP, max_size=60))
@example(  # all or nothing, with an order of its own in the way
    [
        ("level", -1, 1, 3),
        ("order", -1, 101, 1, Tif.GTC, False, "you", False),
        ("order", 1, 94, 4, Tif.FOK, False, "you", True),
    ]
)
def test_nothing_is_made_or_lost(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Lots asked for = filled + dropped + cancelled + resting, and the book never crosses."""
    book, ears = make()
    orders: list[BookOrder] = []
    asked: dict[int, int] = {}
    limits: dict[int, tuple[int, int | None]] = {}
    gone: set[int] = set()
    for kind, *rest in steps:
        if kind == "level":
            sign, distance, lots = rest
            book.set_level(sign, 100 - sign * distance, lots)
        elif kind == "trade":
            sign, tick, lots = rest
            before = sum(fill[2] for fill in ears.fills)
            done = book.trade(tick, lots, sign)
            assert sum(fill[2] for fill in ears.fills) - before == done <= lots
        elif kind == "order":
            sign, tick, lots, tif, reduce_only, owner, market = rest
            number = len(orders)
            new = BookOrder(number, owner, sign, lots, None if market else tick, tif, reduce_only)
            orders.append(new)
            asked[number] = lots
            limits[number] = (sign, None if market else tick)
            fills = len(ears.fills)
            book.submit(new)
            mine = [tick for n, tick, _, _ in ears.fills[fills:] if n == number]
            assert mine == sorted(mine, reverse=sign < 0), "a worse price before a better one"
            assert not (tif is Tif.FOK and mine and new.lots and not reduce_only)
        elif rest[0] < len(orders) and book.cancel(rest[0]):
            gone.add(rest[0])
        bid, ask = book.best(1), book.best(-1)
        assert bid is None or ask is None or bid < ask
        for sign in (1, -1):
            assert all(lots > 0 for _, lots in book.levels(sign, 99))
    for number, tick, _, _ in ears.fills:
        sign, limit = limits[number]
        assert limit is None or (limit - tick) * sign >= 0
    dropped = {number for number, _ in ears.drops}
    assert len(dropped) == len(ears.drops)
    for each in orders:
        assert each.lots >= 0
        assert asked[each.number] == ears.filled_lots[each.number] + each.lots
        resting = book.order(each.number) is not None
        ended = each.number in dropped or each.number in gone
        assert resting + ended + (each.lots == 0 and not ended) == 1


@settings(max_examples=200)
@given(st.lists(STEP, max_size=50))
def test_touched_levels_tell_every_change(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Following ``touched`` alone gives the visible book."""
    book, _ = make()
    seen: dict[tuple[int, int], int] = {}
    for number, (kind, *rest) in enumerate(steps):
        if kind == "level":
            book.set_level(rest[0], 100 - rest[0] * rest[1], rest[2])
        elif kind == "trade":
            book.trade(rest[1], rest[2], rest[0])
        elif kind == "order":
            sign, tick, lots, tif, reduce_only, owner, market = rest
            book.submit(
                BookOrder(number, owner, sign, lots, None if market else tick, tif, reduce_only)
            )
        else:
            book.cancel(rest[0])
        for side, tick in book.touched:
            seen[side, tick] = book.visible(side, tick)
        book.touched.clear()
        for side in (1, -1):
            shown = {tick: lots for (s, tick), lots in seen.items() if s == side and lots}
            assert shown == dict(book.levels(side, 999))


@given(
    st.lists(st.tuples(st.integers(80, 120), st.booleans()), max_size=20),
    st.lists(st.integers(80, 120), max_size=20),
)
def test_triggers_fire_once_and_only_when_reached(
    stops: list[tuple[int, bool]], prices: list[int]
) -> None:
    triggers = Triggers()
    for number, (tick, rising) in enumerate(stops):
        triggers.add(Trigger(number, tick, rising))
    waiting = dict(enumerate(stops))
    for price in prices:
        due = {
            n
            for n, (tick, rising) in waiting.items()
            if (price >= tick if rising else price <= tick)
        }
        assert set(triggers.fire(price)) == due
        for number in due:
            del waiting[number]
    assert len(triggers) == len(waiting)
    for number in waiting:
        assert triggers.remove(number)
    assert not triggers.remove(0)
