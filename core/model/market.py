"""What the market did, as events. Numbers are float64; see ``instrument.exact``.

Every event carries two clocks: ``ts`` is the venue's own event time, ``received`` is when this
machine had it, both integer nanoseconds since the Unix epoch, UTC. The engine's time is
``received``; ``ts`` is for latency, candles and staleness.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """Direction of an order, a fill, or the taker of a public trade."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 to buy, -1 to sell."""
        return 1 if self is Side.BUY else -1


class Trade(Struct, frozen=True, gc=False, tag=True):
    """A public trade. ``side`` is the taker's."""

    venue: str
    symbol: str
    price: float
    qty: float
    side: Side
    trade_id: str
    ts: int
    received: int


class BookTop(Struct, frozen=True, gc=False, tag=True):
    """Best bid and ask changed."""

    venue: str
    symbol: str
    bid: float
    bid_qty: float
    ask: float
    ask_qty: float
    ts: int
    received: int


class Depth(Struct, frozen=True, gc=False, tag=True):
    """The first levels of the book, best first, conflated to at most 10 a second an instrument.

    Each level is ``(price, quantity)``, at most 20 a side.
    """

    venue: str
    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    ts: int
    received: int


class Ticker(Struct, frozen=True, gc=False, tag=True):
    """Slow facts of an instrument; a field the venue's message left out is None."""

    venue: str
    symbol: str
    last: float | None
    mark: float | None
    index: float | None
    funding_rate: float | None
    """Fraction of notional per funding interval; longs pay when positive."""
    next_funding: int | None
    """Nanoseconds UTC."""
    change_24h: float | None
    """Fraction: 0.012 is +1.2 %."""
    turnover_24h: float | None
    """Quote currency."""
    ts: int
    received: int
    open_interest: float | None = None
    """Base units: what all longs hold together, which is what all shorts do."""


class Candle(Struct, frozen=True, gc=False, tag=True):
    """A closed candle. ``ts`` is its open time; ``received`` when it was known to be closed."""

    venue: str
    symbol: str
    timeframe: int
    """Seconds."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""
    ts: int
    received: int


class FundingSettled(Struct, frozen=True, gc=False, tag=True):
    """What longs paid shorts at a settlement: the venue's word on its past, asked for.

    A ticker tells the coming rate, which moves until its time has come.
    """

    venue: str
    symbol: str
    rate: float
    """Fraction of notional; longs paid when positive."""
    ts: int
    """When it was settled: whole seconds, for venues stamp it some milliseconds late."""
    received: int


class Fact(StrEnum):
    """A slow fact of an instrument that venues keep a past of."""

    INDEX = "index"
    """Price of the index that the perpetual is tied to, quote."""
    INTEREST = "interest"
    """Open interest, base units."""


class FactTold(Struct, frozen=True, gc=False, tag=True):
    """What a fact stood at, at an instant: the venue's word on its past, asked for."""

    venue: str
    symbol: str
    fact: Fact
    value: float
    ts: int
    received: int


class BadMessage(Struct, frozen=True, gc=False, tag=True):
    """A market message that did not pass validation: counted, shown, dropped, never traded on."""

    venue: str
    channel: str
    reason: str
    received: int
