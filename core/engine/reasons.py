"""What decisions rested on, kept for a while so that a person can ask why.

Only references are kept; checks are worked out again when somebody asks, from the very
circumstances the gate saw. Nothing here is part of a decision.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from core.model.effect import Signalled
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.news import NewsReading
from core.model.order import Order
from core.model.whatif import CheckView
from core.model.why import Factor, Sizing, Why
from core.risk.codes import Code
from core.risk.gate import Circumstances, Gate

KEPT = 400
"""Decisions remembered."""
Explain = Callable[[], tuple[Factor, ...]]
"""Works out which features weighed in a model, which takes a thousand times as long as its word."""


_CODES = frozenset(Code.__members__)
_DONE = Code.DONE
_BUY = Side.BUY


class Reason(Struct):
    """One decision, as it was made."""

    outcome: str
    order: Order | None = None
    rules: Instrument | None = None
    seen: Circumstances | None = None
    news: NewsReading | None = None
    sizing: Sizing | None = None
    signal: Signalled | None = None
    explain: Explain | None = None


class Reasons:
    """The last decisions."""

    def __init__(self) -> None:
        self._kept: deque[Reason] = deque(maxlen=KEPT)
        self._said: dict[tuple[str, str], Reason] = {}
        """Venue and symbol to what was last said there."""

    def judged(
        self,
        order: Order,
        rules: Instrument,
        seen: Circumstances,
        refused: Code | None,
        news: NewsReading | None,
    ) -> None:
        """Remember an order that was before the gate."""
        self._kept.append(Reason(refused or _DONE, order, rules, seen, news))

    def sized(
        self, order: Order, equity: Decimal, part: Decimal, price: Decimal, kelly: float | None
    ) -> None:
        """Remember how the quantity of the order judged last came about."""
        reason = self._kept[-1]
        assert reason.order is order
        assert reason.rules is not None
        reason.sizing = Sizing(equity, part, price, reason.rules.lot, order.qty, kelly)
        said = self._said.get((order.venue, order.symbol))
        if said is None or said.order is not None or said.signal is None:
            return
        if said.signal.target == (1 if order.side is _BUY else -1):
            # The other half of a turn: the entry waited until the position before was closed.
            reason.signal, reason.explain = said.signal, said.explain
            self._said[order.venue, order.symbol] = reason

    def decided(
        self,
        signal: Signalled,
        outcome: str,
        news: NewsReading | None,
        explain: Explain | None = None,
    ) -> None:
        """Remember what a strategy said, and the order it led to if it was judged just now."""
        last = self._kept[-1] if self._kept else None
        order = last.order if last is not None else None
        if last is None or order is None or not _same(order, signal):
            last = Reason(outcome if outcome in _CODES else _DONE)
            self._kept.append(last)
        last.signal, last.news, last.explain = signal, news, explain
        self._said[signal.venue, signal.symbol] = last

    def find(self, gate: Gate, name: str) -> Why | None:
        """Return the chain of a decision; None when it is not known, or no longer.

        Args:
            gate: works the checks out.
            name: a client order id; or ``venue|symbol`` for the last word of a strategy there.
        """
        for reason in reversed(self._kept):
            order, signal = reason.order, reason.signal
            if order is not None and order.client_id == name:
                break
            if signal is not None and f"{signal.venue}|{signal.symbol}" == name:
                break
        else:
            return None
        checks: tuple[CheckView, ...] = ()
        if order is not None and reason.rules is not None and reason.seen is not None:
            checks = gate.explain(order, reason.rules, reason.seen)
        where = order or signal
        assert where is not None
        words = f"{order.side} {order.qty} {order.kind}" if order is not None else ""
        return Why(
            order.client_id if order is not None else "",
            where.venue,
            where.symbol,
            order.created if order is not None else signal.ts if signal is not None else 0,
            words,
            signal,
            reason.outcome,
            reason.sizing,
            checks,
            news=reason.news,
            factors=reason.explain() if reason.explain is not None else (),
        )


def _same(order: Order, signal: Signalled) -> bool:
    return (
        order.created == signal.ts and order.symbol == signal.symbol and order.venue == signal.venue
    )
