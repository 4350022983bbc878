"""Every order of the same evidence ends in the same place, and nothing ever goes backwards."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, OrderSent, OrderStatus, Outcome
from core.orders.machine import WorkingOrder

ORDER = Order("K1", "bybit", "BTC/USDT:USDT", Side.BUY, OrderKind.MARKET, Decimal(3), 1)


def sent(outcome: Outcome) -> OrderSent:
    return OrderSent("bybit", ORDER.symbol, "K1", outcome, 2, "v1" if outcome == "accepted" else "")


def report(status: OrderStatus, filled: int) -> OrderReport:
    return OrderReport(
        "bybit",
        ORDER.symbol,
        "K1",
        "v1",
        Side.BUY,
        OrderKind.MARKET,
        status,
        Decimal(3),
        Decimal(filled),
        3,
        3,
    )


def feed(order: WorkingOrder, event: OrderSent | OrderReport | int) -> None:
    if isinstance(event, OrderSent):
        order.sent(event)
    elif isinstance(event, OrderReport):
        order.reported(event)
    else:
        order.book(Decimal(event), Decimal(100), 3)


LIVES: list[tuple[str, list[OrderSent | OrderReport | int], OrderStatus]] = [
    (
        "filled in two parts",
        [
            sent(Outcome.ACCEPTED),
            report(OrderStatus.OPEN, 0),
            report(OrderStatus.PARTIAL, 1),
            report(OrderStatus.FILLED, 3),
            1,
            2,
        ],
        OrderStatus.FILLED,
    ),
    (
        "timed out and alive",
        [sent(Outcome.UNKNOWN), report(OrderStatus.OPEN, 0), report(OrderStatus.FILLED, 3), 3],
        OrderStatus.FILLED,
    ),
    (
        "cancelled after a part",
        [
            sent(Outcome.ACCEPTED),
            report(OrderStatus.OPEN, 0),
            report(OrderStatus.CANCELLED, 1),
            1,
        ],
        OrderStatus.CANCELLED,
    ),
]


@pytest.mark.parametrize(("name", "life", "end"), LIVES, ids=[one[0] for one in LIVES])
def test_every_order_of_events_ends_alike(
    name: str, life: list[OrderSent | OrderReport | int], end: OrderStatus
) -> None:
    for events in permutations(life):
        order = WorkingOrder(ORDER)
        for event in events:
            feed(order, event)
        assert order.status is end, events
        assert order.booked == order.filled, events
        assert order.settled


def test_a_stale_replay_does_not_reopen() -> None:
    order = WorkingOrder(ORDER)
    order.reported(report(OrderStatus.CANCELLED, 0))
    assert not order.reported(report(OrderStatus.OPEN, 0))
    assert order.status is OrderStatus.CANCELLED


def test_fills_missing_from_a_finished_order_keep_it_unsettled() -> None:
    order = WorkingOrder(ORDER)
    order.reported(report(OrderStatus.FILLED, 3))
    assert order.terminal
    assert not order.settled
    assert order.remaining == 3
    order.book(Decimal(3), Decimal(100), 4)
    assert order.settled


def test_a_refusal_after_signs_of_life_proves_nothing() -> None:
    order = WorkingOrder(ORDER)
    order.book(Decimal(1), Decimal(100), 2)
    order.sent(sent(Outcome.REJECTED))
    assert order.status is OrderStatus.PARTIAL


EVENTS = st.one_of(
    st.sampled_from([sent(outcome) for outcome in Outcome]),
    st.builds(report, st.sampled_from(list(OrderStatus)), st.integers(0, 3)),
    st.just(1),
)


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=12))
def test_filled_never_falls_and_terminal_never_reopens(
    events: list[OrderSent | OrderReport | int],
) -> None:
    order = WorkingOrder(ORDER)
    for event in events:
        before = (order.terminal, order.status, order.filled, order.booked)
        feed(order, event)
        assert order.filled >= before[2]
        assert order.booked >= before[3]
        if before[0]:
            assert order.status is before[1]
        if before[1] is not OrderStatus.JOURNALED:
            assert order.status is not OrderStatus.JOURNALED
        if before[1] not in (OrderStatus.JOURNALED, OrderStatus.UNKNOWN):
            assert order.status is not OrderStatus.UNKNOWN
