"""Raw frames off ccxt's socket, before ccxt parses them, losing nothing.

ccxt.pro keeps the socket: it dials, pings, logs in, subscribes. But its consumers lose the last
update of a burst when they await, one exception in a handler silences a socket for a minute, and
parsing costs it 13 to 60 us a frame. So its client class is extended at two points: one long-lived
task reads the socket instead of a task per frame, and each text frame is offered to our decoders
first. What they take, ccxt never sees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from exchanges.lean import exchange_class

Taker = Callable[[str, int], bool]
"""Offered each text frame and its receive time, nanoseconds; True when it took it."""

_BURST = 256
"""Frames read without giving the loop to others: 256 at 3 us each are under a millisecond."""


class Tap:
    """What one socket reports to its owner.

    Attributes:
        messages: text frames so far.
        heard: receive time of the last frame of any kind, nanoseconds; 0 before the first.
    """

    __slots__ = ("control", "gone", "heard", "messages", "reason", "take", "trouble")

    def __init__(self, take: Taker, control: Callable[[str], None]) -> None:
        self.take = take
        self.control = control
        """Sees the frames that ``take`` left, before ccxt does."""
        self.trouble: Callable[[str, int], None] = lambda reason, received: None
        """Told when a frame that nobody of ours took made ccxt stumble."""
        self.messages = 0
        self.heard = 0
        self.gone = asyncio.Event()
        self.reason = ""

    def lose(self, reason: str) -> None:
        """The socket is of no more use."""
        if not self.gone.is_set():
            self.reason = reason
            self.gone.set()


def _define() -> type[Any]:  # noqa: C901 - a class made once ccxt is in
    exchange_class("bybit")  # brings ccxt in, leanly
    from aiohttp import WSMsgType
    from ccxt.async_support.base.ws.client import Client

    text_type = WSMsgType.TEXT
    endings = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)

    class TapClient(Client):  # type: ignore[misc]
        """ccxt's WebSocket client with our tap in front of it."""

        tap: Tap
        _reader: asyncio.Task[None] | None = None

        def receive_loop(self) -> None:
            """Replace ccxt's task-per-frame chain by one task; ccxt calls this once, on open."""
            if self._reader is None:
                self._reader = asyncio.get_running_loop().create_task(self._read())

        async def _read(self) -> None:
            tap = self.tap
            try:
                while not tap.gone.is_set() and await self._read_burst():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            except Exception as error:
                tap.lose(f"{type(error).__name__}: {error}")

        async def _read_burst(self) -> bool:
            """Read until the burst is full; False when the socket has ended."""
            receive = self.connection.receive
            for _ in range(_BURST):
                message = await receive()
                if message.type is text_type:
                    self._offer(message.data)
                    continue
                self.tap.heard = time.time_ns()
                if message.type in endings:
                    self.on_close(message.data or 1006)
                    return False
                try:
                    self.handle_message(message)
                except Exception as error:
                    self.tap.trouble(f"{type(error).__name__}: {error}", self.tap.heard)
                if message.type is WSMsgType.ERROR:
                    return False
            return True

        def _offer(self, text: str) -> None:
            received = time.time_ns()
            tap = self.tap
            tap.messages += 1
            tap.heard = received
            if tap.take(text, received):
                return
            self.last_message_at = received // 1_000_000
            try:
                tap.control(text)
                self.handle_text_or_binary_message(text)
            except Exception as error:  # a frame must never kill the socket
                tap.trouble(f"{type(error).__name__}: {error}", received)

        def on_error(self, error: Any) -> None:
            super().on_error(error)
            self.tap.lose(f"{type(error).__name__}: {error}")

        def on_close(self, code: Any) -> None:
            super().on_close(code)
            self.tap.lose(f"closed by the venue ({code})")

        async def aiohttp_close(self) -> None:
            await super().aiohttp_close()
            reader, self._reader = self._reader, None
            if reader is not None and reader is not asyncio.current_task():
                reader.cancel()

    return TapClient


_client_class: type[Any] | None = None


def attach(exchange: Any, url: str, tap: Tap) -> Any:
    """Make ccxt use a tapped client for ``url``; its own watch and login calls find it there."""
    global _client_class
    if _client_class is None:
        _client_class = _define()
    exchange.open()
    options = exchange.extend(
        exchange.streaming,
        {
            "ping": getattr(exchange, "ping", None),
            "asyncio_loop": exchange.asyncio_loop,
            "throttle": None,
        },
        exchange.options.get("ws", {}),
    )
    client = _client_class(
        url,
        exchange.handle_message,
        exchange.on_error,
        exchange.on_close,
        exchange.on_connected,
        options,
    )
    client.tap = tap
    exchange.clients = exchange.clients or {}
    exchange.clients[url] = client
    return client
