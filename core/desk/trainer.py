"""The desk's end of learning: when to train, and the process that does.

Nothing here closes the gate: a desk without models, or whose training fails, trades as before
without them. Training runs in a process of its own, one at a time, at low priority; only its
questions for the venues go through this loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from core.clock import SECOND, Clock
from core.config import Config
from core.desk.child import begin
from core.desk.lines import Lines
from core.desk.ports import Gateway, Sink
from core.desk.roster import Recorded, Roster
from core.errors import KillcordError, VenueError
from core.files import write_whole
from core.model.effect import ModelDropped
from core.model.instrument import Instrument
from core.model.learning import Answer, Asked, Matter, Order, Progress, TrainingView, Verdict
from core.model.market import Fact

POLL = 1.0
"""Seconds between looks at the registry: ``killcord models promote`` takes effect that fast."""
SPREAD = 0.0001
"""Half spread and slippage of a taker, fraction of notional; the fee comes on top."""
ATTEMPTS = 4
"""Times that a page of candles is asked for."""
LONGEST_LINE = 1024 * 1024
_MS = 1_000_000
_decode = msgspec.json.Decoder(Progress | Asked | Verdict).decode


class Trainer:
    """Trains on schedule, and keeps the roster.

    Args:
        config: of the desk.
        models: the registry's folder.
        history: the archive's folder.
        sessions: the folder of recorded sessions.
        gateways: of all venues; one that has answered is learnt from.
        instruments: filled as venues answer.
        record: says how a model on duty does; the engine knows.
        sink: takes events.
        lines: the log.
        clock: wall time.
    """

    def __init__(
        self,
        config: Config,
        models: Path,
        history: Path,
        sessions: Path,
        gateways: Mapping[str, Gateway],
        instruments: Mapping[tuple[str, str], Instrument],
        record: Recorded,
        sink: Sink,
        lines: Lines,
        clock: Clock,
    ) -> None:
        self._config = config
        self._roster = Roster(config, models, record, sink, lines, clock, self._vacant)
        self._registry = self._roster.registry
        self._history = history
        self._sessions = sessions
        self._gateways = gateways
        self._instruments = instruments
        self._lines = lines
        self._clock = clock
        self._last = _Last(models / "training.json")
        self._work: asyncio.Task[None] | None = None
        self._progress: Progress | None = None
        self._due = 0
        self._failures = 0

    @property
    def view(self) -> TrainingView:
        """What a terminal shows."""
        last, progress = self._last, self._progress
        if progress is not None:
            state = "fetching" if progress.text.startswith("fetching") else "training"
            return TrainingView(state, progress.text, progress.part, last.finished, 0)
        state = "failed" if last.failed else "waiting"
        return TrainingView(state, last.text, None, last.finished, self._due)

    async def run(self, seated: Callable[[], None]) -> None:
        """Work until cancelled.

        Args:
            seated: told when a model has come on duty.
        """
        await asyncio.to_thread(self._last.read)
        self._due = self._first_due()
        try:
            while True:
                try:
                    if await self._roster.look():
                        seated()
                    self._begin()
                except Exception as error:  # whatever it is, trading does not end for it
                    self._complain(str(error) or type(error).__name__)
                await asyncio.sleep(POLL)
        finally:
            if self._work is not None:
                self._work.cancel()
                await asyncio.gather(self._work, return_exceptions=True)
            with contextlib.suppress(KillcordError, OSError):
                self._roster.keep()

    def dropped(self, effect: ModelDropped) -> None:
        """The engine has taken a model off duty by itself."""
        self._roster.dropped(effect)

    def _vacant(self) -> None:
        self._due = min(self._due, self._clock.now())

    def _begin(self) -> None:
        """Train when it is time, never twice at once."""
        due = self._config.learning.train and self._clock.now() >= self._due
        if due and self._work is None:
            self._work = asyncio.create_task(self._train(), name="training")
            self._work.add_done_callback(self._ended)

    def _first_due(self) -> int:
        last, now = self._last, self._clock.now()
        if not last.finished or last.failed:
            return now
        if self._config.environment == "practice" and not self._registry.champion:
            return now  # another practice exchange is another market
        return last.finished + int(self._config.learning.every) * SECOND

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work = self._progress = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._finish(Verdict("", "", False, f"{type(error).__name__}: {error}", failed=True))

    async def _train(self) -> None:
        gateway = self._venue()
        if gateway is None:
            return  # no venue has answered yet
        self._progress = Progress(f"training on {gateway.venue}'s history", 0.0)
        again = "again" if self._registry.champion else "no model promoted"
        self._lines.add("info", f"models: {again}: {self._progress.text}")
        self._finish(await self._follow(gateway))

    def _finish(self, verdict: Verdict) -> None:
        learning, now = self._config.learning, self._clock.now()
        pause = learning.retry if verdict.failed else learning.every
        self._failures = self._failures + 1 if verdict.failed else 0
        self._due = now + int(pause) * SECOND
        if verdict.failed:
            text = f"training failed: {verdict.text}; it is tried again in {_span(pause)}"
        else:
            text = f"{verdict.kind} {verdict.text}" if verdict.promoted else verdict.text
        self._lines.add("info", f"models: {text}", "warning" if verdict.failed else "info")
        self._last.write(now, text, failed=verdict.failed)

    def _venue(self) -> Gateway | None:
        """Return whose history to learn from: another one after each failure.

        First those that list the most of the desk's symbols: a model of fewer has no signal here.
        """
        listed = Counter(venue for venue, symbol in self._rules())
        known = [one for name, one in self._gateways.items() if listed[name]]
        known.sort(key=lambda one: -listed[one.venue])
        return known[self._failures % len(known)] if known else None

    def _rules(self) -> dict[tuple[str, str], Instrument]:
        """Return what the desk may trade, at the venues that have answered."""
        wanted = set(self._config.symbols)
        return {key: one for key, one in self._instruments.items() if key[1] in wanted}

    def _order(self, gateway: Gateway) -> Order:
        config = self._config
        known = self._rules()
        rules = [
            known[gateway.venue, symbol]
            for symbol in config.symbols
            if (gateway.venue, symbol) in known
        ]
        # Wherever it trades, not only where it learns.
        fee = max((float(one.taker_fee) for one in known.values()), default=0.0)
        return Order(
            str(self._registry.folder),
            str(self._history),
            gateway.venue,
            tuple(one.symbol for one in rules),
            int(config.strategy.timeframe),
            config.learning.horizons,
            int(config.learning.history),
            self._clock.now() // _MS,
            fee + SPREAD,
            config.learning.out_of_sample,
            config.learning.shadow,
            config.rules(),
            config.environment == "practice",
            tuple(
                venue
                for venue in self._gateways
                if venue != gateway.venue
                and any((venue, one.symbol) in self._instruments for one in rules)
            ),
            str(self._sessions) if config.reads_news else "",
        )

    async def _follow(self, gateway: Gateway) -> Verdict:
        """Run one process to its end and return what it found."""
        try:
            child = await begin("core.research.worker", LONGEST_LINE)
        except OSError as error:
            return Verdict("", "", False, f"it does not start ({error.strerror})", failed=True)
        try:
            await child.tell(msgspec.json.encode(self._order(gateway)))
            async for line in child.lines():
                message = _decode(line)
                if isinstance(message, Verdict):
                    return message
                if isinstance(message, Progress):
                    self._progress = message
                else:
                    answer = await self._rows(message)
                    await child.tell(msgspec.json.encode(answer))
            return Verdict("", "", False, f"the process {await child.how()}", failed=True)
        except (msgspec.DecodeError, ValueError) as error:
            return Verdict("", "", False, f"the process does not speak: {error}", failed=True)
        finally:
            await child.close()

    async def _rows(self, asked: Asked) -> Answer:
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                return Answer(await self._ask(asked))
            except (VenueError, TimeoutError) as error:
                problem = str(error) or "the venue does not answer in time"
                await asyncio.sleep(2.0**attempt)
        return Answer(problem=problem)

    async def _ask(self, asked: Asked) -> tuple[tuple[float, ...], ...]:
        if (asked.venue, asked.symbol) not in self._instruments:
            return ()  # it is not listed there
        gateway, before = self._gateways[asked.venue], asked.before_ms * _MS
        if asked.matter is Matter.FUNDING:
            settled = await gateway.settlements(asked.symbol, asked.count, before)
            return tuple((one.ts // _MS, one.rate) for one in settled)
        timeframe = int(self._config.strategy.timeframe)
        if asked.matter is not Matter.CANDLES:
            fact = Fact(asked.matter.value)
            told = await gateway.facts(asked.symbol, fact, timeframe, asked.count, before)
            return tuple((one.ts // _MS, one.value) for one in told)
        candles = await gateway.candles(asked.symbol, timeframe, asked.count, before)
        return tuple((c.ts // _MS, c.open, c.high, c.low, c.close, c.volume) for c in candles)

    def _complain(self, text: str) -> None:
        if text != self._last.text:
            self._last.text, self._last.failed = text, True
            self._lines.add("info", f"models: {text}", "alarm")


class _Last:
    """What the last training came to, kept so that a restart does not train again."""

    def __init__(self, path: Path) -> None:
        self.finished = 0
        self.text = ""
        self.failed = False
        self._path = path

    def read(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = msgspec.json.decode(self._path.read_bytes())
            self.finished, self.text = int(found["finished"]), str(found["text"])
            self.failed = bool(found["failed"])

    def write(self, finished: int, text: str, *, failed: bool) -> None:
        self.finished, self.text, self.failed = finished, text, failed
        facts = {"finished": finished, "text": text, "failed": failed}
        with contextlib.suppress(OSError):  # then a restart trains once more than it had to
            write_whole(self._path, msgspec.json.encode(facts))


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"
