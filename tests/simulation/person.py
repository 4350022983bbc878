"""The person at a simulated desk: trades, changes their mind, pulls the cord, and goes on."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.model.event import (
    Arm,
    Cancel,
    Close,
    Disarm,
    Kill,
    KillMode,
    MoveStop,
    Resume,
    Submit,
    TradingState,
)
from core.model.market import Side
from core.model.order import OrderKind
from tests.core.desk.loopback import BTC
from tests.simulation.virtual import LIFE

if TYPE_CHECKING:
    from tests.simulation.world import World


class Person:
    """Uses a world's desk.

    Attributes:
        kills: share of kills among what they do.
    """

    def __init__(self, world: World) -> None:
        self.kills = 0.08
        self._world = world
        self._chance = world.chance
        self._requests = 0

    async def run(self) -> None:
        """Do something every second or two, until cancelled."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / 1.5))
            if not self._world.booted() or self._world.life is None or not self._world.life.alive:
                continue
            await self._act()

    async def _act(self) -> None:
        desk, chance, life = self._world.desk, self._chance, self._world.life
        assert desk is not None
        assert life is not None
        now = self._world.loop.now()
        self._requests += 1
        name, venue = f"r{self._requests}", chance.choice(list(self._world.wires))
        state = desk.pump.state
        draw = chance.random()
        command: Any
        if state is TradingState.HALTED:
            if desk.kill.active or chance.random() < 0.6:
                return
            command = Resume("person", now)
        elif draw < self.kills:
            mode = chance.choice(list(KillMode))
            where = venue if chance.random() < 0.2 else ""
            self._world.outcome.kills += 1
            if state is TradingState.ARMED and chance.random() < 0.5:
                # An order that was a mistake, and the cord a moment later.
                await self._command(self._order(f"{name}m", venue, now))
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                if not self._world.booted() or not life.alive:
                    return
            command = Kill(mode, "person", "simulated", now, where)
        elif state is not TradingState.ARMED:
            command = Arm("person", now)
        elif (draw := chance.random()) < 0.1:
            command = Disarm("person", now)
        elif draw < 0.6:
            command = self._order(name, venue, now)
        elif draw < 0.75:
            command = Cancel(name, "person", now, venue=venue)
        elif draw < 0.9:
            fraction = chance.choice((Decimal(1), Decimal("0.5")))
            command = Close(name, "person", now, venue=venue, fraction=fraction)
        else:
            mark = self._mark(venue)
            price = mark * Decimal(str(1 + chance.uniform(-0.02, 0.02)))
            command = MoveStop(name, "person", venue, BTC, price, now)
        await self._command(command)

    async def _command(self, command: Any) -> None:
        """Hand a command to the desk, as the control socket does."""
        assert self._world.desk is not None
        token = LIFE.set(self._world.life)
        try:
            task = asyncio.create_task(self._world.desk.window.command(command))
        finally:
            LIFE.reset(token)
        await asyncio.wait([task], timeout=6)

    def _order(self, name: str, venue: str, now: int) -> Submit:
        chance = self._chance
        side = chance.choice((Side.BUY, Side.SELL))
        mark = self._mark(venue)
        qty = Decimal(chance.randint(1, 20)) / 1000
        if chance.random() < 0.4:
            return Submit(name, "person", venue, BTC, side, qty, now)
        price = mark * Decimal(str(1 - side.sign * chance.uniform(0.0, 0.01)))
        return Submit(name, "person", venue, BTC, side, qty, now, OrderKind.LIMIT, price)

    def _mark(self, venue: str) -> Decimal:
        there = self._world.wires[venue].venue
        return there.core.positions(there.account, BTC)[0].mark
