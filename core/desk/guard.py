"""The guard: a small process of its own that pulls the cord when the desk cannot.

It has its own connections and reads the keys itself. The desk's loop sends it a beat ten times a
second; when the socket breaks (the desk was killed), or no beat came for ``Hello.silence`` seconds
(it is stopped, or its loop is blocked), the guard sets the latch, so that the desk is HALTED
whether it recovers or is started anew, and then does what the kill cord does, on every venue.

Silence is counted in the guard's own waking time: on a machine that sleeps or stands still
altogether the guard sleeps too, and a desk that was given no chance to beat is not silent.

Whoever cannot reach the desk pulls the cord here: by a socket of its own (``core.desk.cord``), by
SIGUSR1 or SIGUSR2, and by the kill file, where the desk does not take it.

Two never work at once. A desk that recovers sees the latch before it sends anything and leaves
the venues to the guard; a desk that is started anew takes the home's lock, at which the guard
stops, and goes on with the venues that the latch still lists.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

import msgspec

from core.clock import SystemClock
from core.desk import latch, watchwords
from core.desk.cord import Cord
from core.desk.kill_worker import VALIDITY
from core.desk.lock import Lock
from core.desk.ports import GuardGateway
from core.desk.rescue import Rescue, Tell
from core.desk.triggers import KILL_SIGNALS, KillFile, hear_signals
from core.desk.verdicts import RANK
from core.desk.watchwords import DUTY, Beat, Duty, End, Hello
from core.errors import NoDesk
from core.home import Home
from core.model.event import Kill, KillMode
from core.model.instrument import Instrument

STEP = 0.05
"""Seconds between looks at the time."""
PREPARE_EVERY = 30.0
"""Seconds between requests that keep each venue's connection, clock and rules fresh."""
PREPARE_AGAIN = 3.0
"""The same for a venue that did not answer."""
PREPARE_LIMIT = 20.0
FILE_PATIENCE = 0.5
"""Seconds for which a kill file is the desk's to take."""


class Guard:
    """Guards one desk until it ends or the kill is proved.

    Args:
        home: the desk's.
        reach: opens the kill path to the venues that a desk names.
        tell: takes lines for the guard's log.
        patience: seconds to wait for a desk; None: for ever.
        validity: seconds between the sweeps that prove a kill; see ``core.desk.kill_worker``.
        build: version and code of this process, told to the desk.
    """

    def __init__(
        self,
        home: Home,
        reach: Callable[[Hello], Sequence[GuardGateway]],
        tell: Tell,
        patience: float | None = None,
        validity: float = VALIDITY,
        build: str = "",
    ) -> None:
        self._home = home
        self._build = build
        self._reach = reach
        self._tell = tell
        self._patience = patience
        self._validity = validity
        self._gateways: Sequence[GuardGateway] = ()
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._ready: dict[str, str] = {}
        """Venue to why it does not answer; empty when it does."""
        self._acting = False

    async def run(self) -> bool:
        """Guard a desk; return whether the cord had to be pulled.

        Raises:
            AlreadyRunning: the home has a guard.
            NoDesk: none came within the patience.
            KillcordError: a key cannot be read or must not be used.
        """
        lock = Lock(
            self._home.guard_lock,
            f"the guard's place of {self._home.data}",
            "guard",
            "a desk needs no second one",
        )
        try:
            wire = await self._find()
            hello = await wire.hello()
            self._gateways = self._reach(hello)
            warm = [asyncio.create_task(self._keep_warm(each)) for each in self._gateways]
            duty = asyncio.create_task(self._report(wire))
            self._tell(
                f"guarding desk {hello.pid} on {', '.join(hello.venues)}:"
                f" {hello.mode} after {hello.silence:g} s of silence"
            )
            try:
                with self._hearing(hello, wire):
                    why = await wire.watch(hello.silence)
                    if why:
                        self._acting = True
                        wire.say(self._duty())
                        mode = max(hello.mode, wire.asked, key=RANK.__getitem__)
                        hello = msgspec.structs.replace(hello, mode=mode)
                        rescue = Rescue(
                            self._home, hello, self._gateways, self._instruments, why,
                            self._validity,
                        )  # fmt: skip
                        await rescue.run(self._tell)
            finally:
                for task in (*warm, duty):
                    task.cancel()
                await asyncio.gather(*warm, duty, return_exceptions=True)
                wire.close()
                await asyncio.gather(*(gateway.close() for gateway in self._gateways))
            return bool(why)
        finally:
            lock.release()

    async def _find(self) -> Wire:
        deadline = None if self._patience is None else time.monotonic() + self._patience
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, wire = await loop.create_unix_connection(Wire, str(self._home.guard_socket))
                return wire
            except OSError:
                if deadline is not None and time.monotonic() > deadline:
                    raise NoDesk("no desk to guard: start one with `killcord`") from None
                await asyncio.sleep(0.2)

    @contextmanager
    def _hearing(self, hello: Hello, wire: Wire) -> Iterator[None]:
        """Let the cord be pulled here: the latch is set, and if nothing was done yet, all is."""
        folder, clock = self._home.state(hello.environment), SystemClock()
        demand = partial(latch.demand, self._home.latch(hello.environment), hello.venues)

        def pull(mode: KillMode, cause: str, actor: str) -> None:
            try:
                demand(Kill(mode, actor, cause, clock.now()))
            except OSError as error:
                self._tell(f"{cause}: {error.strerror}; going on without the latch")
            wire.alarm(mode, cause)

        loop = asyncio.get_running_loop()
        hear_signals(loop, pull)
        watch = asyncio.create_task(KillFile(folder / "KILL", pull, FILE_PATIENCE).watch())
        cord = Cord(
            self._home.guard_cord, demand, lambda kill: wire.alarm(kill.mode, kill.cause), demand,
            folder, clock,
        )  # fmt: skip
        cord.start()
        try:
            yield
        finally:
            cord.close()
            watch.cancel()
            for number in KILL_SIGNALS:
                loop.remove_signal_handler(number)

    async def _keep_warm(self, gateway: GuardGateway) -> None:
        """Know the venue's rules and clock, and keep a connection open."""
        while True:
            try:
                async with asyncio.timeout(PREPARE_LIMIT):
                    for item in await gateway.prepare():
                        self._instruments[gateway.venue, item.symbol] = item
                problem = ""
            except Exception as error:
                # Whatever it is, it must not end the work; KillcordError and TimeoutError are
                # expected, anything else is a fault of ours that the next try may get past.
                problem = str(error) or "no answer"
            if problem and problem != self._ready.get(gateway.venue):
                self._tell(f"{gateway.venue} does not answer: {problem}")
            self._ready[gateway.venue] = problem
            await asyncio.sleep(PREPARE_AGAIN if problem else PREPARE_EVERY)

    async def _report(self, wire: Wire) -> None:
        while True:
            wire.say(self._duty())
            await asyncio.sleep(DUTY)

    def _duty(self) -> Duty:
        ready = tuple(name for name, problem in self._ready.items() if not problem)
        detail = "; ".join(problem for problem in self._ready.values() if problem)
        return Duty(os.getpid(), ready, detail, self._acting, self._build)


