"""One way to one venue: a ccxt instance, its connections, its budget, and our record of requests.

ccxt builds, signs and routes; what came of a request is taken from our own record (``Reply``),
not from ccxt's exception, and bodies are parsed by us, from the text.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec

from core.errors import (
    AuthenticationFailed,
    KeyRefused,
    VenueError,
    VenueMaintenance,
    VenueRefused,
    VenueUnavailable,
)
from exchanges.access import Access, build_exchange, check_routes
from exchanges.budget import Budget, Exhausted, Urgency
from exchanges.outcome import Reply
from exchanges.rules import Request, Rules

_record: ContextVar[Reply | None] = ContextVar("request", default=None)
_go: ContextVar[Callable[[], bool] | None] = ContextVar("go", default=None)
_CLOSED = "the gate closed before it was sent"


@contextlib.contextmanager
def reading(venue: str, what: str) -> Iterator[None]:
    """Make "no usable answer" of a reply that parses and is not what it should be.

    Raises:
        VenueUnavailable: reading it raised.
    """
    try:
        yield
    except (ValueError, LookupError, ArithmeticError) as error:
        raise VenueUnavailable(f"{venue}: {what}: odd reply: {error}") from error


class _GateClosed(Exception):
    """Ends a request whose first byte is still here."""


async def _mark_sent(session: object, context: SimpleNamespace, params: object) -> None:
    """Runs in the request's own task just before its first byte is written.

    A connection can take seconds to come about; that is long enough for the gate to close.
    """
    go = _go.get()
    if go is not None and not go():
        raise _GateClosed(_CLOSED)
    reply = _record.get()
    if reply is not None:
        reply.sent = True


class WrongHost(aiohttp.ClientConnectionError):
    """Somebody wanted to connect to a host that is not the venue's in this environment."""


class VenueConnector(aiohttp.TCPConnector):
    """Connects to the hosts of one venue in one environment, wherever a redirect or ccxt leads.

    Args:
        hosts: those that may be connected to.
        options: as ``aiohttp.TCPConnector``.
    """

    def __init__(self, hosts: frozenset[str], **options: Any) -> None:
        super().__init__(**options)
        self._hosts_allowed = hosts

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Any:
        """Connect, or raise ``WrongHost`` before a name is even resolved."""
        if req.url.host not in self._hosts_allowed:
            raise WrongHost(f"{req.url.host} is none of the hosts of this venue and environment")
        return await super().connect(req, traces, timeout)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _keep_reply(
    code: int,
    reason: str,
    url: str,
    method: str,
    headers: dict[str, str],
    body: str,
    request_headers: object,
    request_body: object,
) -> str:
    """Ccxt's hook for whoever wants the raw reply."""
    reply = _record.get()
    if reply is not None:
        reply.status = code
        reply.headers = headers
        reply.body = body
    return body


