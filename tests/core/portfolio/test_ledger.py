"""What the ledger remembers is bounded, and what it forgot is not booked twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core.clock import DAY, HOUR
from core.model.account import FundingPaid
from core.model.event import TradingState
from core.model.market import Side
from core.model.order import Fill, Order, OrderKind, OrderSent, OrderStatus, Outcome
from core.model.record import (
    BaselinePosition,
    CashAdjusted,
    EquityMarked,
    Intent,
    Resolved,
    StateRecorded,
    VenueBaseline,
    decode,
    encode,
)
from core.portfolio import ledger as module
from core.portfolio.ledger import Ledger

D = Decimal
BTC = "BTC/USDT:USDT"


def baseline(account: str = "a", ts: int = 100, **changes: Any) -> VenueBaseline:
    values = {"balance": D(1000), "positions": (), "before": D(0), "equity": D(1000)} | changes
    return VenueBaseline(
        "okx",
        account,
        values["balance"],
        values["positions"],
        values["before"],
        values["equity"],
        ts,
    )


def fill(number: int, ts: int = 200, side: Side = Side.BUY, client_id: str = "") -> Fill:
    return Fill("okx", BTC, str(number), client_id, "", side, D(1), D(10), D("0.1"), False, ts, ts)


def order(client_id: str) -> Order:
    return Order(client_id, "okx", BTC, Side.BUY, OrderKind.MARKET, D(1), 150, strategy="s")


def test_fills_before_the_baseline_are_inside_it() -> None:
    ledger = Ledger.replay([fill(0), baseline(ts=100), fill(1, ts=100), fill(2, ts=101)])
    assert ledger.fills == 1
    assert ledger.open["okx", BTC].qty == 1
    assert ledger.accounts["okx"].cash == D("999.9")


def test_an_order_moves_from_working_to_done_and_late_fills_find_it() -> None:
    ledger = Ledger.replay([baseline(), Intent(order("K1")), fill(1, client_id="K1")])
    assert list(ledger.done) == ["K1"]
    assert ledger.open["okx", BTC].strategy == "s"
    ledger.apply(fill(2, client_id="K1"))
    assert ledger.done["K1"].booked == 2


def test_absence_ends_an_order_and_a_late_fill_still_counts() -> None:
    ledger = Ledger.replay(
        [
            baseline(),
            Intent(order("K1")),
            OrderSent("okx", BTC, "K1", Outcome.UNKNOWN, 160),
            Resolved("okx", BTC, "K1", OrderStatus.EXPIRED, "absent", 170),
        ]
    )
    assert (ledger.working, ledger.done["K1"].absent) == ({}, True)
    ledger.apply(fill(1, client_id="K1"))
    assert ledger.open["okx", BTC].qty == 1
    assert not ledger.open["okx", BTC].foreign


def test_history_is_bounded() -> None:
    ledger = Ledger.replay([baseline()])
    for number in range(module._KEYS + 2_000):
        side = Side.BUY if number % 2 == 0 else Side.SELL
        client_id = f"K{number}"
        ledger.apply(Intent(order(client_id)))
        ledger.apply(fill(number, ts=200 + number, side=side, client_id=client_id))
    assert len(ledger.done) == len(ledger._finished) == module._DONE
    assert len(ledger._keys["okx"]) == module._KEYS
    assert len(ledger.recent) == module._RECENT
    assert ledger.working == {}
    before = ledger.fills
    assert ledger.forgotten(fill(5, ts=205))
    ledger.apply(fill(5, ts=205))  # forgotten by key, refused by time
    assert ledger.fills == before
    assert ledger.position("okx", BTC).qty == 0


def test_funding_counts_once_and_not_before_the_baseline() -> None:
    paid = FundingPaid("okx", BTC, D("-2.5"), D("0.0001"), 300, 301)
    early = FundingPaid("okx", BTC, D("-2.5"), D("0.0001"), 99, 301)
    ledger = Ledger.replay([baseline(), paid, paid, early])
    assert ledger.accounts["okx"].cash == D("997.5")
    assert ledger.funding == D("-2.5")


def test_capital_moves_the_marks_and_losses_do_not() -> None:
    ledger = Ledger.replay([baseline(), EquityMarked(DAY, D(1000), D(1200), D(1100))])
    ledger.apply(CashAdjusted("okx", D(50), DAY, "deposit"))
    assert (ledger.equity, ledger.peak, ledger.day_start) == (1050, 1250, 1150)
    ledger.apply(CashAdjusted("okx", D(-50), DAY, "shortfall"))
    assert (ledger.equity, ledger.peak, ledger.day_start) == (1050, 1250, 1150)
    held = BaselinePosition(BTC, D(-2), D(10))
    ledger.apply(
        baseline("b", 500, balance=D(300), positions=(held,), before=D(1000), equity=D(310))
    )
    assert (ledger.equity, ledger.peak) == (360, 560)
    assert ledger.open["okx", BTC].foreign
    assert ledger.shifted == D(50) - 690


def test_marks_cover_24_hours_and_no_more() -> None:
    ledger = Ledger()
    for hour in range(60):
        ledger.apply(EquityMarked(hour * HOUR, D(hour), D(hour), D(0)))
    assert ledger.marks[0] == (35 * HOUR, D(35))
    assert len(ledger.marks) == 25
    assert ledger.day == 2


def test_the_last_state_is_the_latch_and_ids_go_on() -> None:
    halted = StateRecorded(TradingState.HALTED, "loss", "engine", 1)
    text = "K1TEST01" + "00000000Z" + "E" + "000000"
    ledger = Ledger.replay([decode(encode(halted)), Intent(order(text))])
    assert (ledger.state, ledger.cause) == (TradingState.HALTED, "loss")
    assert ledger.next_seq == 36
