"""Matching over candles, for backtests: one instrument, prices move along each bar's path.

API (bodies follow)::

    book = BarBook(tick: Decimal, lot: Decimal, listener)
    book.market(id, sign, lots, reduce_only=False)      fills at the next bar's open, taker
    book.limit(id, sign, tick, lots, post_only=False, reduce_only=False)
    book.stop(id, sign, tick, lots, reduce_only=True)   stop-market, taker
    book.cancel(id) -> bool
    book.bar(open, high, low, close)                    floats; calls the listener
    book.position: int                                  lots, signed; reduce-only is kept against it

    listener.filled(id, sign, lots, tick, maker, left)  left: lots still working
    listener.dropped(id, reason)                        reduce_only, post_only
"""
