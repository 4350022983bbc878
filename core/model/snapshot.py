"""What the terminal sees: an immutable picture of the desk, sent over the control socket.

Strings that came from a venue (reasons, details, log texts) are untrusted here; the terminal
passes them through ``tui.text.clean``.

Quantities are base units, positions negative when short; prices quote per base; money quote.
Profits and funding are positive when earned, fees positive when paid. Times are nanoseconds UTC.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from core.model.event import TradingState, VenueState
from core.model.learning import LearningView
from core.model.market import Side
from core.model.news import NewsReading, NewsSource, NewsStory
from core.model.order import OrderKind, OrderStatus
from core.model.replay import ReplayView


class FeedView(Struct, frozen=True, gc=False):
    """One stream of one venue."""

    channel: str
    state: str
    age_ms: float | None
    """Since the last message; None before the first."""


class VenueView(Struct, frozen=True, gc=False):
    """One venue's health and money."""

    venue: str
    state: VenueState
    reason: str
    account: str
    equity: Decimal | None
    balance: Decimal | None
    feeds: tuple[FeedView, ...]
    clock_offset_ms: float | None
    latency_ms: float | None
    """Median of the last order round trips."""
    messages: int
    bad_messages: int
    reconnects: int
    orders: int
    fills: int
    swept_age_s: float | None
    dead_man: str = ""
    """What the venue's own timer covers: ``symbol``, ``tag``, ``connection`` (it cancels when the
    private stream is gone), or nothing without one."""
    dead_man_s: float | None = None
    """Seconds until it cancels our resting orders if we fall silent; None while it is not set."""
    gaps: int = 0
    """Times a book missed a change and was brought back."""
    budget_used: float = 0.0
    """Share of the venue's request budget in use, 0 to 1."""


class MarketView(Struct, frozen=True, gc=False):
    """One instrument on one venue."""

    venue: str
    symbol: str
    bid: float | None
    bid_qty: float | None
    ask: float | None
    ask_qty: float | None
    last: float | None
    mark: float | None
    funding_rate: float | None
    next_funding: int | None
    change_24h: float | None
    age_ms: float | None
    tick: Decimal
    closes: tuple[float, ...]
    """Closes of the last candles, oldest first, for a sparkline."""
    paused: bool


class DepthView(Struct, frozen=True, gc=False):
    """Book levels of the instrument a terminal asked for (``/v1/depth``)."""

    venue: str
    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class BarView(Struct, frozen=True, gc=False, array_like=True):
    """One bar of a chart; the newest may still be running."""

    ts: int
    """Open time, nanoseconds UTC."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""


class PrintView(Struct, frozen=True, gc=False, array_like=True):
    """A public trade."""

    venue: str
    ts: int
    side: Side
    """The taker's."""
    price: float
    qty: float


class WatchView(Struct, frozen=True, gc=False):
    """All there is to see of one symbol (``/v1/watch``): books, bars and public trades."""

    symbol: str
    venue: str
    """Whose bars they are."""
    timeframe: int
    """Of the bars, seconds."""
    depths: tuple[DepthView, ...]
    bars: tuple[BarView, ...]
    """Oldest first."""
    prints: tuple[PrintView, ...]
    """Newest first, all venues."""


class SignalView(Struct, frozen=True, gc=False):
    """The latest word of a strategy on an instrument."""

    venue: str
    symbol: str
    strategy: str
    target: int
    score: float
    reason: str
    ts: int
    outcome: str
    """What came of it: the order's client id, a refusal code, or empty when nothing to do."""
    chance: float | None = None
    """Probability of a rise, where the strategy has one."""
    edge: float | None = None
    """What acting on it should bring after the costs of a round trip, fraction of notional."""


class HeldView(Struct, frozen=True, gc=False):
    """A strategy's entry that waits for a person."""

    client_id: str
    venue: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    """What it would have met when it was decided."""
    strategy: str
    reason: str
    ts: int
    expires: int
    """Nanoseconds UTC."""


class PositionView(Struct, frozen=True, gc=False):
    """An open position of ours."""

    venue: str
    symbol: str
    qty: Decimal
    entry: Decimal
    mark: Decimal | None
    unrealised: Decimal | None
    realised: Decimal
    fees: Decimal
    funding: Decimal
    stop: Decimal | None
    """Trigger price of the working stop at the venue; None when unprotected."""
    liquidation: Decimal | None
    opened: int
    strategy: str
    risk_quote: Decimal | None = None
    """Loss to the stop when the position opened: 1 R, in quote."""


