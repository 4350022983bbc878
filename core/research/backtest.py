"""Trading the past: candles through the live engine, matched in process by ``core.matching``.

Nothing here decides anything. The venue below answers the engine's effects with the events a real
venue would send, and the engine does not know the difference.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from math import inf

from msgspec import Struct

from core.clock import HOUR, SECOND
from core.config import Config
from core.engine.engine import Engine
from core.matching.bars import BarBook
from core.model.account import Balance, FundingPaid, VenueSwept
from core.model.effect import CancelOrder, Effect, ExecuteKill, Record, RiskEvent, SubmitOrder
from core.model.event import (
    Arm,
    Event,
    FeedChanged,
    FeedState,
    KillMode,
    KillReported,
    TradingState,
    VenueOpened,
)
from core.model.instrument import Instrument, exact
from core.model.market import Candle, Side, Ticker
from core.model.order import (
    Fill,
    Order,
    OrderKind,
    OrderReport,
    OrderSent,
    OrderStatus,
    Outcome,
    Purpose,
    TimeInForce,
)
from core.orders.ids import ClientIds
from core.portfolio.position import Position
from core.signals.strategy import Strategy

_KEY = b"killcord backtest"
_ZERO = Decimal(0)
_NEVER = 1 << 63
"""Nanoseconds; an integer, because comparing one with an infinite float is slow."""
# Looking a member up in an enum costs 0.1 us; these are read many times an order.
_ACCEPTED = Outcome.ACCEPTED
_STOP = OrderKind.STOP
_LIMIT = OrderKind.LIMIT
_CANCELLED = OrderStatus.CANCELLED


class Bars(Struct, frozen=True, gc=False):
    """Candles of one instrument as columns of equal length, oldest first."""

    ts: Sequence[int]
    """Open times, nanoseconds UTC, rising by the strategy's timeframe or more."""
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float]
    """Base units."""


class Result(Struct, frozen=True, gc=False):
    """What one instrument brought; quote currency."""

    venue: str
    symbol: str
    trades: int
    """Finished round trips."""
    realised: Decimal
    """Before fees and funding."""
    fees: Decimal
    funding: Decimal
    """Positive when received."""


class BacktestResult(Struct, frozen=True, gc=False):
    """What a backtest did."""

    bars: int
    seconds: float
    """Wall time of the run, loading not included."""
    orders: int
    fills: int
    trades: int
    """Finished round trips."""
    stops: int
    """Protective stops that were hit."""
    refusals: int
    equity_start: Decimal
    equity_end: Decimal
    realised: Decimal
    """Before fees."""
    fees: Decimal
    funding: Decimal
    """Positive when received."""
    refused: dict[str, int]
    """How often the gate or a breaker spoke, by code."""
    results: tuple[Result, ...]
    """By instrument."""
    curve: tuple[tuple[int, float], ...]
    """Equity at the start, at bars an hour or more apart, and at the end; (nanoseconds UTC, quote).
    """
    halted: str
    """Why a loss limit ended the trading; empty when none did."""
    halted_at: int
    """When; nanoseconds UTC, 0 for never."""
    decision_hash: str
    """See ``Engine.decision_hash``; empty when it was not kept."""


class _Listing:
    """One instrument at the simulated venue: its book and the orders it holds."""

    __slots__ = (
        "book",
        "due",
        "funding",
        "lot",
        "maker",
        "orders",
        "rules",
        "step",
        "taker",
        "tick",
        "top",
    )

    def __init__(
        self,
        venue: SimulatedVenue,
        rules: Instrument,
        funding: Sequence[tuple[int, float]],
        slippage: float,
    ) -> None:
        self.rules = rules
        self.tick = rules.tick
        self.step = float(rules.tick)
        self.lot = rules.lot
        self.taker = rules.taker_fee
        self.maker = rules.maker_fee
        self.orders: dict[str, Order] = {}
        self.top = 0.0
        """Highest price of the running bar."""
        self.funding = deque(funding)
        self.due = funding[0][0] if funding else _NEVER
        """When the next funding is settled, nanoseconds UTC."""

        self.book = BarBook(
            rules.tick, rules.lot, partial(venue.fill, self), partial(venue.drop, self), slippage
        )


