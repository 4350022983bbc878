"""Asking sources: with time limits, quotas, conditional requests, retries and size limits."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import httpx
from msgspec import Struct

from core.clock import DAY, HOUR, SECOND, Clock
from core.keys import NEWS_KEYS
from core.secrets import Secret
from sentiment.articles import Item
from sentiment.sources.memory import Memory, Remembered
from sentiment.sources.source import (
    Page,
    Problem,
    Request,
    Source,
    SourceError,
    Trend,
)

LARGEST = 4_000_000
"""Bytes of a reply, unpacked. Feeds measured have 20 to 600 thousand."""
LONGEST = 20.0
"""Seconds for one reply, whatever drips in."""
RETRIES = 2
FIRST_WAIT = 0.5
"""Seconds before the first retry; each further one waits twice as long."""
MOST_REDIRECTS = 4
LONGEST_BLOCK = 6 * HOUR
_AGENT = "killcord (news reader)"
_SERVICE = {secret: service for service, secret in NEWS_KEYS.items()}


class State(StrEnum):
    """How a source is."""

    OK = "ok"
    UNCHANGED = "unchanged"
    NEEDS_KEY = "needs key"
    WAITING = "waiting"
    FAILED = "failed"


class Poll(Struct, frozen=True):
    """What asking a source once gave.

    ``detail`` says what is wrong or what to do; it holds no key. What was fetched before a later
    page failed is kept: ``items`` may come with state FAILED.
    """

    source: str
    state: State
    detail: str = ""
    items: tuple[Item, ...] = ()
    trends: tuple[Trend, ...] = ()
    skipped: int = 0
    requests: int = 0
    problem: Problem | None = None
    """What kind of failure it was; None where the state is not FAILED."""


class Fetcher:
    """Asks sources. One for all of them; ``close`` it at the end.

    Args:
        memory: quotas and validators.
        keys: secret name to secret, for the sources that need one.
        clock: for quotas and block times.
        sleep: seconds; for the pause before a retry.
    """

    def __init__(
        self,
        memory: Memory,
        keys: Mapping[str, Secret],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._memory = memory
        self._keys = keys
        self._clock = clock
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(10.0, connect=5.0),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "gzip"},
            max_redirects=MOST_REDIRECTS,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def poll(self, source: Source) -> Poll:
        """Ask one source for what is new; every failure is in the result, none is raised."""
        now = self._clock.now()
        known = self._memory.of(source.name)
        if source.secret and not self._keys.get(source.secret):
            return Poll(
                source.name,
                State.NEEDS_KEY,
                f"killcord keys add {_SERVICE[source.secret]} (or set {source.secret})",
            )
        if known.blocked_until > now:
            return Poll(source.name, State.WAITING, _span(known.blocked_until - now))
        asking = _Asking()
        # An hour of overlap: outlets date back, and services list late. Copies are dropped later.
        request: Request | None = source.first(max(known.newest - HOUR, now - DAY))
        try:
            while request is not None and asking.pages < source.pages:
                page = await self._page(source, request, known, asking)
                if page is None:
                    break
                asking.take(page)
                request = page.following
        except SourceError as error:
            return self._failed(source, known, asking, error)
        except _Full as full:
            if not asking.pages:
                left = _span(full.until - self._clock.now())
                return Poll(source.name, State.WAITING, f"quota used, again in {left}")
        known.failures = 0
        times = [item.published for item in asking.items if item.published is not None]
        known.newest = max([known.newest, *(at for at in times if at <= now)])
        self._memory.save()
        state = State.OK if asking.pages else State.UNCHANGED
        return asking.result(source.name, state)

    async def _page(
        self, source: Source, request: Request, known: Remembered, asking: _Asking
    ) -> Page | None:
        error: SourceError | None = None
        for attempt in range(RETRIES + 1):
            if until := self._memory.take(source.name, source.limits, self._clock.now()):
                # What went wrong says more than that there is no quota left for another try.
                raise error or _Full(until)
            asking.requests += 1
            try:
                status, headers, body = await self._get(source, request, known)
                if status == 304:
                    return None
                if status == 200:
                    page = source.parse(body, request)
                    if request.page == 1:
                        known.etag = headers.get("etag", "")[:200]
                        known.modified = headers.get("last-modified", "")[:100]
                    self._heed(known, headers)
                    return page
                error = source.refusal(status, body)
                if error is None:
                    return None
                self._heed(known, headers)
            except SourceError as problem:
                error = problem
            passing = error.kind in {Problem.SERVER, Problem.NETWORK}
            if not passing or attempt == RETRIES:
                raise error
            await self._sleep(FIRST_WAIT * 2**attempt)
        raise AssertionError("unreachable")

    async def _get(
        self, source: Source, request: Request, known: Remembered
    ) -> tuple[int, httpx.Headers, bytes]:
        headers, params = dict[str, str](), dict(request.params)
        if not source.secret and request.page == 1:
            if known.etag:
                headers["If-None-Match"] = known.etag
            if known.modified:
                headers["If-Modified-Since"] = known.modified
        place, name = source.key_in
        if place:
            key = self._keys[source.secret].reveal()
            if place == "header":
                headers[name] = key
            elif place == "bearer":
                headers["Authorization"] = f"Bearer {key}"
            else:
                params[name] = key
        try:
            async with (
                asyncio.timeout(LONGEST),
                self._client.stream(
                    "GET",
                    request.url,
                    params=params or None,
                    headers=headers,
                    # A redirect would take the key along to wherever it points.
                    follow_redirects=not source.secret,
                ) as reply,
            ):
                return reply.status_code, reply.headers, await read_body(reply)
        except TimeoutError:
            raise SourceError(Problem.NETWORK, f"no whole answer in {LONGEST:.0f} s") from None
        except httpx.TooManyRedirects:
            raise SourceError(Problem.BROKEN, "redirects without end") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # The text of an httpx error may hold the address, and that the key.
            raise SourceError(Problem.NETWORK, type(error).__name__) from None

    def _heed(self, known: Remembered, headers: httpx.Headers) -> None:
        """Remember when the source said it may be asked again."""
        wait = _seconds(headers.get("retry-after"))
        if wait is None and headers.get("x-ratelimit-remaining") == "0":
            wait = _seconds(headers.get("x-ratelimit-reset"))
            if wait is not None and wait > 1e9:  # a time, not a span
                wait -= self._clock.now() / SECOND
        if wait is not None and wait > 0:
            until = self._clock.now() + min(int(wait * SECOND), LONGEST_BLOCK)
            known.blocked_until = max(known.blocked_until, until)

    def _failed(
        self, source: Source, known: Remembered, asking: _Asking, error: SourceError
    ) -> Poll:
        known.failures += 1
        wait = min(30 * SECOND * 2 ** min(known.failures, 12), LONGEST_BLOCK)
        if error.kind in {Problem.KEY, Problem.PLAN}:
            wait = LONGEST_BLOCK  # asking on with a refused key closes accounts
        elif error.kind is Problem.QUOTA:
            wait = max(wait, HOUR)
        known.blocked_until = max(known.blocked_until, self._clock.now() + wait)
        self._memory.save()
        detail = str(error)
        if source.secret:  # some services repeat the key in their messages
            detail = detail.replace(self._keys[source.secret].reveal(), "***")
        return asking.result(source.name, State.FAILED, detail, error.kind)


class _Full(Exception):
    def __init__(self, until: int) -> None:
        self.until = until


class _Asking:
    """What one poll has gathered so far."""

    def __init__(self) -> None:
        self.pages = self.requests = self.skipped = 0
        self.items: list[Item] = []
        self.trends: list[Trend] = []

    def take(self, page: Page) -> None:
        self.pages += 1
        self.items += page.items
        self.trends += page.trends
        self.skipped += page.skipped

    def result(
        self,
        source: str,
        state: State,
        detail: str = "",
        problem: Problem | None = None,
    ) -> Poll:
        return Poll(
            source,
            state,
            detail,
            tuple(self.items),
            tuple(self.trends),
            self.skipped,
            self.requests,
            problem,
        )


async def read_body(reply: httpx.Response, largest: int = LARGEST) -> bytes:
    """Return the body, unpacked, stopping as soon as it is larger than allowed.

    Raises:
        SourceError: it is too large, or packed in another way than was asked for.
    """
    size = f"{largest // 1_000_000} MB" if largest >= 1_000_000 else f"{largest // 1_000} kB"
    encoding = reply.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "deflate", ""}:
        raise SourceError(Problem.BROKEN, f"packed as {encoding[:20]}")
    raw = bytearray()
    async for block in reply.aiter_raw():
        raw += block
        if len(raw) > largest:
            raise SourceError(Problem.BROKEN, f"larger than {size}")
    if encoding in {"identity", ""}:
        return bytes(raw)
    # Unpacked here and not by the client, which would unpack a bomb before it could be measured.
    try:
        body = zlib.decompressobj(47).decompress(bytes(raw), largest + 1)
    except zlib.error as error:
        raise SourceError(Problem.BROKEN, f"does not unpack: {error}") from None
    if len(body) > largest:
        raise SourceError(Problem.BROKEN, f"larger than {size} unpacked")
    return body


def _span(nanoseconds: int) -> str:
    seconds = nanoseconds / SECOND
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
