"""A look at one venue as a desk would use it: every question asked once, nothing ordered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from core.errors import KillcordError
from core.model.event import Event, FeedChanged, FeedState, VenueOpened
from core.model.market import BookTop, Depth, Ticker, Trade
from exchanges.access import Access
from exchanges.kill import open_kill_gateway
from exchanges.venue import VenueGateway, open_gateway

STREAM_LIMIT = 15.0
"""Seconds in which every stream must be up and the market be heard."""
SKEW_LIMIT_MS = 1000.0
"""A clock further off than this costs rejected requests when a measurement is late."""
_CHANNELS = ("trades", "books", "tickers", "private")
_HEARD = {Trade: "trades", BookTop: "books", Depth: "books", Ticker: "tickers"}


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    where: str
    """A venue, or the part of this machine."""
    what: str
    state: str
    """``ok``, ``warn`` (it works, but), ``fail`` or ``none`` (nothing there to look at)."""
    said: str
    """What was found; with ``warn`` and ``fail`` also what to do."""


async def examine(venue: str, access: Access, symbols: Sequence[str]) -> list[Finding]:
    """Ask a venue everything a desk needs of it, in the order a desk does.

    It changes what a desk changes when it connects: one-way position mode and cross margin are
    set. Nothing is ordered or cancelled. Without a key only clock and reach are looked at.

    Args:
        symbols: what is to be traded.
    """
    gateway = open_gateway(venue, access)
    kill = open_kill_gateway(gateway)
    found: list[Finding] = []

    async def look(what: str, ask: Callable[[], Awaitable[str]]) -> bool:
        started = time.perf_counter()
        try:
            said = await ask()
        except KillcordError as error:
            found.append(Finding(venue, what, "fail", str(error)))
            return False
        took = (time.perf_counter() - started) * 1000
        state, said = ("warn", said[1:]) if said.startswith("!") else ("ok", said)
        found.append(Finding(venue, what, state, f"{said} ({took:.0f} ms)"))
        return True

    async def clock() -> str:
        gateway.line.open()
        offset = await gateway.line.synchronise()
        if abs(offset) > SKEW_LIMIT_MS:
            return f"!{offset:+.0f} ms off: set this machine's clock (NTP)"
        return f"{offset:+.1f} ms off"

    async def account() -> str:
        opened = await gateway.connect()
        return f"account {opened.account}; this key cannot withdraw; {_listing(opened, symbols)}"

    async def history() -> str:
        candles = await gateway.candles(symbols[0], 60, 60)
        trades = await gateway.recent_trades(symbols[0])
        return f"{symbols[0]}: {len(candles)} candles, {len(trades)} trades"

    async def sweep() -> str:
        swept = await gateway.sweep(time.time_ns())
        return (
            f"{swept.balance.total:,.2f} {swept.balance.asset}, {len(swept.positions)} positions, "
            f"{len(swept.orders)} open orders"
        )

    async def kill_path() -> str:
        await kill.open()
        orders, positions = await asyncio.gather(kill.open_orders(), kill.positions())
        return f"sees {len(orders)} orders and {len(positions)} positions on its own connections"

    try:
        if await look("reach and clock", clock) and access.api_key:
            if await look("key and rules", account):
                await look("history", history)
                await look("account", sweep)
                await look("kill path", kill_path)
                found += await _streams(gateway, symbols)
                found.append(_dead_man(gateway))
        elif not access.api_key:
            hint = f"none: killcord keys add {venue} --env {access.environment}"
            found.append(Finding(venue, "key and rules", "none", hint))
    finally:
        await kill.close()
        await gateway.close()
    return found


def _listing(opened: VenueOpened, symbols: Sequence[str]) -> str:
    listed = {item.symbol for item in opened.instruments}
    missing = [symbol for symbol in symbols if symbol not in listed]
    text = f"{len(listed)} instruments"
    return f"{text}; not listed here: {', '.join(missing)}" if missing else text


async def _streams(gateway: VenueGateway, symbols: Sequence[str]) -> list[Finding]:
    """Listen until every channel is up and heard; the account's may have nothing to say."""
    up: set[str] = set()
    heard: dict[str, float] = {}
    done = asyncio.Event()
    started = time.perf_counter()

    def sink(event: Event) -> None:
        if isinstance(event, FeedChanged) and event.state is FeedState.UP:
            up.add(event.channel)
        elif (channel := _HEARD.get(type(event))) is not None:
            heard.setdefault(channel, time.perf_counter() - started)
        if up >= set(_CHANNELS) and len(heard) == len(set(_HEARD.values())):
            done.set()

    listening = asyncio.create_task(gateway.run(symbols, sink))
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait({listening, waiting}, timeout=STREAM_LIMIT, return_when="FIRST_COMPLETED")
    for task in (listening, waiting):
        task.cancel()
    await asyncio.gather(listening, waiting, return_exceptions=True)
    findings = []
    for channel in _CHANNELS:
        state, said = "ok", f"first message after {heard.get(channel, 0.0) * 1000:.0f} ms"
        if channel not in up:
            state, said = "fail", f"not up after {STREAM_LIMIT:g} s: is a WebSocket let through?"
        elif channel == "private":
            said = "up"
        elif channel not in heard:
            state, said = "warn", f"up, but silent for {STREAM_LIMIT:g} s"
        findings.append(Finding(gateway.venue, f"stream {channel}", state, said))
    return findings


def _dead_man(gateway: VenueGateway) -> Finding:
    scope = gateway.dead_man
    said = f"the venue has one, for each {scope}" if scope else "the venue has none for this key"
    return Finding(gateway.venue, "dead-man timer", "ok" if scope else "none", said)
