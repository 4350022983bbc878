"""The training process: ``python -m core.research.worker``, a child of the desk.

It gets one JSON line that says what to learn from, asks the desk for what the archive does not have
of candles, funding, index and open interest (the desk asks its venues, within the request limits
that its orders share), trains, and leaves the model in the registry. Each message is a line of
JSON. It ends when its input ends, so it never outlives its desk.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import msgspec

from core.errors import KillcordError, RecordingError
from core.model.event import SentimentScored
from core.model.instrument import short_symbol
from core.model.learning import Answer, Asked, Matter, Order, Progress, Verdict
from core.model.market import Fact
from core.signals.candle_features import WARMUP

if TYPE_CHECKING:
    from core.research.past import Past

_MOST = 45_000
"""Candles of one symbol: five years of hours, a month of minutes."""
_FEWEST, _WIDEST = 500, 20_000
"""Candles of a training step."""
_DAY = 86_400


def main() -> int:
    """Do one training."""
    os.nice(10)  # the desk comes first
    # Several threads that wait for each other in a spin take the core that the desk needs.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
    lines = _read_on()
    order = msgspec.json.decode(next(lines), type=Order)
    try:
        verdict = _learn(order, lines)
    except (KillcordError, ValueError) as error:
        verdict = Verdict("", "", False, str(error), failed=True)
    _say(verdict)
    return 0


def _read_on() -> Iterator[bytes]:
    """Yield lines of the input; the process ends with it, even while it computes."""
    queue: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            queue.put(line)
        os._exit(0)  # the archive and the registry replace files whole

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield queue.get()


def _say(message: Progress | Asked | Verdict) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def _learn(order: Order, lines: Iterator[bytes]) -> Verdict:
    files = [one for one in _candles(order, lines) if one is not None]
    from core.config import Config
    from core.research.panel import Plan
    from core.research.search import search
    from core.signals.registry import Registry

    # The walk goes over all times that any symbol has: one that was listed late joins in then.
    candles = len(set().union(*(file.ts.tolist() for file in files)))
    window, test = spans(candles, order)
    if not window:
        raise ValueError(f"{order.venue} has only {candles} candles of {order.timeframe} s")
    around = _around(order, files, lines)
    plans = [Plan(order.timeframe, horizon, window, test, order.cost) for horizon in order.horizons]
    names = ", ".join(short_symbol(file.symbol) for file in files)
    what = f"training on {candles:,} candles of {names} at {order.venue}"
    if beside := dict.fromkeys(one.venue for one in around.others):
        what += f", beside {', '.join(beside)}"
    found = search(
        files,
        plans,
        Registry(Path(order.models)),
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        trading=Config.model_validate(order.trading),
        around=around,
        out_of_sample=order.out_of_sample,
        shadow=order.shadow,
        progress=_teller(what),
    )
    return Verdict(found.id, found.kind, found.promoted, found.verdict)


def spans(candles: int, order: Order) -> tuple[int, int]:
    """Return how many candles to train on at each step of the walk, and to test on.

    120 days and 15, as was measured to work on hours; where there is less history, what is left
    when as many days are tested as must be. (0, 0) where there is too little for anything.
    """
    day = _DAY // order.timeframe
    purge = day + max(order.horizons) + 2
    fewest = _FEWEST + 3 * purge  # a window is cut by the purge, and by its calibration part
    left = candles - WARMUP - purge - (order.out_of_sample + 1) * day
    window = min(120 * day, candles // 2, _WIDEST, left if left >= fewest else candles)
    return (window, max(window // 8, 10)) if window >= fewest else (0, 0)


def _span(order: Order) -> tuple[int, int]:
    """Return from when and until when history is wanted, milliseconds on the candles' grid."""
    from core.research.archive import grid

    end = grid(order.now_ms, order.timeframe)
    span = min(order.seconds, _MOST * order.timeframe) * 1000
    return grid(end - span, order.timeframe), end


