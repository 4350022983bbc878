from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web

from core.clock import DAY, HOUR, MINUTE, SECOND
from core.secrets import Secret
from sentiment.sources import alpha_vantage, newsapi, polygon
from sentiment.sources.fetch import LARGEST, Fetcher, State
from sentiment.sources.memory import Memory
from sentiment.sources.source import Limit, Page, Request, SourceError, read_json
from tests.clock import ManualClock
from tests.web import EVERYTHING, Handler, serving

START = 1_786_900_000 * SECOND
KEY = "k3y-that-must-not-show"


class Plain:
    """A source without a key whose replies are ``{"titles": [...]}``; it stands for a feed."""

    name = "plain"
    secret = ""
    key_in: tuple[Literal[""], str] = ("", "")
    limits = (Limit(20, MINUTE),)
    pages = 1

    def __init__(self, url: str) -> None:
        self.url = url

    def first(self, since: int) -> Request:
        return Request(self.url)

    def parse(self, body: bytes, request: Request) -> Page:
        read_json(body)
        return Page(skipped=1)

    def refusal(self, status: int, body: bytes) -> SourceError | None:
        from sentiment.sources.source import refusal_by_status

        return refusal_by_status(status, body)


class Server:
    """A loopback server; ``answer`` decides, ``seen`` keeps every request."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.answer: Handler
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with serving({EVERYTHING: made.handle}) as made.url:
        yield made


class Bench:
    """A fetcher with a clock of its own and a memory on disk."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(START)
        self.path = path
        self.slept: list[float] = []
        self.open()

    def open(self) -> None:
        keys = dict.fromkeys(
            ("NEWS_API_KEY", "ALPHA_VANTAGE_API_KEY", "POLYGON_API_KEY"), Secret(KEY)
        )
        self.memory = Memory(self.path)
        self.fetcher = Fetcher(self.memory, keys, self.clock, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def later(self, nanoseconds: int) -> None:
        self.clock.set(self.clock.now() + nanoseconds)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "sources.json")
    yield made
    await made.fetcher.close()


def always(status: int, body: bytes | str = b"{}", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        raw = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=raw, headers=named)

    return answer


def newsapi_server(total: int, allowed: int = 10_000) -> Handler:
    """Answer as the documented API: key in a header, pages of 100, 426 past the plan's end."""

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("X-Api-Key") != KEY:
            return web.json_response({"status": "error", "code": "apiKeyInvalid"}, status=401)
        page, size = int(request.query.get("page", "1")), int(request.query["pageSize"])
        if (page - 1) * size >= allowed:
            said = {"status": "error", "code": "maximumResultsReached", "message": "upgrade"}
            return web.json_response(said, status=426)
        first, last = (page - 1) * size, min(page * size, total)
        entries = [
            {
                "source": {"name": "O"},
                "title": f"Story {n}",
                "url": f"https://o.example/{n}",
                "publishedAt": "2026-08-16T10:00:00Z",
            }
            for n in range(first, last)
        ]
        return web.json_response({"status": "ok", "totalResults": total, "articles": entries})

    return answer


async def test_pages_are_followed_and_the_key_goes_in_the_header_only(
    server: Server, bench: Bench
) -> None:
    server.answer = newsapi_server(total=150)
    poll = await bench.fetcher.poll(newsapi.NewsApi(base=server.url))
    assert (poll.state, len(poll.items), poll.requests) == (State.OK, 150, 2)
    assert [item.title for item in poll.items[:1] + poll.items[-1:]] == ["Story 0", "Story 149"]
    assert all(KEY not in str(request.url) for request in server.seen)
    assert server.seen[0].query["from"] == "2026-08-15T17:06:40Z"  # a day back, the first time
    bench.later(MINUTE)
    await bench.fetcher.poll(newsapi.NewsApi(base=server.url))
    assert server.seen[-2].query["from"] == "2026-08-16T09:00:00Z"  # then from the newest, less 1 h


async def test_the_end_of_the_plan_is_the_end_of_the_pages(server: Server, bench: Bench) -> None:
    server.answer = newsapi_server(total=150, allowed=100)
    poll = await bench.fetcher.poll(newsapi.NewsApi(base=server.url))
    assert (poll.state, len(poll.items)) == (State.OK, 100)


