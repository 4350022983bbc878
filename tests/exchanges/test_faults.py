"""One fault at a time through the real adapters: what the outcome is, and what the venue has."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.clock import SystemClock
from core.desk.bulkhead import Bulkhead
from core.desk.lines import Lines
from core.errors import VenueError, VenueRefused
from core.model.event import FeedChanged, FeedState, RulesChanged
from core.model.instrument import VENUES, Instrument, exact
from core.model.market import BookTop, Depth, Side
from core.model.order import (
    Fill,
    Order,
    OrderAbsent,
    OrderKind,
    OrderReport,
    OrderStatus,
    Outcome,
)
from core.secrets import Secret
from exchanges.access import Access
from exchanges.kill import open_kill_gateway
from exchanges.practice.faults import Deed, Fault, Script
from exchanges.practice.server import Options, Server, serve
from exchanges.practice.state import OrderRequest
from exchanges.venue import VenueGateway, open_gateway
from tests.core.engine.scene import config
from tests.exchanges.market import Seen
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(120)]
BTC = "BTC/USDT:USDT"
_counter = itertools.count(1)
BOOKS = {"bybit": "orderbook.", "binance": "depthUpdate", "okx": '"books'}
LOGINS = {"bybit": '"auth"', "okx": '"login"'}
NOTHING = "do = 'delay'\nat = 'nothing'"
ONCE = "at = 'submit'\ncount = 1\n"


@asynccontextmanager
async def exchange(folder: Path, *faults: str) -> AsyncIterator[Server]:
    path = folder / "faults.toml"
    path.write_text("text = 'test'\n" + "".join(f"[[fault]]\n{fault}\n" for fault in faults))
    server = await serve(Options(seed=7, faults=str(path)))
    try:
        yield server
    finally:
        await server.close()


class Client:
    """A gateway and what it saw."""

    def __init__(self, server: Server, venue: str) -> None:
        keys = server.ready["keys"][venue]
        self.venue = venue
        self.books = server.venues[venue]
        self.gateway: VenueGateway = open_gateway(
            venue,
            Access(
                "practice",
                Secret(keys["api_key"]),
                Secret(keys["secret"]),
                Secret(keys.get("passphrase", "")),
                server.ready["url"],
            ),
        )
        self.seen = Seen()

    def up(self) -> set[str]:
        state: dict[str, FeedState] = {}
        for event in self.seen.of(FeedChanged):
            state[event.channel] = event.state
        return {channel for channel, is_ in state.items() if is_ is FeedState.UP}

    def downs(self) -> list[FeedChanged]:
        return [e for e in self.seen.of(FeedChanged) if e.state is not FeedState.UP]

    def order(self, kind: OrderKind = OrderKind.LIMIT, side: Side = Side.BUY) -> Order:
        item = self.gateway.rules.instrument(BTC)
        tape = self.books.tapes[BTC]
        best = tape.book.best(1)
        assert best is not None
        price = item.round_price(exact(float(tape.contract.price(best))) * Decimal("0.97"))
        name = f"T1AAAA{time.time_ns() // 1000 % 10**14:014d}{next(_counter) % 10000:04d}"
        return Order(
            name, self.venue, BTC, side, kind, item.floor_qty(Decimal("0.004")), time.time_ns(),
            price if kind is OrderKind.LIMIT else None,
        )  # fmt: skip

    def fills(self, order: Order) -> list[Fill]:
        return [f for f in self.seen.of(Fill) if f.client_id == order.client_id]

    def has(self, order: Order) -> bool:
        return any(o["client_id"] == order.client_id for o in self.books.books()["open"])


@asynccontextmanager
async def clients(server: Server, *, stream: bool = False) -> AsyncIterator[list[Client]]:
    every = [Client(server, venue) for venue in VENUES]
    streams: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*(client.gateway.connect() for client in every))
        if stream:
            streams = [
                asyncio.create_task(client.gateway.run((BTC,), client.seen)) for client in every
            ]
        yield every
    finally:
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await asyncio.gather(*(client.gateway.close() for client in every))


EXECUTED = {
    "reset": "do = 'reset'",
    "hang": "do = 'hang'\nseconds = 20",
    "overload": "do = 'answer'\nmeaning = 'overload'",
    "timeout code": "do = 'answer'\nmeaning = 'timeout'",
    "html": "do = 'answer'\nbody = '<html>sign in</html>'",
    "empty": "do = 'answer'\nbody = ''",
    "list": "do = 'answer'\nbody = '[]'",
    "truncated": "do = 'truncate'\nsize = 25",
    "cut": "do = 'cut'\nsize = 25",
    "504": "do = 'answer'\nstatus = 504\nbody = '<html>gateway timeout</html>'",
}


@pytest.mark.parametrize("name", list(EXECUTED))
async def test_an_executed_order_without_a_usable_answer_is_unknown_and_found(
    tmp_path: Path, name: str
) -> None:
    async with (
        exchange(tmp_path, EXECUTED[name] + "\n" + ONCE) as server,
        clients(server) as three,
    ):

        async def check(client: Client) -> None:
            order = client.order()
            sent = await client.gateway.submit(order)
            assert sent.outcome is Outcome.UNKNOWN, (client.venue, sent)
            assert client.has(order), client.venue
            found = await client.gateway.query(BTC, order.client_id)
            assert isinstance(found, OrderReport), (client.venue, found)
            assert found.status is OrderStatus.OPEN
            assert client.books.books()["orders"] == 1
            assert client.books.books()["duplicates"] == []

        await asyncio.gather(*(check(client) for client in three))


NOT_EXECUTED = {
    "reset": ("do = 'reset'\nwhen = 'before'", Outcome.UNKNOWN),
    "overload": ("do = 'answer'\nmeaning = 'overload'\nwhen = 'before'", Outcome.UNKNOWN),
    "rate": ("do = 'answer'\nmeaning = 'rate'\nwhen = 'before'", Outcome.REJECTED),
    "rate, told when": (
        "do = 'answer'\nmeaning = 'rate'\nwhen = 'before'\nretry_after = 1",
        Outcome.REJECTED,
    ),
}


@pytest.mark.parametrize("name", list(NOT_EXECUTED))
async def test_an_order_that_was_not_executed(tmp_path: Path, name: str) -> None:
    fault, outcome = NOT_EXECUTED[name]
    async with exchange(tmp_path, fault + "\n" + ONCE) as server, clients(server) as three:

        async def check(client: Client) -> None:
            order = client.order()
            sent = await client.gateway.submit(order)
            assert sent.outcome is outcome, (client.venue, sent)
            assert client.books.books()["orders"] == 0, client.venue
            if outcome is Outcome.UNKNOWN:
                # "Not there" is what the venue says; that it is final is the engine's to judge.
                found = await client.gateway.query(BTC, order.client_id)
                assert isinstance(found, OrderAbsent), (client.venue, found)

        await asyncio.gather(*(check(client) for client in three))


async def test_a_ban_is_no_outcome_of_an_order_and_stops_the_traffic(tmp_path: Path) -> None:
    fault = "do = 'answer'\nmeaning = 'ban'\nwhen = 'before'\nretry_after = 2\n" + ONCE
    async with exchange(tmp_path, fault) as server, clients(server) as three:

        async def check(client: Client) -> None:
            sent = await client.gateway.submit(client.order())
            assert sent.outcome in (Outcome.REJECTED, Outcome.UNKNOWN), (client.venue, sent)
            assert client.books.books()["orders"] == 0, client.venue

        await asyncio.gather(*(check(client) for client in three))


async def test_a_held_order_that_outlives_its_window_never_comes_to_be(tmp_path: Path) -> None:
    async with (
        exchange(tmp_path, "do = 'delay'\nseconds = 6\n" + ONCE) as server,
        clients(server) as three,
    ):

        async def check(client: Client) -> None:
            order = client.order()
            sent = await client.gateway.submit(order)
            # The venue's window is 3 s: it refuses what it gets after 6, whoever still listens.
            assert sent.outcome in (Outcome.UNKNOWN, Outcome.REJECTED), (client.venue, sent)
            await asyncio.sleep(max(0.0, order.created / 1e9 + 7 - time.time()))
            assert not client.has(order), client.venue

        await asyncio.gather(*(check(client) for client in three))


async def test_a_login_whose_answer_is_lost_is_no_login_and_is_tried_again(tmp_path: Path) -> None:
    faults = (
        f"do = 'drop'\nvenue = '{venue}'\nat = 'WS private'\nmatch = '{text}'\ncount = 1"
        for venue, text in LOGINS.items()
    )
    async with exchange(tmp_path, *faults) as server, clients(server, stream=True) as three:

        async def check(client: Client) -> None:
            await until(lambda: "books" in client.up())
            assert "private" not in client.up(), client.venue
            await until(lambda: "private" in client.up(), 45.0)
            await client.gateway.submit(client.order(OrderKind.MARKET))
            await until(lambda: client.seen.of(Fill))

        await asyncio.gather(*(check(client) for client in three if client.venue in LOGINS))


async def test_lost_and_doubled_private_frames_lose_and_double_nothing(tmp_path: Path) -> None:
    async with (
        exchange(
            tmp_path,
            "do = 'drop'\nat = 'WS private'\nbegin = 2\nevery = 2",
            "do = 'duplicate'\nat = 'WS private'\nbegin = 2\nskip = 1",
            "do = 'reorder'\nat = 'WS private'\nbegin = 2\nchance = 0.3",
        ) as server,
        clients(server, stream=True) as three,
    ):

        async def check(client: Client) -> None:
            # The answer to a login may be among what is lost: it is asked for again.
            everything = {"trades", "books", "tickers", "private"}
            await until(lambda: client.up() == everything, 3 * PATIENCE)
            start = time.time_ns()
            for side in (Side.BUY, Side.SELL, Side.BUY):
                await client.gateway.submit(client.order(OrderKind.MARKET, side))
            swept = await client.gateway.sweep(start)
            theirs = {fill.trade_id for fill in client.books.fills(list_account(client))}
            assert {fill.trade_id for fill in swept.fills} == theirs, client.venue
            streamed = {fill.trade_id for fill in client.seen.of(Fill)}
            assert streamed <= theirs, client.venue

        await asyncio.gather(*(check(client) for client in three))


def list_account(client: Client) -> str:
    return next(iter(client.books.api_keys.values())).account


@pytest.mark.parametrize(
    "fault",
    [
        Fault(do=Deed.KICK, at="WS *"),
        Fault(do=Deed.STALL, at="WS *"),
        Fault(do=Deed.HALF_OPEN, at="WS *"),
        Fault(do=Deed.MAINTENANCE),
    ],
    ids=lambda fault: fault.do.value,
)
async def test_streams_that_fail_are_noticed_and_come_back(tmp_path: Path, fault: Fault) -> None:
    async with exchange(tmp_path, NOTHING) as server, clients(server, stream=True) as three:
        whole = {"trades", "books", "tickers", "private"}
        trouble = server.trouble
        assert trouble is not None
        await until(lambda: all(client.up() == whole for client in three), 60.0)
        trouble.play(Script("it goes wrong", (fault,)))
        failed = {client.venue: len(client.downs()) for client in three}
        await until(lambda: all(len(c.downs()) > failed[c.venue] for c in three), 60.0)
        trouble.play(Script("it is over", ()))
        await until(lambda: all(client.up() == whole for client in three), 60.0)
        before = {client.venue: len(client.seen.of(BookTop)) for client in three}
        await until(lambda: all(len(c.seen.of(BookTop)) > before[c.venue] + 3 for c in three), 60.0)


async def test_a_book_with_a_gap_is_never_crossed(tmp_path: Path) -> None:
    async with (
        exchange(
            tmp_path,
            *(
                f"do = 'drop'\nvenue = '{venue}'\nat = 'WS public'\nmatch = '{text}'\nchance = 0.05"
                for venue, text in BOOKS.items()
            ),
        ) as server,
        clients(server, stream=True) as three,
    ):

        async def check(client: Client) -> None:
            await until(lambda: len(client.seen.of(Depth)) > 40, 40.0)
            for depth in client.seen.of(Depth):
                if depth.bids and depth.asks:
                    assert depth.bids[0][0] < depth.asks[0][0], client.venue

        await asyncio.gather(*(check(client) for client in three))


async def test_a_venue_whose_clock_is_off_is_followed(tmp_path: Path) -> None:
    async with exchange(tmp_path, "do = 'skew'\nseconds = 5") as server:
        await until(lambda: server.venues["okx"].skew_ms == 5000)
        async with clients(server) as three:

            async def check(client: Client) -> None:
                opened = await client.gateway.connect()
                assert abs(opened.clock_offset_ms - 5000) < 200, client.venue
                order = client.order()
                sent = await client.gateway.submit(order)
                assert sent.outcome is Outcome.ACCEPTED, (client.venue, sent)

            await asyncio.gather(*(check(client) for client in three))


async def test_a_truncated_answer_to_a_query_never_means_flat(tmp_path: Path) -> None:
    async with (
        exchange(
            tmp_path,
            "do = 'truncate'\nat = 'positions'\nsize = 40",
        ) as server,
        clients(server) as three,
    ):

        async def check(client: Client) -> None:
            await client.gateway.submit(client.order(OrderKind.MARKET))
            with pytest.raises(VenueError):
                await client.gateway.sweep(time.time_ns())

        await asyncio.gather(*(check(client) for client in three))


async def test_the_dead_man_timer_cancels_what_rests_when_nobody_renews_it(tmp_path: Path) -> None:
    async with (
        exchange(tmp_path, NOTHING) as server,
        clients(server) as three,
    ):
        assert {client.venue: client.gateway.dead_man for client in three} == {
            "bybit": "",
            "binance": "symbol",
            "okx": "tag",
        }

        async def check(client: Client) -> None:
            order = client.order()
            await client.gateway.submit(order)
            if not client.gateway.dead_man:
                with pytest.raises(VenueRefused):
                    await client.gateway.arm_dead_man(BTC, 10)
                return
            other = client.order()
            if client.venue == "okx":  # its timer takes what bears our tag, nothing else
                client.books.submit(list_account(client), OrderRequest(
                    symbol=BTC, side=other.side, kind=other.kind, qty=other.qty,
                    price=other.price, client_id="others",
                ))  # fmt: skip
            await client.gateway.arm_dead_man(BTC, 10)
            assert client.has(order), client.venue
            await until(lambda: not client.has(order), 15.0)
            left = {found.client_id for found in client.books.open_orders(list_account(client))}
            assert left == ({"others"} if client.venue == "okx" else set())

        await asyncio.gather(*(check(client) for client in three))


async def test_bybits_own_timer_is_found_where_the_venue_has_switched_it_on(tmp_path: Path) -> None:
    async with (
        exchange(tmp_path, NOTHING) as server,
        clients(server) as three,
    ):
        (client,) = (each for each in three if each.venue == "bybit")
        assert client.gateway.dead_man == ""
        line = client.gateway.line
        await line.exchange.privatePostV5OrderDisconnectedCancelAll({"timeWindow": 3})
        await client.gateway.connect()
        assert client.gateway.dead_man == "connection"
        channel = await client.gateway.rules.private_channel(line, "private")
        assert "dcp.future" in channel.frames[0]["args"]


CHANGED = Script("rules change", (Fault(do=Deed.RULES, match="BTC", times=10, least=600),))


async def test_rules_that_change_while_running_are_read_again_and_kept_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    clock, settings = SystemClock(), config(venues=VENUES, strategy={"timeframe": 5})
    async with exchange(tmp_path, NOTHING) as server:
        connected = asyncio.Barrier(len(VENUES))

        async def check(venue: str) -> None:
            client = Client(server, venue)
            known: dict[tuple[str, str], Instrument] = {}
            bulkhead = Bulkhead(
                client.gateway, settings, 0, lambda _: 0, client.seen, Lines(clock), clock, known
            )
            kill = open_kill_gateway(client.gateway)
            work = asyncio.create_task(bulkhead.run())
            try:
                await until(lambda: bulkhead.up)
                before = known[venue, BTC]
                await kill.positions()  # and with it, what the kill path knows of the rules
                account = list_account(client)
                held = OrderRequest(
                    symbol=BTC, side=Side.BUY, kind=OrderKind.MARKET, qty=before.lot * 110
                )
                client.books.submit(account, held)
                await connected.wait()
                assert server.trouble is not None
                server.trouble.play(CHANGED)
                await until(lambda: client.books.instruments[BTC].tick > before.tick)
                small = client.order()
                sent = await client.gateway.submit(small)
                assert sent.outcome is Outcome.REJECTED, (venue, sent)
                (event,) = await until(lambda: client.seen.of(RulesChanged))
                (rules,) = event.instruments
                assert rules == known[venue, BTC] == client.gateway.rules.instruments[BTC]
                assert (rules.tick, rules.lot) == (before.tick * 10, before.lot * 10)
                assert rules.min_notional == (0 if venue == "okx" else 600)
                price = rules.round_price(small.price or Decimal(0))
                fitting = msgspec.structs.replace(
                    client.order(), price=price, qty=rules.floor_qty(Decimal("0.02"))
                )
                sent = await client.gateway.submit(fitting)
                assert sent.outcome is Outcome.ACCEPTED, (venue, sent)
                # The kill path takes them over before its next order.
                (position,) = await kill.positions()
                reply = await kill.reduce(position, f"{small.client_id}K", Decimal("0.01"))
                assert reply.outcome is Outcome.ACCEPTED, (venue, reply)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await kill.close()
                await client.gateway.close()

        await asyncio.gather(*map(check, VENUES))


async def test_a_kill_alone_learns_changed_rules_from_the_first_refusal(tmp_path: Path) -> None:
    async with exchange(tmp_path, NOTHING) as server, clients(server) as three:

        async def check(client: Client) -> None:
            kill = open_kill_gateway(client.gateway)
            try:
                lot = client.gateway.rules.instrument(BTC).lot
                client.books.submit(
                    list_account(client),
                    OrderRequest(symbol=BTC, side=Side.BUY, kind=OrderKind.MARKET, qty=lot * 115),
                )
                (position,) = await kill.positions()
                client.books.change_rules("BTC", 10, 600)
                name = client.order().client_id
                first = await kill.reduce(position, f"{name}A", Decimal("0.01"))
                second = await kill.reduce(position, f"{name}B", Decimal("0.01"))
                assert first.outcome is Outcome.REJECTED, (client.venue, first)
                assert second.outcome is Outcome.ACCEPTED, (client.venue, second)
                (left,) = await kill.positions()
                assert left.qty == lot * 5, client.venue
            finally:
                await kill.close()

        await asyncio.gather(*(check(client) for client in three))
