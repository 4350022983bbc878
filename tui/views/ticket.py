"""What an order, or a moved stop, would mean before it is sent."""

from __future__ import annotations

from decimal import Decimal

from core.model.event import Submit
from core.model.instrument import short_symbol
from core.model.snapshot import MarketView, PositionView, Snapshot
from core.model.whatif import CheckView, WhatIf
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Line, Tone, signed_cell


def quote_of(snapshot: Snapshot, venue: str, symbol: str) -> MarketView | None:
    """Return the market of a venue's instrument."""
    return next((m for m in snapshot.markets if m.venue == venue and m.symbol == symbol), None)


def view_quote(quote: MarketView | None) -> Line:
    """Return the venue's best prices."""
    if quote is None:
        return (Cell("this venue does not list the symbol", "warn"),)
    return (
        Cell("bid ", "dim"),
        Cell(numbers.price(quote.bid, quote.tick)),
        Cell("   ask ", "dim"),
        Cell(numbers.price(quote.ask, quote.tick)),
        Cell("   mark ", "dim"),
        Cell(numbers.price(quote.mark, quote.tick)),
    )


def view_whatif(found: WhatIf, snapshot: Snapshot, order: Submit) -> tuple[Line, ...]:
    """Return what the desk says an order would do: six lines.

    Args:
        found: the desk's answer.
        snapshot: for ticks and the present position.
        order: what was asked.
    """
    quote = quote_of(snapshot, order.venue, order.symbol)
    return (
        _position_line(found, snapshot, order),
        _exposure_line(found),
        _stop_line(found, quote.tick if quote is not None else None),
        _routes_line(found, order),
        *_verdict_lines(found),
    )


def _position_line(found: WhatIf, snapshot: Snapshot, order: Submit) -> Line:
    held = next(
        (p.qty for p in snapshot.positions if (p.venue, p.symbol) == (order.venue, order.symbol)),
        Decimal(0),
    )
    base = clean(short_symbol(order.symbol))
    return (
        Cell("position ", "dim"),
        Cell(f"{numbers.quantity(held)} → {numbers.quantity(found.position)} {base}"),
        Cell("   fee ", "dim"),
        Cell(f"{numbers.money(found.fee)} USDT"),
    )


def _exposure_line(found: WhatIf) -> Line:
    times = numbers.NONE if found.leverage is None else f"{found.leverage:.2f}×"
    return (
        Cell("exposed ", "dim"),
        Cell(f"{numbers.money(found.exposure)} USDT"),
        Cell("   leverage ", "dim"),
        Cell(times),
    )


def _stop_line(found: WhatIf, tick: Decimal | None) -> Line:
    line = [Cell("stop ", "dim")]
    if found.stop is None:
        line.append(Cell("none: it only reduces"))
    else:
        line += [
            Cell(numbers.price(found.stop, tick)),
            Cell(" loses ", "dim"),
            Cell(numbers.money(found.loss)),
        ]
    level = "none"
    if found.liquidation is not None:
        level = f"about {numbers.price(found.liquidation, tick)}"
    return (*line, Cell("   liquidation ", "dim"), Cell(level))


def _routes_line(found: WhatIf, order: Submit) -> Line:
    line = [Cell("books ", "dim")]
    for place, route in enumerate(found.routes):
        # The first is the cheapest of all that can take the whole order.
        tone: Tone = "key" if place == 0 and route.qty >= order.qty else ""
        line.append(Cell("best " if tone else "", "dim"))
        if route.average is None or route.slippage is None:
            line.append(Cell(f"{clean(route.venue)} no book  ", "dim"))
            continue
        thin = f" only {numbers.quantity(route.qty)}" if route.qty < order.qty else ""
        text = f"{clean(route.venue)} {numbers.basis_points(float(route.slippage))}bp{thin}  "
        line.append(Cell(text, tone or ("warn" if thin else "")))
    return tuple(line)


def _verdict_lines(found: WhatIf) -> tuple[Line, Line]:
    failed = [check for check in found.checks if not check.passed]
    if found.passed:
        return (Cell("✓ ", "up"), Cell(f"passes all {len(found.checks)} checks")), ()
    lines: list[Line] = [
        (
            Cell("✗ ", "warn"),
            Cell(clean(check.code, 24), "warn"),
            Cell(f" {_over(check) or clean(check.detail, 60)}"),
        )
        for check in failed[:2]
    ]
    if len(failed) > 2:
        lines[1] = (*lines[1], Cell(f" · {len(failed) - 2} more", "dim"))
    return lines[0], lines[1] if len(lines) > 1 else ()


def _over(check: CheckView) -> str:
    """Return by how much a check failed, where both sides are numbers."""
    try:
        limit, value = Decimal(check.limit), Decimal(check.value)
    except ArithmeticError:
        return ""
    over = value - limit
    share = f" ({numbers.percent(over / limit, 1)})" if limit else ""
    return f"{check.value} of {check.limit}: {numbers.signed(over)}{share}"


def view_stop(held: PositionView, price: Decimal, tick: Decimal | None) -> tuple[Line, Line]:
    """Return what a stop at a price would mean for a position: distance, and result when hit."""
    result = (price - held.entry) * held.qty
    away = (price - held.mark) / held.mark if held.mark else None
    return (
        (
            Cell("mark ", "dim"),
            Cell(numbers.price(held.mark, tick)),
            Cell("   away ", "dim"),
            Cell(numbers.percent(away)),
        ),
        (
            Cell("entry ", "dim"),
            Cell(numbers.price(held.entry, tick)),
            Cell("   result when hit ", "dim"),
            signed_cell(numbers.signed(result), result),
            Cell(" before fees and slippage", "dim"),
        ),
    )
