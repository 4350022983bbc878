"""Pictures to whoever looks: the newest, as fast as each reader reads, and never an old one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.desk.replies import refusal

if TYPE_CHECKING:
    from aiohttp import web

MAX_STREAMS = 64
"""A terminal has two."""
BACKED_UP = 64 * 1024
"""Bytes in a reader's socket buffer beyond which it misses a picture."""
DROP_AFTER = 15.0
"""Seconds without reading after which a reader is dropped; its terminal comes back by itself."""


class Streams:
    """The streams that are open.

    Args:
        version: a number that changes when there is something new to send.
    """

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._open: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """Send every reader its end."""
        for sender in tuple(self._open):
            sender.cancel()

    async def carry(
        self, request: web.Request, pause: float, make: Callable[[], bytes]
    ) -> web.StreamResponse:
        """Send pictures to a reader until it goes away."""
        from aiohttp import WSCloseCode, web

        if len(self._open) >= MAX_STREAMS:
            return refusal(503, "TOO_MANY", f"{MAX_STREAMS} streams are open already")
        stream = web.WebSocketResponse(compress=False, heartbeat=10, max_msg_size=4096)
        await stream.prepare(request)
        sender = asyncio.create_task(self._send_on(request, stream, pause, make))
        self._open.add(sender)
        try:
            async for _ in stream:
                pass  # a reader has nothing to say here; commands go by POST
        finally:
            sender.cancel()
            self._open.discard(sender)
            if stream.close_code != WSCloseCode.OK and request.transport is not None:
                request.transport.abort()  # what it did not read, it will not
        return stream

    async def _send_on(
        self,
        request: web.Request,
        stream: web.WebSocketResponse,
        pause: float,
        make: Callable[[], bytes],
    ) -> None:
        sent, read = -1, _now()
        try:
            while not stream.closed and (transport := request.transport) is not None:
                version = self._version()
                if transport.get_write_buffer_size() < BACKED_UP:
                    read = _now()
                    if version != sent:
                        async with asyncio.timeout(DROP_AFTER):
                            await stream.send_bytes(make())
                        sent = version
                elif _now() - read > DROP_AFTER:
                    raise TimeoutError
                await asyncio.sleep(pause)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except (ConnectionError, asyncio.CancelledError):
            await stream.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
