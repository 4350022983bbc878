"""Snapshots with fixed values, for tests and for the bench. Nothing here is random or timed."""

from __future__ import annotations

import math
from decimal import Decimal

from msgspec.structs import replace

from core.clock import MINUTE, SECOND
from core.model.effect import Signalled
from core.model.event import Submit, TradingState, VenueState
from core.model.market import Side
from core.model.news import NewsOpinion, NewsPart, NewsReading, NewsSource, NewsStory
from core.model.order import OrderKind, OrderStatus
from core.model.snapshot import (
    BarView,
    DepthView,
    FeedView,
    FillView,
    HeldView,
    KillView,
    LimitView,
    LogView,
    MarketView,
    NewsView,
    OrderView,
    PositionView,
    PrintView,
    SignalView,
    Snapshot,
    VenueView,
    WatchView,
)
from core.model.whatif import CheckView, RouteView, WhatIf
from core.model.why import Happening, Sizing, Why

NOW = 1_795_256_625 * SECOND
"""21 November 2026, 10:23:45 UTC."""
VENUES = ("bybit", "binance", "okx")
PRICES = {
    "BTC": (64_120.5, "0.1"),
    "ETH": (3_142.18, "0.01"),
    "SOL": (148.32, "0.01"),
    "XRP": (0.5871, "0.0001"),
    "BNB": (571.4, "0.1"),
    "DOGE": (0.10452, "0.00001"),
    "ADA": (0.3421, "0.0001"),
    "AVAX": (26.413, "0.001"),
    "LINK": (11.207, "0.001"),
    "LTC": (71.22, "0.01"),
}


def symbol(base: str) -> str:
    return f"{base}/USDT:USDT"


def market(base: str, place: int, step: int = 0, **changes: object) -> MarketView:
    last, tick_text = PRICES[base]
    tick = Decimal(tick_text)
    size = float(tick)
    shift = math.sin(step * 0.7 + last)
    # Venues differ by about a basis point, as they do.
    last = round(last + size * round(12 * shift) + size * round(last * 0.00005 * place / size), 8)
    closes = tuple(
        round(last * (1 + 0.004 * math.sin((k + step) * 0.31 + PRICES[base][0])), 8)
        for k in range(60)
    )
    view = MarketView(
        venue=VENUES[place],
        symbol=symbol(base),
        bid=round(last - size, 8),
        bid_qty=1.5,
        ask=round(last + size, 8),
        ask_qty=2.0,
        last=last,
        mark=last,
        funding_rate=0.0001 * (1 - place * 0.3),
        next_funding=NOW + 185 * MINUTE,
        change_24h=0.02 * math.sin(PRICES[base][0]),
        age_ms=40.0,
        tick=tick,
        closes=closes,
        paused=False,
    )
    return replace(view, **changes)


def venue(place: int, step: int = 0, **changes: object) -> VenueView:
    feeds = tuple(
        FeedView(channel, "up", 20.0 + 90 * k + (step % 7) * 10)
        for k, channel in enumerate(("trades", "books", "tickers", "private"))
    )
    view = VenueView(
        venue=VENUES[place],
        state=VenueState.READY,
        reason="",
        account=f"uid-{1000 + place}",
        equity=Decimal("99958.04") + place + step,
        balance=Decimal("99950"),
        feeds=feeds,
        clock_offset_ms=1.5 * place,
        latency_ms=2.4 + place,
        messages=18_230 + 97 * step,
        bad_messages=0,
        reconnects=0,
        orders=41 + place,
        fills=38 + place,
        swept_age_s=3.0 + step % 5,
    )
    return replace(view, **changes)


def position(base: str, place: int, qty: str, step: int = 0, **changes: object) -> PositionView:
    entry = Decimal(repr(PRICES[base][0]))
    mark = entry * (1 + Decimal(step % 9 - 4) / 2000)
    amount = Decimal(qty)
    view = PositionView(
        venue=VENUES[place],
        symbol=symbol(base),
        qty=amount,
        entry=entry,
        mark=mark,
        unrealised=(mark - entry) * amount,
        realised=Decimal("-1.25"),
        fees=Decimal("0.88"),
        funding=Decimal("-0.02"),
        stop=entry * Decimal("0.98"),
        liquidation=entry * Decimal("0.51"),
        opened=NOW - 47 * SECOND,
        strategy="ema_cross",
        risk_quote=Decimal("25.6"),
    )
    return replace(view, **changes)