async def test_the_next_page_of_polygon_is_asked_at_our_own_address(
    server: Server, bench: Bench
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        last = request.query.get("cursor") == "YXA9MQ"
        body = polygon.SAMPLE.replace(b"next_url", b"no_url") if last else polygon.SAMPLE
        return web.Response(body=body)

    server.answer = answer
    poll = await bench.fetcher.poll(polygon.Polygon(base=server.url))
    assert (poll.state, len(poll.items), poll.requests) == (State.OK, 2, 2)


async def test_without_its_key_a_source_says_which_command_adds_it(
    server: Server, tmp_path: Path
) -> None:
    fetcher = Fetcher(Memory(tmp_path / "m.json"), {}, ManualClock(START))
    poll = await fetcher.poll(newsapi.NewsApi(base=server.url))
    await fetcher.close()
    assert poll.state is State.NEEDS_KEY
    assert "killcord keys add newsapi" in poll.detail
    assert server.seen == []


async def test_a_revoked_key_is_reported_and_not_asked_with_again_soon(
    server: Server, bench: Bench
) -> None:
    server.answer = always(401, '{"status": "error", "code": "apiKeyInvalid", "message": "no"}')
    source = newsapi.NewsApi(base=server.url)
    poll = await bench.fetcher.poll(source)
    assert (poll.state, poll.requests) == (State.FAILED, 1)
    assert "key refused" in poll.detail
    bench.later(HOUR)
    assert (await bench.fetcher.poll(source)).state is State.WAITING
    assert len(server.seen) == 1


async def test_a_quota_error_with_status_200_stops_the_asking_for_an_hour(
    server: Server, bench: Bench
) -> None:
    said = {"Information": "API rate limit is 25 requests per day."}
    server.answer = always(200, json.dumps(said))
    source = alpha_vantage.AlphaVantage(base=server.url)
    poll = await bench.fetcher.poll(source)
    assert poll.state is State.FAILED
    assert "quota exceeded" in poll.detail
    assert server.seen[0].query["apikey"] == KEY
    bench.later(HOUR - SECOND)
    assert (await bench.fetcher.poll(source)).state is State.WAITING
    bench.later(2 * SECOND)
    server.answer = always(200, alpha_vantage.SAMPLE)
    assert (await bench.fetcher.poll(source)).state is State.OK


async def test_daily_quota_holds_across_restarts(server: Server, bench: Bench) -> None:
    server.answer = always(200, alpha_vantage.SAMPLE)
    source = alpha_vantage.AlphaVantage(base=server.url)
    for _ in range(25):
        assert (await bench.fetcher.poll(source)).state is State.OK
        bench.later(20 * MINUTE)
        await bench.fetcher.close()
        bench.open()  # a restart each time
    poll = await bench.fetcher.poll(source)
    assert (poll.state, poll.detail) == (State.WAITING, "quota used, again in 16 h")
    assert len(server.seen) == 25
    bench.later(START + DAY - bench.clock.now())
    assert (await bench.fetcher.poll(source)).state is State.OK


async def test_a_quota_header_is_heeded(server: Server, bench: Bench) -> None:
    server.answer = always(200, b"{}", X_RateLimit_Remaining="0", X_RateLimit_Reset="90")
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.OK
    bench.later(89 * SECOND)
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.WAITING
    bench.later(2 * SECOND)
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.OK


async def test_retry_after_is_heeded_but_not_for_ever(server: Server, bench: Bench) -> None:
    server.answer = always(429, b"slow down", Retry_After="999999999")
    poll = await bench.fetcher.poll(Plain(server.url))
    assert poll.state is State.FAILED
    assert bench.memory.of("plain").blocked_until == START + 6 * HOUR


async def test_what_has_not_changed_is_not_fetched_again(server: Server, bench: Bench) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"v1"':
            assert request.headers["If-Modified-Since"] == "Sat, 15 Aug 2026 17:00:00 GMT"
            return web.Response(status=304)
        headers = {"ETag": '"v1"', "Last-Modified": "Sat, 15 Aug 2026 17:00:00 GMT"}
        return web.Response(body=b"{}", headers=headers)

    server.answer = answer
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.OK
    await bench.fetcher.close()
    bench.open()
    poll = await bench.fetcher.poll(Plain(server.url))
    assert (poll.state, poll.skipped) == (State.UNCHANGED, 0)


async def test_a_broken_reply_leaves_no_validator_behind(server: Server, bench: Bench) -> None:
    server.answer = always(200, b"<html>", ETag='"bad"')
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.FAILED
    assert bench.memory.of("plain").etag == ""


async def test_server_errors_are_retried_with_growing_pauses(server: Server, bench: Bench) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503 if len(server.seen) < 3 else 200, body=b"{}")

    server.answer = answer
    poll = await bench.fetcher.poll(Plain(server.url))
    assert (poll.state, poll.requests) == (State.OK, 3)
    assert bench.slept == [0.5, 1.0]


