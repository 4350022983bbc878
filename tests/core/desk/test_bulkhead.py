"""One venue of the desk: what it is given, the venue's rules, and that it is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from core.clock import SystemClock
from core.config import Strategy
from core.desk import bulkhead as module
from core.desk.bulkhead import Bulkhead
from core.desk.lines import Lines
from core.desk.ports import Sink
from core.errors import VenueUnavailable
from core.model.event import Event, RulesChanged, VenueOpened
from core.signals.strategy import strategy_maker
from tests.clock import ManualClock
from tests.core.desk.loopback import LoopGateway, LoopVenue
from tests.core.engine.scene import BTC, config
from tests.simulation.virtual import VirtualLoop
from tests.waiting import until


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"name": "mean_reversion", "slow": 77}, 77),
        ({"name": "ema_cross", "slow": 9}, 36),
        ({"name": "lightgbm"}, 169),
        ({"name": "ensemble", "slow": 30, "weights": {"ema_cross": 1, "mean_reversion": 2}}, 120),
    ],
)
async def test_the_warm_up_is_what_the_strategy_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], wanted: int
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    chosen = config(strategy={"timeframe": 60, "fast": 3} | settings)
    gateway = LoopGateway(LoopVenue("bybit"))
    events: list[Event] = []
    clock = SystemClock()
    warmup = strategy_maker(Strategy.model_validate(chosen.strategy.model_dump()))().warmup
    bulkhead = Bulkhead(
        gateway, chosen, warmup, lambda venue: 0, events.append, Lines(clock), clock, {}
    )
    task = asyncio.create_task(bulkhead.run())
    try:
        async with asyncio.timeout(10):
            await bulkhead.tried.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert gateway.asked == [(60, wanted)]


async def test_the_rules_are_read_again_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(module, "RULES_EVERY", 0.02)
    monkeypatch.setattr(module, "RULES_GAP", 0.0)
    gateway = LoopGateway(LoopVenue("bybit"))
    events: list[Event] = []
    clock = SystemClock()
    bulkhead = Bulkhead(
        gateway, config(), 0, lambda venue: 0, events.append, Lines(clock), clock, {}
    )
    task = asyncio.create_task(bulkhead.run())
    try:
        await until(lambda: bulkhead.up)
        assert not [event for event in events if isinstance(event, RulesChanged)]
        gateway.loop.core.change_rules("BTC", 5, 0)
        (event,) = await until(lambda: [e for e in events if isinstance(e, RulesChanged)])
        assert event.instruments == (gateway.loop.core.instruments[BTC],)
        # What counts otherwise from now on is connected to anew.
        contract = gateway.loop.core.contracts[BTC]
        contract.instrument = msgspec.structs.replace(contract.instrument, contract_size=Decimal(2))
        await until(lambda: len([e for e in events if isinstance(e, VenueOpened)]) == 2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_after_a_connection_that_lasted_the_next_is_tried_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    class Dropping(LoopGateway):
        connects: ClassVar[list[float]] = []

        async def connect(self) -> VenueOpened:
            self.connects.append(asyncio.get_running_loop().time())
            return await super().connect()

        async def run(self, symbols: Sequence[str], sink: Sink) -> None:
            await asyncio.sleep(600)
            raise VenueUnavailable("dropped")

    async def live() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = ManualClock()
        gateway = Dropping(LoopVenue("bybit", clock=clock))
        bulkhead = Bulkhead(
            gateway, config(), 0, lambda venue: 0, lambda event: None, Lines(clock), clock, {}
        )
        task = asyncio.create_task(bulkhead.run())
        await asyncio.sleep(8 * 600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
    began = Dropping.connects
    assert len(began) == 8
    assert max(b - a for a, b in pairwise(began)) < 601
