"""What the adapter wants to know of a venue: the shape that bybit.py, binance.py and okx.py fill.

Each venue fills it in two steps: ``<venue>_queries.py`` asks and changes nothing, ``<venue>.py``
has the facts (limits, codes, sockets) and the requests that change something.

A ``Rules`` object holds facts (endpoints, limits, codes) and parsers, and no connection: what it
asks goes through a ``Line``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from core.desk.ports import Sink
from core.errors import VenueError, VenueRefused
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.instrument import Instrument
from core.model.market import Candle, FundingSettled, Trade
from core.model.order import Fill, Order, OrderReport
from exchanges.budget import Costs, Pool, Urgency
from exchanges.feed import Feed
from exchanges.outcome import Answer, Reply
from exchanges.private import Names, PrivateFeed

StampedRow = tuple[int, float]
"""An instant (ms), and what was so then: the rate of a settlement, a price."""


class Request(Struct, frozen=True):
    """One call of a ccxt implicit endpoint."""

    method: str
    """ccxt's name: ``privatePostV5OrderCreate``."""
    params: Any
    costs: Costs


class Line(Protocol):
    """Carries requests to one venue."""

    exchange: Any

    async def send(self, request: Request, urgency: Urgency) -> Reply:
        """Send once; never raises for what the venue or the network does."""
        ...

    async def ask(self, request: Request, urgency: Urgency = Urgency.READ) -> str:
        """Send and return the body of an accepting reply.

        Raises:
            VenueUnavailable, VenueRefused, AuthenticationFailed.
        """
        ...


class Account(Struct, frozen=True):
    """Who the key belongs to and what it may do."""

    uid: str
    can_withdraw: bool | None
    """None where this environment cannot tell."""


class Penalty(Struct, frozen=True):
    """The venue told us to slow down (or, with ``ban``, to go away) for some seconds."""

    seconds: float
    ban: bool = False


class Channel(Struct, frozen=True):
    """One socket: where it goes and what is asked on it.

    ``frames`` are sent in order once the socket is open.
    """

    name: str
    url: str
    frames: tuple[Any, ...]
    private: bool
    """Whether ccxt has to log in first."""
    feeds: tuple[str, ...]
    """What flows here: trades, books, tickers, private."""
    acks: int = 0
    """Confirmations to wait for before the stream counts as up."""


