"""One simulated world: three venues, a desk that dies and comes back, a person, and bad luck.

``simulate(seed)`` draws everything from the seed: the market, what goes wrong, when and for how
long, what the person does, when the process dies and what its disk keeps. Then faults end, the desk
settles, and its books are compared with the venues'.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec

from core.config import Config
from core.desk.identity import Identity
from core.desk.kill_worker import VALIDITY
from core.desk.lines import LogView
from core.errors import KillcordError
from core.home import Home
from core.journal import frames
from core.model.event import Disarm, TradingState, VenueState
from core.model.order import OrderStatus
from core.orders.ids import ClientIds
from tests.core.desk.loopback import LoopVenue
from tests.simulation.luck import Luck
from tests.simulation.person import Person
from tests.simulation.process import COMPOSITION, MortalLife, SimulatedDesk, TornJournal
from tests.simulation.virtual import LIFE, VirtualLoop
from tests.simulation.watcher import Watcher
from tests.simulation.wire import Wire, WireGateway, WireKillGateway

VENUES = ("bybit", "binance", "okx")
STEP = 0.25
"""Seconds between two moves of the market."""
SETTLE = 180.0
"""Seconds that a desk has to agree with the venues once nothing goes wrong any more."""
CALM = 14
"""Seconds for which it must have nothing to do: longer than the desk lets pass between sweeps."""
_WHO = Identity("SIM0", bytes(range(32)))


class SimVenue(LoopVenue):
    """A venue whose price walks, with seeded chance."""

    def __init__(self, name: str, loop: VirtualLoop, chance: Random) -> None:
        self._walk = 0.0
        self._drift = 0.0
        self._chance = chance
        super().__init__(name, clock=loop, account=f"{name}-1")

    def swing(self) -> tuple[float, int]:
        if self._chance.random() < 0.15:
            self._drift = self._chance.uniform(-0.0008, 0.0008)
        self._walk = max(-0.2, min(0.2, self._walk + self._drift + self._chance.gauss(0, 0.0002)))
        return self._walk, 1 if self._drift > 0 else -1


@dataclass
class Outcome:
    """What a simulation came to."""

    seed: int
    breaches: list[str] = field(default_factory=list)
    hash: str = ""
    steps: int = 0
    seconds: float = 0.0
    """Virtual."""
    lives: int = 0
    orders: int = 0
    fills: int = 0
    kills: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    """Faults that struck, by kind."""


Parts = tuple[type[WireGateway], type[WireKillGateway]]


class World:
    """Everything that one seed makes."""

    def __init__(
        self,
        seed: int,
        loop: VirtualLoop,
        root: Path,
        parts: Parts = (WireGateway, WireKillGateway),
        chaos: float | None = None,
    ) -> None:
        self.seed = seed
        self.loop = loop
        self.root = root
        self.parts = parts
        self.chance = Random(seed)
        self.chaos = self.chance.uniform(25, 70) if chaos is None else chaos
        self.outcome = Outcome(seed)
        names = VENUES if self.chance.random() < 0.5 else self.chance.sample(VENUES, 1)
        self.config = self._configure(list(names))
        loop.disk_delay = lambda: self.chance.uniform(0.0005, 0.01)
        self.wires = {
            name: Wire(SimVenue(name, loop, Random(f"{seed} {name}")), loop, self.chance)
            for name in names
        }
        for wire in self.wires.values():
            wire.venue.levels = 6
            wire.venue.move()
        self.watcher = Watcher(
            self.wires,
            ClientIds(_WHO.instance, 1, _WHO.key),
            self.config.limits.position_notional,
            str(root),
        )
        TornJournal.watcher, TornJournal.chance = self.watcher, self.chance
        self.desk: SimulatedDesk | None = None
        self.life: MortalLife | None = None
        self._run: asyncio.Task[Any] | None = None
        self.luck = Luck(self)
        self.person = Person(self)
        self.validity = VALIDITY
        """Seconds between the two sweeps that prove a kill."""
        self.hear: Callable[[LogView], None] | None = None
        """Told every line that the desk logs."""
        self.dead = asyncio.Event()

    def _configure(self, venues: list[str]) -> Config:
        return Config.model_validate(
            {
                "environment": "practice",
                "venues": venues,
                "symbols": ["BTC"],
                "limits": {"loss_streak": 100},
                "strategy": {"timeframe": "1s", "fast": 1, "slow": 2},
                "storage": {"record": False},
            }
        )

    # --- the run ------------------------------------------------------------------------------

    async def run(self) -> Outcome:
        """Live through the seed's story and judge it."""
        home = Home(self.root)
        home.make("practice")
        (home.state("practice") / "identity.json").write_bytes(msgspec.json.encode(_WHO))
        market = asyncio.create_task(self._move_market())
        try:
            await self.start()
            person = asyncio.create_task(self.person.run())
            await self.luck.run()
            person.cancel()
            await asyncio.gather(person, return_exceptions=True)
            await self.settle()
            market.cancel()
            await asyncio.sleep(2.0)  # for what is still on the wires
            self.watcher.check_end()
            await self.stop()
            self._check_journal()
        except Exception as error:
            if not isinstance(error, KillcordError | AssertionError):
                raise
            self.watcher.breach(f"{type(error).__name__}: {error}")
        finally:
            market.cancel()
            await self._bury()
        return self._conclude()

    async def _move_market(self) -> None:
        count = 0
        while True:
            await asyncio.sleep(STEP)
            for wire in self.wires.values():
                wire.venue.move()
            count += 1
            if count % 4 == 0:
                self.watcher.watch_exposure()

    def _conclude(self) -> Outcome:
        outcome = self.outcome
        outcome.breaches = self.watcher.breaches
        outcome.hash = self.watcher.trace.hexdigest()
        outcome.steps = self.watcher.steps
        outcome.seconds = self.loop.time()
        for wire in self.wires.values():
            counts = wire.venue.core.counts()
            outcome.orders += counts["orders"]
            outcome.fills += counts["fills"]
            outcome.struck.update(wire.struck)
        return outcome

    # --- the desk's lives ---------------------------------------------------------------------

    async def start(self) -> None:
        """Begin another life of the desk."""
        self.dead.clear()
        self.life = MortalLife(self._died, self.outcome.struck)
        token = LIFE.set(self.life)
        try:
            self.desk = SimulatedDesk(
                self.config, Home(self.root), self.loop, self.wires, self.life, self.watcher,
                self.parts, self.validity,
            )  # fmt: skip
            if self.hear is not None:
                self.desk.lines.subscribe(self.hear)
            self._run = asyncio.create_task(self.desk.run())
        finally:
            LIFE.reset(token)
        self.outcome.lives += 1

    def _died(self) -> None:
        self.watcher.note("died")
        self.watcher.end()
        if self.desk is not None:
            self.desk.lines.add("fault", "the process dies")
        self.dead.set()

    async def _bury(self, power: bool = False) -> None:
        """Clear away what is left of a life, and leave on the disk what it leaves."""
        run, self._run = self._run, None
        if self.life is not None:
            self.life.die()
        if run is not None:
            if self.desk is not None and not self.desk._stopping.is_set():
                run.cancel()  # else it ends by itself: cancelled again, it would keep its locks
            results = await asyncio.gather(run, return_exceptions=True)
            for error in results:
                if isinstance(error, Exception) and not isinstance(error, KillcordError):
                    self.watcher.breach(f"the desk ended with {type(error).__name__}: {error}")
        if self.life is not None and self.life.journal is not None and run is not None:
            self.life.journal.tear(power)
        self.desk = self.watcher.desk = None

    async def crash(self) -> None:
        """Kill the process, or cut the power; come back after a while."""
        power = self.chance.random() < 0.5
        self.outcome.struck["power cut" if power else "kill -9"] += 1
        await self._bury(power)
        long = self.chance.random() < 0.15
        await asyncio.sleep(self.chance.uniform(25, 50) if long else self.chance.uniform(0.05, 4))
        await self.start()

    async def stop(self) -> None:
        """End the desk in order."""
        assert self.desk is not None
        assert self._run is not None
        self.desk.request_stop("simulated")
        run, self._run = self._run, None
        await run

    async def restart(self) -> None:
        """End the desk in order and start it again."""
        self.outcome.struck["restart"] += 1
        run = self._run
        if run is None or self.desk is None or not self.desk.ready.is_set():
            return
        self.desk.request_stop("restart")
        dead = asyncio.create_task(self.dead.wait())
        await asyncio.wait([run, dead], return_when=asyncio.FIRST_COMPLETED)
        dead.cancel()
        await self._bury()
        await self.start()

    def ended(self) -> bool:
        """Return whether the desk ended, by itself or told to."""
        return self._run is not None and self._run.done()

    def booted(self) -> bool:
        """Return whether the desk takes commands."""
        return self.desk is not None and hasattr(self.desk, "window") and not self.ended()

    # --- the end ------------------------------------------------------------------------------

    async def settle(self) -> None:
        """End all faults and wait until the desk has nothing open with the venues."""
        for wire in self.wires.values():
            wire.faults.clear()
            wire.lag = 0.0
        self.watcher.note("faults end")
        if self.life is not None and self.life.journal is not None:
            self.life.journal.slow = 0.0
            if self.life.journal.full:
                self.life.die()
        end = self.loop.time() + SETTLE
        calm = 0
        while calm < CALM:
            if self.dead.is_set() or self.ended() or self._run is None:
                await self._bury()
                await self.start()
            elif self.life is not None:
                self.life.ends_at = ""
            await asyncio.sleep(1.0)
            if self.loop.time() > end:
                self.watcher.breach(f"L: not settled after {SETTLE:g} s: {self._unsettled()}")
                return
            calm = 0 if self._unsettled() else calm + 1

    def _unsettled(self) -> str:
        """Say what the desk is still busy with; empty when nothing."""
        desk = self.desk
        if desk is None or not self.booted():
            return "starting"
        if desk.kill.active:
            return "killing"
        picture = desk.window.snapshot()
        waiting = [v.venue for v in picture.venues if v.state is not VenueState.READY]
        if waiting:
            return f"not ready: {[(v.venue, v.state.value, v.reason) for v in picture.venues]}"
        doubtful = (OrderStatus.UNKNOWN, OrderStatus.JOURNALED)
        for order in desk.engine.ledger.working.values():
            if order.status in doubtful or order.booked < order.filled:
                return f"{order.order.client_id} is {order.status}"
        if desk.engine._tracking.cancels:
            return f"cancelling {[*desk.engine._tracking.cancels]}"
        if desk.pump.state is TradingState.ARMED:
            desk.pump.sink(Disarm("simulation", self.loop.now()))
            return "armed"
        return ""

    def _check_journal(self) -> None:
        frames.verify(self.root / "practice" / "journal")


