"""Who may replace whom, and how much history a training takes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock import SystemClock
from core.config import Learning
from core.desk.lines import Lines
from core.desk.trainer import SPREAD, Trainer
from core.model.effect import ModelDropped
from core.model.event import Event, ModelDemoted, ModelPromoted, ModelRole
from core.model.learning import Order, Record
from core.research.worker import spans
from core.signals.registry import MONITOR, Registry
from tests.core.engine.scene import config
from tests.core.research.test_backtest import BTC, ETH, rules
from tests.core.signals.models import HOUR, follower
from tests.core.signals.test_diary import days
from tests.waiting import until


def order(timeframe: int, days: int) -> Order:
    return Order("", "", "okx", (), timeframe, (4, 24), 0, 0, 0.0006, days, 30, {}, False)


@pytest.mark.parametrize(
    ("candles", "timeframe", "days", "window"),
    [
        (8_760, 3600, 90, 2880),
        (4_000, 3600, 90, 1597),
        (800, 3600, 90, 0),
        (45_000, 60, 24, 7_365),
        (30_000, 60, 24, 15_000),
        (0, 60, 24, 0),
    ],
)
def test_a_window_leaves_the_days_that_must_be_tested(
    candles: int, timeframe: int, days: int, window: int
) -> None:
    assert spans(candles, order(timeframe, days))[0] == window


class Desk:
    """A trainer and what it tells the engine; no venue, so nothing is trained."""

    def __init__(self, home: Path) -> None:
        self.registry = Registry(home / "models")
        self.events: list[Event] = []
        self.records: dict[ModelRole, tuple[str, Record]] = {}
        self.lines = Lines(SystemClock())
        chosen = config(
            strategy={"name": "lightgbm", "timeframe": HOUR}, learning=Learning(train=False)
        )
        self.trainer = Trainer(
            chosen,
            home / "models",
            home / "history",
            home / "recording",
            {},
            {},
            self.records.get,
            self.events.append,
            self.lines,
            SystemClock(),
        )

    async def hears(self, kind: type) -> Any:
        async with asyncio.timeout(20):
            while not any(isinstance(event, kind) for event in self.events):
                await asyncio.sleep(0.02)
        return next(event for event in self.events if isinstance(event, kind))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.trainer.run(lambda: None))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Venue:
    """One that has answered."""

    def __init__(self, venue: str) -> None:
        self.venue = venue


def test_it_learns_where_all_is_listed_and_pays_what_is_paid_anywhere(tmp_path: Path) -> None:
    """A model that learnt beside fewer symbols than the desk has would have no signal on it."""
    gateways: Any = {venue: Venue(venue) for venue in ("bybit", "okx", "binance")}
    dear = {"bybit": "0.00055", "okx": "0.0007", "binance": "0.0005"}
    listed = {
        (venue, symbol): msgspec.structs.replace(rules(symbol, venue), taker_fee=Decimal(fee))
        for venue, fee in dear.items()
        for symbol in (BTC, ETH)
    }
    del listed["bybit", ETH]
    listed["okx", "SOL/USDT:USDT"] = rules("SOL/USDT:USDT", "okx")  # which this desk leaves alone
    trainer = Trainer(
        config(symbols=(BTC, ETH), strategy={"name": "lightgbm", "timeframe": HOUR}),
        *(tmp_path / name for name in ("models", "history", "recording")),
        gateways,
        listed,
        lambda role: None,
        [].append,
        Lines(SystemClock()),
        SystemClock(),
    )
    gateway = trainer._venue()
    assert gateway is gateways["okx"]
    asked = trainer._order(gateway)
    assert (asked.venue, asked.symbols, asked.others) == ("okx", (BTC, ETH), ("bybit", "binance"))
    assert asked.cost == pytest.approx(0.0007 + SPREAD)
    assert trainer._order(gateways["bybit"]).cost == asked.cost
    del listed["okx", ETH]
    assert trainer._venue() is gateways["binance"]


async def test_what_the_engine_dropped_is_off_duty_on_disk(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    meta, text = follower(5.0)
    desk.registry.store(meta, text.encode())
    desk.registry.admit(meta.id)
    (desk.registry.folder / meta.id / "live.json").write_text("{")
    async with desk.running():
        told = await desk.hears(ModelPromoted)
        # What was counted is lost, the model is not.
        assert (told.role, told.text, told.live) == (ModelRole.CHAMPION, text, Record())
        assert "counting begins anew" in desk.lines.last(5)[-1].text
        desk.trainer.dropped(ModelDropped("champion", meta.id, "its hit rate fell"))
        await until(lambda: desk.registry.life(meta.id)[-1]["what"] == "demoted")
        assert desk.registry.champion == ""
        assert desk.registry.life(meta.id)[-1]["cause"] == "its hit rate fell"
        assert desk.registry.life(meta.id)[-1]["actor"] == "monitor"
        # What came has just belied a training: the next one is watched first.
        other, words = follower(4.0)
        desk.registry.store(other, words.encode())
        assert desk.registry.admit(other.id) is ModelRole.CHALLENGER
        desk.events.clear()
        told = await desk.hears(ModelPromoted)
        assert (told.role, told.text) == (ModelRole.CHALLENGER, words)
        assert not any(isinstance(event, ModelDemoted) for event in desk.events)


async def test_a_challenger_that_is_better_takes_over_and_its_life_says_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for name, loss, net in (("old", 0.690, 0.0), ("new", 0.687, 0.002)):
        meta, text = follower(5.0, name=name)
        desk.registry.store(meta, text.encode())
        role = desk.registry.admit(name)
        assert role is not None
        desk.records[role] = name, Record(days(40, loss, net, len(desk.records)))
    async with desk.running(), asyncio.timeout(20):
        # Written second: until then it has both duties.
        while desk.registry.champion != "new" or desk.registry.on_duty(ModelRole.CHALLENGER):
            await asyncio.sleep(0.02)
    (*_, last) = desk.registry.life("new")
    assert last["cause"].startswith("better than old over 40 days: log loss 0.00")
    assert last["cause"].endswith("bp a day, both beyond luck")
    assert desk.registry.life("old")[-1]["what"] == "replaced"


async def test_a_challenger_beside_nobody_trades_when_it_beats_a_coin(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for name in ("old", "new"):
        meta, text = follower(5.0, name=name)
        desk.registry.store(meta, text.encode())
        desk.registry.admit(name)
        if name == "old":
            desk.registry.demote("its hit rate fell", MONITOR)
    desk.records[ModelRole.CHALLENGER] = "new", Record(days(40, 0.687, 0.002, 1))
    async with desk.running():
        assert (await desk.hears(ModelPromoted)).role is ModelRole.CHALLENGER
        await until(lambda: desk.registry.champion == "new")
    cause = desk.registry.life("new")[-1]["cause"]
    assert cause.startswith("better than a coin over 40 days: log loss 0.00")


async def test_a_model_of_other_candles_is_taken_off_duty(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    meta, text = follower(5.0)
    odd = text.replace(f'"timeframe":{HOUR}', '"timeframe":60')
    wrong = msgspec.structs.replace(
        meta, timeframe=60, sha256=hashlib.sha256(odd.encode()).hexdigest()
    )
    desk.registry.store(wrong, odd.encode())
    desk.registry.admit(wrong.id)
    async with desk.running(), asyncio.timeout(20):
        while desk.registry.champion:
            await asyncio.sleep(0.02)
    assert "is of candles of 60 s, the strategy's are of 3600 s" in desk.lines.last(5)[-1].text
    assert not desk.events
