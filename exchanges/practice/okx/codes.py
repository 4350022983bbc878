"""OKX v5's words for no: ``code``/``sCode`` and its text for each refusal."""

from __future__ import annotations

from core.model.market import Side
from exchanges.practice.state import Refusal, RefusalKind

TOO_LATE = ("51149", "Order timed out. Please try again.")
TOO_MANY = ("50011", "Too Many Requests")
BAD_JSON = ("50002", "JSON syntax error")
MISSING = ("50014", "Parameter {name} cannot be empty.")
EXPIRED = ("50102", "Timestamp request expired")
NO_KEY = ("50103", 'Request header "OK-ACCESS-KEY" cannot be empty.')
NO_PASSPHRASE = ("50104", 'Request header "OK-ACCESS-PASSPHRASE" cannot be empty.')
BAD_PASSPHRASE = ("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
NO_SIGN = ("50106", 'Request header "OK-ACCESS-SIGN" cannot be empty.')
NO_TIMESTAMP = ("50107", 'Request header "OK-ACCESS-TIMESTAMP" cannot be empty.')
BAD_KEY = ("50111", "Invalid OK-ACCESS-KEY")
BAD_TIMESTAMP = ("50112", "Invalid OK-ACCESS-TIMESTAMP")
BAD_SIGN = ("50113", "Invalid Sign")
NO_SUCH_ORDER = ("51603", "Order does not exist")
NO_SUCH_INSTRUMENT = (
    "51001",
    "Instrument ID, Instrument ID code, or Spread ID doesn't exist.",
)
NOT_CANCELLED = (
    "51400",
    "Cancellation failed as the order has been filled, canceled or does not exist.",
)
NOT_AMENDED = ("51503", "Your order has already been filled or canceled.")
NO_POSITION = ("51023", "Position doesn't exist.")
HAS_POSITIONS = (
    "59000",
    "Setting failed. Cancel any open orders, close positions, and stop trading bots first.",
)

_CODES: dict[RefusalKind, tuple[str, str]] = {
    RefusalKind.BAD_SYMBOL: NO_SUCH_INSTRUMENT,
    RefusalKind.BAD_PRECISION_PRICE: ("51000", "Parameter px error"),
    RefusalKind.BAD_PRECISION_QTY: ("51121", "Order quantity must be a multiple of the lot size."),
    RefusalKind.BELOW_MIN_QTY: (
        "51020",
        "Your order should meet or exceed the minimum order amount.",
    ),
    RefusalKind.BELOW_MIN_NOTIONAL: (
        "51020",
        "Your order should meet or exceed the minimum order amount.",
    ),
    RefusalKind.INSUFFICIENT_MARGIN: (
        "51008",
        "Order failed. Insufficient USDT margin in account",
    ),
    RefusalKind.DUPLICATE_CLIENT_ID: ("51016", "Client order ID already exists."),
    RefusalKind.UNKNOWN_ORDER: NOT_CANCELLED,
    RefusalKind.ALREADY_DONE: NOT_CANCELLED,
    RefusalKind.POST_ONLY_WOULD_CROSS: (
        "51511",
        "The order price did not meet the requirement for Post Only.",
    ),
    RefusalKind.REDUCE_ONLY_REJECTED: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract "
        "to reduce or close.",
    ),
    RefusalKind.PRICE_BAND: ("51137", "The highest price limit for buy orders: {text}"),
    RefusalKind.TOO_MANY_ORDERS: (
        "51174",
        "The number of pending orders reached the upper limit.",
    ),
    RefusalKind.WOULD_TRIGGER_IMMEDIATELY: (
        "51280",
        "SL trigger price cannot be higher than the last price",
    ),
    RefusalKind.BAD_CLIENT_ID: ("51000", "Parameter clOrdId error"),
    RefusalKind.ABOVE_MAX_QTY: ("51202", "Market order amount exceeds the maximum amount."),
    RefusalKind.BAD_LEVERAGE: ("59102", "Leverage exceeds the maximum limit"),
    RefusalKind.UNCHANGED: ("51500", "You must enter a price, quantity, or TP/SL"),
    RefusalKind.BAD_PARAMETER: ("51000", "Parameter {text} error"),
}


def refusal_code(refusal: Refusal, side: Side | None = None) -> tuple[str, str]:
    """Return ``sCode`` and ``sMsg`` for what the exchange refused."""
    if side is Side.SELL and refusal.kind is RefusalKind.PRICE_BAND:
        return "51138", f"The lowest price limit for sell orders: {refusal.text}"
    if side is Side.BUY and refusal.kind is RefusalKind.WOULD_TRIGGER_IMMEDIATELY:
        return "51278", "SL trigger price cannot be lower than the last price"
    code, text = _CODES[refusal.kind]
    return code, text.format(text=refusal.text)
