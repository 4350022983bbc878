"""What the practice exchange knows and says: requests, orders, fills, events, refusals.

Public market data is in integer ticks and lots; ``Contract.price_text`` and ``Contract.qty_text``
turn them into the venue's own text (OKX quantities become contracts). Everything that belongs to
an account is ``Decimal`` in base units and USDT. Times are venue-clock milliseconds UTC.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce

ZERO = Decimal(0)


class RefusalKind(StrEnum):
    """Why the exchange says no; a dialect turns it into its venue's code and words."""

    BAD_SYMBOL = "bad_symbol"
    BAD_PRECISION_PRICE = "bad_precision_price"
    BAD_PRECISION_QTY = "bad_precision_qty"
    BELOW_MIN_QTY = "below_min_qty"
    ABOVE_MAX_QTY = "above_max_qty"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    UNKNOWN_ORDER = "unknown_order"
    ALREADY_DONE = "already_done"
    POST_ONLY_WOULD_CROSS = "post_only_would_cross"
    REDUCE_ONLY_REJECTED = "reduce_only_rejected"
    PRICE_BAND = "price_band"
    TOO_MANY_ORDERS = "too_many_orders"
    WOULD_TRIGGER_IMMEDIATELY = "would_trigger_immediately"
    BAD_CLIENT_ID = "bad_client_id"
    BAD_LEVERAGE = "bad_leverage"
    BAD_PARAMETER = "bad_parameter"
    UNCHANGED = "unchanged"
    """Amend to what the order already is, or leverage to what it already is."""


class Refusal(Exception):
    """The exchange refused a request; nothing changed.

    Args:
        kind: the reason, to be mapped to the venue's code.
        text: one line with the numbers.
    """

    def __init__(self, kind: RefusalKind, text: str) -> None:
        self.kind = kind
        self.text = text
        super().__init__(f"{kind}: {text}")


class TriggerBy(StrEnum):
    """Which price triggers a stop."""

    MARK = "mark"
    LAST = "last"
    INDEX = "index"


class Status(StrEnum):
    """Where an order stands at the exchange."""

    UNTRIGGERED = "untriggered"
    TRIGGERED = "triggered"
    """A conditional order that fired. On venues where firing makes a new order (Binance, OKX) this
    is final and ``child_id`` names it; on Bybit the same order goes on to NEW or FILLED."""
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """Conditional order that fired and was refused (no margin, nothing to reduce)."""


FINAL = frozenset({Status.FILLED, Status.CANCELLED, Status.REJECTED})


class Cause(StrEnum):
    """Why an order was cancelled or rejected after it had been accepted."""

    NONE = ""
    USER = "user"
    COUNTDOWN = "countdown"
    POST_ONLY = "post_only"
    IOC = "ioc"
    """Remainder of IOC, or a market order that ran out of book."""
    FOK = "fok"
    SELF_TRADE = "self_trade"
    REDUCE_ONLY = "reduce_only"
    """Nothing left to reduce."""
    MARGIN = "margin"
    LIQUIDATION = "liquidation"


class Credential(Struct, frozen=True):
    """What a key proves. ``passphrase`` is empty except on OKX."""

    secret: str
    passphrase: str
    account: str


class OrderRequest(Struct, frozen=True, kw_only=True):
    """An order as asked for. Quantities in base units."""

    symbol: str
    """Unified symbol."""
    side: Side
    kind: OrderKind
    """MARKET or LIMIT, conditional when ``trigger`` is set; STOP means a conditional MARKET."""
    qty: Decimal
    """Positive. Zero means the whole position, allowed with ``close_position`` only."""
    price: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    client_id: str = ""
    trigger: Decimal | None = None
    trigger_by: TriggerBy = TriggerBy.MARK
    trigger_above: bool | None = None
    """Fire when the price rises to the trigger (True) or falls to it (False). None: a buy fires on
    a rise and a sell on a fall, as stop orders do."""
    close_position: bool = False
    """Binance ``closePosition``: reduce-only for whatever the position is when it fires."""
    tag: str = ""
    """OKX ``tag``: whose order it is, for a countdown of these alone."""


class PracticeOrder(Struct, kw_only=True):
    """An order at the exchange, changed in place; events and queries carry copies."""

    order_id: str
    """Venue style: integer text on Binance and OKX, UUID on Bybit."""
    client_id: str
    account: str
    symbol: str
    side: Side
    kind: OrderKind
    """MARKET or LIMIT."""
    qty: Decimal
    price: Decimal | None
    tif: TimeInForce
    reduce_only: bool
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    cause: Cause = Cause.NONE
    filled: Decimal = ZERO
    """Cumulative, base units."""
    value: Decimal = ZERO
    """Cumulative filled value, USDT."""
    fee: Decimal = ZERO
    """Cumulative, USDT, positive when paid."""
    realised: Decimal = ZERO
    """Cumulative realised P&L of its fills, before fees."""
    trigger: Decimal | None = None
    trigger_by: TriggerBy = TriggerBy.MARK
    trigger_above: bool = False
    close_position: bool = False
    tag: str = ""
    parent_id: str = ""
    """The conditional order that made this one (Binance, OKX)."""
    child_id: str = ""
    """The order that this conditional order made (Binance, OKX)."""
    liquidation: bool = False
    """Made by the exchange to liquidate."""
    number: int = 0
    """Counter over all orders of the venue; also the book's id."""

    @property
    def conditional(self) -> bool:
        """Whether it is a conditional order by itself, in the algo id space where there is one."""
        return self.trigger is not None and not self.parent_id

    @property
    def done(self) -> bool:
        """Whether it can no longer trade."""
        return self.status in FINAL or (self.status is Status.TRIGGERED and bool(self.child_id))

    @property
    def remaining(self) -> Decimal:
        """Base units not yet filled."""
        return self.qty - self.filled

    @property
    def average(self) -> Decimal | None:
        """Average fill price; None before the first fill."""
        return self.value / self.filled if self.filled else None