class VenueLine:
    """Carries requests to one venue for one purpose (trading, or the kill cord).

    Args:
        rules: the venue.
        access: environment and key.
        budget: what may be asked of the venue; lines of one process share one, so that it counts
            all of them. None: the venue's limits are this line's own.
    """

    def __init__(self, rules: Rules, access: Access, budget: Budget | None = None) -> None:
        self.rules = rules
        self.access = access
        self.exchange: Any = build_exchange(rules.venue, access)
        self.exchange.on_rest_response = _keep_reply
        rules.dress(self.exchange)
        self.budget = budget or Budget(rules.pools)
        self._session: aiohttp.ClientSession | None = None
        self._trips: deque[float] = deque(maxlen=101)
        self.offset_ms = 0.0
        """Venue clock minus ours."""
        self.measured = 0.0
        """When that was measured, monotonic seconds; 0: never."""
        self._doubted = False
        """The venue refused a request for its time: the clock is measured before the next one."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool.

        Raises:
            RuntimeError: before ``open``.
        """
        if self._session is None:
            raise RuntimeError("the line is not open")
        return self._session

    @property
    def latency_ms(self) -> float | None:
        """Median round trip of the last order requests."""
        return statistics.median(self._trips) * 1000 if self._trips else None

    def open(self) -> None:
        """Create the connection pool; connects nothing. Needs a running loop."""
        if self._session is not None:
            return
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_mark_sent)
        self.exchange.ssl_context = False if self.access.base else _tls()
        urls, name = self.exchange.urls["api"], self.exchange.hostname
        connector = VenueConnector(
            check_routes(self.rules.venue, self.access.environment, urls, name),
            ssl=True if self.access.base else _tls(),
            limit=32,
            keepalive_timeout=50,
        )
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace])
        self.exchange.own_session = False
        self.exchange.session = self._session
        self.exchange.asyncio_loop = asyncio.get_running_loop()

    async def send(
        self, request: Request, urgency: Urgency, go: Callable[[], bool] | None = None
    ) -> Reply:
        """Send once. Everything that can happen is in the reply; only cancellation raises.

        Args:
            request: what to send.
            urgency: its place in the line.
            go: asked when it is its turn, and when it has a connection; False: it is not sent.
        """
        self.open()
        if self._doubted:
            self._doubted = False
            with contextlib.suppress(VenueError):
                await self.synchronise(1)
        reply = Reply()
        try:
            await self.budget.take(urgency, request.costs)
        except Exhausted as error:
            reply.fault = f"budget: {error}"
            reply.wait = error.seconds
            return reply
        if go is not None and not go():
            reply.fault = _CLOSED
            return reply
        token, gate = _record.set(reply), _go.set(go)
        started = time.perf_counter()
        try:
            await getattr(self.exchange, request.method)(request.params)
        except Exception as error:  # ccxt's own; the reply knows better what happened
            if reply.status is None:
                reply.fault = _fault(error)
        finally:
            _record.reset(token)
            _go.reset(gate)
            reply.seconds = time.perf_counter() - started
        if reply.status is not None:
            self._learn(reply)
            if urgency <= Urgency.ORDER:
                self._trips.append(reply.seconds)
        return reply

    async def ask(self, request: Request, urgency: Urgency = Urgency.READ) -> str:
        """Send and return the body of an accepting reply.

        Raises:
            VenueUnavailable: no usable answer; nothing is known.
            AuthenticationFailed: the key is wrong, expired or lacks a right.
            KeyRefused: the key belongs to another environment.
            VenueRefused: any other definite no.
        """
        venue, name = self.rules.venue, request.method
        reply = await self.send(request, urgency)
        for _ in range(2):
            penalty = self.rules.penalty(reply) if urgency is Urgency.READ else None
            if penalty is None or penalty.ban:
                break
            # The budget holds the next one back for as long as the venue said.
            reply = await self.send(request, urgency)
        if reply.status is None:
            raise VenueUnavailable(f"{venue}: {name}: {reply.fault}")
        try:
            answer = self.rules.read(reply.body)
        except (msgspec.MsgspecError, ValueError) as error:
            if reply.status == 503:  # the gateway's own page: nothing stands behind it
                raise VenueMaintenance(
                    f"{venue}: {name}: closed or overloaded (http 503)"
                ) from None
            raise VenueUnavailable(
                f"{venue}: {name}: unreadable reply (http {reply.status}): {error}"
            ) from None
        code = answer.code
        if code in ("", "0") and reply.status < 300:
            return reply.body
        text = f"{venue}: {name}: {code} {answer.text}".strip()
        if code in self.rules.closed:
            raise VenueMaintenance(text)
        if code in self.rules.wrong_time:
            self.doubt_clock(code)
            raise VenueUnavailable(text)
        if code in self.rules.wrong_place:
            raise KeyRefused(f"{text}: the key belongs to another environment")
        if code in self.rules.wrong_key:
            raise AuthenticationFailed(f"{text}: check the key with `killcord keys check`")
        if code in self.rules.unavailable or reply.status >= 500 or reply.status in (418, 429):
            raise VenueUnavailable(text)
        raise VenueRefused(text, code)

    async def synchronise(self, samples: int = 3) -> float:
        """Measure the venue's clock against ours, and sign with it from now on.

        The sample with the shortest round trip bounds the error to half of that trip.

        Returns:
            Venue clock minus ours, milliseconds.

        Raises:
            VenueUnavailable, VenueRefused.
        """
        best = (float("inf"), 0.0)
        for _ in range(samples):
            before = time.time_ns()
            body = await self.ask(self.rules.time())
            after = time.time_ns()
            middle = (before + after) / 2e6
            with reading(self.rules.venue, "its clock"):
                best = min(best, (after - before, self.rules.read_time(body) - middle))
        self.set_clock(best[1])
        return self.offset_ms

    def set_clock(self, offset_ms: float) -> None:
        """Sign with this difference, venue minus ours, from now on."""
        self.offset_ms = offset_ms
        self.measured = time.monotonic()
        self.exchange.options["timeDifference"] = round(-offset_ms)

    def doubt_clock(self, code: str) -> None:
        """Measure the clock anew before the next request, where a refusal says that it is off."""
        self._doubted = self._doubted or code in self.rules.wrong_time

    def _learn(self, reply: Reply) -> None:
        for pool, left in self.rules.remaining(reply.headers).items():
            self.budget.observe(pool, left)
        penalty = self.rules.penalty(reply)
        if penalty is not None:
            if penalty.ban:
                self.budget.ban(penalty.seconds)
            else:
                self.budget.pause(penalty.seconds)

    async def close(self) -> None:
        """Close all connections, sockets included."""
        session, self._session = self._session, None
        with contextlib.suppress(Exception):
            await self.exchange.close()
        self.exchange.session = None
        if session is not None:
            await session.close()


def _fault(error: BaseException) -> str:
    """Name a failure of the transport from what aiohttp raised below ccxt."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _GateClosed):
            return _CLOSED
        if isinstance(cause, WrongHost):
            return str(cause)
        if isinstance(cause, TimeoutError):
            return "timeout"
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            return "dns"
        if isinstance(cause, (aiohttp.ClientConnectorError, ConnectionRefusedError)):
            return "refused"
        if isinstance(cause, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            return "reset"
        if isinstance(cause, aiohttp.ClientPayloadError):
            return "truncated"
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {error}"[:200]