def order(number: int, base: str, place: int, status: OrderStatus, **changes: object) -> OrderView:
    price = Decimal(repr(PRICES[base][0]))
    view = OrderView(
        client_id=f"KC{number:022d}",
        venue_id=f"9{number:06d}",
        venue=VENUES[place],
        symbol=symbol(base),
        side=Side.SELL if number % 2 else Side.BUY,
        kind=OrderKind.LIMIT,
        status=status,
        qty=Decimal("0.018"),
        filled=Decimal("0.009") if number % 3 else Decimal(0),
        price=price,
        trigger=None,
        average=price if number % 3 else None,
        reduce_only=False,
        created=NOW - (number + 1) * 7 * SECOND,
        updated=NOW - number * 3 * SECOND,
        strategy="ema_cross",
        reason="",
    )
    return replace(view, **changes)


def limits(step: int = 0) -> tuple[LimitView, ...]:
    wave = 0.5 + 0.4 * math.sin(step * 0.3)
    rows = (
        (
            "POSITION_NOTIONAL",
            "position in one symbol",
            0.0151 * wave * 1.6,
            0.02,
            "fraction",
            "BTC",
        ),
        ("LOSS_TO_STOP", "loss to stop", 0.0012, 0.005, "fraction", "ETH"),
        ("VALUE_AT_RISK", "VaR 95 %, 1 day", 0.0041, 0.02, "fraction", "from 504 h"),
        ("EXPECTED_SHORTFALL", "expected shortfall", 0.0056, 0.03, "fraction", "from 504 h"),
        ("CORRELATED_NOTIONAL", "moving as one", 0.11, 0.2, "times", "BTC ETH LTC"),
        ("DAILY_LOSS", "daily loss", 0.0004, 0.03, "fraction", ""),
        ("DRAWDOWN", "drawdown from peak", 0.0021, 0.05, "fraction", ""),
        ("LOSS_STREAK", "losses in a row", 4, 5, "count", "SOL okx"),
        ("LEVERAGE", "leverage", 0.11 * wave, 2.0, "times", ""),
        ("VENUE_NOTIONAL", "positions on a venue", 0.05, 1.0, "times", "bybit"),
        ("OPEN_ORDERS", "working orders", 34, 120, "count", ""),
        ("ORDERS_PER_SECOND", "orders a second", 1, 10, "count", "binance"),
        ("ORDERS_PER_MINUTE", "orders a minute", 38, 240, "count", ""),
        ("REJECTS", "rejects in a row", 0, 8, "count", ""),
        ("STALE_DATA", "oldest book", 0.3, 5.0, "seconds", "okx"),
        ("CLOCK_SKEW", "clock skew", 0.003, 0.75, "seconds", "okx"),
        ("LOOP_LAG", "desk stood still", 0.0, 0.25, "seconds", ""),
        ("UNPROTECTED", "longest without stop", 0.0, 10.0, "seconds", ""),
    )
    return tuple(
        LimitView(code, name, float(value), float(limit), unit, False, detail)
        for code, name, value, limit, unit, detail in rows
    )


def log(count: int, step: int = 0) -> tuple[LogView, ...]:
    texts = (
        ("info", "order", "BTC bybit buy 0.018 at market, acknowledged in 2.4 ms"),
        ("info", "fill", "BTC bybit bought 0.018 at 64,120.5, fee 0.63"),
        ("info", "signal", "ETH okx short: fast average crossed below slow"),
        ("warning", "risk", "SOL okx refused POSITION_NOTIONAL: 2,114 would pass 1,999"),
    )
    return tuple(
        LogView(seq, NOW - (count - k) * SECOND, *texts[seq % 4])
        for k, seq in enumerate(range(step, step + count))
    )


