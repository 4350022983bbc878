"""The control socket: how terminals and commands reach the desk.

HTTP and WebSocket on a Unix socket that only its owner can open, the peer's uid checked besides.

* ``GET /v1/snapshot``, ``GET /v1/depth?venue=&symbol=``
* ``GET /v1/stream?hz=``: a WebSocket that carries the newest snapshot, at most ``hz`` times a
  second, only when something changed; a reader that is slow misses pictures, never gets old ones,
  and one that does not read at all is dropped. With ``terminal=ID&name=&claim=`` it is a terminal:
  attached while the stream lasts, see ``core.desk.terminals``.
* ``POST /v1/control?terminal=ID&take=1``: give control to a terminal; ``take=0``: it gives it up.
* ``GET /v1/candles?venue=&symbol=&timeframe=&count=``: bars, ``timeframe`` in seconds.
* ``GET /v1/watch?venue=&symbol=&timeframe=&count=``: a WebSocket that carries the books, public
  trades and bars of one symbol four times a second, under the same rule.
* ``POST /v1/commands``: a ``core.model.event.Command`` as JSON without ``received``, answered by
  an ``Answer``; ``?wait=1`` waits for the kill report, which is added as ``venues``. With
  ``terminal=ID`` it comes from that terminal, and all but the kill cord needs control.
* ``POST /v1/whatif``: a ``Submit`` in the same form, answered by a ``core.model.whatif.WhatIf``;
  nothing is sent.
* ``GET /v1/why?id=``: what a decision rested on (``core.model.why.Why``), by client order id, or
  by ``venue|symbol`` for the last signal there.
* ``POST /v1/stop`` (``terminal=ID`` as above), ``GET /healthz``, ``/readyz``, ``/metrics``
* ``POST /v1/replay``: a ``core.model.replay.Wish``, where a recording is played, not a desk.

More than ``MAX_RATE`` requests a second are refused with 429; the kill cord never is.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from core.clock import SECOND
from core.desk.charts import MOST, TIMEFRAMES
from core.desk.doorway import listen, peer_uid, read_command
from core.desk.replies import answer_json, refusal
from core.desk.streams import Streams
from core.desk.terminals import Claim, Terminals
from core.desk.verdicts import KillReport
from core.errors import UsageError
from core.model.effect import Answer
from core.model.event import Command, Kill, Submit
from core.model.replay import Wish
from core.model.snapshot import BarView, DepthView, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from core.risk.pace import Pace

if TYPE_CHECKING:
    from aiohttp import web

MAX_BODY = 64 * 1024
MAX_HZ = 10.0
WATCH_HZ = 4.0
"""Books move faster than an eye follows numbers; bars of five seconds and up do not."""
KILL_WAIT = 60.0
"""Seconds that ``?wait=1`` waits for the kill's verdicts."""
MAX_RATE = 200
"""Requests a second, of all clients together; a terminal at work makes about ten."""
MAX_NAME = 60
"""Characters of a terminal's name and id."""


class Controlled(Protocol):
    """What the socket needs of the desk."""

    @property
    def version(self) -> int:
        """A number that changes when the picture does."""
        ...

    @property
    def terminals(self) -> Terminals | None:
        """Who is attached; None where nobody needs control."""
        ...

    def picture(self) -> bytes:
        """Return the snapshot as JSON."""
        ...

    def depth(self, venue: str, symbol: str) -> tuple[DepthView, ...]:
        """Return book levels; empty strings mean any."""
        ...

    def candles(self, venue: str, symbol: str, timeframe: int, count: int) -> tuple[BarView, ...]:
        """Return the last bars of an instrument."""
        ...

    def watch(self, venue: str, symbol: str, timeframe: int, count: int) -> WatchView:
        """Return books, public trades and bars of a symbol."""
        ...

    def weigh(self, order: Submit) -> WhatIf:
        """Return what an order would do; nothing is sent."""
        ...

    def why(self, name: str) -> Why | None:
        """Return what a decision rested on."""
        ...

    async def command(self, command: Command) -> Answer:
        """Hand a command to the engine and return its answer."""
        ...

    async def kill_report(self) -> KillReport:
        """Wait for the verdicts of the running or last kill."""
        ...

    def request_stop(self, cause: str) -> None:
        """End the desk."""
        ...

    def now(self) -> int:
        """Return nanoseconds UTC."""
        ...

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the desk lives, and why not."""
        ...

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every venue is ready, and which is not."""
        ...

    def metrics(self) -> Callable[[], bytes]:
        """Return what makes Prometheus text of the picture as it is now; it may block."""
        ...


