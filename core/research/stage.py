"""What a desk showed, made again from its events: one point of a recording, ready to be copied."""

from __future__ import annotations

from core.desk.charts import Charts
from core.desk.lines import Lines
from core.desk.trails import Trails
from core.engine.engine import Engine
from core.engine.picture import ShellFacts, VenueFacts
from core.journal.recording import Recorded
from core.model.account import Balance, FundingPaid, PositionReport
from core.model.effect import Effect, Record, SubmitOrder
from core.model.event import Event
from core.model.market import BookTop, Candle, Depth, Ticker, Trade
from core.model.order import Fill, OrderReport
from core.model.replay import Mark
from core.model.snapshot import LogView, Snapshot
from core.research.replay import decide

_CHANNELS: dict[type, str] = {
    Trade: "trades",
    BookTop: "books",
    Depth: "books",
    Ticker: "tickers",
    OrderReport: "private",
    Fill: "private",
    Balance: "private",
    PositionReport: "private",
    FundingPaid: "private",
}
_SILENT = (Trade, BookTop, Depth, Ticker)


class Stage:
    """All that a terminal shows, at one point of a recording. Copies go on by themselves.

    Args:
        engine: as the desk's began.
        environment: of the recorded desk.
        started: when that desk began, nanoseconds UTC.
    """

    def __init__(self, engine: Engine, environment: str, started: int) -> None:
        self.engine = engine
        self.seq = 0
        self.time = started
        self.depths: dict[tuple[str, str], Depth] = {}
        self.trails = Trails()
        self.lines = Lines(self)
        self.lines.subscribe(self._look)
        self.charts = Charts({}, self)
        self._environment = environment
        self._started = started
        self._messages: dict[str, int] = {}
        self._heard: dict[str, dict[str, int]] = {}
        self._alarmed = False

    def now(self) -> int:
        """Return the time of the last event, nanoseconds UTC."""
        return self.time

    def take(self, recorded: Recorded) -> tuple[tuple[Effect, ...], list[Mark]]:
        """Let the next event happen; return what was decided, and what it marks."""
        event = recorded.event
        self.seq = recorded.seq
        self.time = max(self.time, event.received)
        refusals = self.engine.refusals
        self._alarmed = False
        effects = decide(self.engine, event)
        self._show(event)
        for effect in effects:
            if type(effect) is Record:
                self.trails.add(effect.record)
            self.lines.effect(effect)
        marks = [Mark.ORDER] if any(type(effect) is SubmitOrder for effect in effects) else []
        if self.engine.refusals > refusals:
            marks.append(Mark.REFUSAL)
        if self._alarmed:
            marks.append(Mark.ALARM)
        return effects, marks

    def snapshot(self, at: int) -> Snapshot:
        """Return the picture at an instant, nanoseconds UTC."""
        venues = {
            venue: VenueFacts(messages=count, last_message=dict(self._heard[venue]))
            for venue, count in self._messages.items()
        }
        facts = ShellFacts(
            self._environment, "a recording", self._started, venues, self.lines.last(100)
        )
        return self.engine.snapshot(at, facts)

    def _show(self, event: Event) -> None:
        channel = _CHANNELS.get(type(event))
        if channel is not None:
            venue = event.venue  # type: ignore[union-attr]
            self._messages[venue] = self._messages.get(venue, 0) + 1
            self._heard.setdefault(venue, {})[channel] = event.received
        if type(event) is Trade:
            self.charts.trade(event)
        elif type(event) is Depth:
            self.depths[event.venue, event.symbol] = event
        elif not isinstance(event, (*_SILENT, Candle)):
            self.lines.event(event)

    def _look(self, line: LogView) -> None:
        self._alarmed |= line.level == "alarm"
