"""Bybit v5's words for no: ``retCode`` and ``retMsg`` of each refusal."""

from __future__ import annotations

from exchanges.practice.state import Refusal, RefusalKind

BAD_REQUEST = 10001
EXPIRED = 10002
BAD_KEY = 10003
BAD_SIGN = 10004
TOO_MANY_VISITS = (10006, "Too many visits. Exceeded the API Rate Limit.")
NO_KEY = (10007, "User authentication failed.")
NOT_FOUND = (10017, "Route not found.")
LEVERAGE_SAME = (110043, "leverage not modified")
MODE_SAME = (110025, "Position mode is not modified")

_CODES: dict[RefusalKind, tuple[int, str]] = {
    RefusalKind.BAD_SYMBOL: (10001, "params error: symbol invalid {symbol}"),
    RefusalKind.BAD_PRECISION_PRICE: (10001, "params error: price invalid"),
    RefusalKind.BAD_PRECISION_QTY: (10001, "Qty invalid"),
    RefusalKind.BELOW_MIN_QTY: (
        10001,
        "The number of contracts exceeds minimum limit allowed",
    ),
    RefusalKind.BELOW_MIN_NOTIONAL: (110094, "Order does not meet minimum order value 5USDT"),
    RefusalKind.INSUFFICIENT_MARGIN: (110007, "ab not enough for new order"),
    RefusalKind.DUPLICATE_CLIENT_ID: (110072, "OrderLinkedID is duplicate"),
    RefusalKind.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
    RefusalKind.ALREADY_DONE: (110001, "order not exists or too late to cancel"),
    RefusalKind.POST_ONLY_WOULD_CROSS: (170218, "EC_PostOnlyWillTakeLiquidity"),
    RefusalKind.REDUCE_ONLY_REJECTED: (
        110017,
        "current position is zero, cannot fix reduce-only order qty",
    ),
    RefusalKind.PRICE_BAND: (110003, "Order price exceeds the allowable range."),
    RefusalKind.TOO_MANY_ORDERS: (
        110020,
        "You can't have more than 500 active orders under this contract",
    ),
    RefusalKind.WOULD_TRIGGER_IMMEDIATELY: (110092, "expect Rising, but trigger_price <= current"),
    RefusalKind.BAD_CLIENT_ID: (10001, "params error: OrderLinkId invalid"),
    RefusalKind.ABOVE_MAX_QTY: (
        10001,
        "The number of contracts exceeds maximum limit allowed: too large",
    ),
    RefusalKind.BAD_LEVERAGE: (110013, "cannot set leverage gt maxLeverage by risk limit"),
    RefusalKind.UNCHANGED: (10001, "The order remains unchanged as the parameters entered match"),
    RefusalKind.BAD_PARAMETER: (10001, "params error: {text}"),
}


def refusal_code(refusal: Refusal, symbol: str = "") -> tuple[int, str]:
    """Return ``retCode`` and ``retMsg`` for what the exchange refused."""
    code, text = _CODES[refusal.kind]
    return code, text.format(symbol=symbol, text=refusal.text)
