"""Bad luck: what befalls wires, disk and process of a simulated world, drawn from its seed."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING

from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.state import OrderRequest, Refusal
from tests.core.desk.loopback import BTC
from tests.simulation.wire import OTHER_FAULTS, REQUEST_FAULTS, STREAM_FAULTS, Wire

if TYPE_CHECKING:
    from tests.simulation.world import World

CERTAIN = ("black hole", "maintenance", "blind query", "failing lists")
"""Faults that strike every time while they last."""
POINTS = (
    "journal: before write",
    "journal: between write and sync",
    "journal: after sync",
    "journal: before turn",
    "journal: after turn",
    "before submit",
    "after submit",
    "before outcome",
    "before fill",
    "after cancel",
    "before core.desk.latch.write",
    "after core.desk.latch.write",
    "before core.desk.latch.clear",
    "before kill cancel",
    "after kill cancel",
    "before kill reduce",
    "after kill reduce",
    "after kill positions",
)
"""Named points at which a process dies."""


class Luck:
    """Strikes a world every few seconds.

    Attributes:
        weather: the faults of its wires; none: all of them.
        together: whether they come all at once.
    """

    def __init__(self, world: World) -> None:
        self.weather: tuple[str, ...] = ()
        self.together = False
        self._world = world
        self._chance = world.chance

    async def run(self) -> None:
        """Strike until the chaos is over."""
        while self._world.loop.time() < self._world.chaos:
            pause = asyncio.create_task(asyncio.sleep(self._chance.expovariate(1 / 3.0)))
            dead = asyncio.create_task(self._world.dead.wait())
            try:
                await asyncio.wait([pause, dead], return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                dead.cancel()
            if self._world.dead.is_set() or self._world.ended():
                await self._world.crash()
                continue
            if self._chance.random() < 0.03:
                await self._world.restart()
            else:
                self._misfortune()

    def _misfortune(self) -> None:
        chance = self._chance
        assert self._world.life is not None
        draw = chance.random()
        if draw < 0.12:
            self._world.life.die()
        elif draw < 0.27:
            self._world.life.ends_at = chance.choice(POINTS)
            self._world.life.countdown = chance.randint(0, 3)
            if (
                "turn" in self._world.life.ends_at
                and self._world.desk is not None
                and self._world.booted()
            ):
                self._world.desk.journal.turn(
                    self._world.desk.engine.ledger, self._world.loop.now()
                )
        elif draw < 0.32:
            self._spoil_disk()
        elif draw < 0.37:
            self._trade_elsewhere()
        else:
            wire = chance.choice(list(self._world.wires.values()))
            count = 1 if chance.random() < 0.75 else chance.randint(2, 4)
            for fault in self.weather if self.together else [self._fault() for _ in range(count)]:
                self._begin_fault(wire, fault)

    def _fault(self) -> str:
        kinds = (REQUEST_FAULTS, REQUEST_FAULTS, STREAM_FAULTS, OTHER_FAULTS)
        return self._chance.choice(self.weather or self._chance.choice(kinds))

    def _begin_fault(self, wire: Wire, fault: str) -> None:
        chance = self._chance
        likely = 1.0 if fault in CERTAIN else chance.uniform(0.1, 0.9)
        wire.faults[fault] = likely
        if self._world.desk is not None:
            self._world.desk.lines.add("fault", f"{wire.name}: {fault}, {likely:.0%}")
        if fault == "lagging index":
            wire.lag = chance.uniform(0.3, 4.0)
            wire.struck[fault] += 1
        long = self.together or chance.random() < 0.2
        lasts = chance.uniform(10, 40) if long else chance.uniform(0.5, 15.0)
        self._world.loop.call_later(lasts, self._end_fault, wire, fault)

    @staticmethod
    def _end_fault(wire: Wire, fault: str) -> None:
        wire.faults.pop(fault, None)
        if fault == "lagging index":
            wire.lag = 0.0

    def _spoil_disk(self) -> None:
        life = self._world.life
        if life is None or life.journal is None:
            return
        if self._chance.random() < 0.5:
            life.journal.full = True
            self._world.outcome.struck["disk full"] += 1
            # A journal that failed stays so until the next start.
            self._world.loop.call_later(self._chance.uniform(1, 6), life.die)
        else:
            life.journal.slow = self._chance.uniform(0.05, 0.6)
            self._world.watcher.journal_well = False
            self._world.outcome.struck["slow disk"] += 1

    def _trade_elsewhere(self) -> None:
        """Let somebody else use the account."""
        wire = self._chance.choice(list(self._world.wires.values()))
        self._world.watcher.foreign = True
        self._world.outcome.struck["foreign order"] += 1
        core, account = wire.venue.core, wire.venue.account
        mark = core.positions(account, BTC)[0].mark
        price = core.instruments[BTC].round_price(mark * Decimal("0.97"))
        with contextlib.suppress(Refusal):
            core.submit(
                account,
                OrderRequest(
                    symbol=BTC,
                    side=Side.BUY,
                    kind=OrderKind.LIMIT,
                    qty=Decimal("0.01"),
                    price=price,
                ),
            )