class Wire(asyncio.Protocol):
    """The guard's end of the socket."""

    def __init__(self) -> None:
        self._buffer = b""
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._stirred = asyncio.Event()
        """Set when the socket broke or the desk said that it ends."""
        self._transport: asyncio.WriteTransport | None = None
        self._quiet = 0.0
        self._beats = 0
        self._ended = False
        self._pulled = ""
        self.asked = KillMode.HALT
        """How far whoever pulled the cord here wants to go."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no such class

    def data_received(self, data: bytes) -> None:
        """Take the desk's words."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            word = watchwords.read(line)
            if isinstance(word, Beat):
                self._quiet = 0.0
                self._beats += 1
            elif isinstance(word, Hello):
                self._hello.set_result(word)
            elif isinstance(word, End):
                self._ended = True
                self._stirred.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the desk is gone."""
        self._stirred.set()
        if not self._hello.done():
            self._hello.set_exception(NoDesk("the desk went away before it said who it is"))

    async def hello(self) -> Hello:
        """Return the desk's first word.

        Raises:
            NoDesk: it went away, or says nothing.
        """
        try:
            async with asyncio.timeout(10.0):
                return await self._hello
        except TimeoutError:
            raise NoDesk("the desk did not say who it is: see `killcord status`") from None

    async def watch(self, silence: float) -> str:
        """Wait for the desk's end; return why the cord must be pulled, empty when it need not."""
        while not self._stirred.is_set():
            before = time.monotonic()
            try:
                async with asyncio.timeout(STEP):
                    await self._stirred.wait()
            except TimeoutError:
                # A guard that overslept was not there to listen either.
                self._quiet += min(time.monotonic() - before, 2 * STEP)
            if self._beats and self._quiet >= silence:
                return f"the desk was silent for {self._quiet:.2f} s"
        if self._pulled:
            return self._pulled
        # A desk that never got ready had nothing of its own at the venues yet.
        return "" if self._ended or not self._beats else "the desk ended without a word"

    def alarm(self, mode: KillMode, why: str) -> None:
        """Stop watching: the cord is pulled."""
        self.asked, self._pulled = mode, why
        self._stirred.set()

    def say(self, word: Duty) -> None:
        """Send the desk a word, if it still listens."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(watchwords.write(word))

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()