def busy(step: int = 0, **changes: object) -> Snapshot:
    """Return a picture with something in every pane; another ``step`` changes every pane."""
    bases = tuple(PRICES)
    signals = tuple(
        SignalView(
            VENUES[place],
            symbol(base),
            "ema_cross",
            (1, -1, 0)[(k + place + step) % 3],
            round(0.8 * math.sin(step + k + place), 4),
            "fast average crossed slow",
            NOW - (k * 3 + place) * SECOND,
            (f"KC{42 + k:022d}", "POSITION_NOTIONAL", "")[(k + place) % 3],
        )
        for k, base in enumerate(bases)
        for place in range(3)
    )
    fills = tuple(
        FillView(
            VENUES[k % 3],
            symbol(bases[k % 10]),
            Side.BUY if k % 2 else Side.SELL,
            Decimal("0.018"),
            Decimal(repr(PRICES[bases[k % 10]][0])),
            Decimal("0.63"),
            Decimal(k - 5) / 4,
            bool(k % 4 == 0),
            "ema_cross",
            NOW - k * 4 * SECOND,
        )
        for k in range(20)
    )
    positions = (
        position("BTC", 0, "0.018", step),
        position("BTC", 1, "0.018", step + 1),
        position("ETH", 2, "-0.35", step + 2, stop=Decimal("3205.02"), liquidation=Decimal("4610")),
        position("SOL", 0, "7.2", step + 3),
        position("DOGE", 1, "-9800", step + 4, stop=None),
        position("LINK", 2, "88.5", step + 5),
    )
    orders = (
        order(
            1,
            "BTC",
            0,
            OrderStatus.OPEN,
            kind=OrderKind.STOP,
            trigger=Decimal("62838.1"),
            price=None,
            reduce_only=True,
        ),
        order(2, "ETH", 1, OrderStatus.PARTIAL),
        order(3, "SOL", 2, OrderStatus.UNKNOWN),
        order(4, "XRP", 0, OrderStatus.FILLED),
        order(5, "ADA", 1, OrderStatus.REJECTED, reason="insufficient balance (-2019)"),
        order(6, "LTC", 2, OrderStatus.CANCELLED),
        order(7, "BNB", 0, OrderStatus.OPEN, foreign=True, client_id="web_1", strategy=""),
        *(order(k, bases[k % 10], k % 3, OrderStatus.FILLED) for k in range(8, 16)),
    )
    unrealised = sum((p.unrealised or Decimal(0) for p in positions), Decimal(0))
    picture = Snapshot(
        seq=1000 + step,
        ts=NOW + step * SECOND // 10,
        started=NOW - 600 * SECOND,
        environment="practice",
        market="synthetic, seed 7",
        state=TradingState.ARMED,
        cause="armed on start",
        equity=Decimal("299874.12") + unrealised,
        equity_start=Decimal(300_000),
        day_pnl=Decimal("-125.88") + unrealised,
        realised=Decimal("-104.31"),
        unrealised=unrealised,
        peak=Decimal("300031.5"),
        drawdown=0.00052,
        venues=tuple(venue(place, step) for place in range(3)),
        markets=tuple(market(base, place, step) for base in bases for place in range(3)),
        signals=signals,
        positions=positions,
        orders=orders,
        fills=fills,
        limits=limits(step),
        kill=(),
        log=log(40, step),
        events=18_230 + 291 * step,
        refusals=3,
        unknown_orders=1,
        discrepancies=0,
        loop_lag_ms=0.3 + (step % 5) / 10,
        strategy="ema_cross",
        timeframe=5,
    )
    return replace(picture, **changes)


def waiting() -> Snapshot:
    """Return a picture in which two entries wait for a person."""
    picture = busy()
    held = tuple(
        HeldView(
            f"KC{90 + place:022d}",
            VENUES[place],
            symbol(base),
            Side.BUY if place else Side.SELL,
            Decimal("7.2"),
            Decimal(repr(PRICES[base][0])),
            "ema_cross",
            "fast average crossed slow",
            NOW - SECOND,
            NOW + (40 - place) * SECOND,
        )
        for place, base in ((0, "SOL"), (2, "LINK"))
    )
    return replace(picture, held=held)


