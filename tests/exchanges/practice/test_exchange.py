from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.state import (
    BookChanged,
    Cause,
    Change,
    Filled,
    FundingSettled,
    OrderChanged,
    PublicTrade,
    Refusal,
    RefusalKind,
    Status,
    TriggerBy,
    WalletChanged,
)
from tests.exchanges.practice.floor import BTC, ETH, Floor

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
POST_ONLY = {"tif": TimeInForce.POST_ONLY}


def refused(floor: Floor, *args: object, **more: object) -> RefusalKind:
    before = (floor.venue.wallet("me"), floor.venue.open_orders("me"), len(floor.events))
    with pytest.raises(Refusal) as refusal:
        floor.order(*args, **more)  # type: ignore[arg-type]
    assert before == (floor.venue.wallet("me"), floor.venue.open_orders("me"), len(floor.events))
    return refusal.value.kind


def test_a_market_order_through_two_levels_is_two_fills_with_fees_and_public_trades() -> None:
    floor = Floor(balance=1_000_000)
    order = floor.order(BUY, "1.5", client_id="c1")
    assert (order.status, order.filled) == (Status.FILLED, D("1.5"))
    fills = floor.venue.fills("me")
    assert [(f.qty, f.price) for f in fills] == [(D(1), D("100000.1")), (D("0.5"), D("100000.2"))]
    assert sum(f.fee for f in fills) == order.value * D("0.0005")
    assert floor.venue.wallet("me").balance == 1_000_000 - order.fee
    kinds = [(e.what, e.order.status) for e in floor.of(OrderChanged)]
    assert kinds == [
        (Change.ACCEPTED, Status.NEW),
        (Change.FILLED, Status.PARTIALLY_FILLED),
        (Change.FILLED, Status.FILLED),
    ]
    assert [(t.tick, t.lots, t.side) for t in floor.of(PublicTrade)] == [
        (1_000_001, 1000, BUY),
        (1_000_002, 500, BUY),
    ]
    floor.events.clear()
    snapshot = floor.venue.depth(BTC, 2)  # emits what the order took, then stands after it
    change = floor.of(BookChanged)[0]
    assert change.asks == [(1_000_001, 0), (1_000_002, 500)]
    assert snapshot.asks[0] == (1_000_002, 500)
    assert snapshot.update_id == change.last_id


def test_a_maker_rests_behind_the_market_shows_in_the_book_and_fills_in_parts() -> None:
    floor = Floor()
    order = floor.order(BUY, "0.010", "100000.0", tif=TimeInForce.POST_ONLY)
    assert floor.venue.depth(BTC, 1).bids == [(1_000_000, 1010)]
    floor.venue.market_trade(BTC, 1_000_000, 1000, -1)
    assert floor.venue.fills("me") == []
    floor.venue.market_trade(BTC, 1_000_000, 4, -1)
    assert floor.venue.wallet("me").order_margin == D("0.006") * 100_000 / 10
    floor.venue.market_trade(BTC, 1_000_000, 60, -1)
    floor.venue.publish(BTC)
    fills = floor.venue.fills("me")
    assert [(f.qty, f.maker) for f in fills] == [(D("0.004"), True), (D("0.006"), True)]
    assert fills[0].fee == D("0.004") * 100_000 * D("0.0002")
    assert floor.venue.find_order("me", order_id=order.order_id).status is Status.FILLED  # type: ignore[union-attr]
    assert floor.venue.wallet("me").order_margin == 0