class PracticeFill(Struct, frozen=True, kw_only=True):
    """One execution of an account's order."""

    trade_id: str
    order_id: str
    client_id: str
    account: str
    symbol: str
    side: Side
    kind: OrderKind
    qty: Decimal
    price: Decimal
    fee: Decimal
    """USDT, positive when paid."""
    realised: Decimal
    """P&L closed by this fill, before the fee."""
    maker: bool
    ts_ms: int
    order_qty: Decimal
    order_price: Decimal | None
    remaining: Decimal
    liquidation: bool = False


class FundingPayment(Struct, frozen=True, kw_only=True):
    """One settlement of one position."""

    payment_id: str
    account: str
    symbol: str
    amount: Decimal
    """USDT, positive when received."""
    rate: Decimal
    qty: Decimal
    """Signed position at settlement, base units."""
    mark: Decimal
    ts_ms: int


class PositionState(Struct, frozen=True, kw_only=True):
    """A position, all amounts in USDT."""

    symbol: str
    qty: Decimal
    """Signed base units; 0 when flat."""
    entry: Decimal
    mark: Decimal
    unrealised: Decimal
    realised: Decimal
    """Since the position last was flat, before fees."""
    leverage: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation: Decimal
    """0 when there is none above zero."""
    opened_ms: int
    updated_ms: int


class WalletState(Struct, frozen=True, kw_only=True):
    """Money of an account, USDT."""

    balance: Decimal
    """Cash, without unrealised P&L."""
    equity: Decimal
    unrealised: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal
    """What new orders may use; never negative."""
    updated_ms: int


class Kline(Struct, frozen=True, gc=False):
    """A candle. Prices in ticks, volumes in lots."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: float
    """USDT."""
    trades: int
    buy_lots: int
    """Taker buys."""
    closed: bool


class DepthSnapshot(Struct, frozen=True, gc=False):
    """A book. Levels are ``(tick, lots)``, best first."""

    symbol: str
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    update_id: int
    ts_ms: int


class TickerState(Struct, frozen=True, gc=False):
    """Ticker facts. ``*_tick`` in ticks, ``*_lots`` in lots; the rest is text or plain numbers."""

    symbol: str
    last_tick: int
    last_lots: int
    bid_tick: int
    bid_lots: int
    ask_tick: int
    ask_lots: int
    mark: str
    index: str
    open_24h_tick: int
    high_24h_tick: int
    low_24h_tick: int
    lots_24h: int
    turnover_24h: float
    trades_24h: int
    change_24h: float
    """Fraction."""
    funding_rate: str
    next_funding_ms: int
    funding_interval_ms: int
    open_interest_lots: int
    ts_ms: int


# --- events -----------------------------------------------------------------------------------


class PublicTrade(Struct, frozen=True, gc=False):
    """A public trade. ``number`` rises by one a trade of a symbol."""

    symbol: str
    tick: int
    lots: int
    side: Side
    """The taker's."""
    trade_id: str
    number: int
    ts_ms: int


class BookChanged(Struct, frozen=True, gc=False):
    """Level changes since the last such event of the symbol; lots 0 removes the level.

    Update ids are venue-wide, so they have gaps: ``prev_id`` is the ``last_id`` of the symbol's
    event before, ``first_id`` is greater than it but seldom by one.
    """

    symbol: str
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    prev_id: int
    first_id: int
    last_id: int
    ts_ms: int


class TickerChanged(Struct, frozen=True, gc=False):
    """A ticker is due, once a second a symbol; best bid and offer also come with BookChanged.

    Who wants it asks the venue: adding up a day costs more than all else of a quiet symbol.
    """

    symbol: str


class KlineChanged(Struct, frozen=True, gc=False):
    """The running 1m candle, at most once a second, and once with ``closed``."""

    symbol: str
    kline: Kline


class Change(StrEnum):
    """What happened to an order."""

    ACCEPTED = "accepted"
    """Also for a conditional order, with status UNTRIGGERED."""
    FILLED = "filled"
    """A fill, partial or last; a Filled event came right before."""
    AMENDED = "amended"
    TRIGGERED = "triggered"
    ENDED = "ended"
    """Cancelled or rejected; ``cause`` says why."""


class OrderChanged(Struct, frozen=True, gc=False):
    """An order was accepted, changed or ended. The order is a copy."""

    order: PracticeOrder
    what: Change


class Filled(Struct, frozen=True, gc=False):
    """One execution. Comes before the OrderChanged that shows it; ``order`` is a copy, after it."""

    fill: PracticeFill
    order: PracticeOrder


class PositionChanged(Struct, frozen=True, gc=False):
    """A position changed by a fill, a liquidation or a leverage change."""

    account: str
    position: PositionState
    cause: str
    """``order``, ``liquidation``, ``funding`` or ``leverage``."""


class WalletChanged(Struct, frozen=True, gc=False):
    """Cash changed."""

    account: str
    wallet: WalletState
    delta: Decimal
    cause: str
    """``order``, ``funding`` or ``liquidation``."""


class FundingSettled(Struct, frozen=True, gc=False):
    """A funding payment was booked."""

    payment: FundingPayment


PracticeEvent = (
    PublicTrade
    | BookChanged
    | TickerChanged
    | KlineChanged
    | OrderChanged
    | Filled
    | PositionChanged
    | WalletChanged
    | FundingSettled
)