def halted(step: int = 0) -> Snapshot:
    """Return the picture after the kill cord: two venues done, one still working."""
    return busy(
        step,
        state=TradingState.HALTED,
        cause="kill key, by terminal",
        orders=(),
        unknown_orders=0,
        kill=(
            KillView("bybit", "CANCELLED_ONLY", 12, 0, 0.31, ""),
            KillView("binance", "INCOMPLETE", 7, 0, 2.4, "2 orders still open"),
            KillView("okx", "", 3, 0, 0.9, ""),
        ),
    )


def watch(venue: str, name: str, timeframe: int, step: int = 0) -> WatchView:
    """Return books, bars and public trades of a symbol; another ``step`` changes all of them."""
    last, tick_text = PRICES[name.partition("/")[0]]
    tick = float(tick_text)
    span = timeframe * SECOND
    newest = (NOW + step * SECOND // 10) // span * span

    def close(k: int) -> float:
        wave = 0.004 * math.sin(k * 0.13) + 0.0015 * math.sin(k * 0.61)
        return last * (1 + wave + (0.0001 * (step % 7) if k == 0 else 0.0))

    bars = []
    for k in range(299, -1, -1):
        start, end = close(k + 1), close(k)
        high, low = max(start, end) * 1.0006, min(start, end) * 0.9995
        bars.append(BarView(newest - k * span, start, high, low, end, 10 + 9 * math.sin(k * 0.7)))
    depths = tuple(
        DepthView(
            place,
            name,
            tuple(
                (round(last - (k + 1 + p) * tick, 8), round(0.4 + (k * 7 + step + p) % 11 * 0.3, 3))
                for k in range(20)
            ),
            tuple(
                (round(last + (k + 1 + p) * tick, 8), round(0.5 + (k * 5 + step + p) % 13 * 0.2, 3))
                for k in range(20)
            ),
        )
        for p, place in enumerate(VENUES)
    )
    prints = tuple(
        PrintView(
            VENUES[(k + step) % 3],
            NOW - k * SECOND // 3,
            Side.BUY if (k + step) % 3 else Side.SELL,
            round(last + ((k + step) % 5 - 2) * tick, 8),
            0.018 * (1 + k % 4),
        )
        for k in range(60)
    )
    return WatchView(name, venue, timeframe, depths, tuple(bars), prints)


def whatif(order: Submit, **changes: object) -> WhatIf:
    """Return an answer for an order that passes; the cheapest book is bybit's."""
    value = order.qty * Decimal(repr(PRICES[order.symbol.partition("/")[0]][0]))
    found = WhatIf(
        passed=True,
        code="DONE",
        detail="would be sent",
        checks=(
            CheckView("NOT_ARMED", True, "armed", "armed", ""),
            CheckView("POSITION_NOTIONAL", True, "5997.42", f"{value:.2f}", ""),
        ),
        position=order.qty * order.side.sign,
        exposure=Decimal("6487.20") + value,
        leverage=Decimal("0.0216"),
        stop=order.stop or Decimal("62838.1"),
        loss=Decimal("23.08"),
        liquidation=Decimal("31204.5"),
        fee=value * Decimal("0.00055"),
        routes=tuple(
            RouteView(name, order.qty, value / order.qty, Decimal(place) / 100_000, Decimal("0.6"))
            for place, name in enumerate(VENUES)
        ),
    )
    return replace(found, **changes)


def why(**changes: object) -> Why:
    """Return the chain of an order that was refused for its size."""
    found = Why(
        client_id="KC0000000000000000000042",
        venue="bybit",
        symbol=symbol("BTC"),
        ts=NOW,
        order="buy 0.037 market",
        signal=Signalled(
            "bybit", symbol("BTC"), "ema_cross", NOW, 1, 0.00031, "fast crossed above slow"
        ),
        outcome="POSITION_NOTIONAL",
        sizing=Sizing(
            Decimal(300_000),
            Decimal("0.008"),
            Decimal("64120.5"),
            Decimal("0.001"),
            Decimal("0.037"),
        ),
        checks=(
            CheckView("NOT_ARMED", True, "armed", "armed", ""),
            CheckView("POSITION_NOTIONAL", False, "6000.00", "7117.38", "7117.38 USDT"),
        ),
        happenings=(Happening(NOW + 2_400_000, "reply: accepted"),),
    )
    return replace(found, **changes)


EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x1b\\\x9b31m[@click=app.leave]\u202eevil[/]\x1b[6n"
"""Clipboard, window title, colour, markup action, direction, and a question to the terminal."""


def news(**changes: object) -> NewsView:
    """Return news: a hack with a nasty title, a story without text, one of another asset."""
    at, scorer = NOW - 120 * SECOND, "offline 00d71b79b9d2"
    hack = NewsStory(
        "a",
        "Hack\x1b[31m hits BTC",
        "Times",
        3,
        "https://t.example/hack",
        at,
        at,
        ("BTC", "ETH"),
        -0.62,
        0.5,
        scorer,
        probabilities=(0.75, 0.12, 0.13),
        names=("Times", "Post", "Gazette"),
    )
    mute = NewsStory("b", "…", "Post", 1, "", at, at, (), None, 0.0, "")
    calm = NewsStory("c", "Solana holds", "Post", 1, "", at, at, ("SOL",), 0.02, 0.6, scorer)
    parts = (NewsPart("a", hack.title, "Times", 3, -0.62, -0.55),)
    reading = NewsReading("BTC", -0.62, 0.3, 0.1, 4, at, -0.4, parts)
    refused, failed = {"too old": 3, "not English": 1}, {"quota exceeded": 2}
    sources = (
        NewsSource("feed", "ok", "", 2, refused, failed),
        NewsSource("newsapi", "needs key", "killcord keys add newsapi", 0),
    )
    found = NewsView((hack, mute, calm), (reading,), sources, scorer, "", "", at)
    return replace(found, **changes)


def evil_news() -> NewsView:
    """Return news in which every text is an attack."""
    found = news(scorer=EVIL, instead_of=EVIL, problem=EVIL, trending=(EVIL,))
    return replace(
        found,
        stories=tuple(
            replace(
                s,
                title=EVIL,
                outlet=EVIL,
                url=EVIL,
                scorer=EVIL,
                instead_of=EVIL,
                names=(EVIL,),
                opinion=NewsOpinion(EVIL, (EVIL,), EVIL, EVIL, 1.0, EVIL),
            )
            for s in found.stories
        ),
        sources=tuple(
            replace(s, name=EVIL, state=EVIL, detail=EVIL, refused={EVIL: 1}, failed={EVIL: 1})
            for s in found.sources
        ),
    )


def hostile(step: int = 0) -> Snapshot:
    """Return a picture in which every text that somebody else writes is an attack."""
    picture = busy(step)
    return replace(
        picture,
        cause=EVIL,
        market=EVIL,
        strategy=EVIL,
        environment=EVIL,
        state=TradingState.HALTED,
        kill=(KillView(EVIL, EVIL, 0, 0, 0.1, EVIL),),
        venues=tuple(replace(v, reason=EVIL, account=EVIL) for v in picture.venues),
        signals=tuple(
            replace(s, reason=EVIL, outcome=EVIL, strategy=EVIL) for s in picture.signals
        ),
        positions=tuple(replace(p, strategy=EVIL) for p in picture.positions),
        orders=tuple(
            replace(o, reason=EVIL, strategy=EVIL, client_id=EVIL + str(k))
            for k, o in enumerate(picture.orders)
        ),
        fills=tuple(replace(f, strategy=EVIL) for f in picture.fills),
        limits=tuple(replace(limit, name=EVIL, detail=EVIL) for limit in picture.limits),
        log=tuple(replace(e, kind=EVIL, text=EVIL, level="alarm") for e in picture.log),
        news=evil_news(),
    )


def empty() -> Snapshot:
    """Return the picture of a desk that has just started: nothing anywhere."""
    return busy(
        0,
        state=TradingState.DISARMED,
        cause="start",
        equity=None,
        equity_start=None,
        day_pnl=None,
        realised=Decimal(0),
        unrealised=Decimal(0),
        peak=None,
        drawdown=None,
        venues=(),
        markets=(),
        signals=(),
        positions=(),
        orders=(),
        fills=(),
        limits=(),
        log=(),
        events=0,
        refusals=0,
        unknown_orders=0,
    )
