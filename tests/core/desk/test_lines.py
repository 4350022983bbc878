"""Log lines say what happened in plain words, and never a secret."""

import logging
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.desk.lines import KEPT, Lines, number
from core.desk.log_file import LogFile
from core.model.effect import Record, RiskEvent, StateChanged
from core.model.event import (
    FeedChanged,
    FeedState,
    KillMode,
    KillReported,
    TradingState,
    VenueChanged,
    VenueState,
)
from core.model.market import Side
from core.model.order import Fill, Order, OrderKind, OrderSent, Outcome, Purpose
from core.model.record import Intent
from core.model.snapshot import LogView
from core.secrets import scrub
from tests.clock import ManualClock
from tests.core.engine.scene import Scene

BTC = "BTC/USDT:USDT"


def test_orders_fills_refusals_and_verdicts_read_like_sentences() -> None:
    lines = Lines(ManualClock(5))
    seen: list[LogView] = []
    stop = lines.subscribe(seen.append)
    order = Order(
        "K1", "bybit", BTC, Side.BUY, OrderKind.LIMIT, Decimal("0.0330"), 7, Decimal("61234.50"),
        purpose=Purpose.ENTRY, strategy="ema_cross",
    )  # fmt: skip
    fill = Fill(
        "bybit", BTC, "t", "K1", "v", Side.BUY, Decimal("0.033"), Decimal("61234.5"),
        Decimal("1.11"), False, 7, 8,
    )  # fmt: skip
    lines.effect(Record(Intent(order)))
    lines.effect(Record(fill))
    lines.effect(Record(OrderSent("okx", BTC, "K2", Outcome.UNKNOWN, 9, code="timeout")))
    lines.effect(RiskEvent("STALE_DATA", "okx", BTC, "5", "9", "book is 9 s old", 10))
    lines.effect(StateChanged(TradingState.HALTED, "daily loss", "engine"))
    lines.event(KillReported("okx", KillMode.FLATTEN, "BLIND", 0, 0, 10.0, 11, "timeout"))
    stop()
    lines.add("info", "after")
    assert [line.text for line in seen] == [
        "bybit BTC buy 0.033 limit at 61,234.5 (entry ema_cross)",
        "bybit BTC buy 0.033 filled at 61,234.5, fee 1.11",
        "okx BTC order K2 outcome unknown; asking the venue: timeout",
        "okx BTC STALE_DATA: book is 9 s old",
        "HALTED: daily loss (by engine)",
        "okx BLIND in 10.00 s: 0 orders cancelled, 0 positions closed: timeout",
    ]
    assert [line.ts for line in seen] == [7, 8, 9, 10, 5, 11]
    assert [line.level for line in seen][-2:] == ["alarm", "alarm"]
    assert [line.seq for line in lines.last(2)] == [6, 7]


def test_the_ring_is_bounded_and_a_line_is_one_line() -> None:
    lines = Lines(ManualClock())
    for count in range(KEPT + 50):
        lines.add("info", f"{count}\nnext")
    assert len(lines.last(10_000)) == KEPT
    assert lines.last(1)[0].text == f"{KEPT + 49} next"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.0330", "0.033"),
        ("61234.50", "61,234.5"),
        ("1E+3", "1,000"),
        ("100", "100"),
        ("-5", "-5"),
    ],
)
def test_numbers_are_for_people(value: str, text: str) -> None:
    assert number(Decimal(value)) == text


@pytest.mark.parametrize(
    "text",
    [
        "bybit GET https://host/v5/order?symbol=X&sign=CANARY: timeout",
        "{'X-BAPI-API-KEY': 'CANARY', 'a': 1}",
        "apiKey=CANARY&x=1",
        'secret: "CANARY"',
        "OK-ACCESS-SIGN: CANARY",
        "OK-ACCESS-PASSPHRASE=CANARY",
    ],
)
def test_nothing_secret_gets_through(text: str) -> None:
    assert "CANARY" not in scrub(text)


def test_the_log_file_is_json_and_scrubbed_also_for_libraries(tmp_path: Path) -> None:
    path = tmp_path / "killcord.log"
    log = LogFile(path)
    log.start()
    lines = Lines(ManualClock(5))
    lines.subscribe(log.write)
    lines.add("fill", "bybit BTC filled", "alarm")
    logging.getLogger("ccxt.base").info("headers with CANARY")
    logging.getLogger("ccxt.base").warning("GET https://host/path?sign=CANARY failed")
    try:
        raise ValueError("https://host/x?apiKey=CANARY")
    except ValueError:
        logging.getLogger("killcord").exception("boom")
    assert not path.exists()
    log.close()
    text = path.read_text()
    assert "CANARY" not in text
    found = [msgspec.json.decode(line) for line in text.splitlines()]
    assert [each["event"] for each in found] == [
        "bybit BTC filled",
        "GET https://host/path?*** failed",
        "boom",
    ]
    assert found[0]["kind"] == "fill"
    assert found[0]["alarm"] is True
    assert "ValueError" in found[2]["exception"]


def test_what_happens_is_told_once() -> None:
    lines = Lines(ManualClock(5))
    scene = Scene()
    scene.open()
    for event in (
        VenueChanged("bybit", VenueState.BLIND, scene.now, "no answer"),
        VenueChanged("bybit", VenueState.RECONCILING, scene.now),
        FeedChanged("bybit", "trades", FeedState.DOWN, scene.now, "reset"),
    ):
        effects = scene.give(event)
        lines.event(event)
        for effect in effects:
            lines.effect(effect)
    assert [(line.level, line.text) for line in lines.last(9)] == [
        ("alarm", "bybit blind: no answer"),
        ("info", "bybit reconciling: back"),
        ("warning", "bybit trades down: reset"),
    ]
