"""How long what was signed stays valid, and what no longer goes when the gate has closed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from core.desk.kill_worker import VALIDITY
from core.model.instrument import VENUES
from core.model.market import Side
from core.model.order import Order, OrderKind, Outcome
from core.secrets import Secret
from exchanges.access import ENTRY_WINDOW_MS, RECV_WINDOW_MS, Access
from exchanges.budget import Urgency
from exchanges.kill import open_kill_gateway
from exchanges.venue import VenueGateway, open_gateway
from tests.exchanges.market import instrument

BTC = "BTC/USDT:USDT"
# Port 9 of this machine: nobody listens, so a request is built and signed and goes nowhere.
NOWHERE = Access("practice", Secret("k"), Secret("s"), Secret("p"), "http://127.0.0.1:9")


@pytest.fixture(params=VENUES)
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[VenueGateway]:
    gateway = open_gateway(request.param, NOWHERE)
    symbol = "BTC-USDT-SWAP" if request.param == "okx" else "BTCUSDT"
    gateway.rules.adopt([instrument(request.param, symbol)])
    yield gateway
    await gateway.close()


def order(venue: str, *, reduce_only: bool) -> Order:
    return Order(
        "K1", venue, BTC, Side.BUY, OrderKind.MARKET, Decimal(1), 1, reduce_only=reduce_only
    )


def signed_window(gateway: VenueGateway) -> int:
    """Return for how many milliseconds the last request was to be valid."""
    exchange = gateway.line.exchange
    headers, body = exchange.last_request_headers, str(exchange.last_request_body)
    if gateway.venue == "bybit":
        return int(headers["X-BAPI-RECV-WINDOW"])
    if gateway.venue == "binance":
        return int(re.findall(r"recvWindow=(\d+)", body)[0])
    left = int(headers["expTime"]) - exchange.milliseconds()
    return ENTRY_WINDOW_MS if left <= ENTRY_WINDOW_MS else RECV_WINDOW_MS


async def test_what_can_open_risk_expires_before_a_kill_looks_again(gateway: VenueGateway) -> None:
    await gateway.submit(order(gateway.venue, reduce_only=False))
    assert signed_window(gateway) == ENTRY_WINDOW_MS
    await gateway.submit(order(gateway.venue, reduce_only=True))
    assert signed_window(gateway) == RECV_WINDOW_MS
    assert VALIDITY * 1000 >= ENTRY_WINDOW_MS + 500


async def test_an_order_that_waited_for_its_turn_is_not_sent_through_a_closed_gate(
    gateway: VenueGateway,
) -> None:
    budget = gateway.line.budget
    entry = gateway.rules.submit(order(gateway.venue, reduce_only=False))
    while budget.used < 0.7:
        await budget.take(Urgency.KILL, entry.costs)
    asked: list[bool] = []

    def go() -> bool:
        asked.append(True)
        return False

    waiting = asyncio.create_task(gateway.submit(order(gateway.venue, reduce_only=False), go))
    sent = await waiting
    assert asked == [True]
    assert (sent.outcome, sent.reason) == (Outcome.NOT_SENT, "the gate closed before it was sent")
    assert gateway.line.exchange.last_request_headers is None


@pytest.mark.parametrize("venue", VENUES)
async def test_an_order_that_waited_for_its_connection_is_not_sent_through_a_closed_gate(
    venue: str,
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gateway = open_gateway(
            venue, Access("practice", Secret("k"), Secret("s"), Secret("p"), base)
        )
        symbol = "BTC-USDT-SWAP" if venue == "okx" else "BTCUSDT"
        gateway.rules.adopt([instrument(venue, symbol)])
        answers = iter((True, False))  # it closes while the connection comes about
        sent = await gateway.submit(order(venue, reduce_only=False), lambda: next(answers))
        assert (sent.outcome, sent.reason) == (
            Outcome.NOT_SENT,
            "the gate closed before it was sent",
        )
        await gateway.close()
        async with asyncio.timeout(10):
            while not heard:
                await asyncio.sleep(0.01)
    assert heard == [b""], "there was a connection, and not a byte went over it"


async def test_a_kill_is_counted_with_the_rest_and_passes_whoever_waits(
    gateway: VenueGateway,
) -> None:
    kill = open_kill_gateway(gateway)
    try:
        assert kill.line.budget is gateway.line.budget
        assert kill.line.exchange is not gateway.line.exchange
        costs = gateway.rules.submit(order(gateway.venue, reduce_only=False)).costs
        budget = gateway.line.budget
        reads = [asyncio.create_task(budget.take(Urgency.READ, costs)) for _ in range(400)]
        await asyncio.sleep(0)
        async with asyncio.timeout(0.2):
            await budget.take(Urgency.KILL, costs)
        assert not all(read.done() for read in reads)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    finally:
        await kill.close()
