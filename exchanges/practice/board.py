"""The public side of a practice venue: names, clock, listeners, books, trades, candles, tickers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate

from core.matching.book import Book, BookListener
from core.model.instrument import Instrument
from core.model.market import Side
from exchanges.practice.clock import HOUR_MS, FundingClock
from exchanges.practice.contracts import RULES, Contract
from exchanges.practice.state import (
    BookChanged,
    DepthSnapshot,
    Kline,
    KlineChanged,
    PracticeEvent,
    PublicTrade,
    Refusal,
    RefusalKind,
    TickerChanged,
    TickerState,
    TriggerBy,
)
from exchanges.practice.tape import FIRST_TRADE, PublicHistory, Tape

YEAR_MS = 365 * 24 * HOUR_MS
"""Of settlements that are remembered."""
Listener = Callable[[PracticeEvent], None]
"""Called synchronously, in order, possibly before the request that caused it has returned."""


class Board:
    """What everyone can see of one venue, and the outbox through which all its events go.

    Args:
        name: bybit, binance or okx.
        contracts: what is listed, by unified symbol.
        history: the instruments' past.
        funding: when funding is settled.
        clock: venue milliseconds.
        ears: makes the listener of a symbol's book.
    """

    def __init__(
        self,
        name: str,
        contracts: Mapping[str, Contract],
        history: PublicHistory,
        funding: FundingClock,
        clock: Callable[[], int],
        ears: Callable[[str], BookListener],
    ) -> None:
        self.name = name
        self.rules = RULES[name]
        self.contracts = dict(contracts)
        start = clock()
        self.tapes = {
            symbol: Tape(contract, Book(ears(symbol)), history, start)
            for symbol, contract in contracts.items()
        }
        self._clock = clock
        self.skew_ms = 0
        """How far the clock that clients see is ahead; a fault script sets it."""
        self._history = history
        self._funding = funding
        self._listeners: list[Listener] = []
        self._outbox: list[PracticeEvent] = []
        self._by_venue_symbol = {c.venue_symbol: c for c in contracts.values()}
        # Ids begin where the clock stands, so those of a later start are higher.
        self._first_number = self._trade_number = start * 10
        self._update_id = start * 1000
        # Slow facts of each symbol come once a second, at a turn of its own.
        self._next_facts = {symbol: start + 100 * at for at, symbol in enumerate(contracts)}

    @property
    def instruments(self) -> dict[str, Instrument]:
        """What is asked of orders now, by unified symbol."""
        return {symbol: contract.instrument for symbol, contract in self.contracts.items()}

    def now_ms(self) -> int:
        """Return the venue's clock, milliseconds UTC; it is wall time at every ``--speed``."""
        return self._clock() + self.skew_ms

    def contract_of(self, venue_symbol: str) -> Contract:
        """Return the contract by the venue's own symbol.

        Raises:
            Refusal: BAD_SYMBOL.
        """
        contract = self._by_venue_symbol.get(venue_symbol)
        if contract is None:
            raise Refusal(RefusalKind.BAD_SYMBOL, f"{venue_symbol!r} is not listed")
        return contract

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have every event of this venue given to ``listener``; returns the way to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _tape(self, symbol: str) -> Tape:
        tape = self.tapes.get(symbol)
        if tape is None:
            raise Refusal(RefusalKind.BAD_SYMBOL, f"{symbol!r} is not listed")
        return tape

    def _deliver(self) -> None:
        """Give the collected events to the listeners; the venue is at rest meanwhile."""
        while self._outbox:
            events, self._outbox = self._outbox, []
            for event in events:
                for listener in tuple(self._listeners):
                    listener(event)

    def _name(self, kind: str, number: int) -> str:
        if not self.rules.uuid_ids:
            return str(number)
        digest = hashlib.blake2b(f"{self.name} {kind} {number}".encode(), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    # --- market data

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        """Return the best ``limit`` levels a side with the update id they stand at.

        A later BookChanged whose ``first_id`` is greater applies on top. The snapshot is taken
        after pending changes were emitted, so no BookChanged straddles it.
        """
        tape = self._tape(symbol)
        self.publish(symbol)
        book = tape.book
        return DepthSnapshot(
            symbol, book.levels(1, limit), book.levels(-1, limit), tape.last_id, self._clock()
        )

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """Return the newest public trades, oldest first; at least the last 15 minutes are kept."""

        def name(number: int) -> str:
            # Below all ids given since the opening, which began where the clock stood.
            return self._name(f"public {symbol}", self._first_number - FIRST_TRADE + number)

        return self._tape(symbol).trades(limit, name)

    def klines(
        self,
        symbol: str,
        interval_s: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[Kline]:
        """Return candles, oldest first, the running one last where the span covers now.

        With ``start_ms`` the first ``limit`` candles from there, else the last before ``end_ms``.
        ``interval_s`` is a multiple of 60. At least 30 days are there.
        """
        now = self._clock()
        tape = self._tape(symbol)
        self._roll(tape, now)
        return tape.klines(interval_s * 1000, now, start_ms, end_ms, limit)

    def index_klines(
        self,
        symbol: str,
        interval_s: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[tuple[int, list[str]]]:
        """Return candles of the index: start; open, high, low and close. Chosen as ``klines``."""
        tape = self._tape(symbol)
        rows = tape.index_candles(interval_s * 1000, self._clock(), start_ms, end_ms, limit)
        return [
            (row[0], [format(self._fine(tape, price), "f") for price in row[1:]]) for row in rows
        ]

    def interest_history(
        self,
        symbol: str,
        interval_s: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[tuple[int, int]]:
        """Return open interest as ``(venue ms, lots)``, oldest first: an eighth of a day's volume.

        The last ``limit`` up to ``end_ms``; those from ``start_ms`` on where that is given.
        """
        day = 86_400 // interval_s
        now = self._clock()
        end = now if end_ms is None else min(end_ms, now)
        step = interval_s * 1000
        candles = self.klines(symbol, interval_s, end_ms=end - step, limit=limit + day)
        total = list(accumulate((one.lots for one in candles), initial=0))
        rows = [
            (candles[at].start_ms + step, (total[at + 1] - total[at + 1 - day]) // 8)
            for at in range(day - 1, len(candles))
        ]
        return [row for row in rows if row[0] >= (start_ms or 0)][-limit:]

    def ticker(self, symbol: str) -> TickerState:
        """Return the ticker of a symbol."""
        tape = self._tape(symbol)
        now = self._clock()
        bid, ask = tape.book.best(1), tape.book.best(-1)
        opened, high, low, close, lots, turnover, trades = tape.day(now)
        return TickerState(
            symbol=symbol,
            last_tick=tape.last_tick,
            last_lots=tape.last_lots,
            bid_tick=bid or 0,
            bid_lots=0 if bid is None else tape.book.visible(1, bid),
            ask_tick=ask or 0,
            ask_lots=0 if ask is None else tape.book.visible(-1, ask),
            mark=format(self._fine(tape, tape.mark), "f"),
            index=format(self._fine(tape, tape.index), "f"),
            open_24h_tick=opened,
            high_24h_tick=high,
            low_24h_tick=low,
            lots_24h=lots,
            turnover_24h=turnover,
            trades_24h=trades,
            change_24h=close / opened - 1 if opened else 0.0,
            funding_rate=format(self._rate(symbol, self._funding.interval(now)), "f"),
            next_funding_ms=self._funding.next_ms(now),
            funding_interval_ms=self._funding.interval_ms,
            open_interest_lots=lots // 8,
            ts_ms=now,
        )

    def tickers(self) -> Sequence[TickerState]:
        """Return the tickers of all symbols."""
        return [self.ticker(symbol) for symbol in self.tapes]

    def funding_history(
        self,
        symbol: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 100,
    ) -> list[tuple[int, Decimal]]:
        """Return settlements as ``(venue ms, rate)``, oldest first; there is a year of them.

        The last ``limit`` up to ``end_ms``; those from ``start_ms`` on where that is given.
        """
        self._tape(symbol)
        newest = self._funding.interval(self._clock()) - 1
        oldest = newest - YEAR_MS // self._funding.interval_ms
        last = newest
        if end_ms is not None:
            last = min(newest, self._funding.interval(end_ms))
            last -= self._funding.settled_ms(last) > end_ms
        first = max(oldest, last - limit + 1)
        found = [(self._funding.settled_ms(n), n) for n in range(first, last + 1)]
        return [
            (settled, self._rate(symbol, interval))
            for settled, interval in found
            if start_ms is None or settled >= start_ms
        ]

    def _rate(self, symbol: str, interval: int) -> Decimal:
        return self._history.funding_rate(self.name, symbol, interval)

    def _fine(self, tape: Tape, price: float) -> Decimal:
        """Return a mark or index price with one digit more than the tick."""
        step = tape.contract.tick / 10
        return step * round(price / float(step))

    def _mark(self, tape: Tape) -> Decimal:
        return self._fine(tape, tape.mark)

    def _price(self, tape: Tape, by: TriggerBy) -> float:
        """Return a trigger price in ticks."""
        if by is TriggerBy.LAST:
            return tape.last_tick
        price = tape.mark if by is TriggerBy.MARK else tape.index
        return round(price / tape.contract.tick_size, 3)

    # --- what the market does

    def print_trade(
        self, symbol: str, tick: int, lots: int, taker_sign: int, ts_ms: int | None = None
    ) -> None:
        """Publish a trade that happened; it moves the last price."""
        self._trade_number += 1
        self._outbox.append(
            self.tapes[symbol].print_trade(
                tick,
                lots,
                Side.BUY if taker_sign > 0 else Side.SELL,
                self._name("public", self._trade_number),
                self._clock() if ts_ms is None else ts_ms,
            )
        )

    def publish(self, symbol: str) -> None:
        """Emit what changed in a book since the last time."""
        tape = self.tapes[symbol]
        bids, asks = tape.changes()
        if bids or asks:
            first = self._update_id + 1 + self._update_id % 3
            self._update_id = first + len(bids) + len(asks) - 1
            prev, tape.last_id = tape.last_id, self._update_id
            self._outbox.append(
                BookChanged(symbol, bids, asks, prev, first, self._update_id, self._clock())
            )
        self._deliver()

    def _publish_facts(self, now: int) -> None:
        """Emit running candles and tickers that are due."""
        for symbol, due in self._next_facts.items():
            if now < due:
                continue
            self._next_facts[symbol] = max(due + 1000, now - 900)
            tape = self.tapes[symbol]
            self._roll(tape, now)
            kline = tape.running()
            if tape.dirty and kline is not None:
                tape.dirty = False
                self._outbox.append(KlineChanged(symbol, kline))
            self._outbox.append(TickerChanged(symbol))
        self._deliver()

    def _roll(self, tape: Tape, now: int) -> None:
        tape.roll(now)
        self._outbox += [KlineChanged(tape.contract.symbol, kline) for kline in tape.finished]
        tape.finished.clear()