@pytest.mark.parametrize(
    ("kind", "args", "more"),
    [
        (RefusalKind.BAD_PRECISION_PRICE, (BUY, "0.01", "99999.95"), {}),
        (RefusalKind.BAD_PRECISION_QTY, (BUY, "0.0105", "99999.0"), {}),
        (RefusalKind.BAD_PARAMETER, (BUY, "-1", "99999.0"), {}),
        (RefusalKind.ABOVE_MAX_QTY, (BUY, "500"), {}),
        (RefusalKind.BELOW_MIN_NOTIONAL, (BUY, "0.001", "4000.0"), {}),
        (RefusalKind.PRICE_BAND, (BUY, "0.01", "105000.1"), {}),
        (RefusalKind.PRICE_BAND, (SELL, "0.01", "94999.9"), {}),
        (RefusalKind.INSUFFICIENT_MARGIN, (BUY, "1.1", "99000.0"), {}),
        (RefusalKind.INSUFFICIENT_MARGIN, (SELL, "1"), {}),
        (RefusalKind.REDUCE_ONLY_REJECTED, (SELL, "0.01"), {"reduce_only": True}),
        (RefusalKind.BAD_CLIENT_ID, (BUY, "0.01", "99000.0"), {"client_id": "no spaces"}),
        (RefusalKind.BAD_SYMBOL, (BUY, "0.01", "99000.0"), {"symbol": "NOPE/USDT:USDT"}),
        (RefusalKind.POST_ONLY_WOULD_CROSS, (BUY, "0.01", "100000.1"), POST_ONLY),
        (RefusalKind.WOULD_TRIGGER_IMMEDIATELY, (SELL, "0.01"), {"trigger": D("100000.0")}),
    ],
)  # fmt: skip
def test_refusals_change_nothing(kind: RefusalKind, args: tuple, more: dict) -> None:  # type: ignore[type-arg]
    assert refused(Floor(), *args, **more) is kind


def test_open_orders_are_limited() -> None:
    floor = Floor(balance=10_000_000)
    for _ in range(200):
        floor.order(BUY, "0.001", "99000.0")
    assert refused(floor, BUY, "0.001", "99000.0") is RefusalKind.TOO_MANY_ORDERS


@pytest.mark.parametrize(("venue", "again"), [("bybit", False), ("binance", True), ("okx", False)])
def test_each_venue_has_its_own_rule_for_client_ids(venue: str, again: bool) -> None:
    floor = Floor(venue)
    floor.order(BUY, "0.01", "99000.0", client_id="abc1")
    assert (
        refused(floor, BUY, "0.01", "99000.0", client_id="abc1") is RefusalKind.DUPLICATE_CLIENT_ID
    )
    floor.venue.cancel("me", BTC, client_id="abc1")
    if again:
        second = floor.order(BUY, "0.01", "98000.0", client_id="abc1")
        assert floor.venue.find_order("me", client_id="abc1").order_id == second.order_id  # type: ignore[union-attr]
    else:
        kind = refused(floor, BUY, "0.01", "99000.0", client_id="abc1")
        assert kind is RefusalKind.DUPLICATE_CLIENT_ID


@pytest.mark.parametrize("venue", ["bybit", "okx"])
def test_post_only_that_crosses_is_taken_and_then_cancelled(venue: str) -> None:
    floor = Floor(venue)
    order = floor.order(BUY, "0.01", "100000.5", tif=TimeInForce.POST_ONLY)
    assert (order.status, order.cause, order.filled) == (Status.CANCELLED, Cause.POST_ONLY, 0)
    assert [e.what for e in floor.of(OrderChanged)] == [Change.ACCEPTED, Change.ENDED]
    assert floor.venue.fills("me") == []


def test_cancelling_twice_is_too_late_and_frees_margin_once() -> None:
    floor = Floor()
    order = floor.order(BUY, "0.5", "99000.0")
    assert floor.venue.wallet("me").order_margin == D("4950")
    floor.venue.cancel("me", BTC, order.order_id)
    assert floor.venue.wallet("me").order_margin == 0
    for order_id, kind in (
        (order.order_id, RefusalKind.ALREADY_DONE),
        ("1", RefusalKind.UNKNOWN_ORDER),
    ):
        with pytest.raises(Refusal) as refusal:
            floor.venue.cancel("me", BTC, order_id)
        assert refusal.value.kind is kind


