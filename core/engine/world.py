"""The trading state that the parts of the engine share, and the one way each may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from core.clock import MINUTE, SECOND
from core.config import DEFAULT_SYMBOLS, Config
from core.engine.reasons import Reasons
from core.engine.slot import Slot
from core.engine.venue import Venue
from core.model.effect import (
    Answer,
    Effect,
    Notify,
    Record,
    RequestSweep,
    RiskEvent,
    StateChanged,
)
from core.model.event import SentimentScored, TradingState
from core.model.instrument import short_symbol
from core.model.market import FactTold, FundingSettled, Ticker
from core.model.news import NewsReading, news_asset
from core.model.record import JournalRecord, StateRecorded, SymbolFrozen
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger
from core.portfolio.position import Position
from core.risk.codes import Code
from core.risk.news_guard import NewsGuard
from core.risk.pace import Pace, Turnover
from core.risk.portfolio import PortfolioRisk
from core.signals.context import Context, Place
from core.signals.strategy import Strategy, strategy_maker
from core.signals.universe import Universe

_ZERO = Decimal(0)
_SWEEP_GAP = SECOND
"""Sweeps of one venue are asked for at most once in this time."""


class World:
    """Shared state. ``out`` collects the effects of the event being processed."""

    def __init__(
        self,
        config: Config,
        ids: ClientIds,
        ledger: Ledger,
        make_strategy: Callable[[], Strategy] | None = None,
        *,
        recording: bool = True,
    ) -> None:
        self.config = config
        self.limits = config.limits
        self.ids = ids
        self.ledger = ledger
        self._take = ledger.take
        self._recording = recording
        self.now = 0
        self.out: list[Effect] = []
        self.state = (
            TradingState.HALTED if ledger.state is TradingState.HALTED else TradingState.DISARMED
        )
        self.cause = ledger.cause if self.state is TradingState.HALTED else "start"
        self.symbols = config.symbols or DEFAULT_SYMBOLS
        self.venues: dict[str, Venue] = {
            name: Venue(name, config.limits.orders_per_second) for name in config.venues
        }
        self.slots: dict[tuple[str, str], Slot] = {}
        self.seat: Callable[[Strategy], None] = lambda strategy: None
        """Shows a new strategy who knows the models on duty."""
        self._followers: dict[tuple[str, str], list[Slot]] = {}
        """Instruments by whose candles they hear."""
        self._universes: dict[tuple[str, int], Universe] = {}
        """By venue and seconds of the candles: what its instruments look at together."""
        self.readings: SentimentScored | None = None
        """The last word of the news that had readings."""
        self.active: dict[tuple[str, str], Slot] = {}
        """Slots with a position or working orders."""
        self.held: list[Slot] = []
        """Slots with a position, in the order of ``ledger.open``."""
        self.pending = True
        """Whether any order or position waits for time to pass."""
        self.paused: set[str] = set()
        self.lag = 0.0
        """Longest that the desk's loop stood still lately, seconds; 0 while it keeps time."""
        self.unguarded = ""
        """Why the guard's absence holds entries back; empty while it does not."""
        self.portfolio = PortfolioRisk()
        self.guard = NewsGuard(config.limits)
        self.minute = Pace(config.limits.orders_per_minute, MINUTE)
        self.turnover = Turnover(MINUTE)
        self.cash = 0.0
        """Cash over all venues as float, for the per-second look at equity."""
        self.refusals = 0
        self.reasons = Reasons()
        self.discrepancies = 0
        self._make_strategy = make_strategy or strategy_maker(config.strategy)
        for venue, symbol in ledger.open:
            self.active[venue, symbol] = self.slot(venue, symbol)
        self.reload()

    # --- effects ------------------------------------------------------------------------------

    def record(self, record: JournalRecord) -> None:
        """Ask for a record to be written, and take it into account."""
        if self._recording:
            self.out.append(Record(record))
        self._take[type(record)](record)  # Ledger.apply, without the call

    def report(
        self,
        code: Code,
        venue: str,
        symbol: str,
        detail: str,
        limit: str = "",
        value: str = "",
        request: str = "",
    ) -> None:
        """Emit a risk event."""
        self.out.append(RiskEvent(code, venue, symbol, limit, value, detail, self.now, request))

    def notify(self, level: str, text: str) -> None:
        """Emit a line for the log: ``info``, ``warning`` or ``alarm``."""
        self.out.append(Notify(level, text, self.now))

    def answer(self, request: str, ok: bool, code: Code, detail: str, *client_ids: str) -> None:
        """Answer a command."""
        self.out.append(Answer(request, ok, code, detail, client_ids))

    def change_state(self, state: TradingState, cause: str, actor: str) -> None:
        """Move to a trading state, recorded; nothing when it is the present one."""
        if state is self.state:
            return
        self.state = state
        self.cause = cause
        self.record(StateRecorded(state, cause, actor, self.now))
        self.out.append(StateChanged(state, cause, actor))

    def ask_sweep(self, venue: Venue, reason: str) -> None:
        """Ask for a sweep, at most one a second a venue."""
        if self.now - venue.asked >= _SWEEP_GAP:
            venue.asked = self.now
            self.out.append(RequestSweep(venue.name, reason))

    # --- state --------------------------------------------------------------------------------

    def reading(self, symbol: str) -> NewsReading | None:
        """Return what the news says about a symbol's asset; None where it says nothing."""
        if self.readings is None or self.readings.readings is None:
            return None
        asset = news_asset(short_symbol(symbol))
        return next((each for each in self.readings.readings if each.asset == asset), None)

    def slot(self, venue: str, symbol: str) -> Slot:
        """Return the slot of an instrument, making it when there is none."""
        key = (venue, symbol)
        slot = self.slots.get(key)
        if slot is None:
            # A flat stand-in until the ledger, which only records may change, has one.
            position = self.ledger.positions.get(key) or Position(venue, symbol)
            slot = self.slots[key] = Slot(venue, symbol, position)
            slot.conflict = self.ledger.frozen.get(key, "")
            known = self.venues.get(venue)
            if known is not None:
                slot.instrument = known.instruments.get(symbol)
                if symbol in self.symbols:
                    self.employ(slot, self._make_strategy())
            slot.followers = self._followers.setdefault(key, [])
            slot.linked = slot.linked or bool(slot.followers)
        return slot

    def freeze(self, slot: Slot, reason: str) -> None:
        """Open no new risk on an instrument, over restarts; an empty reason lets it go again."""
        slot.conflict = reason
        self.record(SymbolFrozen(slot.venue, slot.symbol, reason, self.now))

    def employ(self, slot: Slot, strategy: Strategy) -> None:
        """Let a strategy decide on an instrument, and give it the context it needs."""
        for others in self._followers.values():
            if slot in others:
                others.remove(slot)
        slot.strategy = strategy
        self.seat(strategy)
        before, slot.context, slot.waiting = slot.context, None, None
        needs = getattr(strategy, "needs", ())
        if needs:
            place = Place(
                slot.venue,
                slot.symbol,
                strategy.timeframe,
                self.config.venues,
                self.symbols,
                news=self.config.reads_news,
                universe=self._universe(slot.venue, strategy.timeframe),
            )
            context = slot.context = Context(needs, place, before)
            strategy.context = context  # type: ignore[attr-defined]
            for key in context.company:
                self._followers.setdefault(key, []).append(slot)
                if key in self.slots:
                    self.slots[key].linked = True
            context.begin(self._last_words(slot))
        slot.linked = slot.context is not None or bool(slot.followers)

    def _universe(self, venue: str, timeframe: int) -> Universe:
        key = (venue, timeframe)
        if key not in self._universes:
            self._universes[key] = Universe(timeframe)
        return self._universes[key]

    def _last_words(
        self, slot: Slot
    ) -> Iterator[Ticker | FundingSettled | FactTold | SentimentScored]:
        """Yield what is known of an instrument and its news, as if it were told just now.

        A venue tells some facts, such as the time of the next funding, once and then their changes.
        """
        if slot.marked:
            index, rate, due = slot.index or None, slot.funding_rate, slot.next_funding
            yield Ticker(
                slot.venue, slot.symbol, None, None, index, rate, due, None, None,
                slot.mark_ts, slot.marked, slot.open_interest,
            )  # fmt: skip
        for ts in sorted(slot.settled):
            yield slot.settled[ts]
        for key in sorted(slot.facts):
            yield slot.facts[key]
        if self.readings is not None:
            yield self.readings

    def reload(self, slot: Slot | None = None) -> None:
        """Read cash and open positions from the ledger, after they changed.

        Args:
            slot: where they changed; its position is looked up anew.
        """
        ledger = self.ledger
        if slot is not None:
            slot.position = ledger.positions.get(slot.key, slot.position)
        cash = 0.0
        for account in ledger.accounts.values():
            cash += float(account.cash)
        self.cash = cash
        self.held = [*map(self.slots.__getitem__, ledger.open)]

    def exposures(self, slot: Slot | None = None, reach: Decimal = _ZERO) -> dict[str, float]:
        """Return signed notionals by symbol, over all venues; unknown orders as filled.

        Args:
            slot: where something else than the present is asked for.
            reach: what it would be there.
        """
        found: dict[str, float] = {}
        if slot is not None:
            found[slot.symbol] = float(reach)
        for other in self.active.values():
            if other is not slot:
                found[other.symbol] = found.get(other.symbol, 0.0) + float(other.reach())
        return found

    def equity(self) -> Decimal | None:
        """Return cash plus unrealised P&L over all venues; None before the first baseline."""
        ledger = self.ledger
        if not ledger.accounts:
            return None
        total = _ZERO
        for account in ledger.accounts.values():
            total += account.cash
        for key, position in ledger.open.items():
            slot = self.slots[key]
            if slot.price:
                total += (slot.value() - position.entry) * position.qty
        return total

    def worth(self) -> float:
        """Return the same from floats, as the loss limits are watched."""
        total = self.cash
        for slot in self.held:
            if slot.price:
                position = slot.position
                total += position.size * (slot.price - position.cost)
        return total

    def venue_equity(self, venue: str) -> Decimal:
        """Return what one venue counts for in equity; 0 before its baseline."""
        account = self.ledger.accounts.get(venue)
        if account is None:
            return _ZERO
        total = account.cash
        for key, position in self.ledger.open.items():
            if key[0] == venue and self.slots[key].price:
                total += position.unrealised(self.slots[key].value())
        return total
