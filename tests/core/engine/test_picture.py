from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from core.clock import SECOND
from core.engine.picture import ShellFacts, VenueFacts
from core.model.account import Balance, FundingPaid, PositionReport, VenueSwept
from core.model.event import (
    Event,
    FeedChanged,
    FeedState,
    Kill,
    KillMode,
    KillReported,
    Submit,
    VenueChanged,
    VenueOpened,
    VenueState,
)
from core.model.market import BadMessage, BookTop, Candle, Depth, Side, Ticker, Trade
from core.model.order import (
    CancelSent,
    Fill,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    Outcome,
)
from core.model.snapshot import Snapshot
from tests.core.engine.scene import BTC, Scene, instrument
from tests.core.engine.test_unknown import RISE

D = Decimal


def picture(scene: Scene) -> Snapshot:
    facts = ShellFacts(
        "practice",
        "synthetic, seed 1",
        scene.now - SECOND,
        {"bybit": VenueFacts(10, 1, 2, {"trades": scene.now - 5_000_000}, 3.5)},
    )
    made = scene.engine.snapshot(scene.now, facts)
    # It travels: what the terminal decodes is what was painted.
    assert msgspec.json.decode(msgspec.json.encode(made), type=Snapshot) == made
    return made


def test_an_empty_desk_has_a_picture() -> None:
    made = picture(Scene())
    assert (made.equity, made.peak, made.drawdown, made.day_pnl) == (None, None, None, None)
    assert [v.state for v in made.venues] == [VenueState.CONNECTING]
    assert all(not limit.breached for limit in made.limits)


def test_a_position_is_shown_with_its_money() -> None:
    scene = Scene()
    scene.open()
    scene.serve(scene.closes(*RISE), 49_500)
    scene.give(
        Ticker("bybit", BTC, None, 49_600.0, None, 0.0001, 5, 0.01, None, scene.now, scene.now)
    )
    made = picture(scene)
    (position,) = made.positions
    assert (position.qty, position.entry, position.mark) == (D("0.032"), 49_500, 49_600)
    assert position.unrealised == D("3.2")
    assert position.stop == 48_510
    assert position.risk_quote == D("31.68")
    assert made.equity == D(100_000) - made.fills[0].fee + D("3.2")
    assert made.equity_start == 100_000
    assert made.day_pnl == made.equity - 100_000
    assert made.unrealised == D("3.2")
    (market,) = made.markets
    assert (market.bid, market.ask, market.mark) == (49_499.9, 49_500.1, 49_600.0)
    assert market.closes == tuple(RISE)
    assert [o.status for o in made.orders] == [OrderStatus.OPEN, OrderStatus.FILLED]
    (signal,) = made.signals
    assert (signal.target, signal.outcome) == (1, made.orders[1].client_id)
    limits = {limit.code: limit for limit in made.limits}
    assert limits["POSITION_NOTIONAL"].value == pytest.approx(0.032 * 49_600)
    assert limits["POSITION_NOTIONAL"].limit == pytest.approx(0.02 * float(made.equity))
    assert limits["LOSS_TO_STOP"].value == pytest.approx(31.68)
    assert limits["OPEN_ORDERS"].value == 1
    (venue,) = made.venues
    assert (venue.orders, venue.fills, venue.messages, venue.bad_messages) == (2, 1, 10, 1)
    assert venue.feeds[0].age_ms == 5.0


def test_a_running_and_a_finished_kill_are_shown() -> None:
    scene = Scene()
    scene.open()
    scene.give(Kill(KillMode.CANCEL, "me", "test", scene.now))
    made = picture(scene)
    assert [(k.venue, k.verdict) for k in made.kill] == [("bybit", "")]
    assert (made.state, made.cause) == ("halted", "test")
    scene.give(KillReported("bybit", KillMode.CANCEL, "CANCELLED_ONLY", 2, 0, 0.2, scene.now))
    assert [k.verdict for k in picture(scene).kill] == ["CANCELLED_ONLY"]


def test_events_of_a_venue_that_is_not_configured_change_nothing() -> None:
    scene = Scene()
    scene.open()
    now = scene.now
    one = D(1)
    report = OrderReport(
        "okx", BTC, "c", "v", Side.BUY, OrderKind.LIMIT, OrderStatus.OPEN, one, D(0), now, now
    )
    balance = Balance("okx", "USDT", one, now)
    events: list[Event] = [
        Trade("okx", BTC, 1.0, 1.0, Side.BUY, "1", now, now),
        BookTop("okx", BTC, 1.0, 1.0, 2.0, 1.0, now, now),
        Depth("okx", BTC, ((1.0, 1.0),), ((2.0, 1.0),), now, now),
        Ticker("okx", BTC, 1.0, 1.0, None, None, None, None, None, now, now),
        Candle("okx", BTC, 5, 1.0, 1.0, 1.0, 1.0, 1.0, now - 5 * SECOND, now),
        BadMessage("okx", "trades", "x", now),
        OrderSent("okx", BTC, "c", Outcome.ACCEPTED, now),
        CancelSent("okx", BTC, "c", Outcome.REJECTED, now),
        report,
        OrderAbsent("okx", BTC, "c", now),
        Fill("okx", BTC, "t", "c", "v", Side.BUY, one, one, one, False, now, now),
        balance,
        PositionReport("okx", BTC, one, one, now),
        FundingPaid("okx", BTC, one, one, now, now),
        VenueSwept("okx", "a", (report,), (), balance, (), (), now, now),
        VenueOpened("okx", "a", (instrument("okx"),), 0.0, now),
        FeedChanged("okx", "private", FeedState.DOWN, now),
        VenueChanged("okx", VenueState.BLIND, now),
    ]
    assert scene.give(*events) == []
    assert not scene.of(Fill)
    (answer,) = scene.give(Submit("r", "me", "okx", BTC, Side.BUY, one, now))
    assert getattr(answer, "ok", None) is False