@contextlib.contextmanager
def composed(parts: Mapping[str, Any]) -> Iterator[None]:
    """Put other parts into the desk's composition: name of an attribute to its substitute."""
    with contextlib.ExitStack() as stack:
        for name, part in parts.items():
            stack.enter_context(patch(name, part))
        yield


def simulate(
    seed: int,
    *,
    without: Mapping[str, Any] | None = None,
    parts: Parts = (WireGateway, WireKillGateway),
    prepare: Callable[[World], None] = lambda world: None,
) -> Outcome:
    """Run one seed and return what it came to.

    Args:
        seed: everything follows from it.
        without: safeguards replaced, as for ``composed``.
        parts: the gateways.
        prepare: changes the world before it begins.
    """
    import random

    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="killcord-sim-", dir=memory if memory.is_dir() else None))
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    (root / "runtime").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(root / "runtime")
    random.seed(seed)
    loop = VirtualLoop()
    try:
        with composed(COMPOSITION | dict(without or {})):
            world: list[World] = []

            async def run() -> Outcome:
                world.append(World(seed, loop, root / "home", parts))
                prepare(world[0])
                return await world[0].run()

            return loop.run_until_complete(run())
    finally:
        # What dead processes left waiting may not outlive the loop it waits on.
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=60.0))
        loop.close()
        shutil.rmtree(root, ignore_errors=True)
        if runtime is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = runtime
