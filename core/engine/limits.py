"""Every risk limit with where it stands now, for the risk pane."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from core.clock import SECOND
from core.engine.world import World
from core.model.instrument import short_symbol
from core.model.news import MARKET
from core.model.snapshot import LimitView
from core.risk.breakers import LossBreaker
from core.risk.codes import Code
from core.risk.portfolio import NEEDED

if TYPE_CHECKING:
    from core.engine.execution import Execution

_ZERO = Decimal(0)


def view_limits(
    world: World, breaker: LossBreaker, execution: Execution, equity: Decimal | None
) -> tuple[LimitView, ...]:
    """Return all limits; amounts in quote of the present equity."""
    return (
        *_view_sizes(world, execution, equity if equity is not None else _ZERO),
        *_view_book(world, equity),
        *_view_losses(world, breaker, execution, equity),
        *_view_traffic(world, equity),
    )


def _view(
    code: Code, name: str, value: float | None, limit: float, unit: str, detail: str = ""
) -> LimitView:
    return LimitView(code, name, value, limit, unit, value is not None and value > limit, detail)


def _view_sizes(world: World, execution: Execution, equity: Decimal) -> list[LimitView]:
    limits = world.limits
    gross = _ZERO
    symbols: dict[str, Decimal] = {}
    venues: dict[str, Decimal] = {}
    losses: dict[str, Decimal] = {}
    for slot in world.active.values():
        exposure = slot.exposure()
        gross += exposure
        symbols[slot.symbol] = symbols.get(slot.symbol, _ZERO) + exposure
        venues[slot.venue] = venues.get(slot.venue, _ZERO) + exposure
        if slot.position.qty and slot.instrument is not None and not slot.position.foreign:
            distance = abs(slot.position.entry - execution.protection.trigger(slot))
            loss = distance * abs(slot.position.qty)
            losses[slot.symbol] = losses.get(slot.symbol, _ZERO) + loss
    symbol, most = max(symbols.items(), key=lambda item: item[1], default=("", _ZERO))
    venue, heaviest = max(venues.items(), key=lambda item: item[1], default=("", _ZERO))
    risky, loss = max(losses.items(), key=lambda item: item[1], default=("", _ZERO))
    return [
        _view(
            Code.POSITION_NOTIONAL,
            "Largest position",
            float(most),
            float(limits.position_notional * equity),
            "quote",
            symbol,
        ),
        _view(
            Code.ORDER_NOTIONAL,
            "Largest order",
            0.0,
            float(limits.order_notional * equity),
            "quote",
        ),
        _view(
            Code.LOSS_TO_STOP,
            "Loss to stop",
            float(loss),
            float(limits.loss_to_stop * equity),
            "quote",
            risky,
        ),
        _view(
            Code.LEVERAGE,
            "Gross leverage",
            float(gross / equity) if equity > 0 else 0.0,
            float(limits.leverage),
            "times",
        ),
        _view(
            Code.VENUE_NOTIONAL,
            "Largest venue",
            float(heaviest / equity) if equity > 0 else 0.0,
            float(limits.venue_notional),
            "times",
            venue,
        ),
    ]


def _view_book(world: World, equity: Decimal | None) -> list[LimitView]:
    """Return the bad days of the book and what moves as one, as fractions of equity."""
    limits, portfolio = world.limits, world.portfolio
    book = world.exposures()
    worth = float(equity) if equity else 0.0
    tail = portfolio.tail(book) if worth else None
    cluster = portfolio.heaviest(book) if tail is not None else None
    hours = portfolio.hours()
    missing = f"from {hours} h"
    if tail is None:
        missing = f"n/a, needs {NEEDED} h of candles, has {hours}"
    names = " ".join(short_symbol(symbol) for symbol in cluster.symbols) if cluster else ""
    held = cluster.value if cluster is not None else 0.0
    return [
        _view(
            Code.VALUE_AT_RISK,
            "VaR 95 %, 1 day",
            tail.value_at_risk / worth if tail is not None else None,
            float(limits.value_at_risk),
            "fraction",
            missing,
        ),
        _view(
            Code.EXPECTED_SHORTFALL,
            "Expected shortfall",
            tail.shortfall / worth if tail is not None else None,
            float(limits.expected_shortfall),
            "fraction",
            missing,
        ),
        _view(
            Code.CORRELATED_NOTIONAL,
            "Moving as one",
            held / worth if tail is not None else None,
            float(limits.correlated_notional),
            "times",
            names if tail is not None else missing,
        ),
    ]


def _view_losses(
    world: World, breaker: LossBreaker, execution: Execution, equity: Decimal | None
) -> list[LimitView]:
    limits = world.limits
    worth = float(equity) if equity is not None else 0.0
    streak, place, left = 0, "", 0.0
    for slot in world.slots.values():
        if slot.position.losses > streak:
            streak, place = slot.position.losses, f"{slot.venue} {slot.symbol}"
            left = execution.cooling(slot)
    if left:
        place = f"{place} cools down for {left:.0f} s"
    naked = max((world.now - since for since in execution.protection.naked.values()), default=0)
    return [
        _view(
            Code.DAILY_LOSS,
            "Daily loss",
            breaker.day_loss(worth) if worth else 0.0,
            float(limits.daily_loss),
            "fraction",
        ),
        _view(
            Code.DRAWDOWN,
            "Drawdown",
            breaker.fall(worth) if worth else 0.0,
            float(limits.drawdown),
            "fraction",
        ),
        _view(
            Code.LOSS_STREAK,
            "Losses in a row",
            float(streak),
            float(limits.loss_streak),
            "count",
            place,
        ),
        _view(
            Code.UNPROTECTED,
            "Longest without stop",
            naked / SECOND,
            limits.unprotected,
            "seconds",
        ),
    ]


def _view_traffic(world: World, equity: Decimal | None) -> list[LimitView]:
    limits = world.limits
    now = world.now
    venues = world.venues.values()
    second, busiest = max(((v.pace.count(now), v.name) for v in venues), default=(0, ""))
    rejects, refusing = max(((v.rejects, v.name) for v in venues), default=(0, ""))
    skew, skewed = max(((abs(v.offset_ms or 0.0) / 1000, v.name) for v in venues), default=(0, ""))
    books = [
        ((now - slot.book_received) / SECOND, f"{slot.venue} {slot.symbol}")
        for slot in world.slots.values()
        if slot.book_received
    ]
    stale, stalest = max(books, default=(0.0, ""))
    working = len(world.ledger.working) + sum(len(venue.foreign) for venue in venues)
    return [
        _view(Code.OPEN_ORDERS, "Open orders", float(working), float(limits.open_orders), "count"),
        _view(
            Code.ORDERS_PER_SECOND,
            "Orders in a second",
            float(second),
            float(limits.orders_per_second),
            "count",
            busiest if second else "",
        ),
        _view(
            Code.ORDERS_PER_MINUTE,
            "Orders in a minute",
            float(world.minute.count(now)),
            float(limits.orders_per_minute),
            "count",
        ),
        _view(
            Code.NOTIONAL_PER_MINUTE,
            "Opened in a minute",
            world.turnover.total(now) / float(equity) if equity else None,
            float(limits.notional_per_minute),
            "times",
        ),
        _view(
            Code.REJECTS_IN_A_ROW,
            "Rejects in a row",
            float(rejects),
            float(limits.rejects_in_a_row),
            "count",
            refusing if rejects else "",
        ),
        *_view_news(world),
        _view(Code.STALE_DATA, "Oldest book", stale, limits.stale_data, "seconds", stalest),
        _view(Code.CLOCK_SKEW, "Clock skew", skew, limits.clock_skew, "seconds", skewed),
        _view(Code.LOOP_LAG, "Desk stood still", world.lag, limits.loop_lag, "seconds"),
        _view(Code.PRICE_COLLAR, "Price collar", 0.0, float(limits.price_collar), "fraction"),
    ]


def _view_news(world: World) -> list[LimitView]:
    guard, limits, now = world.guard, world.limits, world.now
    count, asset = guard.worst(now)
    rows = (
        (Code.BAD_NEWS, "Bad news", asset, count, limits.news_burst),
        (
            Code.BAD_MARKET_NEWS,
            "Bad market news",
            MARKET,
            guard.count(MARKET, now),
            limits.news_market_burst,
        ),
    )
    views = []
    for code, name, entity, heard, burst in rows:
        left = guard.left(entity, now)
        detail = f"{entity}: no new longs for {left:.0f} s" if left else entity * bool(heard)
        views.append(LimitView(code, name, float(heard), float(burst), "count", left > 0, detail))
    return views