@runtime_checkable
class Directed(Protocol):
    """What plays a recording can do besides."""

    def direct(self, wish: Wish) -> None:
        """Pause, go faster, go elsewhere.

        Raises:
            UsageError: what is wished for there is not.
        """
        ...


class ControlSocket:
    """Serves a desk, or what looks like one, on a Unix socket."""

    def __init__(self, desk: Controlled, path: Path) -> None:
        self._desk = desk
        self._path = path
        self._runner: web.AppRunner | None = None
        self._streams = Streams(lambda: desk.version)
        self._pace = Pace(MAX_RATE, SECOND)

    async def start(self) -> None:
        """Begin to accept. The home's lock is held, so a socket found there is a dead desk's."""
        from aiohttp import web

        app = web.Application(client_max_size=MAX_BODY, middlewares=[_only_owner, self._bounded()])
        app.router.add_get("/v1/snapshot", self._snapshot)
        app.router.add_get("/v1/depth", self._depth)
        app.router.add_get("/v1/candles", self._candles)
        app.router.add_get("/v1/stream", self._stream)
        app.router.add_get("/v1/why", self._why)
        app.router.add_get("/v1/watch", self._watch)
        app.router.add_post("/v1/commands", self._commands)
        app.router.add_post("/v1/control", self._control)
        app.router.add_post("/v1/whatif", self._whatif)
        app.router.add_post("/v1/stop", self._stop)
        if isinstance(self._desk, Directed):
            app.router.add_post("/v1/replay", self._replay)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        listener = listen(self._path)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """Send every stream its end and stop accepting."""
        self._streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    async def _snapshot(self, _: web.Request) -> web.Response:
        return answer_json(self._desk.picture())

    async def _depth(self, request: web.Request) -> web.Response:
        found = self._desk.depth(request.query.get("venue", ""), request.query.get("symbol", ""))
        return answer_json(msgspec.json.encode(found))

    async def _commands(self, request: web.Request) -> web.Response:
        try:
            command = read_command(await request.read(), self._desk.now())
        except msgspec.MsgspecError as error:
            return refusal(400, "BAD_REQUEST", str(error))
        if not isinstance(command, Kill) and self._too_fast():
            return _too_many()
        refused = self._refused(request, command)
        if refused is not None:
            return answer_json(msgspec.json.encode(refused))
        answer = await self._desk.command(command)
        reply = msgspec.to_builtins(answer)
        if isinstance(command, Kill) and request.query.get("wait") == "1":
            try:
                async with asyncio.timeout(KILL_WAIT):
                    report = await self._desk.kill_report()
                reply |= msgspec.to_builtins(report)
            except TimeoutError:
                reply["detail"] += f"; no verdict of every venue within {KILL_WAIT:g} s"
        return answer_json(msgspec.json.encode(reply))

    async def _whatif(self, request: web.Request) -> web.Response:
        try:
            order = read_command(await request.read(), self._desk.now())
        except msgspec.MsgspecError as error:
            return refusal(400, "BAD_REQUEST", str(error))
        if not isinstance(order, Submit):
            return refusal(400, "BAD_REQUEST", "type: only a Submit can be weighed")
        return answer_json(msgspec.json.encode(self._desk.weigh(order)))

    async def _replay(self, request: web.Request) -> web.Response:
        assert isinstance(self._desk, Directed)
        try:
            self._desk.direct(msgspec.json.decode(await request.read(), type=Wish))
        except (msgspec.MsgspecError, UsageError) as error:
            return refusal(400, "BAD_REQUEST", str(error))
        return answer_json(b'{"ok":true}')

    async def _why(self, request: web.Request) -> web.Response:
        found = self._desk.why(request.query.get("id", ""))
        if found is None:
            return refusal(404, "NOT_KNOWN", "this decision is not known, or no longer")
        return answer_json(msgspec.json.encode(found))

    async def _control(self, request: web.Request) -> web.Response:
        terminals = self._desk.terminals
        terminal = request.query.get("terminal", "")
        if terminals is None or not terminal:
            return refusal(400, "BAD_REQUEST", "terminal: an attached one is expected")
        done = (terminals.release if request.query.get("take") == "0" else terminals.take)(terminal)
        if not done:
            return refusal(409, "NOT_ATTACHED", "this terminal is not attached, or has no control")
        return answer_json(b'{"ok":true}')

    def _refused(self, request: web.Request, command: Command | None) -> Answer | None:
        terminals = self._desk.terminals
        if terminals is None:
            return None
        return terminals.refuse(request.query.get("terminal", ""), command)

    async def _stop(self, request: web.Request) -> web.Response:
        refused = self._refused(request, None)
        if refused is not None:
            return refusal(409, refused.code, refused.detail)
        self._desk.request_stop("asked over the control socket")
        return answer_json(b'{"ok":true,"detail":"the desk is stopping"}')

    async def _healthz(self, _: web.Request) -> web.Response:
        return _state(self._desk.health())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _state(self._desk.readiness())

    async def _metrics(self, _: web.Request) -> web.Response:
        from aiohttp import web

        # The picture is the loop's; making text of it imports a library and takes its time.
        text = await asyncio.to_thread(self._desk.metrics())
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        try:
            hz = float(request.query.get("hz", MAX_HZ))
        except ValueError:
            hz = nan
        if isnan(hz):
            return refusal(400, "BAD_REQUEST", "hz: a number is expected")
        hz = min(max(hz, 0.1), MAX_HZ)
        query, terminals = request.query, self._desk.terminals
        terminal = query.get("terminal", "")[:MAX_NAME]
        if terminals is None or not terminal:
            return await self._streams.carry(request, 1 / hz, self._desk.picture)
        try:
            claim = Claim(query.get("claim", Claim.NONE))
        except ValueError:
            return refusal(400, "BAD_REQUEST", f"claim: one of {', '.join(Claim)} is expected")
        terminals.join(terminal, query.get("name", terminal)[:MAX_NAME], claim)
        try:
            return await self._streams.carry(request, 1 / hz, self._desk.picture)
        finally:
            terminals.leave(terminal)

    async def _candles(self, request: web.Request) -> web.Response:
        try:
            found = self._desk.candles(*_chart_of(request))
        except ValueError as error:
            return refusal(400, "BAD_REQUEST", str(error))
        return answer_json(msgspec.json.encode(found))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        try:
            chart = _chart_of(request)
        except ValueError as error:
            return refusal(400, "BAD_REQUEST", str(error))
        watch = self._desk.watch
        return await self._streams.carry(
            request, 1 / WATCH_HZ, lambda: msgspec.json.encode(watch(*chart))
        )

    def _too_fast(self) -> bool:
        now = time.monotonic_ns()
        full = self._pace.full(now)
        if not full:
            self._pace.add(now)
        return full

    def _bounded(self) -> Any:
        """Return the middleware that bounds the rate of all requests but commands and the end."""

        async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path not in _FREE and self._too_fast():
                return _too_many()
            return await handler(request)

        bounded.__middleware_version__ = 1  # type: ignore[attr-defined]  # as below
        return bounded


