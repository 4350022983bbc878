"""Market events: believed or dropped, made into candles, given to the strategies."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from os.path import basename
from traceback import extract_tb

from core.clock import HOUR, SECOND
from core.engine.slot import Slot
from core.engine.world import World
from core.market.candles import CandleBuilder
from core.market.validation import (
    FUTURE,
    check_candle,
    check_depth,
    check_ticker,
    check_top,
    check_trade,
)
from core.model.effect import Signalled
from core.model.event import Event, SentimentScored
from core.model.market import (
    BadMessage,
    BookTop,
    Candle,
    Depth,
    Fact,
    FactTold,
    FundingSettled,
    Ticker,
    Trade,
)
from core.risk.codes import Code
from core.risk.portfolio import HOUR_S
from core.signals.decision import Decision
from core.signals.ensemble import Ensemble, MemberFailed
from core.signals.families.basis import KEPT as FACTS
from core.signals.families.funding import KEPT as SETTLEMENTS
from core.signals.news_filter import heed
from core.signals.strategy import Strategy

_SAY_AGAIN = 10 * SECOND
"""The same complaint about a venue is made at most this often."""
_OLD = 5 * SECOND
"""A candle known this much later than one timeframe after its end is history, not news."""
_PATIENCE = 5 * SECOND
"""A decision waits at most this long after its candle's end for the candles of companions."""
_FACTS = len(Fact) * FACTS
_MARK_LIFE = 15 * SECOND
"""A mark price older than this gives way to the middle of the book."""


