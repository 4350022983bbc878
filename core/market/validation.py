"""Whether a market message may be believed. A bad one is counted, shown and dropped.

Every check returns an empty string for a good message and the reason for a bad one. Comparisons
are written so that NaN fails them.
"""

from __future__ import annotations

from math import inf

from core.clock import SECOND
from core.model.market import BookTop, Candle, Depth, Ticker, Trade

JUMP = 0.2
"""A price this far (as a fraction) from one less than ``JUMP_WITHIN`` older is not believed."""
JUMP_WITHIN = SECOND
FUTURE = 5 * SECOND
"""A venue clock may run this far ahead of ours before its messages are bad."""
DISORDER = 10 * SECOND
"""A trade this much older than the newest one is bad; a little older is merely late."""


def jumped(price: float, last: float) -> bool:
    """Return whether a price is absurdly far from the last one."""
    return last > 0.0 and not -JUMP <= price / last - 1.0 <= JUMP


def check_trade(trade: Trade, last: float, last_ts: int) -> str:
    """Check a public trade against the last good one (0 and 0 when there is none)."""
    price = trade.price
    ts = trade.ts
    if not 0.0 < price < inf:
        return "price is not a positive number"
    if not 0.0 < trade.qty < inf:
        return "quantity is not a positive number"
    if ts > trade.received + FUTURE:
        return "time lies in the future"
    if ts <= 0 or ts < last_ts - DISORDER:
        return "time runs backwards"
    if ts - last_ts < JUMP_WITHIN and jumped(price, last):
        return "price jumped"
    return ""


def check_top(top: BookTop, last: float, last_ts: int) -> str:
    """Check a best bid and ask against the last good mid price and its venue time."""
    bid, ask = top.bid, top.ask
    if not (0.0 < bid < inf and 0.0 < ask < inf):
        return "price is not a positive number"
    if not (0.0 <= top.bid_qty < inf and 0.0 <= top.ask_qty < inf):
        return "quantity is not a number"
    if bid >= ask:
        return "book is crossed"
    if top.ts > top.received + FUTURE:
        return "time lies in the future"
    if top.ts < last_ts - DISORDER:
        return "time runs backwards"
    if top.ts - last_ts < JUMP_WITHIN and jumped((bid + ask) * 0.5, last):
        return "price jumped"
    return ""


def check_depth(depth: Depth) -> str:
    """Check book levels: sorted, positive, not crossed."""
    if depth.ts > depth.received + FUTURE:
        return "time lies in the future"
    last = inf
    for price, qty in depth.bids:
        if not (0.0 < price < last and 0.0 <= qty < inf):
            return "bids are not falling positive numbers"
        last = price
    last = 0.0
    for price, qty in depth.asks:
        if not (last < price < inf and 0.0 <= qty < inf):
            return "asks are not rising positive numbers"
        last = price
    if depth.bids and depth.asks and depth.bids[0][0] >= depth.asks[0][0]:
        return "book is crossed"
    return ""


def check_ticker(ticker: Ticker, mark: float, last_ts: int) -> str:
    """Check the slow facts of an instrument against its last good mark price and time, or 0."""
    for price in (ticker.last, ticker.mark, ticker.index):
        if price is not None and not 0.0 < price < inf:
            return "price is not a positive number"
    for number in (ticker.funding_rate, ticker.change_24h, ticker.turnover_24h):
        if number is not None and not -inf < number < inf:
            return "a figure is not a number"
    if ticker.open_interest is not None and not 0.0 <= ticker.open_interest < inf:
        return "open interest is no quantity"
    if ticker.ts > ticker.received + FUTURE:
        return "time lies in the future"
    if ticker.mark is not None and ticker.ts - last_ts < JUMP_WITHIN and jumped(ticker.mark, mark):
        return "mark price jumped"
    return ""


def check_candle(candle: Candle) -> str:
    """Check a candle fed from outside; the engine drops repeated and older ones itself."""
    low = candle.low
    high = candle.high
    if not (0.0 < low <= candle.open <= high < inf and low <= candle.close <= high):
        return "prices do not make a candle"
    if not 0.0 <= candle.volume < inf:
        return "volume is not a number"
    if candle.ts + candle.timeframe * SECOND > candle.received + FUTURE:
        return "candle is not closed yet"
    return ""
