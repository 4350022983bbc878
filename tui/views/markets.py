"""Every symbol on one line, all venues side by side."""

from __future__ import annotations

from collections.abc import Sequence

from core.model.instrument import short_symbol
from core.model.snapshot import MarketView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.news import sentiment_cell, sentiment_column
from tui.views.table import Cell, Column, Row, signed_cell, tone_of

STALE_MS = 5_000
"""A price older than this is marked ``~`` and dimmed: it may not be where the market is."""

EMPTY = "No markets yet: the desk is connecting. Press 7 to see the venues."


def market_columns(venues: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns for these venues, in the order of ``market_row``'s cells."""
    per_venue = [
        column
        for venue in venues
        for column in (
            Column("last", 10, 1, right=True, group=venue),
            Column("bid", 10, 5, right=True, group=venue),
            Column("ask", 10, 5, right=True, group=venue),
            Column("bp", 4, 9, right=True, group=venue),
        )
    ]
    return (
        Column("symbol", 7, 0),
        *per_venue,
        Column("best bid", 10, 6, right=True, group="all venues"),
        Column("best ask", 10, 6, right=True, group="all venues"),
        Column("spread", 6, 2, right=True),
        Column("basis", 5, 8, right=True),
        Column("24 h", 8, 2, right=True),
        Column("funding", 8, 3, right=True),
        Column("due", 5, 7, right=True),
        Column("", 10, 4, grow=1, tail=True),
    )


def columns_of(snapshot: Snapshot) -> tuple[Column, ...]:
    """Return the columns; what the news says stands among them where news is read."""
    columns = market_columns(shown_venues(snapshot))
    return columns if snapshot.news is None else (*columns, sentiment_column(snapshot))


def shown_venues(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the venues in the order they are shown."""
    return tuple(venue.venue for venue in snapshot.venues)


def view_markets(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a symbol, in the order the desk lists them."""
    venues = shown_venues(snapshot)
    by_symbol: dict[str, dict[str, MarketView]] = {}
    for market in snapshot.markets:
        by_symbol.setdefault(market.symbol, {})[market.venue] = market
    return tuple(
        _row(symbol, [quotes.get(venue) for venue in venues], snapshot)
        for symbol, quotes in by_symbol.items()
    )


def note_markets(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    symbols = len({market.symbol for market in snapshot.markets})
    paused = len({market.symbol for market in snapshot.markets if market.paused})
    text = f"{symbols} symbols · spread and basis in bp"
    return text + f" · {paused} paused" if paused else text


def _row(symbol: str, quotes: list[MarketView | None], snapshot: Snapshot) -> Row:
    cells = [Cell(clean(short_symbol(symbol)), "strong")]
    if any(quote is not None and quote.paused for quote in quotes):
        cells[0] = Cell(clean(short_symbol(symbol)) + " ‖", "warn")
    for quote in quotes:
        cells.extend(_quote_cells(quote))
    cells.extend(_common_cells([quote for quote in quotes if quote is not None], snapshot.ts))
    if snapshot.news is not None:
        cells.append(sentiment_cell(snapshot, symbol))
    return Row(symbol, tuple(cells))


def _quote_cells(quote: MarketView | None) -> list[Cell]:
    if quote is None:
        return [Cell(numbers.NONE, "dim")] * 4
    stale = quote.age_ms is None or quote.age_ms > STALE_MS
    mark = "~" if stale and quote.last is not None else ""
    last = mark + numbers.price(quote.last, quote.tick)
    move = (quote.last or 0.0) - quote.closes[-1] if quote.closes else 0.0
    spread = None
    if quote.bid and quote.ask:
        spread = (quote.ask - quote.bid) / (quote.ask + quote.bid) * 2
    return [
        Cell(last + ("" if stale else numbers.arrow(move)), "dim" if stale else tone_of(move)),
        Cell(mark + numbers.price(quote.bid, quote.tick), "dim" if stale else ""),
        Cell(mark + numbers.price(quote.ask, quote.tick), "dim" if stale else ""),
        Cell(numbers.basis_points(spread), "dim"),
    ]


def _common_cells(quotes: list[MarketView], now: int) -> list[Cell]:
    fresh = [q for q in quotes if q.age_ms is not None and q.age_ms <= STALE_MS]
    bids = [(q.bid, q.tick) for q in fresh if q.bid]
    asks = [(q.ask, q.tick) for q in fresh if q.ask]
    bid, bid_tick = max(bids, default=(None, None))
    ask, ask_tick = min(asks, default=(None, None))
    spread = (ask - bid) / (ask + bid) * 2 if ask and bid else None
    mids = [(q.bid + q.ask) / 2 for q in fresh if q.bid and q.ask]
    basis = (max(mids) - min(mids)) / min(mids) if len(mids) > 1 else None
    change = next((q.change_24h for q in quotes if q.change_24h is not None), None)
    rates = [q for q in quotes if q.funding_rate is not None]
    # The rate furthest from zero is the one to know about; the next settlement is the nearest one.
    rate = max((q.funding_rate for q in rates if q.funding_rate is not None), key=abs, default=None)
    due = min((q.next_funding for q in quotes if q.next_funding), default=None)
    closes = max((q.closes for q in quotes), key=len, default=())
    return [
        Cell(numbers.price(bid, bid_tick)),
        Cell(numbers.price(ask, ask_tick)),
        # Negative means crossed: one venue's bid is above another's ask.
        Cell(numbers.basis_points(spread), "warn" if spread is not None and spread < 0 else ""),
        Cell(numbers.basis_points(basis), "dim"),
        signed_cell(numbers.percent(change), change),
        Cell(numbers.percent(rate, 4), ""),
        Cell(numbers.until((due - now) / 1e9) if due else numbers.NONE, "dim"),
        Cell(numbers.spark(closes), "dim"),
    ]