def test_amending_keeps_the_place_only_when_it_shrinks() -> None:
    floor = Floor(balance=1_000_000)
    order = floor.order(BUY, "0.020", "100000.0")
    floor.venue.tapes[BTC].book.set_level(1, 1_000_000, 2000)  # a thousand before, a thousand after
    floor.venue.amend("me", BTC, order.order_id, qty=D("0.010"))
    floor.venue.market_trade(BTC, 1_000_000, 1005, -1)
    assert floor.venue.fills("me")[-1].qty == D("0.005")
    floor.venue.amend("me", BTC, order.order_id, qty=D("0.030"))
    assert floor.venue.wallet("me").order_margin == D("0.025") * 100_000 / 10
    floor.venue.market_trade(BTC, 1_000_000, 2000, -1)
    assert len(floor.venue.fills("me")) == 1  # behind all of them now
    with pytest.raises(Refusal, match="filled already"):
        floor.venue.amend("me", BTC, order.order_id, qty=D("0.004"))
    taken = floor.venue.amend("me", BTC, order.order_id, price=D("100000.1"))
    assert taken.status is Status.FILLED


def test_reduce_only_closes_and_never_turns_the_position() -> None:
    floor = Floor(balance=1_000_000)
    floor.order(BUY, "0.5")
    resting = floor.order(SELL, "0.4", "100100.0", reduce_only=True)
    order = floor.order(SELL, "0.9", reduce_only=True)
    assert (order.filled, order.status, order.cause) == (
        D("0.5"),
        Status.CANCELLED,
        Cause.REDUCE_ONLY,
    )
    assert floor.venue.positions("me") == []
    ended = floor.venue.find_order("me", order_id=resting.order_id)
    assert ended is not None
    assert (ended.status, ended.cause) == (Status.CANCELLED, Cause.REDUCE_ONLY)


@pytest.mark.parametrize("venue", ["bybit", "binance", "okx"])
def test_a_stop_fires_on_the_mark_and_closes(venue: str) -> None:
    floor = Floor(venue, balance=1_000_000)
    floor.order(BUY, "0.5")
    stop = floor.order(
        SELL, "0.5", kind=OrderKind.STOP, trigger=D("99000.0"), reduce_only=True, client_id="stop1"
    )
    assert stop.status is Status.UNTRIGGERED
    assert [o.order_id for o in floor.venue.open_orders("me", conditional=True)] == [stop.order_id]
    floor.mark(99_000.1)
    assert len(floor.venue.positions("me")) == 1
    floor.mark(98_999.9)
    assert floor.venue.positions("me") == []
    done = floor.venue.find_order("me", order_id=stop.order_id)
    assert done is not None
    fill = floor.venue.fills("me")[-1]
    if venue == "bybit":
        assert (done.status, fill.order_id) == (Status.FILLED, stop.order_id)
    else:
        assert (done.status, fill.order_id) == (Status.TRIGGERED, done.child_id)
    assert done.done
    assert floor.venue.open_orders("me") == []


def test_a_stop_without_a_position_is_rejected_when_it_fires_and_last_price_stops_work() -> None:
    floor = Floor()
    floor.order(SELL, "0.5", kind=OrderKind.STOP, trigger=D("99000.0"), reduce_only=True)
    floor.venue.market_trade(BTC, 1_000_000, 1, -1)
    entry = floor.order(BUY, "0.01", trigger=D("100000.1"), trigger_by=TriggerBy.LAST)
    floor.mark(90_000.0)
    ends = [e.order for e in floor.of(OrderChanged) if e.what is Change.ENDED]
    assert [(o.status, o.cause) for o in ends] == [(Status.REJECTED, Cause.REDUCE_ONLY)]
    floor.mark(100_000.0)
    floor.venue.market_trade(BTC, 1_000_001, 1, 1)
    floor.venue.publish(BTC)
    assert floor.venue.find_order("me", order_id=entry.order_id).child_id  # type: ignore[union-attr]
    assert floor.venue.positions("me")[0].qty == D("0.01")