class OrderView(Struct, frozen=True, gc=False):
    """An order, working or recently done."""

    client_id: str
    venue_id: str
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    status: OrderStatus
    qty: Decimal
    filled: Decimal
    price: Decimal | None
    trigger: Decimal | None
    average: Decimal | None
    reduce_only: bool
    created: int
    updated: int
    strategy: str
    reason: str
    foreign: bool = False
    """Placed by someone else on the same account: shown and counted, not touched."""


class FillView(Struct, frozen=True, gc=False):
    """A recent fill."""

    venue: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    realised: Decimal
    maker: bool
    strategy: str
    ts: int


class LimitView(Struct, frozen=True, gc=False):
    """One risk limit: where it stands and what it allows."""

    code: str
    name: str
    value: float | None
    """None while there is nothing to tell from; ``detail`` says what is missing."""
    limit: float
    unit: str
    """``quote``, ``fraction``, ``count``, ``seconds`` or ``times``."""
    breached: bool
    detail: str


class LogView(Struct, frozen=True, gc=False):
    """One line of the log; ``seq`` rises by one a line."""

    seq: int
    ts: int
    level: str
    kind: str
    """``order``, ``fill``, ``signal``, ``risk``, ``state``, ``venue``, ``kill`` or ``info``."""
    text: str


class KillView(Struct, frozen=True, gc=False):
    """Progress or result of the kill cord at one venue."""

    venue: str
    verdict: str
    """Empty while running."""
    orders_cancelled: int
    positions_closed: int
    seconds: float
    detail: str


class GuardView(Struct, frozen=True, gc=False):
    """The guard: the process that pulls the cord when the desk cannot."""

    state: str
    """``watching``, ``partial`` (some venues do not answer it), ``starting``, ``acting`` (it has
    pulled the cord and guards nothing until the next one is there), ``gone``, or
    ``none`` where the desk does not start one and nobody else did."""
    detail: str


class ControlView(Struct, frozen=True, gc=False):
    """Which terminal may change something, and how many look on."""

    holder: str
    """Its id; empty when nobody has control."""
    name: str
    """What people call it."""
    terminals: int
    """How many are attached, that one included."""


class NewsView(Struct, frozen=True, gc=False):
    """The news: ``stories`` newest first, the rest as in ``SentimentScored``."""

    stories: tuple[NewsStory, ...]
    readings: tuple[NewsReading, ...]
    sources: tuple[NewsSource, ...]
    scorer: str
    instead_of: str
    problem: str
    updated: int
    trending: tuple[str, ...] = ()
    blocked: tuple[tuple[str, float], ...] = ()
    """Entities on which the news guard blocks new longs, and the seconds left."""


class Snapshot(Struct, frozen=True, gc=False):
    """The whole picture. Times are nanoseconds UTC."""

    seq: int
    ts: int
    started: int
    environment: str
    market: str
    """Where prices come from: ``synthetic, seed 7``, ``recording NAME 02:10/05:44``, ``live``."""
    state: TradingState
    cause: str
    """Why the state is what it is."""
    equity: Decimal | None
    equity_start: Decimal | None
    day_pnl: Decimal | None
    realised: Decimal
    unrealised: Decimal
    peak: Decimal | None
    drawdown: float | None
    """Fraction below the persisted peak, 0 or positive."""
    venues: tuple[VenueView, ...]
    markets: tuple[MarketView, ...]
    signals: tuple[SignalView, ...]
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    fills: tuple[FillView, ...]
    limits: tuple[LimitView, ...]
    kill: tuple[KillView, ...]
    log: tuple[LogView, ...]
    events: int
    refusals: int
    unknown_orders: int
    discrepancies: int
    loop_lag_ms: float
    strategy: str
    timeframe: int
    held: tuple[HeldView, ...] = ()
    """Entries that wait for a person, the one that expires first on top."""
    news: NewsView | None = None
    """None where no news has been read."""
    learning: LearningView | None = None
    """None where no strategy uses models."""
    replay: ReplayView | None = None
    """None where the picture is of now."""
    control: ControlView | None = None
    """None where nobody needs control."""
    guard: GuardView | None = None
    """None where nothing runs that needs one."""
