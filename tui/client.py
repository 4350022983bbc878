"""The way to a desk: requests and the stream of snapshots, over its control socket.

Requests go through ``tui.control`` on a connection of their own, each in its own thread: the kill
cord works before aiohttp is imported, beside a stalled stream, and while other requests hang.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from core.errors import KillcordError, NoDesk
from core.model.effect import Answer
from core.model.event import Command, Kill, Submit
from core.model.replay import Wish
from core.model.snapshot import Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from tui.control import ask, shut

T = TypeVar("T")

TIMEOUT_S = 8.0
"""Longest wait for a reply, seconds; the desk itself answers a command within 5."""
RETRY_S = (0.1, 0.25, 0.5, 1.0)
"""Waits between attempts to reach the stream; the last one repeats."""
SETTLE_S = 0.06
"""How long a cursor must rest on a symbol before its books and bars are asked for."""
QUIET_S = 3.0
"""A desk ticks once a second; after this long without a word it counts as not reachable."""

_decode = msgspec.json.Decoder(Snapshot).decode
_decode_watch = msgspec.json.Decoder(WatchView).decode


class Target(NamedTuple):
    """What the terminal looks at closely."""

    venue: str
    """Whose bars."""
    symbol: str
    timeframe: int
    """Of the bars, seconds."""


def send(path: Path, command: Command, timeout: float = TIMEOUT_S, terminal: str = "") -> Answer:
    """Send one command and return the desk's answer.

    Args:
        path: the control socket.
        command: its ``received`` is left out; the desk stamps it.
        timeout: seconds.
        terminal: id of the terminal that asks; empty for a shell.

    Raises:
        NoDesk: nobody answers; whether the command arrived is not known.
        KillcordError: the desk refused the request itself, not the command in it.
    """
    fields = msgspec.to_builtins(command)
    del fields["received"]
    if isinstance(command, Kill):
        shut_by = shut(path, fields)
        if shut_by is not None and shut_by["by"] == "guard":
            text = "the desk does not answer: its guard has pulled the cord"
            return Answer("", True, "DONE", text)
    target = "/v1/commands" + _asking(terminal)
    return msgspec.convert(ask(path, "POST", target, fields, timeout), Answer)


def _asking(terminal: str, **more: str) -> str:
    return f"?{urlencode({'terminal': terminal} | more)}" if terminal else ""


def weigh(path: Path, order: Submit, timeout: float = TIMEOUT_S) -> WhatIf:
    """Ask what an order would do; nothing is sent to a venue.

    Raises:
        NoDesk, KillcordError: as ``send``.
    """
    fields = msgspec.to_builtins(order)
    del fields["received"]
    try:
        return msgspec.convert(ask(path, "POST", "/v1/whatif", fields, timeout), WhatIf)
    except msgspec.MsgspecError as error:
        raise _misread(error) from error


def fetch_why(path: Path, name: str) -> Why:
    """Return what a decision rested on; ``name`` as in ``/v1/why``.

    Raises:
        NoDesk: nobody answers.
        KillcordError: the desk does not know the decision.
    """
    target = f"/v1/why?{urlencode({'id': name})}"
    try:
        return msgspec.convert(ask(path, "GET", target, timeout=TIMEOUT_S), Why)
    except msgspec.MsgspecError as error:
        raise _misread(error) from error


def fetch_snapshot(path: Path) -> Snapshot:
    """Return the desk's picture now.

    Raises:
        NoDesk: nobody answers.
        KillcordError: desk and terminal differ in version.
    """
    try:
        return msgspec.convert(ask(path, "GET", "/v1/snapshot", timeout=TIMEOUT_S), Snapshot)
    except msgspec.MsgspecError as error:
        raise _misread(error) from error


def _misread(error: msgspec.MsgspecError) -> KillcordError:
    return KillcordError(
        f"this terminal does not understand the desk ({error}); are both the same version?"
    )


class DeskClient:
    """Keeps the newest snapshot of a desk, whatever happens to the desk.

    Nothing is queued: a reader takes ``latest`` when it wants to.

    Args:
        path: the control socket.
        hz: most snapshots a second.
        kills: the control socket that the kill cord pulls at; None: the same. Who looks at a
            recording and pulls it means the desk that runs.
        name: what other terminals call this one.
        claim: what it wants of control when it comes, see ``core.desk.terminals.Claim``.
    """

    def __init__(
        self,
        path: Path,
        hz: int = 10,
        kills: Path | None = None,
        name: str = "",
        claim: str = "free",
    ) -> None:
        self.path = path
        self.id = uuid4().hex[:12]
        self._name = name
        self._claim = claim
        self._joined = False
        self._kills = kills or path
        self.latest: Snapshot | None = None
        self.error = ""
        """Why there is no connection; empty while there is one."""
        self.frames = 0
        self._hz = hz
        self._target: Target | None = None
        self._watched: WatchView | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard = time.monotonic()

    @property
    def quiet(self) -> float:
        """Seconds since the last word of the desk (since the start, before the first)."""
        return time.monotonic() - self._heard

    @property
    def up(self) -> bool:
        """Whether the desk is there and talking."""
        return not self.error and self.latest is not None and self.quiet < QUIET_S

    async def run(self) -> None:
        """Follow the desk's stream until cancelled; come back by itself whenever it is lost."""
        attempt = 0
        while True:
            try:
                # A picture first: it is there long before aiohttp is imported (about 0.2 s).
                self._take(await in_thread(lambda: fetch_snapshot(self.path)))
                attempt = 0
                await self._follow()
                self.error = "the desk ended the connection"
            except KillcordError as error:
                self.error = str(error)
            except OSError as error:
                self.error = f"the connection broke: {error}"
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    async def send(self, command: Command, timeout: float = TIMEOUT_S) -> Answer:
        """Send one command; see the function ``send``."""
        path = self._kills if isinstance(command, Kill) else self.path
        return await in_thread(lambda: send(path, command, timeout, self.id))

    async def direct(self, wish: Wish) -> None:
        """Tell a replay what to do.

        Raises:
            NoDesk, KillcordError: as ``send``.
        """
        await in_thread(lambda: ask(self.path, "POST", "/v1/replay", msgspec.to_builtins(wish)))

    async def weigh(self, order: Submit) -> WhatIf:
        """Ask what an order would do; see the function ``weigh``."""
        return await in_thread(lambda: weigh(self.path, order))

    async def why(self, name: str) -> Why:
        """Ask what a decision rested on; see ``fetch_why``."""
        return await in_thread(lambda: fetch_why(self.path, name))

    async def stop(self) -> None:
        """Ask the desk to stop.

        Raises:
            NoDesk, KillcordError: as ``send``.
        """
        await in_thread(lambda: ask(self.path, "POST", "/v1/stop" + _asking(self.id)))

    @property
    def reads_only(self) -> bool | None:
        """Whether this terminal may not change anything; None before that is known."""
        if self.latest is None:
            return None
        control = self.latest.control
        if control is None:
            return False
        return control.holder != self.id if self._joined else None

    async def take_control(self, take: bool) -> None:
        """Take control, or give it up.

        Raises:
            NoDesk, KillcordError: as ``send``.
        """
        target = "/v1/control" + _asking(self.id, take="1" if take else "0")
        await in_thread(lambda: ask(self.path, "POST", target))

    def _take(self, picture: Snapshot) -> None:
        self.latest = picture
        self._heard = time.monotonic()
        self.error = ""
        self.frames += 1

    async def _follow(self) -> None:
        me = {"terminal": self.id, "name": self._name or self.id, "claim": self._claim}

        def take(data: bytes | str) -> None:
            self._take(_decode(data))
            self._joined = True
            # Back after a break, it has what it had, unless another has taken it meanwhile.
            self._claim = "none" if self.reads_only else "free"

        try:
            await self._receive(f"stream?hz={self._hz}&{urlencode(me)}", take)
        finally:
            self._joined = False

    # --- one symbol ---------------------------------------------------------------------------

    @property
    def watched(self) -> WatchView | None:
        """Books, bars and trades of the symbol looked at; None while they are on their way."""
        view, target = self._watched, self._target
        if view is None or target is None or view.symbol != target.symbol:
            return None
        return view

    def watch(self, target: Target) -> None:
        """Look at another symbol, venue or timeframe; nothing when it is the same."""
        if target != self._target:
            self._target = target
            if self._reader is not None:
                self._reader.cancel()

    async def run_watch(self) -> None:
        """Follow what ``watch`` was told until cancelled; silent while the desk is away."""
        while True:
            target = self._target
            if target is not None and self.up:
                self._reader = asyncio.create_task(self._read(target))
                try:
                    await asyncio.wait([self._reader])
                finally:
                    self._reader.cancel()
                    self._reader = None
            # A held arrow key passes thirty symbols a second; none of them is worth a connection.
            await asyncio.sleep(SETTLE_S if target != self._target else RETRY_S[1])

    async def _read(self, target: Target) -> None:
        def take(data: bytes | str) -> None:
            self._watched = _decode_watch(data)

        # ``run`` says what is wrong with the desk; here it only means: later.
        with suppress(KillcordError, OSError):
            await self._receive(f"watch?{urlencode(target._asdict())}", take)

    async def _receive(self, path: str, take: Callable[[bytes | str], None]) -> None:
        aiohttp: Any = await in_thread(lambda: importlib.import_module("aiohttp"))
        connector = aiohttp.UnixConnector(path=str(self.path))
        url = f"http://desk/v1/{path}"
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                # Compression would cost more time than a local socket takes to carry the text.
                session.ws_connect(url, compress=0, max_msg_size=0, heartbeat=10) as stream,
            ):
                async for message in stream:
                    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        take(message.data)
        except aiohttp.ClientError as error:
            raise NoDesk(f"the stream of the desk broke: {error}") from error
        except msgspec.MsgspecError as error:
            raise _misread(error) from error


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread of its own: no queue before it, no waiting for it at exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, result, failure)

    threading.Thread(target=run, name="desk-request", daemon=True).start()
    return await done