class Rules:
    """One venue. The methods without a body are filled by the venue's module."""

    venue: ClassVar[str]
    pools: ClassVar[Mapping[str, Pool]]
    refusals: ClassVar[frozenset[str]]
    """Codes that prove that a submit did not and will not place an order."""
    cancel_refusals: ClassVar[frozenset[str]]
    """Codes that prove that a cancel did nothing; mostly because the order is gone."""
    absent: ClassVar[frozenset[str]]
    """Codes by which a query or a cancel says "no such order"."""
    wrong_key: ClassVar[frozenset[str]]
    wrong_place: ClassVar[frozenset[str]]
    """Codes that say that the key belongs to another environment."""
    wrong_time: ClassVar[frozenset[str]]
    """Codes that say that a request was signed too early or too late for the venue's clock."""
    misfits: ClassVar[frozenset[str]]
    """Codes that say that an order does not fit the instrument's steps and smallest sizes."""
    closed: ClassVar[frozenset[str]] = frozenset()
    """Codes by which the venue says that it is closed for maintenance."""
    unavailable: ClassVar[frozenset[str]]
    """Codes that mean "not now": rate limits, maintenance, internal errors."""
    timeframes: ClassVar[Mapping[int, str]]
    """Candles that the venue has: seconds to its own name."""
    two_books: ClassVar[bool] = False
    """Whether conditional orders have endpoints and ids of their own."""
    private_sockets: ClassVar[tuple[str, ...]] = ("private",)
    market_frames: ClassVar[type[Feed]]
    private_frames: ClassVar[type[PrivateFeed]]

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        """By unified symbol."""
        self.by_venue: dict[str, Instrument] = {}
        """By the venue's own symbol."""
        self.names = Names()
        self.adopted = 0
        """How many times instruments were taken in."""

    def adopt(self, instruments: Sequence[Instrument]) -> None:
        """Use these from now on. One that is not among them stays known: it may be held."""
        self.adopted += 1
        self.instruments.update({item.symbol: item for item in instruments})
        self.by_venue.update({item.venue_symbol: item for item in instruments})

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a symbol.

        Raises:
            VenueError: the venue does not list it.
        """
        try:
            return self.instruments[symbol]
        except KeyError:
            raise VenueError(f"{self.venue} does not list {symbol}") from None

    def item(self, venue_symbol: str) -> Instrument:
        """Return an instrument by the venue's name, or a stand-in for one that is not traded here.

        The stand-in bears the venue's name as its symbol, and counts as the venue does.
        """
        known = self.by_venue.get(venue_symbol)
        if known is not None:
            return known
        one, nothing = Decimal(1), Decimal(0)
        return Instrument(self.venue, venue_symbol, venue_symbol, "", one, one, one, nothing)

    def native(self, symbol: str) -> str:
        """Return the venue's name of an instrument; that of a stand-in is its symbol."""
        known = self.instruments.get(symbol)
        return symbol if known is None else known.venue_symbol

    def dress(self, exchange: Any) -> None:
        """Add to a new ccxt instance what ccxt leaves out for this venue."""

    # --- pure ---------------------------------------------------------------------------------

    def read(self, body: str) -> Answer:
        """Read the verdict of any reply."""
        raise NotImplementedError

    def penalty(self, reply: Reply) -> Penalty | None:
        """Return what the venue's rate limiter says, if anything."""
        raise NotImplementedError

    def remaining(self, headers: Mapping[str, str]) -> Mapping[str, float]:
        """Return what the venue says is left of its limits, by pool."""
        return {}

    def submit(self, order: Order) -> Request:
        """Return the request that places an order."""
        raise NotImplementedError

    def cancel(self, symbol: str, client_id: str, venue_id: str, *, stop: bool) -> Request:
        """Return the request that cancels one order."""
        raise NotImplementedError

    def read_cancel(self, body: str) -> Answer:
        """Read the verdict of a cancel."""
        return self.read(body)

    def time(self) -> Request:
        """Return the request for the venue's clock."""
        raise NotImplementedError

    def read_time(self, body: str) -> float:
        """Read the venue's clock, milliseconds."""
        raise NotImplementedError

    # --- asking -------------------------------------------------------------------------------

    async def load(self, line: Line) -> list[Instrument]:
        """Ask for all USDT perpetuals that trade."""
        raise NotImplementedError

    async def account(self, line: Line, environment: str) -> Account:
        """Ask who the key is."""
        raise NotImplementedError

    async def prepare(self, line: Line) -> None:
        """Set one-way position mode and cross margin where they are not set."""
        raise NotImplementedError

    async def trades(self, line: Line, instrument: Instrument) -> list[Trade]:
        """Ask for the last public trades, oldest first."""
        raise NotImplementedError

    async def candles(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, before: int | None
    ) -> list[Candle]:
        """Ask for the last closed candles that open before an instant (ns), oldest first."""
        raise NotImplementedError

    async def settlements(
        self, line: Line, instrument: Instrument, count: int, before: int | None
    ) -> list[FundingSettled]:
        """Ask for the last settled funding rates before an instant (ns), oldest first."""
        raise NotImplementedError

    periods: Mapping[int, str]
    """Seconds between two values of open interest that the venue keeps a past of, and its name."""

    async def past_index(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """Ask for one page of closes of the index's candles that end before ``end`` (ms)."""
        raise NotImplementedError

    async def past_interest(
        self, line: Line, instrument: Instrument, timeframe: int, count: int, end: int | None
    ) -> Sequence[StampedRow]:
        """Ask for one page of open interest before ``end`` (ms), base units."""
        raise NotImplementedError

    def interest(self, instrument: Instrument) -> Request | None:
        """Return the request for the open interest, where no stream tells it."""
        return None

    def read_interest(self, body: str) -> tuple[float, int]:
        """Read it: base units, and when it was so, milliseconds."""
        raise NotImplementedError

    async def order(self, line: Line, symbol: str, client_id: str) -> OrderReport | None:
        """Ask for one order; None when the venue knows none by that id."""
        raise NotImplementedError

    async def open_orders(self, line: Line, urgency: Urgency) -> list[OrderReport]:
        """Ask for all open orders, conditional ones included, as ``positions``."""
        raise NotImplementedError

    async def positions(self, line: Line, urgency: Urgency) -> list[PositionReport]:
        """Ask for all non-zero positions, also in what is not traded here (``item``)."""
        raise NotImplementedError

    async def balance(self, line: Line) -> Balance:
        """Ask for the cash of the settlement currency."""
        raise NotImplementedError

    async def fills(self, line: Line, since: int, symbols: Sequence[str]) -> list[Fill]:
        """Ask for own trades since an instant, oldest first."""
        raise NotImplementedError

    async def funding(self, line: Line, since: int) -> list[FundingPaid]:
        """Ask for funding settlements since an instant."""
        raise NotImplementedError

    async def leverage(self, line: Line, symbol: str, leverage: Decimal) -> None:
        """Set leverage (and cross margin, where that is per symbol)."""
        raise NotImplementedError

    dead_man: str = ""
    """What the venue's own timer covers; see ``core.desk.ports.Gateway``."""

    async def arm_dead_man(self, line: Line, symbol: str, seconds: int) -> None:
        """Have the venue cancel open orders in so many seconds; 0 disarms."""
        raise VenueRefused(f"{self.venue} has no dead-man timer", "")

    async def cancel_many(self, line: Line, orders: Sequence[OrderReport]) -> int:
        """Cancel these in the venue's largest batches; return how many are cancelled or gone."""
        raise NotImplementedError

    # --- streams ------------------------------------------------------------------------------

    def feed(
        self,
        symbols: Sequence[str],
        sink: Sink,
        resync: Callable[[str, str], None],
        last_message: dict[str, int],
    ) -> Feed:
        """Return the decoder of the public streams."""
        instruments = [self.instrument(symbol) for symbol in symbols]
        return self.market_frames(instruments, sink, resync, last_message)

    def private_feed(self, sink: Sink) -> PrivateFeed:
        """Return the decoder of the private streams."""
        return self.private_frames(self.by_venue, self.names, sink)

    def public_channels(self, exchange: Any, symbols: Sequence[str]) -> list[Channel]:
        """Return the sockets for market data."""
        raise NotImplementedError

    async def private_channel(self, line: Line, name: str) -> Channel:
        """Return one of ``private_sockets``, after what must be asked before.

        Raises:
            VenueError: the venue gave no session.
        """
        raise NotImplementedError

    async def log_in(self, exchange: Any, channel: Channel) -> None:
        """Let ccxt log in on a private channel."""
        raise NotImplementedError

    def resubscribe(self, venue_symbol: str) -> tuple[Any, ...]:
        """Return the frames that make the venue send a fresh book; empty where REST does it."""
        return ()

    def snapshot(self, venue_symbol: str) -> Request | None:
        """Return the request for a fresh book, where the stream does not send one."""
        return None

    def acknowledges(self, text: str) -> int:
        """Return how many subscriptions a control frame confirms; -1 when it refuses one."""
        raise NotImplementedError


def plain(value: Decimal) -> str:
    """Write a number for a venue: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def subscribe(args: Sequence[Any]) -> dict[str, Any]:
    """Return the frame that joins channels, as Bybit and OKX spell it."""
    return {"op": "subscribe", "args": args}


def rejoin(channel: Any) -> tuple[Any, ...]:
    """Return the frames that leave a channel and join it again: the venue sends a snapshot."""
    return ({"op": "unsubscribe", "args": [channel]}, subscribe([channel]))
