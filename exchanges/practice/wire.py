"""What the three dialects share: signatures, rate windows, number texts, sockets and topics.

A broadcast message is serialised and framed once per topic, then the same bytes go to every
subscriber; what one socket is owed in one turn of the loop goes out in one write.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web
from msgspec import Struct

from exchanges.practice.state import DepthSnapshot

BACKLOG = 8 * 1024 * 1024
"""Bytes a client may leave unread before it is dropped: venues drop slow consumers too."""

dumps = orjson.dumps
loads = orjson.loads

TAMPER: web.RequestKey[Any] = web.RequestKey("tamper")
"""Where a request carries what spoils its socket's frames; see ``trouble.Tamper``."""


class Limits(Struct, frozen=True):
    """How strictly the venues' request limits are kept."""

    scale: float = 1.0
    """Factor on every allowance; below 1 makes limits bite sooner."""
    ban: float = 1.0
    """Factor on the length of a ban."""

    def allow(self, count: int) -> int:
        """Scale an allowance, never below 1."""
        return max(1, int(count * self.scale))


def sign_hex(secret: str, text: str) -> str:
    """Sign with HMAC-SHA256, as lower-case hex."""
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def sign_base64(secret: str, text: str) -> str:
    """Sign with HMAC-SHA256, as base64."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), "sha256").digest()).decode()


def same(mine: str, theirs: str) -> bool:
    """Compare signatures without leaking where they differ."""
    return hmac.compare_digest(mine.encode(), theirs.encode())


def decimal_or_none(value: object) -> Decimal | None:
    """Read a number of a request; None when absent or empty.

    Raises:
        ValueError: it is there and is not a finite number.
    """
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a number: {value!r}")
    return number


def truth(value: object) -> bool:
    """Read a flag that clients send as JSON true, ``true`` or ``True``."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def plain(number: Decimal) -> str:
    """Write a number without an exponent and without trailing zeros."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def fixed(number: Decimal | float, digits: int) -> str:
    """Write a number with a fixed count of decimal places."""
    return f"{number:.{digits}f}"


def places(step: Decimal) -> int:
    """Count the decimal places of a price or quantity step."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


class Window:
    """Requests of one client in a fixed window of seconds."""

    __slots__ = ("limit", "seconds", "start", "used")

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.start = float("-inf")
        self.used = 0

    def take(self, now: float, weight: int = 1) -> bool:
        """Count a request at ``now`` (seconds); False when it is over the limit."""
        self.roll(now)
        self.used += weight
        return self.used <= self.limit

    def roll(self, now: float) -> None:
        """Begin a new window when the old one is over."""
        if now - self.start >= self.seconds:
            self.start = now - now % self.seconds
            self.used = 0

    @property
    def left(self) -> int:
        """Requests still allowed in this window."""
        return max(0, self.limit - self.used)

    @property
    def resets(self) -> float:
        """When the window ends, seconds."""
        return self.start + self.seconds


class Windows:
    """One window per client and rule, made on first use."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = {}

    def get(self, client: str, rule: str, limit: int, seconds: float) -> Window:
        """Return the window of a client under a rule."""
        key = (client, rule)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window(limit, seconds)
        return window


def frame(payload: bytes) -> bytes:
    """Wrap a text payload in an unmasked, uncompressed WebSocket frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Session:
    """One WebSocket of one client.

    ``send`` never blocks: frames gather until the loop's next turn and leave in one write.
    """

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.request = request
        self.socket = socket
        self.topics: set[str] = set()
        self.account: Any = None
        """The account after a login, or None."""
        self.login: dict[str, Any] = {}
        self._loop = asyncio.get_running_loop()
        self._owed: list[bytes] = []
        self._tamper: Any = request.get(TAMPER)

    def send(self, message: object) -> None:
        """Send one message to this client alone."""
        self.push(frame(dumps(message)))

    def send_text(self, text: str) -> None:
        """Send a bare text, such as ``pong``."""
        self.push(frame(text.encode()))

    def push(self, framed: bytes) -> None:
        """Send bytes that are framed already."""
        if not self._owed:
            self._loop.call_soon(self._flush)
        if self._tamper is not None:
            self._owed += self._tamper.spoil(self, framed)
        else:
            self._owed.append(framed)

    def _flush(self) -> None:
        owed, self._owed = self._owed, []
        if not owed:  # a fault swallowed them
            return
        transport = self.request.transport
        if transport is None or transport.is_closing() or self.socket.closed:
            return
        if transport.get_write_buffer_size() > BACKLOG:
            transport.abort()
            return
        transport.write(owed[0] if len(owed) == 1 else b"".join(owed))


