"""The analyst: a language model's second reading of the weightiest stories, within a budget.

It is shown beside a story and moves nothing: no score, no reading, no feature, no limit. Each
story is read at most once; what was read is kept with what was spent, so that a restart neither
asks again nor begins a new budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from core import config
from core.clock import DAY, HOUR, MINUTE, SECOND, Clock
from core.files import write_whole
from core.model.news import NewsOpinion, NewsSource, NewsStory
from core.secrets import Secret
from sentiment.providers import (
    INSTRUCTIONS,
    LONGEST_REPLY,
    PROVIDERS,
    Dropped,
    ask,
    error_of,
    read_opinion,
    schema_of,
)
from sentiment.sources.fetch import State, read_body
from sentiment.sources.source import Problem, SourceError

LONGEST = 30.0
"""Seconds for one reply."""
LARGEST = 200_000
"""Bytes of one reply."""
LONGEST_QUESTION = 1_000
"""Bytes; a title has 300 characters at most, nearly all of them plain."""
FRAME = 500
"""Tokens that a service itself puts around a request; a tool that must be called costs most."""
FRESH = 6 * HOUR
"""Older stories are not worth the money any more."""
OUTLETS = 3
"""So many outlets make a story weighty whatever its score."""
KEPT = 1_000
"""Readings remembered."""
_LONGEST_BLOCK = 6 * HOUR
_PER_MILLION = 1e-6


class _Unanswered(SourceError):
    """A request of which nobody knows whether it will be billed; others that failed are not."""


class Spent(Struct):
    """One request: when, nanoseconds UTC, and US dollars; the most it can cost until it is done."""

    at: int
    dollars: float


class Remembered(Struct):
    """What outlives a restart."""

    spent: list[Spent] = []
    readings: dict[str, NewsOpinion | None] = {}
    """By question; None where the reply was dropped."""
    blocked_until: int = 0
    failures: int = 0


class Analyst:
    """Reads stories. One at a time; ``close`` it at the end.

    Args:
        settings: which service, and what it may cost.
        path: what it remembers.
        keys: secret name to secret.
        clock: wall time.
    """

    def __init__(
        self, settings: config.Analyst, path: Path, keys: Mapping[str, Secret], clock: Clock
    ) -> None:
        self._settings = settings
        self._provider = PROVIDERS[settings.provider]
        self._key = keys.get(self._provider.secret)
        self._path = path
        self._clock = clock
        self.name = f"{settings.provider} {settings.model}"
        self._memory = Remembered()
        try:
            self._memory = msgspec.json.decode(path.read_bytes(), type=Remembered)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError):
            # What was spent is not known: today's budget counts as used.
            path.replace(path.with_suffix(".broken"))
            self._memory.spent = [Spent(clock.now(), settings.dollars)]
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(LONGEST, connect=5.0),
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1),
        )
        self._dropped: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._read = 0
        self._detail = ""

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def opinion(self, story: NewsStory) -> NewsOpinion | None:
        """Return what is known of a story; None where it was not read, or the reply dropped."""
        return self._memory.readings.get(self._mark(story))

    def choose(self, stories: Iterable[NewsStory]) -> NewsStory | None:
        """Return the weightiest story that should be read now; None when none is, or may be."""
        now = self._clock.now()
        if not self._key or self._memory.blocked_until > now or not self._affords(now):
            return None
        bar = self._settings.impact
        wanted = [
            story
            for story in stories
            if story.assets
            and story.score is not None
            and story.published > now - FRESH
            and (abs(story.score) >= bar or story.outlets >= OUTLETS)
            and self._mark(story) not in self._memory.readings
        ]
        return max(wanted, key=_weight, default=None)

    async def read(self, story: NewsStory) -> None:
        """Ask about one story; every failure is counted and shown, none is raised."""
        memory, now = self._memory, self._clock.now()
        question = ask(story)
        # The most it can cost is spent before it is sent: a crash must not make it free.
        spent = Spent(now, self._cost(_estimate(question), LONGEST_REPLY))
        memory.spent.append(spent)
        self._save()
        try:
            body = await self._post(question, story)
            try:
                answer = self._provider.parse(body)
                self._settle(spent, answer.read, answer.written)
                memory.readings[self._mark(story)] = read_opinion(answer, story, self.name)
                self._read += 1
            except Dropped as dropped:
                self._settle(spent, dropped.read, dropped.written)
                self._dropped[dropped.why] += 1
                memory.readings[self._mark(story)] = None
            memory.failures, self._detail = 0, ""
        except SourceError as error:
            if not isinstance(error, _Unanswered):
                spent.dollars = 0.0
            self._fail(error)
        self._save()

    def status(self) -> NewsSource:
        """Return how it is, in the form of a source."""
        now, settings = self._clock.now(), self._settings
        requests, dollars = self._used(now)
        budget = (
            f"{requests} of {settings.requests} requests,"
            f" {dollars:.4f} of {settings.dollars:g} USD in 24 h"
        )
        state, detail = State.OK, budget
        if not self._key:
            state = State.NEEDS_KEY
            detail = f"killcord keys add {settings.provider} (or set {self._provider.secret})"
        elif self._memory.blocked_until > now:
            seconds = (self._memory.blocked_until - now) / SECOND
            state = State.FAILED if self._detail else State.WAITING
            detail = f"{self._detail or 'blocked'}; {seconds:.0f} s; {budget}"
        elif not self._affords(now):
            state, detail = State.WAITING, f"budget used: {budget}"
        return NewsSource(
            f"analyst {self.name}",
            state.value,
            detail,
            self._read,
            dict(self._dropped),
            dict(self._failed),
        )

    # --- money ------------------------------------------------------------------------------

    def _used(self, now: int) -> tuple[int, float]:
        recent = [each for each in self._memory.spent if each.at > now - DAY]
        self._memory.spent = recent
        return len(recent), sum(each.dollars for each in recent)

    def _affords(self, now: int) -> bool:
        requests, dollars = self._used(now)
        most = self._cost(_estimate(" " * LONGEST_QUESTION), LONGEST_REPLY)
        settings = self._settings
        return requests < settings.requests and dollars + most <= settings.dollars

    def _cost(self, read: int, written: int) -> float:
        settings = self._settings
        return (read * settings.price_in + written * settings.price_out) * _PER_MILLION

    def _settle(self, spent: Spent, read: int, written: int) -> None:
        if read or written:
            spent.dollars = self._cost(read, written)

    # --- asking -----------------------------------------------------------------------------

    async def _post(self, question: str, story: NewsStory) -> bytes:
        provider, settings = self._provider, self._settings
        assert self._key
        body = provider.body(settings.model, question, schema_of(story.assets))
        address = settings.address.rstrip("/") or provider.address
        try:
            async with (
                asyncio.timeout(LONGEST),
                self._client.stream(
                    "POST", address + provider.path, json=body, headers=provider.headers(self._key)
                ) as reply,
            ):
                raw = await read_body(reply, LARGEST)
                status, headers = reply.status_code, reply.headers
        except TimeoutError:
            raise _Unanswered(Problem.NETWORK, f"no whole answer in {LONGEST:.0f} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            raise SourceError(Problem.NETWORK, type(error).__name__) from None
        except (httpx.HTTPError, ValueError) as error:
            raise _Unanswered(Problem.NETWORK, type(error).__name__) from None
        if status == 200:
            return raw
        with contextlib.suppress(ValueError, OverflowError):  # a date: our own waiting is enough
            wait = int(float(headers.get("retry-after", "0")) * SECOND)
            self._memory.blocked_until = self._clock.now() + min(wait, _LONGEST_BLOCK)
        raise error_of(status, raw)

    def _fail(self, error: SourceError) -> None:
        memory = self._memory
        memory.failures += 1
        self._failed[error.kind.value] += 1
        wait = min(MINUTE * 2 ** min(memory.failures - 1, 12), _LONGEST_BLOCK)
        if error.kind in {Problem.KEY, Problem.PLAN}:
            wait = _LONGEST_BLOCK
        memory.blocked_until = max(memory.blocked_until, self._clock.now() + wait)
        text = str(error)
        self._detail = text.replace(self._key.reveal(), "***") if self._key else text

    def _mark(self, story: NewsStory) -> str:
        """Return what a reading depends on, as digits: another model or wording reads anew."""
        whole = json.dumps([self.name, INSTRUCTIONS, story.title, story.assets])
        return hashlib.blake2b(whole.encode(), digest_size=12).hexdigest()

    def _save(self) -> None:
        readings = self._memory.readings
        for old in list(readings)[: max(0, len(readings) - KEPT)]:
            del readings[old]
        write_whole(self._path, msgspec.json.encode(self._memory))


def open_analyst(
    settings: config.Analyst, folder: Path, keys: Mapping[str, Secret], clock: Clock
) -> Analyst | None:
    """Return the analyst that the configuration wants; None when it wants none."""
    if settings.provider == "off":
        return None
    return Analyst(settings, folder / "analyst.json", keys, clock)


def _estimate(question: str) -> int:
    """Return no fewer tokens than a request has: a token is a byte at least."""
    # Twice the question: its assets stand in the schema too.
    return 2 * len(question.encode()) + len(INSTRUCTIONS) + len(json.dumps(schema_of(()))) + FRAME


def _weight(story: NewsStory) -> float:
    return abs(story.score or 0.0) * story.confidence + 0.1 * story.outlets