def test_the_countdown_fires_unless_it_is_renewed() -> None:
    floor = Floor()
    floor.order(BUY, "0.01", "99000.0")
    assert floor.venue.arm_countdown("me", 60_000) == floor.now + 60_000
    floor.now += 59_999
    floor.venue.tick()
    floor.venue.arm_countdown("me", 60_000)
    floor.now += 59_999
    floor.venue.tick()
    assert len(floor.venue.open_orders("me")) == 1
    floor.now += 1
    floor.venue.tick()
    assert floor.venue.open_orders("me") == []
    assert floor.of(OrderChanged)[-1].order.cause is Cause.COUNTDOWN
    floor.order(BUY, "0.01", "99000.0")
    floor.venue.arm_countdown("me", 5, ETH)
    floor.venue.arm_countdown("me", 0, ETH)
    floor.now += 1000
    floor.venue.tick()
    assert len(floor.venue.open_orders("me")) == 1


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_funding_is_settled_at_the_full_hours_of_market_time(speed: float) -> None:
    floor = Floor(balance=1_000_000, speed=speed)
    floor.order(BUY, "2")
    before = floor.venue.wallet("me").balance
    ticker = floor.venue.ticker(BTC)
    assert ticker.next_funding_ms == floor.now + 25 * 60_000 / speed
    floor.now = ticker.next_funding_ms - 1
    floor.venue.tick()
    assert floor.venue.funding_payments("me") == []
    for _ in range(3):
        floor.now += 1000
        floor.venue.tick()
    (payment,) = floor.venue.funding_payments("me")
    assert (payment.amount, payment.qty, payment.mark) == (D(-20), D(2), D(100_000))
    assert floor.venue.wallet("me").balance == before - 20
    assert floor.of(FundingSettled)[0].payment == payment
    assert floor.of(WalletChanged)[-1].cause == "funding"
    floor.now += int(8 * 3_600_000 / speed)
    floor.venue.tick()
    assert len(floor.venue.funding_payments("me")) == 2


def test_an_account_that_falls_below_maintenance_is_liquidated() -> None:
    floor = Floor()
    floor.order(BUY, "0.9")
    floor.order(BUY, "0.01", "80000.0")
    (position,) = floor.venue.positions("me")
    floor.quote(int(position.liquidation / D("0.1")) + 5)
    floor.mark(float(position.liquidation) + 0.1)
    floor.now += 1000
    floor.venue.tick()
    assert floor.venue.positions("me")
    floor.mark(float(position.liquidation) - 0.1)
    floor.now += 1000
    floor.venue.tick()
    assert floor.venue.positions("me") == floor.venue.open_orders("me") == []
    assert all(fill.liquidation for fill in floor.venue.fills("me")[1:])
    assert 0 < floor.venue.wallet("me").balance < 1000


def test_what_the_book_cannot_take_is_borne_by_the_insurance_fund() -> None:
    floor = Floor()
    floor.order(BUY, "0.9")
    floor.quote(500_000, levels=1, lots=1)
    floor.mark(50_000.0)
    floor.now += 1000
    floor.venue.tick()
    assert floor.venue.positions("me") == []
    assert floor.venue.wallet("me").balance == 0
    assert floor.of(WalletChanged)[-1].cause == "liquidation"


def test_leverage_changes_what_an_order_needs() -> None:
    floor = Floor()
    floor.venue.set_leverage("me", BTC, D(50))
    floor.order(BUY, "1.1")
    for leverage, kind in (
        (D(50), RefusalKind.UNCHANGED),
        (D(101), RefusalKind.BAD_LEVERAGE),
        (D(5), RefusalKind.INSUFFICIENT_MARGIN),
    ):
        with pytest.raises(Refusal) as refusal:
            floor.venue.set_leverage("me", BTC, leverage)
        assert refusal.value.kind is kind
    assert floor.venue.leverage("me", BTC) == 50


ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("order"), st.sampled_from((BUY, SELL)), st.integers(1, 3000),
            st.one_of(st.none(), st.integers(-8, 8)), st.sampled_from(tuple(TimeInForce)),
            st.booleans(),
        ),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("trade"), st.sampled_from((1, -1)), st.integers(1, 3000)),
        st.tuples(st.just("quote"), st.integers(-6, 6)),
        st.tuples(st.just("mark"), st.integers(-3000, 3000)),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=150)
