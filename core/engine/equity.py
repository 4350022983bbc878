"""Equity and the loss limits measured from it: what stops the desk by itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf

from core.clock import DAY, MINUTE
from core.engine.slot import Slot
from core.engine.world import World
from core.model.event import KillMode, TradingState
from core.model.record import EquityMarked
from core.risk.breakers import LossBreaker
from core.risk.codes import Code

_PATIENCE = MINUTE
_ROUNDING = 1e-11
_AMPLE = (inf, inf)
_HALTED = TradingState.HALTED


class EquityWatch:
    """Marks equity in the ledger, and pulls the cord when a loss limit is broken.

    Args:
        world: the engine's state.
        kill: mode, cause, actor, venue; an empty venue means all.
    """

    def __init__(self, world: World, kill: Callable[[KillMode, str, str, str], None]) -> None:
        self._world = world
        self._kill = kill
        self.breaker = LossBreaker(world.limits)
        self._start: Decimal | None = None
        self._started = 0
        self.load_marks()

    @property
    def start(self) -> Decimal | None:
        """Equity at the first mark of this run, moved along with changes of capital."""
        return None if self._start is None else self._start + self._world.ledger.shifted

    def load_marks(self) -> None:
        """Read the marks that loss limits are measured from."""
        ledger = self._world.ledger
        self.breaker.load(ledger.peak, ledger.day, ledger.day_start, ledger.marks)

    def slack(self) -> tuple[float, float] | None:
        """Return what each held position may lose and earn while ``watch`` does nothing, in quote.

        Strictly less than that, from its present price, until the next mark is due; None where
        ``watch`` may do something now. Worked out once, it saves a look at each candle.
        """
        world, peak, floor = self._world, self.breaker.peak, self._floor()
        equity = world.cash
        held = world.held
        gross = abs(peak) + abs(equity)
        for slot in held:
            position, price = slot.position, slot.price
            if not price:
                return None
            size, cost = position.size, position.cost
            equity += size * (price - cost)
            gross += abs(size) * (price + cost)
        if not floor < equity <= peak:
            return None
        if not held:
            return _AMPLE
        # Floats round differently here and in ``watch``, by far less than this part of the sums.
        spare = _ROUNDING * gross
        share = len(held)
        return max((equity - floor - spare) / share, 0.0), max((peak - equity - spare) / share, 0.0)

    def calm(self, slot: Slot, price: float) -> bool:
        """Return whether ``watch`` does nothing at this price of a slot, unless a mark is due."""
        world = self._world
        equity = world.cash
        for one in world.held:
            worth = price if one is slot else one.price
            if not worth:
                return False
            equity += one.position.size * (worth - one.position.cost)
        return self._floor() < equity <= self.breaker.peak

    def _floor(self) -> float:
        """Return the equity at which ``watch`` pulls the cord; when that is done, there is none."""
        return -inf if self._world.state is _HALTED else self.breaker.floor

    def watch(self) -> None:
        """Mark equity, and pull the cord when a loss limit is broken."""
        world = self._world
        equity = world.cash
        for slot in world.held:
            price = slot.price
            if not price:
                self._judge_half_blind()
                return
            position = slot.position
            equity += position.size * (price - position.cost)
        breaker = self.breaker
        if breaker.floor < equity <= breaker.peak and world.now < breaker.next:
            return
        if not world.ledger.accounts:
            return
        if breaker.due(equity, world.now):
            self._mark(equity)
        code = breaker.broken(equity)
        if code is not None and world.state is not _HALTED:
            self._break(code, equity)

    def _judge_half_blind(self) -> None:
        """Judge what can be valued, when a position has had no price for a minute since the start.

        Without a price there is no equity: a peak would be false, so none is marked. But one
        venue that stays away must not switch the loss limits off for the others.
        """
        world = self._world
        self._started = self._started or world.now
        if world.now - self._started < _PATIENCE or world.state is _HALTED:
            return
        equity = world.cash + sum(
            slot.position.size * (slot.price - slot.position.cost)
            for slot in world.held
            if slot.price
        )
        code = self.breaker.broken(equity)
        if code is not None:
            self._break(code, equity)

    def _mark(self, equity: float) -> None:
        world = self._world
        ledger = world.ledger
        now = world.now
        exact = world.equity()
        assert exact is not None
        same_day = ledger.day_start is not None and now // DAY == ledger.day
        day_start = ledger.day_start if same_day and ledger.day_start is not None else exact
        peak = exact if ledger.peak is None or ledger.peak < exact else ledger.peak
        if self.breaker.unsaid:
            seen = Decimal(repr(self.breaker.peak))
            if seen > peak:
                peak = seen
        world.record(EquityMarked(now, exact, peak, day_start))
        if self._start is None:
            self._start = exact - ledger.shifted
        self.load_marks()

    def _break(self, code: Code, equity: float) -> None:
        world = self._world
        limits = world.limits
        if code is Code.DRAWDOWN:
            limit, value = limits.drawdown, self.breaker.fall(equity)
        else:
            limit, value = limits.daily_loss, self.breaker.day_loss(equity)
        detail = f"{code}: {value:.4f} of equity lost, limit {limit}"
        world.report(code, "", "", detail, str(limit), f"{value:.6f}")
        world.notify("alarm", f"{detail}: halting and flattening")
        self._kill(KillMode.FLATTEN, detail, "engine", "")