class SimulatedVenue:
    """Stands between an engine and candle books; speaks events, hears effects.

    Args:
        engine: traded by.
        instruments: all of them on venues the engine is configured for.
        balance: cash on each venue at the start, quote.
        start: nanoseconds UTC.
        funding: settlements by instrument, oldest first; nanoseconds UTC and rate.
        slippage: of takers, part of the price.
    """

    def __init__(
        self,
        engine: Engine,
        instruments: Sequence[Instrument],
        balance: Decimal,
        start: int,
        funding: Mapping[Instrument, Sequence[tuple[int, float]]],
        slippage: float,
    ) -> None:
        self._engine = engine
        self.now = start
        """Time of what happens next, nanoseconds UTC; set by whoever walks the bars."""
        self._in_bar = False
        """Whether orders meet the rest of a running bar: always, except in ``hear``."""
        self._trades = 0
        self.orders = 0
        self.stops = 0
        self.refused: Counter[str] = Counter()
        self.halted = 0
        """When a loss limit pulled the cord; 0 for never."""
        self._kill_ids = ClientIds("BACK", 0, _KEY)
        self._killing: tuple[KillMode, set[str]] | None = None
        self._listings = {
            (i.venue, i.symbol): _Listing(self, i, funding.get(i, ()), slippage)
            for i in instruments
        }
        for venue in dict.fromkeys(i.venue for i in instruments):
            rules = tuple(i for i in instruments if i.venue == venue)
            cash = Balance(venue, "USDT", balance, start)
            self._tell(VenueOpened(venue, "backtest", rules, 0.0, start))
            self._tell(FeedChanged(venue, "private", FeedState.UP, start))
            self._tell(VenueSwept(venue, "backtest", (), (), cash, (), (), start, start))
        self._tell(Arm("backtest", start))
        self._in_bar = True

    @property
    def instruments(self) -> Iterable[tuple[str, str]]:
        """Venue and symbol of everything that is traded here."""
        return self._listings.keys()

    def listing(self, rules: Instrument) -> _Listing:
        """Return where an instrument is traded."""
        return self._listings[rules.venue, rules.symbol]

    def hear(self, effects: tuple[Effect, ...], now: int) -> None:
        """Do what the engine asked for at a bar's close: market orders wait for the next open."""
        self.now = now
        self._in_bar = False
        self._obey(effects)
        self._in_bar = True

    def settle(self, listing: _Listing, price: float) -> None:
        """Settle the funding that fell due before a bar opens, at its open."""
        rules = listing.rules
        while listing.due <= self.now:
            ts, rate = listing.funding.popleft()
            listing.due = listing.funding[0][0] if listing.funding else _NEVER
            lots = listing.book.position
            if lots:
                part = exact(rate)
                amount = -listing.lot * lots * exact(price) * part
                self._tell(FundingPaid(rules.venue, rules.symbol, amount, part, ts, self.now))
            self._tell(
                Ticker(
                    rules.venue,
                    rules.symbol,
                    last=None,
                    mark=None,
                    index=None,
                    funding_rate=rate,
                    next_funding=None,
                    change_24h=None,
                    turnover_24h=None,
                    ts=self.now,
                    received=self.now,
                )
            )

    def _tell(self, event: Event) -> None:
        effects = self._engine.process(event)
        if effects:
            self._obey(effects)

    def _obey(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            kind = type(effect)
            if kind is Record:
                continue
            if kind is SubmitOrder:
                self._submit(effect.order)  # type: ignore[union-attr]
            elif kind is CancelOrder:
                assert isinstance(effect, CancelOrder)
                self._cancel(effect.venue, effect.symbol, effect.client_id)
            elif kind is ExecuteKill:
                assert isinstance(effect, ExecuteKill)
                self._kill(effect.mode)
            elif kind is RiskEvent:
                self.refused[effect.code] += 1  # type: ignore[union-attr]

    def _submit(self, order: Order) -> None:
        listing = self._listings[order.venue, order.symbol]
        client_id = order.client_id
        listing.orders[client_id] = order
        self.orders += 1
        self._place(listing, order)
        self._tell(OrderSent(order.venue, order.symbol, client_id, _ACCEPTED, self.now, client_id))

    def _place(self, listing: _Listing, order: Order) -> None:
        book = listing.book
        sign = 1 if order.side == "buy" else -1
        lots = int(order.qty // listing.lot)
        client_id = order.client_id
        if order.kind is _STOP:
            assert order.trigger is not None
            book.stop(client_id, sign, int(order.trigger // listing.tick), lots)
        elif order.kind is _LIMIT:
            assert order.price is not None
            book.limit(
                client_id,
                sign,
                int(order.price / listing.tick),
                lots,
                post_only=order.tif is TimeInForce.POST_ONLY,
                immediate=order.tif in (TimeInForce.IOC, TimeInForce.FOK),
                reduce_only=order.reduce_only,
            )
        elif self._in_bar:
            # A market order given while the bar runs meets what is left of its path: a limit
            # beyond every price of the bar, at once or not at all.
            tick = 2 * int(listing.top / listing.step) if sign > 0 else 1
            book.limit(client_id, sign, tick, lots, immediate=True, reduce_only=order.reduce_only)
        else:
            book.market(client_id, sign, lots, order.reduce_only)

    def _cancel(self, venue: str, symbol: str, client_id: str) -> None:
        listing = self._listings[venue, symbol]
        order = listing.orders.get(client_id)
        if order is not None and listing.book.cancel(client_id):
            self._end(listing, order, "cancelled by request")

    def drop(self, listing: _Listing, client_id: str, reason: str) -> None:
        """Tell of an order that ended without being cancelled."""
        order = listing.orders.get(client_id)
        if order is not None:
            self._end(listing, order, reason)

    def _end(self, listing: _Listing, order: Order, reason: str) -> None:
        del listing.orders[order.client_id]
        self._tell(
            OrderReport(
                order.venue,
                order.symbol,
                order.client_id,
                order.client_id,
                order.side,
                order.kind,
                _CANCELLED,
                order.qty,
                _ZERO,
                self.now,
                self.now,
                reason=reason,
            )
        )

    def fill(
        self, listing: _Listing, client_id: str, sign: int, lots: int, tick: int, maker: bool
    ) -> None:
        """Tell of a fill."""
        order = listing.orders.pop(client_id)
        qty = listing.lot * lots
        price = listing.tick * tick
        now = self.now
        self._trades += 1
        if order.kind is _STOP:
            self.stops += 1
        self._tell(
            Fill(
                order.venue,
                order.symbol,
                str(self._trades),
                client_id,
                client_id,
                order.side,
                qty,
                price,
                qty * price * (listing.maker if maker else listing.taker),
                maker,
                now,
                now,
            )
        )
        if self._killing is not None:
            self._verify_kill()

    # --- the kill ---------------------------------------------------------------------------------

    def _kill(self, mode: KillMode) -> None:
        """Cancel, and close at the next price; the verdict follows the last fill."""
        self.halted = self.halted or self.now
        if mode is KillMode.HALT:
            return
        for listing in self._listings.values():
            for client_id, order in list(listing.orders.items()):
                if mode is KillMode.FLATTEN or order.kind is not _STOP:
                    self._cancel(order.venue, order.symbol, client_id)
            if mode is KillMode.FLATTEN and listing.book.position:
                self._flatten(listing)
        self._killing = mode, {rules.rules.venue for rules in self._listings.values()}
        self._verify_kill()

    def _flatten(self, listing: _Listing) -> None:
        rules = listing.rules
        lots = listing.book.position
        order = Order(
            self._kill_ids.next(Purpose.KILL),
            rules.venue,
            rules.symbol,
            Side.SELL if lots > 0 else Side.BUY,
            OrderKind.MARKET,
            listing.lot * abs(lots),
            self.now,
            reduce_only=True,
            purpose=Purpose.KILL,
        )
        listing.orders[order.client_id] = order
        self._place(listing, order)

    def _verify_kill(self) -> None:
        if self._killing is None:
            return
        mode, waiting = self._killing
        for venue in sorted(waiting):
            mine = [one for one in self._listings.values() if one.rules.venue == venue]
            if mode is KillMode.FLATTEN and any(one.book.position for one in mine):
                continue
            waiting.discard(venue)
            verdict = "FLAT_VERIFIED" if mode is KillMode.FLATTEN else "CANCELLED_ONLY"
            self._tell(KillReported(venue, mode, verdict, 0, 0, 0.0, self.now))
        if not waiting:
            self._killing = None


class _Watch:
    """Notes equity once an hour, and tells how far the run is."""

    def __init__(
        self, engine: Engine, total: int, start: int, progress: Callable[[float], object] | None
    ) -> None:
        self._engine = engine
        self._total = total
        self._progress = progress
        self.due = start - start % HOUR + HOUR
        self.curve: list[tuple[int, float]] = []
        self.note(start)

    def look(self, ts: int, done: int) -> None:
        """Note equity as a bar opens, before its orders are matched."""
        self.due = ts - ts % HOUR + HOUR
        self.note(ts)
        if self._progress is not None:
            self._progress(done / self._total)

    def note(self, ts: int) -> None:
        """Note equity."""
        equity = self._engine.equity()
        assert equity is not None
        self.curve.append((ts, float(equity)))


def run_backtest(
    candles: Mapping[Instrument, Bars],
    config: Config,
    *,
    balance: Decimal = Decimal(100_000),
    funding: Mapping[Instrument, Sequence[tuple[int, float]]] | None = None,
    slippage: float = 0.0,
    hashing: bool = True,
    make_strategy: Callable[[], Strategy] | None = None,
    progress: Callable[[float], object] | None = None,
) -> BacktestResult:
    """Trade candles with the configured strategy, through the whole order and risk path.

    A market order decided at a bar's close fills at the next bar's open, as taker; the entry that
    follows the exit of a flip fills at the same open. Stops trigger along each bar's path and are
    placed when their entry is filled. A loss limit halts and flattens as it would live. Funding is
    settled at the open of the first bar at or after its time, on what was held into that bar.

    Args:
        candles: columns for each instrument; their spacing is ``config.strategy.timeframe``.
        config: its venues and symbols must cover the instruments.
        balance: cash on each venue at the start, quote.
        funding: settlements, oldest first: nanoseconds UTC, and fraction of notional that longs
            pay.
        slippage: part of the price by which each taker fill is worse.
        hashing: keep ``decision_hash``.
        make_strategy: see ``Engine``.
        progress: told the part that is done, 0 to 1, at most once an hour of market time.

    Raises:
        ValueError: no candles, columns of different lengths, or an instrument the configuration
            does not trade.
    """
    count = _check(candles, config)
    start = min(bars.ts[0] for bars in candles.values() if len(bars.ts))
    engine = Engine(
        config,
        ClientIds("BACK", 0, _KEY),
        sweep_within=inf,
        hashing=hashing,
        make_strategy=make_strategy,
    )
    begun = time.perf_counter()
    later = {
        rules: [one for one in settled if one[0] > start]
        for rules, settled in (funding or {}).items()
    }
    venue = SimulatedVenue(engine, tuple(candles), balance, start, later, slippage)
    watch = _Watch(engine, count, start, progress)
    if len(candles) == 1:
        ((rules, bars),) = candles.items()
        end = _run_one(engine, venue, watch, rules, bars, int(config.strategy.timeframe))
    else:
        end = _run_many(engine, venue, watch, candles, int(config.strategy.timeframe))
    watch.note(end)
    return _result(engine, venue, watch, count, time.perf_counter() - begun, balance, config)


def _check(candles: Mapping[Instrument, Bars], config: Config) -> int:
    """Return how many bars there are.

    Raises:
        ValueError: see ``run_backtest``.
    """
    if {rules.venue for rules in candles} != set(config.venues):
        raise ValueError("the configured venues must be those of the instruments")
    for rules, bars in candles.items():
        if rules.symbol not in config.symbols:
            raise ValueError(f"{rules.symbol} is not among the configured symbols")
        columns = (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"{rules.venue} {rules.symbol}: columns of different lengths")
    count = sum(len(bars.ts) for bars in candles.values())
    if not count:
        raise ValueError("no candles")
    return count


def _run_one(
    engine: Engine,
    venue: SimulatedVenue,
    watch: _Watch,
    rules: Instrument,
    bars: Bars,
    timeframe: int,
) -> int:
    """Walk one instrument's bars; return when the last one closed."""
    name, symbol = rules.venue, rules.symbol
    span = timeframe * SECOND
    process = engine.process
    listing = venue.listing(rules)
    book = listing.book
    end = 0
    columns = zip(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    for ts, open_, high, low, close, volume in columns:
        if ts >= watch.due:
            watch.look(ts, (ts - bars.ts[0]) // span)
        # Most bars meet no order and settle nothing: they cost these comparisons.
        if low <= book.below or high >= book.above or ts >= listing.due:
            venue.now = ts
            listing.top = high
            if ts >= listing.due:
                venue.settle(listing, open_)
            book.bar(open_, high, low, close)
        end = ts + span
        effects = process(Candle(name, symbol, timeframe, open_, high, low, close, volume, ts, end))
        if effects:
            venue.hear(effects, end)
    return end


_Row = tuple[int, int, float, float, float, float, float]


def _rows(index: int, bars: Bars) -> Iterator[_Row]:
    """Yield bars as tuples that sort by time, then by the order the instruments were given in."""
    columns = zip(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    for ts, open_, high, low, close, volume in columns:
        yield ts, index, open_, high, low, close, volume


def _run_many(
    engine: Engine,
    venue: SimulatedVenue,
    watch: _Watch,
    candles: Mapping[Instrument, Bars],
    timeframe: int,
) -> int:
    """Walk the bars of all instruments that opened together, then tell of their closes."""
    rules = tuple(candles)
    span = timeframe * SECOND
    listings = [venue.listing(one) for one in rules]
    merged = heapq.merge(*(_rows(index, bars) for index, bars in enumerate(candles.values())))
    together: list[_Row] = []
    done = 0
    for row in merged:
        ts = row[0]
        if together and ts != together[0][0]:
            _close(engine, venue, rules, together, timeframe, span)
            done += len(together)
            together.clear()
        listing = listings[row[1]]
        venue.now = ts
        listing.top = row[3]
        if ts >= watch.due:
            watch.look(ts, done)
        if ts >= listing.due:
            venue.settle(listing, row[2])
        listing.book.bar(*row[2:6])
        together.append(row)
    _close(engine, venue, rules, together, timeframe, span)
    return together[0][0] + span


def _close(
    engine: Engine,
    venue: SimulatedVenue,
    rules: Sequence[Instrument],
    rows: Sequence[_Row],
    timeframe: int,
    span: int,
) -> None:
    for ts, index, open_, high, low, close, volume in rows:
        one = rules[index]
        candle = Candle(
            one.venue, one.symbol, timeframe, open_, high, low, close, volume, ts, ts + span
        )
        effects = engine.process(candle)
        if effects:
            venue.hear(effects, ts + span)


def _result(
    engine: Engine,
    venue: SimulatedVenue,
    watch: _Watch,
    bars: int,
    seconds: float,
    balance: Decimal,
    config: Config,
) -> BacktestResult:
    ledger = engine.ledger
    equity = engine.equity()
    assert equity is not None
    return BacktestResult(
        bars=bars,
        seconds=seconds,
        orders=venue.orders,
        fills=ledger.fills,
        trades=sum(position.trips for position in ledger.positions.values()),
        stops=venue.stops,
        refusals=engine.refusals,
        equity_start=balance * len(config.venues),
        equity_end=equity,
        realised=ledger.realised,
        fees=ledger.fees,
        funding=ledger.funding,
        refused=dict(sorted(venue.refused.items())),
        results=tuple(
            Result(p.venue, p.symbol, p.trips, p.realised, p.fees, p.funding)
            for p in (ledger.positions.get(key) or Position(*key) for key in venue.instruments)
        ),
        curve=tuple(watch.curve),
        halted=engine.cause if engine.state is TradingState.HALTED else "",
        halted_at=venue.halted,
        decision_hash=engine.decision_hash,
    )
