"""All sockets of one venue: opened, watched, closed and opened again.

A stream is up only after connection, login and every subscription is confirmed. One that is
silent is as dead as one that is closed: sockets that answer pings but send nothing are a known
failure of all three venues, and ccxt never notices them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from core.clock import SECOND
from core.desk.ports import GatewayStats, Sink
from core.errors import VenueError, VenueUnavailable
from core.model.event import FeedChanged, FeedState, VenueChanged, VenueState
from core.model.market import BadMessage
from exchanges.budget import Urgency
from exchanges.feed import FIRST_SNAPSHOT, Feed
from exchanges.line import VenueLine
from exchanges.private import PrivateFeed
from exchanges.rules import Channel, Rules
from exchanges.tap import Tap, attach

SILENCE = {"books": 10.0, "tickers": 20.0, "trades": 60.0}
"""Seconds after which a public channel that ought to flow counts as dead."""
OPENING = 10.0
"""Seconds for connection, login and subscription together."""
BLIND_AFTER = 6.0
"""Seconds with every socket down before the venue counts as lost."""
FLUSH = 0.1
"""Seconds between two depths of one instrument."""
CALM = 2.0
"""Seconds before a book that is doubted is asked for anew: a stream that lies would otherwise have
us ask at every lie."""


class Streams:
    """Runs a venue's sockets and turns their frames into events.

    Args:
        rules: the venue.
        line: its ccxt instance and connections.
        stats: counters to keep.
        sink: takes the events.
    """

    def __init__(self, rules: Rules, line: VenueLine, stats: GatewayStats, sink: Sink) -> None:
        self._rules = rules
        self._line = line
        self._stats = stats
        self._sink = sink
        self._taps: dict[str, Tap] = {}
        self._clients: dict[str, Any] = {}
        self._up: dict[str, frozenset[str]] = {}
        """Socket name to the feeds it carries, while up."""
        self._feeds: dict[str, set[str]] = {}
        """Feed to the sockets it needs."""
        self._state: dict[str, FeedState] = {}
        self._messages = stats.messages
        self._troubles = 0
        self._down_since: float | None = time.monotonic()
        self._blind = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._feed: Feed | None = None
        self._private: PrivateFeed | None = None

    async def run(self, symbols: Sequence[str]) -> None:
        """Keep all sockets open until cancelled."""
        rules, line = self._rules, self._line
        line.open()
        self._feed = rules.feed(symbols, self._sink, self._resync, self._stats.last_message)
        self._private = rules.private_feed(self._sink)
        public = rules.public_channels(line.exchange, symbols)
        for channel in public:
            self._need(channel.name, channel.feeds)
        for name in rules.private_sockets:
            self._need(name, ("private",))
        try:
            async with asyncio.TaskGroup() as group:
                for channel in public:
                    group.create_task(self._keep(channel.name, _ready(channel)))
                for name in rules.private_sockets:
                    group.create_task(self._keep(name, self._plan_private(name)))
                group.create_task(self._flush())
        finally:
            for task in self._tasks:
                task.cancel()

    def _need(self, socket: str, feeds: Sequence[str]) -> None:
        for feed in feeds:
            self._feeds.setdefault(feed, set()).add(socket)

    def _plan_private(self, name: str) -> Callable[[], Awaitable[Channel]]:
        async def plan() -> Channel:
            return await self._rules.private_channel(self._line, name)

        return plan

    async def _keep(self, name: str, plan: Callable[[], Awaitable[Channel]]) -> None:
        """Hold one socket open for ever."""
        pause = 0.1
        while True:
            channel: Channel | None = None
            try:
                channel = await plan()
                tap = await self._open(channel)
            except Exception as error:  # every way of failing to connect ends in another try
                reason = f"{type(error).__name__}: {error}"[:300]
            else:
                opened = time.monotonic()
                self._rise(channel)
                await self._watch(channel, tap)
                reason = tap.reason
                self._stats.reconnects += 1
                if time.monotonic() - opened > 5.0:
                    pause = 0.1
            finally:
                if channel is not None:
                    await self._shut(channel)
            self._fall(name, reason)
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 2, 10.0)

    async def _open(self, channel: Channel) -> Tap:
        """Connect, log in, subscribe; return when the venue has confirmed it all."""
        exchange = self._line.exchange
        assert self._feed is not None
        assert self._private is not None
        private = "private" in channel.feeds
        acks = 0
        confirmed = asyncio.Event()
        if not channel.acks:
            confirmed.set()

        def control(text: str) -> None:
            nonlocal acks
            verdict = self._rules.acknowledges(text)
            if verdict < 0:
                tap.lose(f"refused: {text[:200]}")
            elif verdict:
                acks += verdict
                if acks >= channel.acks:
                    confirmed.set()

        tap = Tap(self._private.take if private else self._feed.take, control)
        tap.trouble = self._trouble(channel.name)
        if private:
            self._private.expired = tap.lose
        if "books" in channel.feeds:
            self._feed.unsynchronise()
        client = attach(exchange, channel.url, tap)
        self._taps[channel.name] = tap
        self._clients[channel.name] = client
        async with asyncio.timeout(OPENING):
            delay = exchange.ws_dial_delay(channel.url)
            await _first(client.connect(self._line.session, delay), tap)
            if channel.private:
                await _first(asyncio.ensure_future(self._rules.log_in(exchange, channel)), tap)
            for frame in channel.frames:
                await client.send(frame)
            await _first(asyncio.ensure_future(confirmed.wait()), tap)
        return tap

    def _trouble(self, name: str) -> Callable[[str, int], None]:
        def tell(reason: str, received: int) -> None:
            self._troubles += 1
            self._sink(BadMessage(self._rules.venue, name, reason, received))

        return tell

    async def _watch(self, channel: Channel, tap: Tap) -> None:
        """Return when the socket is gone, or silent for longer than its channel may be."""
        started = time.time_ns()
        heard = self._stats.last_message
        if "books" in channel.feeds:
            self._first_books()
        while not tap.gone.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(tap.gone.wait(), 0.5)
            now = time.time_ns()
            for feed in channel.feeds:
                limit = SILENCE.get(feed)
                since = max(started, heard.get(feed, 0))
                if limit is not None and (now - since) / SECOND > limit:
                    reason = f"no {feed} for {limit:.0f} s"
                    self._turn(feed, FeedState.STALE, reason)
                    tap.lose(reason)

    async def _shut(self, channel: Channel) -> None:
        client = self._clients.pop(channel.name, None)
        tap = self._taps.pop(channel.name, None)
        if tap is not None:
            self._messages += tap.messages
            tap.lose("closed")
        if client is None:
            return
        clients = self._line.exchange.clients
        if clients.get(channel.url) is client:
            del clients[channel.url]
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await client.close()

    # --- state --------------------------------------------------------------------------------

    def _rise(self, channel: Channel) -> None:
        self._up[channel.name] = frozenset(channel.feeds)
        self._down_since = None
        if "private" in channel.feeds:
            self._taps[channel.name].heard = time.time_ns()
        for feed in channel.feeds:
            if self._feeds[feed] <= self._up.keys():
                self._turn(feed, FeedState.UP, "")
        if self._state.get("private") is FeedState.UP and (
            "private" in channel.feeds or self._blind
        ):
            # Between the old socket and the new one anything may have happened.
            reason = "the private stream is up"
            self._blind = False
            self._tell_venue(VenueState.RECONCILING, reason)

    def _fall(self, name: str, reason: str) -> None:
        self._up.pop(name, None)
        for feed, sockets in self._feeds.items():
            if name in sockets:
                self._turn(feed, FeedState.DOWN, reason)
        if not self._up and self._down_since is None:
            self._down_since = time.monotonic()

    def _turn(self, feed: str, state: FeedState, reason: str) -> None:
        if self._state.get(feed) is not state:
            self._state[feed] = state
            self._sink(FeedChanged(self._rules.venue, feed, state, time.time_ns(), reason))

    def _tell_venue(self, state: VenueState, reason: str) -> None:
        self._sink(VenueChanged(self._rules.venue, state, time.time_ns(), reason))

    # --- periodic -----------------------------------------------------------------------------

    async def _flush(self) -> None:
        """Send depths, keep the counters, notice that the venue is gone."""
        feed, private, stats = self._feed, self._private, self._stats
        assert feed is not None
        assert private is not None
        while True:
            await asyncio.sleep(FLUSH)
            feed.flush(time.time_ns())
            stats.messages = self._messages + sum(tap.messages for tap in self._taps.values())
            stats.bad_messages = feed.bad + private.bad + self._troubles
            stats.latency_ms = self._line.latency_ms
            stats.budget_used = self._line.budget.used
            for name in self._rules.private_sockets:
                if (tap := self._taps.get(name)) is not None and tap.heard:
                    stats.last_message["private"] = tap.heard
            down = self._down_since
            if down is not None and not self._blind and time.monotonic() - down > BLIND_AFTER:
                self._blind = True
                self._tell_venue(VenueState.BLIND, "no stream can be opened")

    # --- books --------------------------------------------------------------------------------

    def _first_books(self) -> None:
        """Ask for the first snapshots where the stream does not bring them."""
        assert self._feed is not None
        for name, lane in self._feed.lanes.items():
            if self._rules.snapshot(name) and lane.book.sequence is None and not lane.stale:
                lane.stale = True
                self._resync(name, FIRST_SNAPSHOT)

    def _resync(self, venue_symbol: str, reason: str) -> None:
        self._stats.gaps += reason != FIRST_SNAPSHOT
        task = asyncio.get_running_loop().create_task(self._renew(venue_symbol))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self, venue_symbol: str) -> None:
        """Bring one book back; where that fails, give up the socket."""
        assert self._feed is not None
        if self._feed.lanes[venue_symbol].doubted_until > time.time_ns():
            await asyncio.sleep(CALM)
        request = self._rules.snapshot(venue_symbol)
        for attempt in range(5):
            try:
                if request is None:
                    if await self._renew_by_stream(venue_symbol):
                        return
                else:
                    body = await self._line.ask(request, Urgency.READ)
                    if self._feed.snapshot(venue_symbol, body, time.time_ns()):
                        return
            except (VenueError, ValueError, ConnectionError):
                pass
            await asyncio.sleep(0.2 * 2**attempt)
        tap = self._taps.get("public")
        if tap is not None:
            tap.lose(f"the book of {venue_symbol} cannot be brought back")

    async def _renew_by_stream(self, venue_symbol: str) -> bool:
        client = self._clients.get("public")
        if client is None:
            return True
        assert self._feed is not None
        for frame in self._rules.resubscribe(venue_symbol):
            await client.send(frame)
        book = self._feed.lanes[venue_symbol].book
        for _ in range(40):
            if book.sequence is not None:
                return True
            await asyncio.sleep(0.05)
        return False


def _ready(channel: Channel) -> Callable[[], Awaitable[Channel]]:
    async def plan() -> Channel:
        return channel

    return plan


async def _first(step: asyncio.Future[Any], tap: Tap) -> None:
    """Await a step of opening, unless the socket is lost before it is done.

    Raises:
        VenueUnavailable: it was lost.
    """
    gone = asyncio.ensure_future(tap.gone.wait())
    try:
        await asyncio.wait({step, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not step.done():
            raise VenueUnavailable(tap.reason)
        step.result()
    finally:
        gone.cancel()
        if not step.done():
            step.cancel()
