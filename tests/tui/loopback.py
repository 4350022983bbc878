"""A control server on a real Unix socket: the terminal's client runs against it unchanged.

It speaks the desk's protocol and records what it is asked; it decides nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiohttp import WSMsgType, web

from core.model.effect import Answer
from core.model.event import Command, Submit, decode
from core.model.snapshot import Snapshot, WatchView
from core.model.whatif import WhatIf
from core.model.why import Why
from tests.tui import pictures

_encode = msgspec.json.Encoder().encode


def still(venue: str, symbol: str, timeframe: int, step: int) -> WatchView:
    """A market in which nothing moves."""
    return pictures.watch(venue, symbol, timeframe)


class Loopback:
    """Serves a snapshot that tests may replace, and keeps the commands it was sent."""

    def __init__(self, socket: Path, picture: Snapshot) -> None:
        self.socket = socket
        self.picture = picture
        self.commands: list[Command] = []
        self.stopped = False
        self.answer: Callable[[Command], Answer] = lambda command: Answer(
            getattr(command, "request", ""), True, "ACCEPTED", "done"
        )
        self.streams = 0
        self.watching: list[tuple[str, str, int]] = []
        """What was asked of ``/v1/watch``, in order."""
        self.watch: Callable[[str, str, int, int], WatchView] = still
        self.watch_gap = 0.25
        self.whys: list[str] = []
        """What was asked of ``/v1/why``, in order."""
        self.why: Why | None = pictures.why()
        self.questions: list[Submit] = []
        """What was asked of ``/v1/whatif``, in order."""
        self.weigh: Callable[[Submit], WhatIf] = pictures.whatif
        self.encode: Callable[[Snapshot], bytes] | None = None
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def show(self, picture: Snapshot) -> None:
        self.picture = picture
        self._changed.set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/snapshot", self._snapshot),
                web.get("/v1/stream", self._stream),
                web.get("/v1/watch", self._watch),
                web.post("/v1/commands", self._command),
                web.post("/v1/whatif", self._whatif),
                web.get("/v1/why", self._why),
                web.post("/v1/stop", self._stop),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.socket.exists():
            os.unlink(self.socket)

    async def _snapshot(self, request: web.Request) -> web.Response:
        return web.Response(
            body=(self.encode or _encode)(self.picture), content_type="application/json"
        )

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse(compress=False)
        await stream.prepare(request)
        self.streams += 1
        sender = asyncio.create_task(self._send(stream))
        try:
            async for message in stream:
                if message.type is not WSMsgType.TEXT:
                    break
        finally:
            sender.cancel()
            self.streams -= 1
        return stream

    async def _send(self, stream: web.WebSocketResponse) -> None:
        while not stream.closed:
            changed = self._changed
            await stream.send_str((self.encode or _encode)(self.picture).decode())
            # A desk ticks once a second even when nothing happens.
            try:
                await asyncio.wait_for(changed.wait(), 1.0)
            except TimeoutError:
                continue

    async def _watch(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse(compress=False)
        await stream.prepare(request)
        query = request.query
        self.watching.append((query["venue"], query["symbol"], int(query["timeframe"])))
        target = self.watching[-1]

        async def send() -> None:
            step = 0
            while not stream.closed:
                await stream.send_bytes(_encode(self.watch(*target, step)))
                step += 1
                await asyncio.sleep(self.watch_gap)

        sender = asyncio.create_task(send())
        try:
            async for _ in stream:
                pass
        finally:
            sender.cancel()
        return stream

    async def _command(self, request: web.Request) -> web.Response:
        fields = msgspec.json.decode(await request.read())
        assert "received" not in fields, "the desk stamps commands, not the sender"
        command = decode(_encode({**fields, "received": 1}))
        self.commands.append(command)
        return web.Response(body=_encode(self.answer(command)), content_type="application/json")

    async def _whatif(self, request: web.Request) -> web.Response:
        fields = msgspec.json.decode(await request.read())
        order = decode(_encode({**fields, "received": 1}))
        assert isinstance(order, Submit)
        self.questions.append(order)
        return web.Response(body=_encode(self.weigh(order)), content_type="application/json")

    async def _why(self, request: web.Request) -> web.Response:
        self.whys.append(request.query["id"])
        if self.why is None:
            return web.json_response({"detail": "this decision is not known"}, status=404)
        return web.Response(body=_encode(self.why), content_type="application/json")

    async def _stop(self, request: web.Request) -> web.Response:
        self.stopped = True
        return web.json_response({"ok": True})
