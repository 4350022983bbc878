"""One sequence of events in, one sequence of effects out."""

from __future__ import annotations

from core.config import Config
from core.engine.picture import ShellFacts
from core.model.effect import Effect
from core.model.event import Event
from core.model.snapshot import Snapshot
from core.orders.ids import ClientIds
from core.portfolio.ledger import Ledger


class Engine:
    """The sole owner of trading state: synchronous, deterministic, free of I/O.

    Time comes in with the events (``received``), ids from ``ids``; the same ids, ledger and events
    give the same effects, live, in a backtest and in a replay.

    Args:
        config: limits and strategy.
        ids: makes client order ids; start it at ``ledger.next_seq``.
        ledger: rebuilt from the journal at boot (``Ledger.replay``); None for a first start.
        sweep_within: seconds without a sweep after which a venue stops opening risk.
        hashing: keep ``decision_hash``.
    """

    def __init__(
        self,
        config: Config,
        ids: ClientIds,
        ledger: Ledger | None = None,
        *,
        sweep_within: float = 60.0,
        hashing: bool = True,
    ) -> None:
        raise NotImplementedError

    def process(self, event: Event) -> tuple[Effect, ...]:
        """Take one event into account and return what the shell must do, in order."""
        raise NotImplementedError

    def snapshot(self, now: int, facts: ShellFacts) -> Snapshot:
        """Return the picture at ``now`` (nanoseconds UTC)."""
        raise NotImplementedError

    @property
    def decision_hash(self) -> str:
        """Hex digest over every effect so far, in order."""
        raise NotImplementedError
