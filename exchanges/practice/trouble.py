"""Does what a fault script says: between the sockets and the dialects of the practice exchange.

Requests pass ``Trouble.handle`` (as an aiohttp middleware), frames pass ``Tamper`` (one a socket),
and ``turn`` sees to what concerns a whole venue. Without a script none of it is installed.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.faults import FRAMES, VENUE_WIDE, Deed, Fault, Meaning, Script, Strike, When
from exchanges.practice.wire import TAMPER, Session, dumps, frame

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_ROOTS = {"bybit": "bybit", "binance": "binance", "bnws": "binance", "okx": "okx"}
_PRIVATE = ("/private", "/ws-fapi", "/trade")
_WORDS: Mapping[tuple[str, Meaning], tuple[int, str, str]] = {
    ("bybit", Meaning.RATE): (200, "10006", "Too many visits. Exceeded the API Rate Limit."),
    ("bybit", Meaning.BAN): (403, "", "403 Forbidden"),
    ("bybit", Meaning.OVERLOAD): (503, "", "503 Service Temporarily Unavailable"),
    ("bybit", Meaning.TIMEOUT): (200, "10000", "Server Timeout"),
    ("bybit", Meaning.MAINTENANCE): (503, "", "503 Service Temporarily Unavailable"),
    ("bybit", Meaning.BAD_TRIGGER): (
        200,
        "110093",
        "expect Falling, but trigger_price[x] >= current[y]",
    ),
    ("binance", Meaning.RATE): (429, "-1003", "Too many requests queued."),
    ("binance", Meaning.BAN): (418, "-1003", "Way too many requests; IP banned."),
    ("binance", Meaning.OVERLOAD): (
        503,
        "-1000",
        "Unknown error, please check your request or try again later.",
    ),
    ("binance", Meaning.TIMEOUT): (
        408,
        "-1007",
        "Timeout waiting for response from backend server. Send status unknown; "
        "execution status unknown.",
    ),
    ("binance", Meaning.MAINTENANCE): (503, "", "503 Service Temporarily Unavailable"),
    ("binance", Meaning.BAD_TRIGGER): (400, "-2021", "Order would immediately trigger."),
    ("okx", Meaning.RATE): (429, "50011", "Too Many Requests"),
    ("okx", Meaning.BAN): (403, "", "403 Forbidden"),
    ("okx", Meaning.OVERLOAD): (503, "50026", "System error. Try again later."),
    ("okx", Meaning.TIMEOUT): (
        400,
        "50004",
        "Endpoint request timeout (does not mean that the request was successful or failed, "
        "please check the request result).",
    ),
    ("okx", Meaning.MAINTENANCE): (
        503,
        "50001",
        "Service temporarily unavailable. Try again later",
    ),
    ("okx", Meaning.BAD_TRIGGER): (
        200,
        "51278",
        "SL trigger price cannot be lower than the last price",
    ),
}
"""HTTP status, code and text; without a code the answer is a gateway's page. Sources: the venues'
error tables as in ``docs`` of each, and what ccxt maps."""


class Trouble:
    """A script at work on the venues of one exchange.

    Args:
        script: what goes wrong.
        venues: by name.
    """

    def __init__(self, script: Script, venues: Mapping[str, PracticeVenue]) -> None:
        self._venues = venues
        self._requests: dict[str, list[Strike]] = {name: [] for name in venues}
        self._frames: dict[str, list[Strike]] = {name: [] for name in venues}
        self._wide: dict[str, list[Strike]] = {name: [] for name in venues}
        self._sockets: dict[str, dict[int, web.Request]] = {name: {} for name in venues}
        self.play(script)

    def play(self, script: Script) -> None:
        """Begin a script in place of the one before; sockets that are open hear it too."""
        self.script = script
        self._began = time.monotonic()
        venues = self._venues
        for group in (self._requests, self._frames, self._wide):
            for strikes in group.values():
                strikes.clear()
        for number, fault in enumerate(script.fault):
            for name in [fault.venue] if fault.venue else list(venues):
                strike = Strike(fault, name, f"{script.seed} {number} {name}")
                self._group(fault)[name].append(strike)

    def _group(self, fault: Fault) -> dict[str, list[Strike]]:
        if fault.do in VENUE_WIDE:
            return self._wide
        return self._frames if fault.do in FRAMES else self._requests

    @property
    def age(self) -> float:
        """Seconds since the exchange began."""
        return time.monotonic() - self._began

    def status(self) -> dict[str, Any]:
        """Return what it did so far, for ``/practice/status``."""
        strikes = [
            {
                "venue": name,
                "do": strike.fault.do.value,
                "at": strike.fault.at,
                "struck": strike.struck,
            }
            for group in (self._requests, self._frames, self._wide)
            for name, rows in group.items()
            for strike in rows
        ]
        return {"text": self.script.text, "seed": self.script.seed, "strikes": strikes}

    def turn(self) -> None:
        """Do what is due to whole venues; called ten times a second."""
        age = self.age
        for name, strikes in self._wide.items():
            venue, skew = self._venues[name], 0
            for strike in strikes:
                if not strike.active(age):
                    continue
                first, strike.struck = not strike.struck, 1
                fault = strike.fault
                if fault.do is Deed.SKEW:
                    skew += round(fault.seconds * 1000)
                elif fault.do is Deed.MAINTENANCE:
                    for request in tuple(self._sockets[name].values()):
                        if request.transport is not None:
                            request.transport.abort()
                elif first and fault.do is Deed.RULES:
                    venue.change_rules(fault.match, fault.times, fault.least)
                elif first:
                    venue.wipe()
            venue.skew_ms = skew

    # --- requests -----------------------------------------------------------------------------

    def install(self, app: web.Application) -> None:
        """Have every request of an application pass through here."""

        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.handle(request, handler)

        app.middlewares.append(spoil)

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or spoil it."""
        root, _, path = request.path.removeprefix("/").partition("/")
        venue = _ROOTS.get(root, "")
        if not venue:
            return await handler(request)
        if any(
            strike.fault.do is Deed.MAINTENANCE and strike.active(self.age)
            for strike in self._wide[venue]
        ):
            return _say(venue, Meaning.MAINTENANCE, None)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(venue, request, handler)
        text = request.raw_path + (await request.read()).decode(errors="replace")
        endpoint, age = f"{request.method} /{path}", self.age
        for strike in self._requests[venue]:
            if strike.hits(endpoint, text, age):
                return await _spoil(strike.fault, venue, request, handler)
        return await handler(request)

    async def _socket(
        self, venue: str, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        private = any(part in request.path for part in _PRIVATE)
        endpoint = "WS private" if private else "WS public"
        request[TAMPER] = Tamper(self, self._frames[venue], endpoint)
        self._sockets[venue][id(request)] = request
        try:
            return await handler(request)
        finally:
            del self._sockets[venue][id(request)]


async def _spoil(
    fault: Fault, venue: str, request: web.Request, handler: Handler
) -> web.StreamResponse:
    if fault.do is Deed.DELAY:
        await asyncio.sleep(fault.seconds)
        return await handler(request)
    reply = None
    if fault.when is When.AFTER or fault.do in (Deed.TRUNCATE, Deed.CUT):
        reply = await handler(request)
    if fault.do is Deed.HANG:
        await asyncio.sleep(fault.seconds)
        return _reset(request)
    if fault.do is Deed.RESET:
        return _reset(request)
    if fault.do is Deed.ANSWER:
        if fault.meaning is not None:
            return _say(venue, fault.meaning, fault.retry_after)
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        kind = "text/html" if fault.body.startswith("<") else "application/json"
        return web.Response(
            status=fault.status, text=fault.body, content_type=kind, headers=headers
        )
    assert isinstance(reply, web.Response)
    whole = bytes(reply.body) if isinstance(reply.body, bytes) else b""
    if fault.do is Deed.TRUNCATE:
        return web.Response(
            status=reply.status, body=whole[: fault.size], content_type="application/json"
        )
    promise = web.StreamResponse(headers={"Content-Length": str(max(len(whole), fault.size + 1))})
    promise.content_type = "application/json"
    await promise.prepare(request)
    await promise.write(whole[: fault.size])
    return _reset(request)


def _reset(request: web.Request) -> web.StreamResponse:
    """Cut a connection the hard way: the client sees a reset, as from a crashed front end."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def _say(venue: str, meaning: Meaning, retry_after: int | None) -> web.Response:
    """Answer in the venue's words."""
    status, code, text = _WORDS[venue, meaning]
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if not code:
        return web.Response(
            status=status, text=_HTML.format(text), content_type="text/html", headers=headers
        )
    message: dict[str, Any] = {"code": int(code), "msg": text}
    if venue == "bybit":
        now = time.time_ns() // 1_000_000
        message = {"retCode": int(code), "retMsg": text, "result": {}, "time": now}
    elif venue == "okx":
        message = {"code": code, "msg": text, "data": []}
    return web.Response(
        status=status, body=dumps(message), content_type="application/json", headers=headers
    )


_SIDES = re.compile(rb'"(?:b|a|bids|asks)":')
_OTHER = {b'"b":': b'"a":', b'"a":': b'"b":', b'"bids":': b'"asks":', b'"asks":': b'"bids":'}


def _swap_sides(framed: bytes) -> bytes:
    """Return a frame with the two sides of its book in each other's place."""
    return _SIDES.sub(lambda found: _OTHER[found.group()], framed)


# --- frames -----------------------------------------------------------------------------------


class Tamper:
    """What stands between one socket and its client."""

    def __init__(self, trouble: Trouble, strikes: list[Strike], endpoint: str) -> None:
        self._trouble = trouble
        self._strikes = strikes
        self._endpoint = endpoint
        self._late: list[bytes] = []
        self._frozen: Strike | None = None
        self._closing: set[asyncio.Task[Any]] = set()

    def spoil(self, session: Session, framed: bytes) -> list[bytes]:
        """Return what is sent instead of a frame."""
        age = self._trouble.age
        if self._frozen is not None:
            if self._frozen.active(age):
                return []
            if session.request.transport is not None:
                session.request.transport.abort()
            return []
        frames, self._late = [framed, *self._late], []
        text = framed.decode(errors="replace")
        for strike in self._strikes:
            fault = strike.fault
            if fault.do is Deed.STALL and "pong" in text:
                continue
            if strike.hits(self._endpoint, text, age):
                frames = self._change(session, strike, frames)
        return frames

    def _change(self, session: Session, strike: Strike, frames: list[bytes]) -> list[bytes]:
        fault = strike.fault
        first, rest = frames[:1], frames[1:]
        match fault.do:
            case Deed.DROP | Deed.STALL:
                return rest
            case Deed.DUPLICATE:
                return [*first, *frames]
            case Deed.REORDER:
                self._late += first
                return rest
            case Deed.MALFORMED:
                payload = b"".join(first)[2 : 2 + fault.size].decode(errors="ignore")
                return [frame(payload.encode()), *rest]
            case Deed.INJECT:
                return [frame(fault.body.encode()), *frames]
            case Deed.LIE:
                return [*map(_swap_sides, first), *rest]
            case Deed.KICK:
                task = asyncio.ensure_future(session.socket.close(code=fault.close_code))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
                return []
            case _:
                self._frozen = strike
                transport = session.request.transport
                if isinstance(transport, asyncio.Transport):
                    transport.pause_reading()
                return []