async def test_lasting_failures_back_off_further_each_time(server: Server, bench: Bench) -> None:
    server.answer = always(500)
    waits = []
    for _ in range(4):
        poll = await bench.fetcher.poll(Plain(server.url))
        assert poll.state is State.FAILED
        wait = bench.memory.of("plain").blocked_until - bench.clock.now()
        waits.append(wait // SECOND)
        bench.later(wait)
    assert waits == [60, 120, 240, 480]
    server.answer = always(200)
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.OK
    assert bench.memory.of("plain").failures == 0


async def test_nobody_listening(bench: Bench) -> None:
    poll = await bench.fetcher.poll(Plain("http://127.0.0.1:9/feed"))
    assert poll.state is State.FAILED
    assert "not reachable" in poll.detail


async def test_endless_redirects_end(server: Server, bench: Bench) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"/{len(server.seen)}"})

    server.answer = answer
    poll = await bench.fetcher.poll(Plain(server.url))
    assert poll.state is State.FAILED
    assert "redirects" in poll.detail
    assert len(server.seen) == 5


async def test_a_key_is_never_sent_along_with_a_redirect(server: Server, bench: Bench) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{server.url}/thief"})

    server.answer = answer
    poll = await bench.fetcher.poll(newsapi.NewsApi(base=server.url))
    assert poll.state is State.FAILED
    assert [request.path for request in server.seen] == ["/v2/everything"]


async def test_a_feed_without_end_is_cut(server: Server, bench: Bench) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        try:
            for _ in range(200):
                await reply.write(b"x" * 100_000)
        except ConnectionError:
            pass
        return reply

    server.answer = answer
    poll = await bench.fetcher.poll(Plain(server.url))
    assert poll.state is State.FAILED
    assert "larger than 4 MB" in poll.detail
    assert poll.requests == 1


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_packed_replies_are_unpacked_but_bombs_are_not(
    server: Server, bench: Bench, pack: Callable[[bytes], bytes]
) -> None:
    name = "gzip" if pack is gzip.compress else "deflate"
    server.answer = always(200, pack(b"{}"), Content_Encoding=name)
    assert (await bench.fetcher.poll(Plain(server.url))).state is State.OK
    server.answer = always(200, pack(b" " * (20 * LARGEST)), Content_Encoding=name)
    poll = await bench.fetcher.poll(Plain(server.url))
    assert "unpacked" in poll.detail
    bench.later(HOUR)
    server.answer = always(200, b"not packed", Content_Encoding=name)
    assert "does not unpack" in (await bench.fetcher.poll(Plain(server.url))).detail


async def test_no_report_of_a_failure_holds_the_key(server: Server, bench: Bench) -> None:
    source = alpha_vantage.AlphaVantage
    echoes = f"We have detected your API key as {KEY} and our rate limit is 25 requests per day."
    for answer in (
        always(500),
        always(403, json.dumps({"message": echoes})),
        always(200, json.dumps({"Information": echoes})),
        always(200, "<"),
    ):
        server.answer = answer
        poll = await bench.fetcher.poll(source(base=server.url))
        assert KEY not in repr(poll)
        bench.later(7 * HOUR)
    poll = await bench.fetcher.poll(source(base="http://127.0.0.1:9"))
    assert poll.state is State.FAILED
    assert KEY not in repr(poll)
    assert KEY not in bench.path.read_text()


def test_a_memory_that_does_not_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "sources.json"
    path.write_text('{"plain": {"asked": "yesterday"')
    memory = Memory(path)
    assert memory.take("plain", (Limit(1, DAY),), START) == 0
    assert path.with_suffix(".broken").exists()
    assert Memory(path).take("plain", (Limit(1, DAY),), START + 1) == START + DAY
