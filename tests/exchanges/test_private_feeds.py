"""Frames about our own orders, fills, positions and money."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.model.account import Balance, PositionReport
from core.model.market import BadMessage, Side
from core.model.order import Fill, OrderKind, OrderReport, OrderStatus
from exchanges import binance_private as binance
from exchanges import bybit_private as bybit
from exchanges import okx_private as okx
from exchanges.private import PrivateFeed
from exchanges.rules import Rules
from exchanges.venue import RULES
from tests.exchanges.market import Seen, instrument

OURS = "T1AAAA01000000001X7K2M9Q"
STOP = "T1AAAA01000000002X7K2M9Q"
LISTED = {
    "bybit": [instrument("bybit", "BTCUSDT"), instrument("bybit", "ETHUSDT", "ETH")],
    "binance": [instrument("binance", "BTCUSDT"), instrument("binance", "BNBUSDT", "BNB")],
    "okx": [instrument("okx", "BTC-USDT-SWAP", contract="0.01", lot="0.0001")],
}


def make(venue: str) -> tuple[Rules, PrivateFeed, Seen]:
    rules = RULES[venue]()
    rules.adopt(LISTED[venue])
    seen = Seen()
    return rules, rules.private_feed(seen), seen


def test_bybit_order() -> None:
    _, feed, seen = make("bybit")
    assert feed.take(bybit.ORDER_SAMPLE, 5)
    assert seen == [
        OrderReport(
            "bybit", "ETH/USDT:USDT", OURS, "5cf98598-39a7-459e-97bf-76ca765ee020", Side.SELL,
            OrderKind.MARKET, OrderStatus.FILLED, Decimal(1), Decimal(1), 1672364262457_000000, 5,
            average=Decimal(75),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason"), [("EC_PerCancelRequest", ""), ("EC_PostOnlyWillTakeLiquidity",) * 2]
)
def test_bybit_says_why_only_where_there_is_something_to_say(code: str, reason: str) -> None:
    _, feed, seen = make("bybit")
    assert feed.take(bybit.ORDER_SAMPLE.replace("EC_NoError", code), 5)
    assert [report.reason for report in seen if isinstance(report, OrderReport)] == [reason]


def test_bybit_fill_position_and_wallet() -> None:
    _, feed, seen = make("bybit")
    for frame in (bybit.FILL_SAMPLE, bybit.POSITION_SAMPLE, bybit.WALLET_SAMPLE):
        assert feed.take(frame, 5)
    assert seen == [
        Fill("bybit", "BTC/USDT:USDT", "0ab1bdf7-4219-438b-b30a-32ec863018f7", OURS,
             "9aac161b-8ed6-450d-9cab-c5cc67c21784", Side.SELL, Decimal("0.5"),
             Decimal("95900.1"), Decimal("26.3725275"), False, 1746270400353_000000, 5),
        PositionReport("bybit", "ETH/USDT:USDT", Decimal("-0.01"), Decimal("3641.075"), 5,
                       mark=Decimal("3641.33"), liquidation=Decimal("51764.83"),
                       leverage=Decimal(30), unrealised=Decimal("-0.00255")),
        Balance("bybit", "USDT", Decimal("9647.75537647"), 5, free=Decimal("9519.90537647")),
    ]  # fmt: skip


def test_bybit_funding_is_no_fill() -> None:
    _, feed, seen = make("bybit")
    assert feed.take(bybit.FILL_SAMPLE.replace('"Trade"', '"Funding"'), 5)
    assert not seen


def test_binance_fill_comes_before_its_report() -> None:
    _, feed, seen = make("binance")
    assert feed.take(binance.ORDER_SAMPLE, 5)
    fill, report = seen
    assert fill == Fill(
        "binance", "BTC/USDT:USDT", "71", OURS, "8886774", Side.SELL, Decimal("0.0005"),
        Decimal("7103.04"), Decimal("0.00071030"), True, 1568879465650_000000, 5,
    )  # fmt: skip
    assert isinstance(report, OrderReport)
    assert (report.status, report.filled, report.price) == (
        OrderStatus.PARTIAL, Decimal("0.0005"), Decimal("7103.04"),
    )  # fmt: skip


def test_binance_child_of_a_stop_is_told_as_the_stop() -> None:
    _, feed, seen = make("binance")
    assert feed.take(binance.ALGO_SAMPLE, 5)
    child = (
        binance.ORDER_SAMPLE.replace("8886774", "8886999")
        .replace(OURS, "autoclose-xyz")
        .replace("BTCUSDT", "BNBUSDT")
    )
    assert feed.take(child, 6)
    algo, fill, report = seen
    assert isinstance(algo, OrderReport)
    assert (algo.client_id, algo.kind, algo.status) == (STOP, OrderKind.STOP, OrderStatus.OPEN)
    assert algo.trigger == Decimal(750)
    assert isinstance(fill, Fill)
    assert fill.client_id == STOP
    assert isinstance(report, OrderReport)
    assert (report.client_id, report.kind) == (STOP, OrderKind.STOP)


@pytest.mark.parametrize(
    ("symbol", "same"),
    [("BTCUSDT", "8886999"), ("BNBUSDT", "2148719")],
    ids=["child of another symbol's stop", "stop"],
)
def test_binance_counts_orders_symbol_by_symbol_and_conditional_ones_apart(
    symbol: str, same: str
) -> None:
    _, feed, seen = make("binance")
    assert same in binance.ALGO_SAMPLE
    assert feed.take(binance.ALGO_SAMPLE, 5)
    frame = binance.ORDER_SAMPLE.replace("8886774", same).replace("BTCUSDT", symbol)
    assert feed.take(frame, 6)
    _, fill, report = seen
    assert isinstance(fill, Fill)
    assert isinstance(report, OrderReport)
    assert (fill.client_id, report.client_id, report.kind) == (OURS, OURS, OrderKind.LIMIT)


def test_binance_account_update() -> None:
    _, feed, seen = make("binance")
    assert feed.take(binance.ACCOUNT_SAMPLE, 5)
    assert seen == [
        Balance("binance", "USDT", Decimal("122624.12345678"), 5),
        PositionReport("binance", "BTC/USDT:USDT", Decimal("-0.002"), Decimal("7103.04"), 5,
                       unrealised=Decimal("0.5")),
    ]  # fmt: skip


def test_binance_expired_listen_key_ends_the_stream() -> None:
    _, feed, _ = make("binance")
    reasons: list[str] = []
    feed.expired = reasons.append
    assert feed.take('{"e":"listenKeyExpired","E":1576653824250}', 5)
    assert len(reasons) == 1


def test_okx_counts_base_units_and_pays_fees() -> None:
    _, feed, seen = make("okx")
    assert feed.take(okx.ORDER_SAMPLE, 5)
    fill, report = seen
    assert fill == Fill(
        "okx", "BTC/USDT:USDT", "1518905529", OURS, "2497956918703120384", Side.BUY,
        Decimal("0.03"), Decimal("103698.9"), Decimal("0.621"), True, 1746947317402_000000, 5,
    )  # fmt: skip
    assert isinstance(report, OrderReport)
    assert (report.qty, report.filled, report.status) == (
        Decimal("0.03"), Decimal("0.03"), OrderStatus.FILLED,
    )  # fmt: skip


def test_okx_stop_position_and_wallet() -> None:
    _, feed, seen = make("okx")
    for frame in (okx.ALGO_SAMPLE, okx.POSITION_SAMPLE, okx.WALLET_SAMPLE):
        assert feed.take(frame, 5)
    stop, position, balance = seen
    assert isinstance(stop, OrderReport)
    assert (stop.kind, stop.qty, stop.trigger, stop.reduce_only, stop.status) == (
        OrderKind.STOP, Decimal("0.03"), Decimal(95000), True, OrderStatus.OPEN,
    )  # fmt: skip
    assert isinstance(position, PositionReport)
    assert (position.qty, position.entry) == (Decimal("-0.03"), Decimal(3320))
    assert balance == Balance("okx", "USDT", Decimal("100.527"), 5, free=Decimal("90.5"))


@pytest.mark.parametrize(
    ("venue", "frame"),
    [
        ("bybit", bybit.FILL_SAMPLE),
        ("binance", binance.ORDER_SAMPLE),
        ("okx", okx.ORDER_SAMPLE),
    ],
)
def test_a_damaged_frame_never_raises(venue: str, frame: str) -> None:
    _, feed, seen = make(venue)
    for length in range(len(frame)):
        feed.take(frame[:length], 5)
    for broken in ('"abc"', "17", "null", '""', "{}"):
        feed.take(frame.replace('"95900.1"', broken).replace('"7103.04"', broken), 5)
    assert not [event for event in seen if not isinstance(event, BadMessage | Fill | OrderReport)]
    assert feed.bad > 50


@pytest.mark.parametrize("venue", list(RULES))
def test_an_unknown_status_is_unknown(venue: str) -> None:
    _, feed, seen = make(venue)
    module = {"bybit": bybit, "binance": binance, "okx": okx}[venue]
    frame = module.ORDER_SAMPLE
    for known in ('"Filled"', '"X":"PARTIALLY_FILLED"', '"state":"filled"'):
        key = known.rpartition(":")[0] + (":" if ":" in known else "")
        frame = frame.replace(known, f'{key}"NOVEL"')
    assert feed.take(frame, 5)
    report = seen[-1]
    assert isinstance(report, OrderReport)
    assert report.status is OrderStatus.UNKNOWN
