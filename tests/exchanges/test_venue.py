"""The gateways against the practice exchange: real sockets, real ccxt, three venues, one test."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from msgspec.structs import replace

from core.clock import MINUTE, SECOND
from core.errors import AuthenticationFailed, VenueUnavailable
from core.model.account import Balance, PositionReport
from core.model.event import FeedChanged, FeedState, VenueChanged, VenueState
from core.model.instrument import VENUES, exact
from core.model.market import BadMessage, BookTop, Depth, Fact, Side, Ticker, Trade
from core.model.order import (
    Fill,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderStatus,
    Outcome,
    TimeInForce,
)
from exchanges.kill import VenueKillGateway, open_kill_gateway, worst_price
from exchanges.venue import VenueGateway, open_gateway
from tests.exchanges.market import Seen, instrument
from tests.exchanges.practice_server import PracticeProcess, Proxy
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.whole, pytest.mark.xdist_group("practice")]
BTC = "BTC/USDT:USDT"
PAIR = (BTC, "ETH/USDT:USDT")
_counter = itertools.count(1)


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeProcess]:
    process = PracticeProcess(tmp_path_factory.mktemp("practice"))
    yield process
    process.stop()


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client_id() -> str:
    return f"T1AAAA{time.time_ns() // 1000 % 10**14:014d}{next(_counter) % 10000:04d}"


class Desk:
    """A connected gateway whose streams run."""

    def __init__(self, gateway: VenueGateway, seen: Seen) -> None:
        self.gateway = gateway
        self.seen = seen
        self.venue = gateway.venue
        self.item = gateway.rules.instrument(BTC)

    def up(self) -> set[str]:
        state: dict[str, FeedState] = {}
        for event in self.seen.of(FeedChanged):
            state[event.channel] = event.state
        return {channel for channel, is_ in state.items() if is_ is FeedState.UP}

    async def top(self) -> BookTop:
        tops = await until(lambda: [t for t in self.seen.of(BookTop) if t.symbol == BTC])
        return tops[-1]

    def reports(self, order: Order) -> list[OrderReport]:
        return [r for r in self.seen.of(OrderReport) if r.client_id == order.client_id]

    def fills(self, order: Order) -> list[Fill]:
        return [f for f in self.seen.of(Fill) if f.client_id == order.client_id]

    async def status(self, order: Order, *wanted: OrderStatus) -> OrderReport:
        return (await until(lambda: [r for r in self.reports(order) if r.status in wanted]))[-1]

    def order(self, side: Side, kind: OrderKind, **more: object) -> Order:
        qty = self.item.floor_qty(Decimal("0.004"))
        return Order(client_id(), self.venue, BTC, side, kind, qty, time.time_ns(), **more)

    async def far(self, factor: str = "0.98") -> Decimal:
        return self.item.round_price(exact((await self.top()).bid) * Decimal(factor))

    async def trigger_stop(self) -> Order:
        """Follow the mark price with a stop one tick below it until one is hit."""
        placed: list[Order] = []
        for _ in range(40):
            mark = await until(
                lambda: [t.mark for t in self.seen.of(Ticker) if t.mark and t.symbol == BTC]
            )
            trigger = self.item.round_price(exact(mark[-1])) - self.item.tick
            stop = self.order(Side.SELL, OrderKind.STOP, trigger=trigger, reduce_only=True)
            sent = await self.gateway.submit(stop)
            if sent.outcome is not Outcome.ACCEPTED:
                continue  # the mark moved through it meanwhile
            placed.append(stop)
            try:
                await until(lambda: any(self.fills(order) for order in placed), 2.0)
            except AssertionError:
                await self.gateway.cancel(BTC, stop.client_id, "")
            else:
                break
        return next(order for order in placed if self.fills(order))

    async def flatten(self) -> None:
        for position in await self.gateway.rules.positions(self.gateway.line, 4):
            side = Side.SELL if position.qty > 0 else Side.BUY
            await self.gateway.submit(
                Order(client_id(), self.venue, position.symbol, side, OrderKind.MARKET,
                      abs(position.qty), time.time_ns(), reduce_only=True)
            )  # fmt: skip


@asynccontextmanager
async def running(
    practice: PracticeProcess, venue: str, port: int | None = None
) -> AsyncIterator[Desk]:
    gateway = open_gateway(venue, practice.access(venue, port))
    seen = Seen()
    stream: asyncio.Task[None] | None = None
    try:
        await gateway.connect()
        stream = asyncio.create_task(gateway.run(PAIR, seen))
        desk = Desk(gateway, seen)
        await until(lambda: desk.up() == {"trades", "books", "tickers", "private"})
        yield desk
    finally:
        if stream is not None:
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)
        await gateway.close()


async def test_connect_tells_rules_account_and_clock(practice: PracticeProcess, venue: str) -> None:
    gateway = open_gateway(venue, practice.access(venue))
    try:
        opened = await gateway.connect()
        assert opened.account == practice.facts["accounts"][venue]
        assert len(opened.instruments) == 10
        assert abs(opened.clock_offset_ms) < 50
        item = gateway.rules.instrument(BTC)
        assert item.tick > 0
        assert item.lot > 0
        assert item.min_qty >= item.lot
        assert (item.contract_size == 1) is (venue != "okx")
    finally:
        await gateway.close()


async def test_history(practice: PracticeProcess, venue: str) -> None:
    gateway = open_gateway(venue, practice.access(venue))
    try:
        await gateway.connect()
        trades = await gateway.recent_trades(BTC)
        assert len(trades) >= 100
        assert [t.ts for t in trades] == sorted(t.ts for t in trades)
        candles = await gateway.candles(BTC, 60, 700)
        assert len(candles) == 700
        assert all(b.ts - a.ts == MINUTE for a, b in itertools.pairwise(candles))
        assert candles[-1].ts + MINUTE <= time.time_ns()
        assert time.time_ns() - candles[-1].ts < 3 * MINUTE
        assert all(c.low <= min(c.open, c.close) <= c.high for c in candles)
        settled = await gateway.settlements(BTC, 450)  # more than any venue lists at once
        assert len(settled) == 450
        assert {b.ts - a.ts for a, b in itertools.pairwise(settled)} == {8 * 60 * MINUTE}
        assert time.time_ns() - 8 * 60 * MINUTE < settled[-1].ts <= time.time_ns()
        assert all(abs(one.rate) < 0.005 for one in settled)
        older = await gateway.settlements(BTC, 10, settled[3].ts)
        assert older[-3:] == [replace(one, received=older[0].received) for one in settled[:3]]
        assert 1000 < len(await gateway.settlements(BTC, 5000)) < 1100  # a year, and then no more
    finally:
        await gateway.close()


_KEPT = {"bybit": (9_000, 9_600), "binance": (715, 720), "okx": (1439, 1440)}
"""Hours of open interest, fewest and most."""


async def test_what_was_before(practice: PracticeProcess, venue: str) -> None:
    """The index and the open interest as they stood when candles ended, page by page."""
    gateway = open_gateway(venue, practice.access(venue))
    hour = 60 * MINUTE
    try:
        await gateway.connect()
        for fact in Fact:
            told = await gateway.facts(BTC, fact, 3600, 250)
            assert len(told) == 250
            assert {b.ts - a.ts for a, b in itertools.pairwise(told)} == {hour}
            assert time.time_ns() - hour < told[-1].ts <= time.time_ns()
            assert {(one.fact, one.ts % hour) for one in told} == {(fact, 0)}
            older = await gateway.facts(BTC, fact, 3600, 10, told[3].ts)
            assert [(one.ts, one.value) for one in older[-3:]] == [
                (one.ts, one.value) for one in told[:3]
            ]
        fewest, most = _KEPT[venue]
        assert fewest <= len(await gateway.facts(BTC, Fact.INTEREST, 3600, 20_000)) <= most
        assert await gateway.facts(BTC, Fact.INTEREST, 60, 10) == []  # none of minutes is kept
        # What stands in the ticker goes on from there.
        index = {one.ts: one.value for one in await gateway.facts(BTC, Fact.INDEX, 3600, 1500)}
        candles = await gateway.candles(BTC, 3600, 1500)
        off = [c.close / index[c.ts + hour] - 1 for c in candles if c.ts + hour in index]
        assert len(off) >= 1499
        assert max(map(abs, off)) < 0.002
        moves = [a.close / b.close - 1 for a, b in itertools.pairwise(candles)]
        assert max(map(abs, moves)) > 0.004  # so an hour beside would show
    finally:
        await gateway.close()


async def test_a_wrong_secret_is_an_authentication_failure(
    practice: PracticeProcess, venue: str
) -> None:
    gateway = open_gateway(venue, practice.access(venue, secret="0" * 48))
    try:
        with pytest.raises(AuthenticationFailed):
            await gateway.connect()
    finally:
        await gateway.close()


async def test_a_venue_that_is_down_is_unavailable(practice: PracticeProcess, venue: str) -> None:
    async with Proxy(practice.port) as proxy:
        proxy.refusing = True
        gateway = open_gateway(venue, practice.access(venue, proxy.port))
        try:
            with pytest.raises(VenueUnavailable):
                await gateway.connect()
        finally:
            await gateway.close()


async def test_market_data_flows_and_is_sound(practice: PracticeProcess, venue: str) -> None:
    async with running(practice, venue) as desk:
        for kind in (Trade, BookTop, Depth, Ticker):
            for symbol in PAIR:
                await until(lambda k=kind, s=symbol: [e for e in desk.seen.of(k) if e.symbol == s])
        assert not desk.seen.of(BadMessage)
        depth = desk.seen.of(Depth)[-1]
        assert len(depth.bids) == len(depth.asks) == 20
        bids, asks = [p for p, _ in depth.bids], [p for p, _ in depth.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        stamps = [e.received for e in desk.seen.of(Depth) if e.symbol == BTC]
        assert all(b - a > 0.08 * SECOND for a, b in itertools.pairwise(stamps))

        def told(kind: Callable[[Ticker], object], symbol: str = BTC) -> list[Ticker]:
            return [e for e in desk.seen.of(Ticker) if e.symbol == symbol and kind(e)]

        await until(lambda: told(lambda t: t.funding_rate is not None and t.next_funding))
        await until(lambda: told(lambda t: t.last and t.change_24h is not None))
        marks = await until(lambda: told(lambda t: t.mark))
        indexes = await until(lambda: told(lambda t: t.index))
        assert abs(indexes[0].index / marks[0].mark - 1.0) < 0.01
        for symbol in PAIR:  # asked for where no stream tells it
            held = await until(lambda s=symbol: told(lambda t: t.open_interest, s))
            assert held[0].open_interest > 0
        stats = desk.gateway.stats
        await until(lambda: stats.messages > 0 and stats.last_message.keys() >= {"books"})
        # ccxt must not have parsed what we took: its caches stay empty.
        exchange = desk.gateway.line.exchange
        assert not exchange.orderbooks
        assert not exchange.trades
        assert not exchange.tickers


async def test_a_market_order_fills_by_stream_query_and_sweep(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk:
        began = time.time_ns() - SECOND
        order = desk.order(Side.BUY, OrderKind.MARKET)
        sent = await desk.gateway.submit(order)
        assert (sent.outcome, sent.client_id) == (Outcome.ACCEPTED, order.client_id)
        report = await desk.status(order, OrderStatus.FILLED)
        assert report.filled == order.qty
        fills = desk.fills(order)
        assert sum(f.qty for f in fills) == order.qty
        assert all(f.fee > 0 and not f.maker and f.venue_id == sent.venue_id for f in fills)
        await until(lambda: desk.seen.of(PositionReport) and desk.seen.of(Balance))
        query = await desk.gateway.query(BTC, order.client_id)
        assert isinstance(query, OrderReport)
        assert (query.status, query.filled, query.venue_id) == (
            OrderStatus.FILLED, order.qty, sent.venue_id,
        )  # fmt: skip
        swept = await desk.gateway.sweep(began)
        told = {(f.trade_id, f.client_id, f.qty, f.price, f.fee) for f in fills}
        again = {
            (f.trade_id, f.client_id, f.qty, f.price, f.fee)
            for f in swept.fills
            if f.client_id == order.client_id
        }
        assert told == again
        position = next(p for p in swept.positions if p.symbol == BTC)
        assert position.qty >= order.qty
        assert swept.account == practice.facts["accounts"][venue]
        assert swept.balance.total > 0
        assert desk.gateway.stats.latency_ms is None or desk.gateway.stats.latency_ms < 1000
        await desk.flatten()


async def test_a_limit_order_rests_and_is_cancelled(practice: PracticeProcess, venue: str) -> None:
    async with running(practice, venue) as desk:
        order = desk.order(Side.BUY, OrderKind.LIMIT, price=await desk.far())
        sent = await desk.gateway.submit(order)
        assert sent.outcome is Outcome.ACCEPTED
        report = await desk.status(order, OrderStatus.OPEN)
        assert (report.price, report.qty, report.kind) == (order.price, order.qty, OrderKind.LIMIT)
        swept = await desk.gateway.sweep(time.time_ns() - SECOND)
        assert order.client_id in {o.client_id for o in swept.orders}
        assert (await desk.gateway.submit(order)).outcome is Outcome.UNKNOWN, "a duplicate id"
        gone = await desk.gateway.cancel(BTC, order.client_id, sent.venue_id)
        assert gone.outcome is Outcome.ACCEPTED
        await desk.status(order, OrderStatus.CANCELLED)
        again = await desk.gateway.cancel(BTC, order.client_id, sent.venue_id)
        assert again.outcome is Outcome.REJECTED
        query = await desk.gateway.query(BTC, order.client_id)
        assert isinstance(query, OrderReport)
        assert query.status is OrderStatus.CANCELLED


async def test_each_time_in_force(practice: PracticeProcess, venue: str) -> None:
    async with running(practice, venue) as desk:
        price = await desk.far()
        for tif in (TimeInForce.IOC, TimeInForce.FOK):
            order = desk.order(Side.BUY, OrderKind.LIMIT, price=price, tif=tif)
            sent = await desk.gateway.submit(order)
            if sent.outcome is Outcome.ACCEPTED:
                report = await desk.status(
                    order, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED
                )
                assert report.filled == 0
            else:
                assert sent.outcome is Outcome.REJECTED
        crossing = await desk.far("1.01")
        order = desk.order(Side.BUY, OrderKind.LIMIT, price=crossing, tif=TimeInForce.POST_ONLY)
        sent = await desk.gateway.submit(order)
        if sent.outcome is Outcome.ACCEPTED:  # Bybit and OKX find out later
            await desk.status(order, OrderStatus.CANCELLED, OrderStatus.REJECTED)
        else:
            assert (sent.outcome, sent.code) == (Outcome.REJECTED, "-5022")


async def test_definite_refusals(practice: PracticeProcess, venue: str) -> None:
    async with running(practice, venue) as desk:
        item = desk.item
        odd = Order(client_id(), venue, BTC, Side.BUY, OrderKind.LIMIT, item.lot / 3,
                    time.time_ns(), price=await desk.far())  # fmt: skip
        huge = Order(client_id(), venue, BTC, Side.BUY, OrderKind.LIMIT, item.lot * 900_000,
                     time.time_ns(), price=await desk.far())  # fmt: skip
        for order in (odd, huge):
            sent = await desk.gateway.submit(order)
            assert sent.outcome is Outcome.REJECTED, sent
            assert sent.code
        nowhere = Order(client_id(), venue, "NOPE/USDT:USDT", Side.BUY, OrderKind.MARKET,
                        Decimal(1), time.time_ns())  # fmt: skip
        assert (await desk.gateway.submit(nowhere)).outcome is Outcome.NOT_SENT
        assert isinstance(await desk.gateway.query(BTC, "T1NOSUCHORDER"), OrderAbsent)
        lost = await desk.gateway.cancel(BTC, "T1NOSUCHORDER", "")
        assert lost.outcome is Outcome.REJECTED


async def test_a_stop_rests_at_the_venue_and_is_cancelled(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk:
        await desk.gateway.submit(desk.order(Side.BUY, OrderKind.MARKET))
        stop = desk.order(
            Side.SELL, OrderKind.STOP, trigger=await desk.far("0.9"), reduce_only=True
        )
        sent = await desk.gateway.submit(stop)
        assert sent.outcome is Outcome.ACCEPTED
        report = await desk.status(stop, OrderStatus.OPEN)
        assert (report.kind, report.trigger, report.qty, report.reduce_only) == (
            OrderKind.STOP, stop.trigger, stop.qty, True,
        )  # fmt: skip
        swept = await desk.gateway.sweep(time.time_ns() - SECOND)
        resting = next(o for o in swept.orders if o.client_id == stop.client_id)
        assert (resting.kind, resting.trigger) == (OrderKind.STOP, stop.trigger)
        query = await desk.gateway.query(BTC, stop.client_id)
        assert isinstance(query, OrderReport)
        assert query.status is OrderStatus.OPEN
        # A desk that has just started remembers nothing of where the stop lives.
        fresh = open_gateway(venue, practice.access(venue))
        try:
            await fresh.connect()
            gone = await fresh.cancel(BTC, stop.client_id, "")
        finally:
            await fresh.close()
        assert gone.outcome is Outcome.ACCEPTED
        await desk.status(stop, OrderStatus.CANCELLED)
        await desk.flatten()


async def test_a_triggered_stop_is_told_under_its_own_id(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk:
        began = time.time_ns() - SECOND
        await desk.gateway.submit(desk.order(Side.BUY, OrderKind.MARKET))
        stop = await desk.trigger_stop()
        assert desk.fills(stop)[0].side is Side.SELL
        await desk.status(stop, OrderStatus.FILLED)
        swept = await desk.gateway.sweep(began)
        assert stop.client_id in {f.client_id for f in swept.fills}
        assert not [p for p in swept.positions if p.symbol == BTC]
        query = await desk.gateway.query(BTC, stop.client_id)
        assert isinstance(query, OrderReport)
        assert query.status is OrderStatus.FILLED


async def test_leverage_twice_is_no_error(practice: PracticeProcess, venue: str) -> None:
    gateway = open_gateway(venue, practice.access(venue))
    try:
        await gateway.connect()
        for leverage in (5, 5, 3):
            await gateway.set_leverage(BTC, Decimal(leverage))
    finally:
        await gateway.close()


async def test_dropped_sockets_come_back_and_ask_for_a_sweep(
    practice: PracticeProcess, venue: str
) -> None:
    async with Proxy(practice.port) as proxy, running(practice, venue, proxy.port) as desk:
        desk.seen.clear()
        proxy.drop()
        await until(lambda: [e for e in desk.seen.of(FeedChanged) if e.state is FeedState.DOWN])
        await until(lambda: desk.up() == {"trades", "books", "tickers", "private"})
        again = [e for e in desk.seen.of(VenueChanged) if e.state is VenueState.RECONCILING]
        assert again
        desk.seen.clear()
        for kind in (Trade, Depth, Ticker):
            await until(lambda k=kind: desk.seen.of(k))
        order = desk.order(Side.BUY, OrderKind.LIMIT, price=await desk.far())
        await desk.gateway.submit(order)
        await desk.status(order, OrderStatus.OPEN)
        await desk.gateway.cancel(BTC, order.client_id, "")
        assert desk.gateway.stats.reconnects >= 2


async def test_a_silent_venue_is_found_out(practice: PracticeProcess) -> None:
    whole = {"trades", "books", "tickers", "private"}

    async def check(venue: str) -> None:
        async with Proxy(practice.port) as proxy, running(practice, venue, proxy.port) as desk:
            seen = desk.seen
            seen.clear()
            proxy.muted = True

            def down() -> set[str]:
                return {e.channel for e in seen.of(FeedChanged) if e.state is FeedState.DOWN}

            await until(
                lambda: [e for e in seen.of(FeedChanged) if e.state is not FeedState.UP], 60
            )
            await until(lambda: down() >= {"books", "private"}, 60)
            proxy.muted = False
            proxy.drop()
            await until(lambda: desk.up() == whole, 60)

    # At once: each venue takes its quarter of a minute to be missed.
    await asyncio.gather(*map(check, VENUES))


async def test_a_reply_cut_off_is_unknown_and_the_query_finds_the_order(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk, Proxy(practice.port) as proxy:
        other = open_gateway(venue, practice.access(venue, proxy.port))
        try:
            await other.connect()
            order = desk.order(Side.BUY, OrderKind.LIMIT, price=await desk.far())
            proxy.cut_after = 40
            sent = await other.submit(order)
            assert sent.outcome is Outcome.UNKNOWN
            found = await desk.gateway.query(BTC, order.client_id)
            assert isinstance(found, OrderReport)
            assert found.status is OrderStatus.OPEN
            proxy.refusing = True
            proxy.drop()
            never = desk.order(Side.BUY, OrderKind.LIMIT, price=await desk.far())
            lost = await other.submit(never)
            assert lost.outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN)
            assert isinstance(await desk.gateway.query(BTC, never.client_id), OrderAbsent)
            with pytest.raises(VenueUnavailable):
                await other.sweep(0)
            assert await other.query(BTC, order.client_id) is None
            await desk.gateway.cancel(BTC, order.client_id, "")
        finally:
            await other.close()


async def test_nothing_listening_is_proof_that_nothing_was_sent(
    practice: PracticeProcess, venue: str
) -> None:
    async with Proxy(practice.port) as proxy:
        port = proxy.port
    gateway = open_gateway(venue, practice.access(venue, port))
    symbol = "BTC-USDT-SWAP" if venue == "okx" else "BTCUSDT"
    gateway.rules.adopt([instrument(venue, symbol)])
    try:
        order = Order(client_id(), venue, BTC, Side.BUY, OrderKind.MARKET, Decimal(1), 1)
        sent = await gateway.submit(order)
        assert (sent.outcome, sent.code) == (Outcome.NOT_SENT, "refused")
    finally:
        await gateway.close()


async def test_the_kill_path_cancels_and_flattens(practice: PracticeProcess, venue: str) -> None:
    async with running(practice, venue) as desk:
        kill = open_kill_gateway(desk.gateway)
        try:
            await kill.open()
            assert kill.line.exchange is not desk.gateway.line.exchange
            await desk.gateway.submit(desk.order(Side.BUY, OrderKind.MARKET))
            orders = [
                desk.order(Side.BUY, OrderKind.LIMIT, price=await desk.far(f"0.9{n}"))
                for n in range(4)
            ] + [
                desk.order(Side.SELL, OrderKind.STOP, trigger=await desk.far(f"0.9{n}"),
                           reduce_only=True)
                for n in range(2)
            ]  # fmt: skip
            for order in orders:
                assert (await desk.gateway.submit(order)).outcome is Outcome.ACCEPTED
            found = await kill.open_orders()
            assert {o.client_id for o in found} >= {o.client_id for o in orders}
            assert await kill.cancel_orders(found) == len(found)
            assert not await kill.open_orders()
            assert await kill.cancel_orders(found) == len(found), "already gone is done"
            for position in await kill.positions():
                sent = await kill.reduce(position, client_id(), Decimal("0.01"))
                assert sent.outcome is Outcome.ACCEPTED
            async with asyncio.timeout(PATIENCE):  # accepted is not yet filled
                while await kill.positions():
                    pass
        finally:
            await kill.close()


async def test_a_kill_closes_what_is_too_large_for_one_order_in_parts(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk:
        kill = open_kill_gateway(desk.gateway)
        try:
            await kill.open()
            item = kill.rules.instrument(BTC)
            assert item.max_limit_qty is not None
            assert item.max_limit_qty > item.min_qty
            await desk.gateway.submit(desk.order(Side.BUY, OrderKind.MARKET))
            (position,) = await until_held(kill)
            most = item.floor_qty(position.qty / 2) + item.lot / 2
            kill.rules.adopt([replace(item, max_limit_qty=most)])
            seen = []
            while held := await kill.positions():
                seen.append(held[0].qty)
                await kill.reduce(held[0], client_id(), Decimal("0.01"))
            assert len(seen) >= 2
            assert seen[0] - seen[1] == item.floor_qty(most)
        finally:
            await kill.close()


async def test_what_is_not_traded_is_seen_by_a_kill_and_no_sweep(
    practice: PracticeProcess, venue: str
) -> None:
    async with running(practice, venue) as desk:
        kill = open_kill_gateway(desk.gateway)
        try:
            await kill.open()
            await desk.gateway.submit(desk.order(Side.BUY, OrderKind.MARKET))
            await until_held(kill)
            for kind, price in ((OrderKind.LIMIT, "0.9"), (OrderKind.STOP, "0.8")):
                far = await desk.far(price)
                more = {"price": far} if kind is OrderKind.LIMIT else {"trigger": far}
                side = Side.BUY if kind is OrderKind.LIMIT else Side.SELL
                order = desk.order(side, kind, reduce_only=kind is OrderKind.STOP, **more)
                assert (await desk.gateway.submit(order)).outcome is Outcome.ACCEPTED
            # As of one that the venue had suspended when this began: its list has it no more.
            for rules in (desk.gateway.rules, kill.rules):
                del rules.instruments[BTC], rules.by_venue[desk.item.venue_symbol]
            desk.gateway._symbols.discard(BTC)
            desk.gateway._active.discard(BTC)
            (held,) = await kill.positions()
            assert held.symbol == desk.item.venue_symbol
            orders = await kill.open_orders()
            assert [order.symbol for order in orders] == [held.symbol] * 2
            swept = await desk.gateway.sweep(time.time_ns())
            assert not swept.positions
            assert not swept.orders
            assert await kill.cancel_orders(orders) == 2
            assert not await kill.open_orders()
            desk.gateway.rules.adopt([desk.item])
        finally:
            await kill.close()


async def until_held(kill: VenueKillGateway) -> tuple[PositionReport, ...]:
    async with asyncio.timeout(20):
        while not (held := await kill.positions()):
            await asyncio.sleep(0.02)
    return held


async def test_the_kill_path_needs_no_trading_side(practice: PracticeProcess, venue: str) -> None:
    trading = open_gateway(venue, practice.access(venue))  # never connected
    kill = open_kill_gateway(trading)
    try:
        await kill.open()
        assert isinstance(await kill.open_orders(), tuple)
        assert isinstance(await kill.positions(), tuple)
    finally:
        await kill.close()
        await trading.close()


def test_the_worst_price_never_passes_the_cap() -> None:
    item = instrument("bybit", "BTCUSDT")
    mark, slippage = Decimal("100.07"), Decimal("0.01")
    assert worst_price(item, mark, Side.SELL, slippage) == Decimal("99.1")
    assert worst_price(item, mark, Side.BUY, slippage) == Decimal("101.0")
