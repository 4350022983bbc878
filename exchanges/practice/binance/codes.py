"""Binance USDⓈ-M's words for no: HTTP status, ``code`` and ``msg`` of each refusal."""

from __future__ import annotations

from exchanges.practice.state import Refusal, RefusalKind

UNKNOWN_SYMBOL = (-1121, "Invalid symbol.")
AHEAD = (-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
EXPIRED = (-1021, "Timestamp for this request is outside of the recvWindow.")
BAD_SIGN = (-1022, "Signature for this request is not valid.")
NO_KEY = (-2014, "API-key format invalid.")
BAD_KEY = (-2015, "Invalid API-key, IP, or permissions for action.")
MARGIN_SAME = (-4046, "No need to change margin type.")
MODE_SAME = (-4059, "No need to change position side.")
HEDGE_ONLY = (-4061, "Order's position side does not match user's setting.")
NOT_THERE = (-2013, "Order does not exist.")
NOT_CANCELLED = (-2011, "Unknown order sent.")
BAD_LISTEN_KEY = (-1125, "This listenKey does not exist.")
USE_ALGO = (
    -4120,
    "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
)
TOO_MANY_REQUESTS = (
    -1003,
    "Too many requests; current limit of IP({ip}) is {limit} requests per minute. "
    "Please use the websocket for live updates to avoid polling the API.",
)
BANNED = (-1003, "Way too many requests; IP({ip}) banned until {until}.")
TOO_MANY_ORDERS = (-1015, "Too many new orders; current limit is {limit} orders per {interval}.")

_CODES: dict[RefusalKind, tuple[int, str]] = {
    RefusalKind.BAD_SYMBOL: UNKNOWN_SYMBOL,
    RefusalKind.BAD_PRECISION_PRICE: (-4014, "Price not increased by tick size."),
    RefusalKind.BAD_PRECISION_QTY: (
        -1111,
        "Precision is over the maximum defined for this asset.",
    ),
    RefusalKind.BELOW_MIN_QTY: (-4004, "Quantity less than or equal to min quantity."),
    RefusalKind.BELOW_MIN_NOTIONAL: (
        -4164,
        "Order's notional must be no smaller than 5 (unless you choose reduce only).",
    ),
    RefusalKind.INSUFFICIENT_MARGIN: (-2019, "Margin is insufficient."),
    RefusalKind.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    RefusalKind.UNKNOWN_ORDER: NOT_CANCELLED,
    RefusalKind.ALREADY_DONE: NOT_CANCELLED,
    RefusalKind.POST_ONLY_WOULD_CROSS: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    RefusalKind.REDUCE_ONLY_REJECTED: (-2022, "ReduceOnly Order is rejected."),
    RefusalKind.PRICE_BAND: (-4016, "Limit price can't be higher than the price cap: {text}"),
    RefusalKind.TOO_MANY_ORDERS: (-2025, "Reach max open order limit."),
    RefusalKind.WOULD_TRIGGER_IMMEDIATELY: (-2021, "Order would immediately trigger."),
    RefusalKind.BAD_CLIENT_ID: (-4015, "Client order id is not valid."),
    RefusalKind.ABOVE_MAX_QTY: (-4005, "Quantity greater than max quantity."),
    RefusalKind.BAD_LEVERAGE: (-4028, "Leverage {text} is not valid"),
    RefusalKind.UNCHANGED: (-5027, "No need to modify the order."),
    RefusalKind.BAD_PARAMETER: (-1102, "{text}"),
}


def refusal_code(refusal: Refusal) -> tuple[int, str]:
    """Return ``code`` and ``msg`` for what the exchange refused; the HTTP status is 400."""
    code, text = _CODES[refusal.kind]
    return code, text.format(text=refusal.text)