class Topics:
    """Who listens to what."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Session, None]] = {}

    def __contains__(self, topic: str) -> bool:
        return topic in self._listeners

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._listeners))

    def add(self, topic: str, session: Session) -> bool:
        """Subscribe; False when the session has it already."""
        if topic in session.topics:
            return False
        session.topics.add(topic)
        self._listeners.setdefault(topic, {})[session] = None
        return True

    def remove(self, topic: str, session: Session) -> bool:
        """Unsubscribe; False when the session did not have it."""
        if topic not in session.topics:
            return False
        session.topics.discard(topic)
        listeners = self._listeners[topic]
        del listeners[session]
        if not listeners:
            del self._listeners[topic]
        return True

    def drop(self, session: Session) -> None:
        """Unsubscribe a closed session from everything."""
        for topic in tuple(session.topics):
            self.remove(topic, session)

    def listeners(self, topic: str) -> tuple[Session, ...]:
        """Return the sessions of a topic."""
        return tuple(self._listeners.get(topic, ()))

    def publish(self, topic: str, message: object) -> None:
        """Serialise and frame once, send to all who listen."""
        listeners = self._listeners.get(topic)
        if listeners:
            framed = frame(dumps(message))
            for session in listeners:
                session.push(framed)


Handler = Callable[[Session, str], None]
_ENDS = (
    web.WSMsgType.CLOSE,
    web.WSMsgType.CLOSING,
    web.WSMsgType.CLOSED,
    web.WSMsgType.ERROR,
)


async def converse(
    request: web.Request,
    topics: Topics,
    on_text: Handler,
    *,
    on_open: Callable[[Session], None] | None = None,
    on_close: Callable[[Session], None] | None = None,
    silence: float | None = None,
    heartbeat: float | None = None,
) -> web.WebSocketResponse:
    """Serve one WebSocket until the client leaves; protocol pings are answered by aiohttp.

    Args:
        request: the upgrade request.
        topics: where the session unsubscribes from when it ends.
        on_text: called with each text message.
        on_open: called when the socket is open.
        on_close: called when it ended, before it unsubscribes.
        silence: seconds without any message after which the venue hangs up.
        heartbeat: seconds between the venue's own pings; no answer to one ends the socket.

    Compression is refused: it would cost each client microseconds a frame, and one shared frame
    could not serve all.
    """
    socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, heartbeat=heartbeat)
    await socket.prepare(request)
    session = Session(request, socket)
    if on_open is not None:
        on_open(session)
    try:
        while True:
            message = await socket.receive(timeout=silence)
            if message.type is web.WSMsgType.TEXT:
                on_text(session, message.data)
            elif message.type in _ENDS:
                break
    except TimeoutError:
        await socket.close(code=4004, message=b"No data received")
    finally:
        if on_close is not None:
            on_close(session)
        topics.drop(session)
    return socket


class BookView:
    """The best levels of one book, as the subscribers of one topic have them."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.number = 0
        """Counts the messages of the topic."""
        self.update_id = 0
        self.ts_ms = 0

    def change(
        self, snapshot: DepthSnapshot
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Move to a new snapshot; return the bid and ask levels that differ, lots 0 where gone."""
        bids, self.bids = _differ(self.bids, snapshot.bids)
        asks, self.asks = _differ(self.asks, snapshot.asks)
        self.number += 1
        self.update_id = snapshot.update_id
        self.ts_ms = snapshot.ts_ms
        return bids, asks


def _differ(
    before: dict[int, int], levels: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], dict[int, int]]:
    now = dict(levels)
    changed = [level for level in levels if before.get(level[0]) != level[1]]
    changed.extend((tick, 0) for tick in before if tick not in now)
    return changed, now
