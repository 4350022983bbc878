"""A market made around price paths: books, trades and a past on three venues.

The paths may be seeded (``paths``) or those of recorded candles (``candles``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import numpy as np

from exchanges.practice.contracts import VENUE_COLUMN, Contract, Listing, list_contracts
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.paths import STEP_MS, STEPS, WARM_BLOCKS, Block, Floats, Past
from exchanges.practice.quoter import Quoter
from exchanges.practice.tape import HOUR_MS, MINUTE_MS, CandleHistory, IndexHistory, Ints

VENUE_SIZE = (0.8, 1.0, 0.6)
"""Activity of Bybit, Binance and OKX relative to the largest."""
_BUSY = 2.0
"""Trades a second from which a book changes every step; others change every second one."""
_MARK_STEPS = 10
_TRADE_SD = 1.2
_MOST_STEPS = 300


class Flow:
    """Trades of one instrument in one block: parallel lists in step order."""

    __slots__ = ("at", "lots", "signs", "steps")

    def __init__(self, steps: list[int], signs: list[int], lots: list[int]) -> None:
        self.steps = steps
        self.signs = signs
        self.lots = lots
        self.at = 0

    def take(self, step: int) -> Iterator[tuple[int, int]]:
        """Yield ``(taker sign, lots)`` of the trades up to a step."""
        while self.at < len(self.steps) and self.steps[self.at] <= step:
            yield self.signs[self.at], self.lots[self.at]
            self.at += 1


class Lane:
    """One instrument at one venue: turns price paths into quotes and trades."""

    def __init__(
        self, seed: int, venue: str, column: int, listing: Listing, contract: Contract
    ) -> None:
        self.contract = contract
        self.symbol = contract.symbol
        self.venue = venue
        self.column = column
        self.row = VENUE_COLUMN[venue]
        self.busy = listing.trade_rate >= _BUSY
        self._seed = seed
        size = VENUE_SIZE[self.row]
        lot_value = listing.price * contract.lot_size
        self.rate = listing.trade_rate * size * STEP_MS / 1000
        """Trades a step."""
        self.touch = listing.touch * size / lot_value
        self.mean = math.log(max(listing.touch * size * 0.03 / lot_value, 1.0))
        self.gap = max(round(listing.price * 3e-5 / contract.tick_size), 1)

    def bids(self, block: Block) -> Ints:
        """Return the best bid of every step, ticks; the best ask is one tick above it."""
        mids = block.prices[:, self.column] * np.exp(block.basis[self.row, :, self.column])
        return np.floor(mids / self.contract.tick_size).astype(np.int64)

    def flow(self, index: int, block: Block) -> Flow:
        """Return the trades of a block: more when prices move, and with them."""
        rng = np.random.default_rng([self._seed, 4, index + WARM_BLOCKS, self.row, self.column])
        counts = rng.poisson(self.rate * np.sqrt(block.heat))
        steps = np.repeat(np.arange(STEPS), counts)
        prices = block.prices[:, self.column]
        moves = np.diff(prices, prepend=prices[0]) / prices
        lean = 0.5 + 0.35 * np.tanh(moves / (np.std(moves) + 1e-12))
        signs = np.where(rng.random(len(steps)) < lean[steps], 1, -1)
        lots = np.exp(rng.normal(self.mean, _TRADE_SD, len(steps)))
        return Flow(steps.tolist(), signs.tolist(), np.maximum(lots.astype(np.int64), 1).tolist())


class Paths(Protocol):
    """Prices of several assets on three venues, from before the opening on."""

    def block(self, index: int) -> Block | None:
        """Return a minute of steps; asked for in rising order from the warm-up on.

        None when the prices have come to their end.
        """
        ...

    def past(self, row: int, column: int, tick: float) -> Past:
        """Return the one-minute candles before the warm-up, of a venue and an asset, in ticks."""
        ...

    def distant(self, row: int, column: int, tick: float) -> Past:
        """Return the one-hour candles before those of ``past``, as far as there are any."""
        ...

    def index(self, row: int, column: int, tick: float) -> tuple[Floats, Floats]:
        """Return the index at all bounds of the minutes of ``past``, and at the hours before.

        The last of those hours is the one in which the minutes begin.
        """
        ...

    def status(self) -> dict[str, Any]:
        """Return facts about the source for ``/practice/status``."""
        ...


class PathMarket:
    """Perpetuals on three venues, quoted and traded along price paths. Implements ``Market``.

    Args:
        seed: of books and trades; the same seed and paths give the same market, step by step.
        listings: what is traded, in the order of the paths' columns.
    """

    def __init__(
        self, seed: int, listings: Sequence[Listing], paths: Paths, description: str
    ) -> None:
        self.description = description
        self._seed = seed
        self._listings = tuple(listings)
        self._paths = paths
        self._warm = [
            block
            for index in range(-WARM_BLOCKS, 0)
            if (block := self._paths.block(index)) is not None
        ]
        self._lanes = [
            Lane(seed, venue, column, listing, contract)
            for venue in VENUE_COLUMN
            for column, (listing, contract) in enumerate(
                zip(self._listings, list_contracts(venue, self._listings).values(), strict=True)
            )
        ]
        self._by_name = {(lane.venue, lane.symbol): lane for lane in self._lanes}
        self._venues: dict[str, PracticeVenue] = {}
        self._quoters: list[Quoter] = []
        self._bids: list[list[int]] = []
        self._flows: list[Flow] = []
        self._start_ms = 0
        self._speed = 1.0
        self._stride = 1
        self._step = -1
        self._block = -1
        self._minute = self._warm[-1]
        self._trades = 0
        self._finished = False

    def contracts(self, venue: str) -> dict[str, Contract]:
        """Return what a venue lists."""
        return {lane.symbol: lane.contract for lane in self._lanes if lane.venue == venue}

    # --- the live part

    def open(self, venues: Mapping[str, PracticeVenue], start_ms: int, speed: float) -> None:
        """Set the first books and marks."""
        self._venues = dict(venues)
        self._start_ms = start_ms
        self._speed = speed
        # A faster market makes more steps a second; its books still change ten times a second.
        self._stride = max(round(speed), 1)
        self._lanes = [lane for lane in self._lanes if lane.venue in venues]
        self._quoters = [
            Quoter(
                venues[lane.venue].tapes[lane.symbol].book,
                f"{self._seed} {lane.venue} {lane.symbol}",
                lane.touch,
                lane.gap,
            )
            for lane in self._lanes
        ]
        last = self._warm[-1]
        for lane, quoter in zip(self._lanes, self._quoters, strict=True):
            bid = int(lane.bids(last)[-1])
            quoter.move(bid, bid + 1)
            venue = venues[lane.venue]
            self._set_mark(lane, last, STEPS - 1)
            venue.tapes[lane.symbol].last_tick = bid
            venue.publish(lane.symbol)

    def advance(self, now_ms: int) -> None:
        """Play every step up to a venue-clock time."""
        target = int((now_ms - self._start_ms) * self._speed / STEP_MS)
        # After a suspended machine wakes, catch up in pieces that leave the server answering.
        target = min(target, self._step + _MOST_STEPS * self._stride)
        while self._step < target and not self._finished:
            self._step += 1
            self._play(self._step)
        for lane in self._lanes:
            self._venues[lane.venue].publish(lane.symbol)

    def _play(self, step: int) -> None:
        index, row = divmod(step, STEPS)
        if index != self._block:
            block = self._paths.block(index)
            if block is None:
                self._finished = True
                return
            self._minute = block
            self._block = index
            self._bids = [lane.bids(block).tolist() for lane in self._lanes]
            self._flows = [lane.flow(index, block) for lane in self._lanes]
        block = self._minute
        quoting = step % self._stride == 0
        turn = step // self._stride
        ts_ms = self._start_ms + int(step * STEP_MS / self._speed)
        for number, lane in enumerate(self._lanes):
            bid = self._bids[number][row]
            if quoting and (lane.busy or (turn + number) % 2 == 0):
                self._quoters[number].move(bid, bid + 1)
            venue = self._venues[lane.venue]
            for sign, lots in self._flows[number].take(row):
                self._trades += 1
                best = venue.tapes[lane.symbol].book.best(-sign)
                if best is not None:
                    venue.market_trade(lane.symbol, best, lots, sign, ts_ms)
            if (step + number) % (_MARK_STEPS * self._stride) == 0:
                self._set_mark(lane, block, row)

    def _set_mark(self, lane: Lane, block: Block, row: int) -> None:
        index = float(block.prices[row, lane.column])
        mark = index * math.exp(float(block.basis[lane.row, row, lane.column]))
        self._venues[lane.venue].set_mark(lane.symbol, mark, index)

    def status(self) -> dict[str, Any]:
        """Return facts for ``/practice/status``."""
        return {
            "seed": self._seed,
            "market_seconds": round((self._step + 1) * STEP_MS / 1000, 1),
            "messages": self._trades,
            "finished": self._finished,
            **self._paths.status(),
        }

    # --- the past

    def candles(self, venue: str, symbol: str) -> CandleHistory:
        """Return 30 days of one-minute candles, the last half hour made of the known trades."""
        lane = self._by_name[venue, symbol]
        warm = self._warm_trades(lane)
        start = self._start_ms - WARM_BLOCKS * MINUTE_MS
        recent = _candles_of(warm, start)
        older = self._older(lane, int(recent.start_ms[0]), int(recent.open[0]))
        joined = (
            np.concatenate([getattr(older, name), getattr(recent, name)])
            for name in CandleHistory.__struct_fields__
        )
        return _compact(*joined)

    def last_minute(self, venue: str, symbol: str) -> CandleHistory:
        """Return the last of those candles: its trades are in the last two blocks."""
        trades = self._warm_trades(self._by_name[venue, symbol], 2)
        if not len(trades[0]):
            return self.candles(venue, symbol).last()
        return _candles_of(trades, self._start_ms - WARM_BLOCKS * MINUTE_MS).last()

    def hours(self, venue: str, symbol: str) -> CandleHistory:
        """Return a year of one-hour candles before those minutes, where the paths have it."""
        lane = self._by_name[venue, symbol]
        past = self._paths.distant(lane.row, lane.column, lane.contract.tick_size)
        count = len(past.close)
        if not count:
            return CandleHistory.empty()
        first = int(self.candles(venue, symbol).start_ms[0])
        # The last hour is the one in which the minutes begin: it is joined with its part of them.
        starts = first - first % HOUR_MS - np.arange(count - 1, -1, -1, dtype=np.int64) * HOUR_MS
        return self._dress(lane, past, past.close, starts, 60, 9)

    def index(self, venue: str, symbol: str) -> IndexHistory:
        """Return a year of hours and 30 days of minutes, where the paths have them."""
        lane = self._by_name[venue, symbol]
        minutes, hours = self._paths.index(lane.row, lane.column, lane.contract.tick_size)
        opened = self._start_ms - WARM_BLOCKS * MINUTE_MS
        warm = np.concatenate([block.prices[:, lane.column] for block in self._warm])
        first = opened - opened % MINUTE_MS + MINUTE_MS
        ends = np.arange(first, self._start_ms + 1, MINUTE_MS)
        recent = warm[(ends - opened) // STEP_MS - 1]
        # As the candles before the warm-up: the last minute ends where the warm-up's first begins,
        # the last whole hour before the first minute.
        older = first - np.arange(len(minutes), 0, -1, dtype=np.int64) * MINUTE_MS
        last = int(older[0]) - int(older[0]) % HOUR_MS
        far = last - np.arange(len(hours) - 1, -1, -1, dtype=np.int64) * HOUR_MS
        return IndexHistory(
            np.concatenate([far, older, ends]), np.concatenate([hours, minutes, recent])
        )

    def _older(self, lane: Lane, before_ms: int, meets: int) -> CandleHistory:
        past = self._paths.past(lane.row, lane.column, lane.contract.tick_size)
        closes = past.close.copy()
        if len(closes):
            closes[-1] = meets
        starts = before_ms - np.arange(len(closes), 0, -1, dtype=np.int64) * MINUTE_MS
        return self._dress(lane, past, closes, starts, 1, 5)

    def _dress(
        self, lane: Lane, past: Past, closes: Ints, starts: Ints, minutes: int, stream: int
    ) -> CandleHistory:
        """Give candles of ``minutes`` each their trades and volumes, drawn from a seeded stream."""
        count = len(closes)
        rng = np.random.default_rng([self._seed, stream, lane.row, lane.column])
        highs, lows = np.maximum(past.high, closes), np.minimum(past.low, closes)
        trades = np.maximum(rng.poisson(lane.rate * STEPS * minutes * np.sqrt(past.heat)), 1)
        mean = math.exp(lane.mean + _TRADE_SD**2 / 2)
        lots = np.maximum((trades * mean * rng.uniform(0.7, 1.3, count)).astype(np.int64), 1)
        buys = (lots * rng.uniform(0.35, 0.65, count)).astype(np.int64)
        return _compact(starts, past.open, highs, lows, closes, lots, buys, trades)

    def _warm_trades(self, lane: Lane, last: int = WARM_BLOCKS) -> tuple[Ints, Ints, Ints, Ints]:
        """Return ms, tick, lots and taker sign of every trade of the warm-up's last blocks."""
        columns: list[list[Any]] = [[], [], [], []]
        start = self._start_ms - WARM_BLOCKS * MINUTE_MS
        for number, block in list(enumerate(self._warm))[-last:]:
            flow = lane.flow(number - WARM_BLOCKS, block)
            steps = np.array(flow.steps, np.int64)
            signs = np.array(flow.signs, np.int64)
            columns[0].append(start + (number * STEPS + steps) * STEP_MS)
            columns[1].append(lane.bids(block)[steps] + (signs > 0))
            columns[2].append(np.array(flow.lots, np.int64))
            columns[3].append(signs)
        ms, ticks, lots, signs = (np.concatenate(column) for column in columns)
        return ms, ticks, lots, signs

    def trades(self, venue: str, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return the trades of the warm-up."""
        columns = self._warm_trades(self._by_name[venue, symbol])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def funding_rate(self, venue: str, symbol: str, interval: int) -> Decimal:
        """Return a funding rate: around 1 bp, some of them negative."""
        lane = self._by_name[venue, symbol]
        rng = np.random.default_rng([self._seed, 6, lane.row, lane.column, interval])
        return (
            Decimal(round(float(rng.normal(8.0, 7.0)) * 1000)).scaleb(-8).quantize(Decimal("1e-8"))
        )


def _compact(starts: Ints, *others: Ints) -> CandleHistory:
    # Thirty histories of 43,200 minutes are held: times need 64 bits, the rest does with 32.
    return CandleHistory(starts, *(column.astype(np.int32) for column in others))


def _candles_of(trades: tuple[Ints, Ints, Ints, Ints], start_ms: int) -> CandleHistory:
    """Make candles of trades; a minute without any repeats the close before it."""
    ms, ticks, lots, signs = trades
    minute = ms // MINUTE_MS
    first = start_ms // MINUTE_MS
    count = int(minute[-1] - first) + 1
    edges = np.searchsorted(minute, np.arange(first, first + count + 1))
    begins, ends = edges[:-1], edges[1:]
    filled = ends > begins
    last = np.maximum(ends - 1, 0)
    closes = ticks[last]
    opens = np.where(filled, ticks[np.minimum(begins, len(ticks) - 1)], closes)
    highs, lows = closes.copy(), closes.copy()
    at = begins[filled]
    highs[filled] = np.maximum.reduceat(ticks, at)
    lows[filled] = np.minimum.reduceat(ticks, at)
    total = np.zeros(count, np.int64)
    bought = np.zeros(count, np.int64)
    total[filled] = np.add.reduceat(lots, at)
    bought[filled] = np.add.reduceat(np.where(signs > 0, lots, 0), at)
    starts = (first + np.arange(count, dtype=np.int64)) * MINUTE_MS
    return CandleHistory(starts, opens, highs, lows, closes, total, bought, ends - begins)