def _candles(order: Order, lines: Iterator[bytes]) -> Iterator[Any]:
    """Yield every symbol's candles at the venue that is learnt from."""
    for done, symbol in enumerate(order.symbols):
        yield _series(order, order.venue, symbol, lines, done / len(order.symbols))


def _series(order: Order, venue: str, symbol: str, lines: Iterator[bytes], part: float) -> Any:
    """Return a symbol's candles at a venue, downloaded as far as they are not kept.

    Raises:
        RecordingError: the venue does not give them.
    """
    from core.research.archive import Archive, Download

    start, end = _span(order)
    series = Archive(Path(order.history)).series(venue, symbol, order.timeframe)
    work = Download(series, start, end, replace=order.replace)
    tell = _teller(f"fetching {short_symbol(symbol)} from {venue}")
    while (ask := work.next()) is not None:
        tell(part + work.part / len(order.symbols))
        work.take(_ask(Asked(venue, symbol, Matter.CANDLES, ask.before_ms, ask.count), lines))
    return series.read(start, end) if len(series.matrix(start, end)) > 1 else None


def _ask(asked: Asked, lines: Iterator[bytes]) -> tuple[tuple[float, ...], ...]:
    _say(asked)
    answer = msgspec.json.decode(next(lines), type=Answer)
    if answer.problem:
        raise RecordingError(answer.problem)
    return answer.rows


def _around(order: Order, files: Sequence[Any], lines: Iterator[bytes]) -> Any:
    """Return what the desk sees beside the candles that are learnt from.

    What a venue does not give is left out, as a desk would do without it.
    """
    from core.research.panel import Around
    from core.research.past import FACTS_PAGE, Facts, Rates

    others, funding, facts = [], {}, {}
    start, end = _span(order)
    for venue in order.others:
        with suppress(RecordingError):
            for done, file in enumerate(files):
                found = _series(order, venue, file.symbol, lines, done / len(files))
                others += [found] if found is not None else []
    root, venue = Path(order.history), order.venue
    for file in files:
        with suppress(RecordingError):
            rates = Rates(root, venue, file.symbol)
            _fetch(order, file.symbol, Matter.FUNDING, rates, lines)
            funding[venue, file.symbol] = rates.read(start, end)
        for fact in Fact:
            with suppress(RecordingError):
                past = Facts(root, venue, file.symbol, fact, order.timeframe)
                _fetch(order, file.symbol, Matter(fact.value), past, lines, FACTS_PAGE)
                facts[venue, file.symbol, fact] = past.read(start, end + 1)
    return Around(others=tuple(others), funding=funding, facts=facts, news=_news(order))


def _fetch(
    order: Order, symbol: str, matter: Matter, past: Past, lines: Iterator[bytes], page: int = 0
) -> None:
    """Download what is not kept of one kind of past, as far as the venue gives it."""
    from core.research.past import PAGE, PastDownload

    start, end = _span(order)
    work = PastDownload(past, start, end + 1, page=page or PAGE, replace=order.replace)
    _teller(f"fetching {short_symbol(symbol)}'s {matter} from {order.venue}")(1.0)
    while (ask := work.next()) is not None:
        asked = Asked(order.venue, symbol, matter, ask.before_ms, ask.count)
        work.take(_ask(asked, lines))


def _news(order: Order) -> tuple[SentimentScored, ...]:
    """Return what the news said while the desk recorded, oldest first."""
    from core.journal.recording import read_news

    words: list[SentimentScored] = []
    if order.sessions:
        for session in sorted(Path(order.sessions).glob("*/session.json")):
            with suppress(RecordingError):  # one that is damaged has told nothing
                words += read_news(session.parent)
    return tuple(sorted(words, key=lambda word: word.received))


def _teller(text: str) -> Any:
    """Return what tells the desk how much is done, once a percent."""
    told = -1

    def tell(part: float) -> None:
        nonlocal told
        if int(part * 100) > told:
            told = int(part * 100)
            _say(Progress(text, part))

    return tell


if __name__ == "__main__":
    # Not sys.exit: the interpreter would wait for the lock of the input, which is being read.
    os._exit(main())