_FREE = ("/v1/commands", "/v1/stop")
"""Where the kill cord comes in; other commands are counted when they have been read."""


def _chart_of(request: web.Request) -> tuple[str, str, int, int]:
    """Read venue, symbol, timeframe and count of a query.

    Raises:
        ValueError: the text says what is wrong.
    """
    query = request.query
    try:
        timeframe = int(query.get("timeframe", TIMEFRAMES[0]))
        count = int(query.get("count", MOST))
    except ValueError:
        raise ValueError("timeframe, count: whole numbers are expected") from None
    if timeframe not in TIMEFRAMES:
        raise ValueError(f"timeframe: expected one of {', '.join(map(str, TIMEFRAMES))} seconds")
    if not query.get("symbol"):
        raise ValueError("symbol: is missing")
    return query.get("venue", ""), query["symbol"], timeframe, min(max(count, 1), MOST)


Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


async def _only_owner(request: web.Request, handler: Handler) -> web.StreamResponse:
    peer = request.transport.get_extra_info("socket") if request.transport else None
    uid = peer_uid(peer) if peer is not None else None
    if uid is not None and uid != os.getuid():
        return refusal(403, "NOT_OWNER", "the desk belongs to another user")
    return await handler(request)


_only_owner.__middleware_version__ = 1  # type: ignore[attr-defined]  # web.middleware, unimported


def _too_many() -> web.Response:
    return refusal(429, "TOO_FAST", f"more than {MAX_RATE} requests a second")


def _state(state: tuple[bool, dict[str, Any]]) -> web.Response:
    good, facts = state
    return answer_json(msgspec.json.encode({"ok": good} | facts), 200 if good else 503)