@given(st.sampled_from(("bybit", "binance", "okx")), ACTIONS)
def test_the_accounts_always_add_up(venue: str, actions: list[tuple]) -> None:  # type: ignore[type-arg]
    """Cash, positions and margin are what the fills say, whatever happens."""
    floor = Floor(venue, balance=1_000_000)
    placed = []
    for kind, *rest in actions:
        try:
            if kind == "order":
                side, lots, offset, tif, reduce_only = rest
                price = None if offset is None else str(D("100000.0") + D(offset) / 10)
                qty = str(D(lots) / 1000)
                placed.append(floor.order(side, qty, price, tif=tif, reduce_only=reduce_only))
            elif kind == "cancel" and rest[0] < len(placed):
                floor.venue.cancel("me", BTC, placed[rest[0]].order_id)
            elif kind == "trade":
                best = floor.venue.tapes[BTC].book.best(-rest[0])
                if best is not None:
                    floor.venue.market_trade(BTC, best, rest[1], rest[0])
                    floor.venue.publish(BTC)
            elif kind == "quote":
                floor.quote(1_000_000 + rest[0])
            elif kind == "mark":
                floor.mark(100_000.0 + rest[0])
        except Refusal:
            pass
    fills = floor.venue.fills("me", limit=10_000)
    assert [e.fill for e in floor.of(Filled)] == fills
    assert len({fill.trade_id for fill in fills}) == len(fills)
    signed = sum((f.qty * f.side.sign for f in fills), D(0))
    assert floor.venue.positions("me", BTC)[0].qty == signed
    spent = sum((f.qty * f.price * f.side.sign + f.fee for f in fills), D(0))
    wallet = floor.venue.wallet("me")
    worth = signed * floor.venue.positions("me", BTC)[0].mark
    assert abs(wallet.equity - (1_000_000 - spent + worth)) < D("1e-15")
    resting = floor.venue.open_orders("me")
    for order in floor.venue.order_history("me", limit=1000):
        mine = [f for f in fills if f.order_id == order.order_id]
        assert order.filled == sum((f.qty for f in mine), D(0)) <= order.qty
        assert order.done != (order.order_id in {o.order_id for o in resting})
        assert (order.status is Status.FILLED) == (order.filled == order.qty)
    for sign in (BUY, SELL):
        book = sum(
            (o.remaining * o.price for o in resting if o.side is sign and not o.reduce_only), D(0)
        )  # type: ignore[misc]
        holding = floor.venue._traders["me"].margin.holdings[BTC]
        assert (holding.buying if sign is BUY else holding.selling) == book


def test_the_index_is_kept_by_the_minute() -> None:
    floor = Floor()
    start = floor.now - floor.now % 300_000 + 300_000
    for half in range(25):
        floor.now = start + half * 30_000
        floor.venue.set_mark(BTC, 100_000.0, 100_000.0 + half)
    floor.now += 10_000
    minutes = floor.venue.index_klines(BTC, 60)
    assert [opened for opened, _ in minutes] == [start + n * 60_000 for n in range(13)]
    # Each closes with the last word before its end, and the next one opens there; one is running.
    assert [float(prices[3]) for _, prices in minutes[:-1]] == [
        100_001.0 + 2 * n for n in range(12)
    ]
    assert [prices[0] for _, prices in minutes[1:]] == [prices[3] for _, prices in minutes[:-1]]
    assert float(minutes[-1][1][3]) == 100_024.0
    fives = floor.venue.index_klines(BTC, 300, end_ms=start + 300_000, limit=1)
    assert [(opened, float(prices[3])) for opened, prices in fives] == [
        (start + 300_000, 100_019.0)
    ]
    assert float(fives[0][1][2]) == 100_009.0
    assert floor.venue.index_klines(BTC, 60, start_ms=start + 120_000, limit=2) == minutes[2:4]