class Feed:
    """Takes market events. Everything here runs thousands of times a second."""

    def __init__(self, world: World, follow: Callable[[Slot, int], str]) -> None:
        self._world = world
        self._slots = world.slots
        self._follow = follow
        self._timeframe = int(world.config.strategy.timeframe)
        self._span = self._timeframe * SECOND
        self._soonest = self._span - FUTURE
        """After its open a candle cannot be known to be closed before this."""
        self._building: list[Slot] = []
        self._hour = 0
        self._bar = world.config.strategy.news_filter

    def trade(self, event: Trade) -> None:
        """Take a public trade."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        price = event.price
        ts = event.ts
        reason = check_trade(event, slot.last, slot.trade_ts)
        if reason:
            self._bad(event.venue, "trades", reason)
            return
        if ts >= slot.trade_ts:
            slot.trade_ts = ts
            slot.last = price
            if not slot.mark and not slot.bid:
                slot.price = price
        if slot.context is not None:
            self._tell(slot, event)
        builder = slot.builder
        if builder is None:
            builder = slot.builder = CandleBuilder(slot.venue, slot.symbol, self._timeframe)
            self._building.append(slot)
        closed = builder.add(price, event.qty, ts, event.received)
        if closed is not None:
            for candle in closed:
                self._closed(slot, candle)

    def top(self, event: BookTop) -> None:
        """Take a new best bid and ask; an older one than the last is dropped."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        bid, ask = event.bid, event.ask
        last = (slot.bid + slot.ask) * 0.5
        reason = check_top(event, last, slot.book_ts)
        if reason:
            self._bad(event.venue, "books", reason)
            return
        if event.ts < slot.book_ts:
            return
        slot.book_ts = event.ts
        slot.book_received = event.received
        slot.bid = bid
        slot.bid_qty = event.bid_qty
        slot.ask = ask
        slot.ask_qty = event.ask_qty
        if slot.mark and event.received - slot.marked > _MARK_LIFE:
            slot.mark = 0.0
        if not slot.mark:
            slot.price = (bid + ask) * 0.5
        if slot.context is not None:
            self._tell(slot, event)

    def depth(self, event: Depth) -> None:
        """Take book levels: the freshest word on the top of the book, and proof that it lives."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        reason = check_depth(event)
        if reason:
            self._bad(event.venue, "books", reason)
            return
        if event.ts >= slot.book_ts and event.bids and event.asks:
            (bid, bid_qty), (ask, ask_qty) = event.bids[0], event.asks[0]
            self.top(
                BookTop(
                    event.venue,
                    event.symbol,
                    bid,
                    bid_qty,
                    ask,
                    ask_qty,
                    event.ts,
                    event.received,
                )
            )
            if slot.context is not None:
                self._tell(slot, event)

    def ticker(self, event: Ticker) -> None:
        """Take the slow facts of an instrument."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        reason = check_ticker(event, slot.mark, slot.mark_ts)
        if reason:
            self._bad(event.venue, "tickers", reason)
            return
        if event.mark is not None:
            slot.mark = slot.price = event.mark
            slot.mark_ts = event.ts
            slot.marked = event.received
        if event.last is not None and not slot.last:
            slot.last = event.last
            if not slot.price:
                slot.price = event.last
        if event.index is not None:
            slot.index = event.index
        if event.funding_rate is not None:
            slot.funding_rate = event.funding_rate
            self._fund(slot, event.funding_rate)
        if event.next_funding is not None:
            slot.next_funding = event.next_funding
        if event.change_24h is not None:
            slot.change_24h = event.change_24h
        if event.open_interest is not None:
            slot.open_interest = event.open_interest
        if slot.context is not None:
            self._tell(slot, event)

    def settled(self, event: FundingSettled) -> None:
        """Take what funding was settled; the strategies' contexts hear it."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        if not -1.0 < event.rate < 1.0 or event.ts > event.received + FUTURE:
            self._bad(event.venue, "funding", "no settlement: its rate or its time is impossible")
            return
        slot.settled[event.ts] = event
        while len(slot.settled) > SETTLEMENTS:
            del slot.settled[min(slot.settled)]
        if slot.context is not None:
            self._tell(slot, event)

    def told(self, event: FactTold) -> None:
        """Take what a fact stood at before; the strategies' contexts hear it."""
        slot = self._slots.get((event.venue, event.symbol))
        if slot is None:
            return
        # A backtest tells what stands at the end of a candle as it opens.
        latest = event.received + self._span + FUTURE
        if not 0.0 < event.value < inf or event.ts > latest:
            self._bad(event.venue, event.fact, f"no {event.fact}: value or time is impossible")
            return
        slot.facts[event.ts, event.fact] = event
        while len(slot.facts) > _FACTS:
            del slot.facts[min(slot.facts)]
        if slot.context is not None:
            self._tell(slot, event)

    def sentiment(self, event: SentimentScored) -> None:
        """Let the contexts hear what the news says."""
        for slot in self._slots.values():
            if slot.context is not None:
                self._tell(slot, event)

    def candle(self, event: Candle) -> None:
        """Take a closed candle from outside: history at a start, or a backtest."""
        try:
            slot = self._slots[event.venue, event.symbol]
        except KeyError:
            return
        ts = event.ts
        if event.timeframe != self._timeframe or ts <= slot.candle_ts:
            if event.timeframe == HOUR_S:
                self._world.portfolio.add(event.symbol, ts, event.close)
            return
        received = event.received
        low, high, close = event.low, event.high, event.close
        # check_candle written out, a tenth of a backtest's time; it names the reason.
        if not (
            0.0 < low <= event.open <= high < inf
            and low <= close <= high
            and 0.0 <= event.volume < inf
            and received - ts >= self._soonest
        ):
            self._bad(event.venue, "candles", check_candle(event))
            return
        if not slot.bid:
            # No book was ever seen: candles are all the market there is, as in a backtest.
            slot.book_received = received
            slot.last = close
            if not slot.mark:
                slot.price = close
        slot.candle_ts = ts
        slot.closes.append(close)
        if slot.linked:
            self._join(slot, event)
            return
        strategy = slot.strategy
        if strategy is not None:
            # Written out as in _closed: a call more is a fiftieth of a backtest's time.
            try:
                decision = strategy.on_candle(event)
            except Exception as error:  # theirs, not ours: it must not take the desk down
                self.stop(slot, error)
                return
            if decision is not None:
                self.decided(slot, event, decision)

    def bad(self, event: BadMessage) -> None:
        """Count a message the adapter could not read."""
        self._bad(event.venue, event.channel, event.reason)

    def beat(self) -> None:
        """Close candles that ended without a further trade."""
        now = self._world.now
        for slot in self._building:
            assert slot.builder is not None
            closed = slot.builder.tick(now)
            if closed is not None:
                for candle in closed:
                    self._closed(slot, candle)
        if now // HOUR != self._hour:
            self._hour = now // HOUR
            prices = {slot.symbol: slot.price for slot in self._slots.values() if slot.price}
            self._world.portfolio.close_hour(now, prices)
        for slot in self._slots.values():
            late = slot.waiting
            if late is not None and now - late.ts - self._span >= _PATIENCE:
                self._wait_no_more(slot)

    def _closed(self, slot: Slot, candle: Candle) -> None:
        if candle.ts <= slot.candle_ts:
            return
        slot.candle_ts = candle.ts
        slot.closes.append(candle.close)
        if slot.linked:
            self._join(slot, candle)
        elif slot.strategy is not None:
            self._ask(slot, slot.strategy, candle)

    def _ask(self, slot: Slot, strategy: Strategy, candle: Candle) -> None:
        """Show a strategy a closed candle, the context with it, and act on what it decides."""
        try:
            if slot.context is not None:
                slot.context.close(candle)
            decision = strategy.on_candle(candle)
        except Exception as error:  # as in candle
            self.stop(slot, error)
            return
        if decision is not None:
            self.decided(slot, candle, decision)

    def _join(self, slot: Slot, candle: Candle) -> None:
        """Tell the followers of a candle; show it to its own strategy when its company is there.

        Candles that end together close in any order, live within a second or two. Who waits sees
        all of them, so that live, replay and backtest decide on the same numbers.
        """
        if slot.waiting is not None:
            self._wait_no_more(slot)
        if slot.strategy is not None:
            slot.waiting = candle
            if slot.context is None or not slot.context.awaits(candle):
                self._wait_no_more(slot)
        for other in slot.followers:
            context = other.context
            if context is None:
                continue
            self._tell(other, candle)
            if other.waiting is not None and not context.awaits(other.waiting):
                self._wait_no_more(other)

    def _wait_no_more(self, slot: Slot) -> None:
        candle, slot.waiting = slot.waiting, None
        if candle is not None and slot.strategy is not None:
            self._ask(slot, slot.strategy, candle)

    def _fund(self, slot: Slot, rate: float) -> None:
        """Tell a strategy that wants to know it the funding rate."""
        tell = getattr(slot.strategy, "on_funding", None)
        if tell is not None:
            try:
                tell(rate)
            except Exception as error:  # as in candle
                self.stop(slot, error)

    def _tell(self, slot: Slot, event: Event) -> None:
        """Let an instrument's context hear an event."""
        assert slot.context is not None
        try:
            slot.context.hear(event)
        except Exception as error:  # as in candle
            self.stop(slot, error)

    def stop(self, slot: Slot, error: Exception) -> None:
        """Stop a strategy that raised, on its instrument alone; its position keeps its stop.

        Of an ensemble only the member that raised is stopped, while others are left.
        """
        strategy = slot.strategy
        assert strategy is not None
        name = strategy.name
        if isinstance(error, MemberFailed) and isinstance(error.__cause__, Exception):
            name, error = error.name, error.__cause__
            if isinstance(strategy, Ensemble) and strategy.members:
                strategy = None
        where = " < ".join(
            f"{basename(frame.filename)} line {frame.lineno} in {frame.name}"
            for frame in reversed(extract_tb(error.__traceback__)[1:])
        )
        self._world.report(
            Code.STRATEGY_FAILED,
            slot.venue,
            slot.symbol,
            f"{name} is stopped here: {type(error).__name__}: {error}"
            + (f" ({where})" if where else ""),
        )
        if strategy is not None:
            slot.strategy = slot.context = slot.waiting = None
            slot.wanted = 0

    def decided(self, slot: Slot, candle: Candle, decision: Decision) -> None:
        """Show a decision made on news, and act on it."""
        world = self._world
        if type(decision) is not Decision or decision.target not in (-1, 0, 1):
            self.stop(slot, TypeError(f"expected a Decision of -1, 0 or 1, got {decision!r:.80}"))
            return
        kelly = decision.kelly
        if kelly is not None and not (type(kelly) in (float, int) and 0 <= kelly < inf):
            self.stop(slot, TypeError(f"expected kelly of 0 or more, got {kelly!r:.80}"))
            return
        strategy = slot.strategy
        assert strategy is not None
        if self._bar:
            decision = heed(decision, world.reading(slot.symbol), self._bar)
        end = candle.ts + self._span
        live = slot.live_from
        if not live or end <= live or world.now - end > self._span + _OLD:
            return
        signal = slot.signal = Signalled(
            slot.venue,
            slot.symbol,
            strategy.name,
            world.now,
            decision.target,
            decision.score,
            decision.reason,
            decision.parts,
            decision.chance,
            decision.edge,
        )
        world.out.append(signal)
        slot.outcome = ""
        slot.kelly = kelly
        outcome = self._follow(slot, decision.target)
        if outcome:
            slot.outcome = outcome
        explanation = getattr(strategy, "explanation", None)
        explain = explanation() if explanation is not None else None
        world.reasons.decided(signal, outcome, world.reading(slot.symbol), explain)

    def _bad(self, name: str, channel: str, reason: str) -> None:
        world = self._world
        venue = world.venues.get(name)
        if venue is None:
            return
        venue.bad += 1
        key = f"{channel}: {reason}"
        said, since = venue.bad_said.get(key, (0, 0))
        if said and world.now - said < _SAY_AGAIN:
            venue.bad_said[key] = (said, since + 1)
            return
        if len(venue.bad_said) > 100:
            venue.bad_said.clear()
        venue.bad_said[key] = (world.now, 0)
        more = f" ({since} more before)" if since else ""
        world.notify("warning", f"{name} {channel}: {reason}; dropped{more}")
