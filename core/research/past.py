"""What venues told beside candles, kept once: Parquet, a file an instrument, beside its candles.

<folder>/<venue>/<BASE>USDT-funding.parquet          settled funding
<folder>/<venue>/<BASE>USDT-1h-index.parquet         the index price at the ends of candles
<folder>/<venue>/<BASE>USDT-1h-interest.parquet      open interest, the same

Some thousand rows, so a file is replaced whole. The columns of funding are those of every funding
file (``core.research.candles.read_funding``); of the others ``ts_ms`` and ``value``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import pyarrow
import pyarrow.parquet

from core.errors import RecordingError
from core.model.instrument import short_symbol
from core.model.market import Fact
from core.research.archive import Ask, timeframe_text
from core.research.candles import read_funding

PAGE = 200
"""Settlements a request: the fewest that any venue but OKX gives at once."""
FACTS_PAGE = 500
"""Facts a request: between what the three venues give at once."""
_HOLE = 86_400_000
"""Milliseconds of nothing that are a hole: contracts settle every 8 hours or oftener."""
Stamped = Sequence[Sequence[float]]
"""Times (ms) and values, in any order."""


class Past(Protocol):
    """What is stored of one kind of one instrument: a value an instant."""

    path: Path
    revised: bool
    """Whether venues correct it afterwards: then their newest word counts."""

    def read(self, start_ms: int = 0, end_ms: int = 1 << 62) -> tuple[tuple[int, float], ...]:
        """Return what is known of ``[start_ms, end_ms)``, oldest first.

        Raises:
            RecordingError: the file is damaged.
        """
        ...

    def write(self, told: Stamped) -> None:
        """Add values; one that is known already is replaced.

        Raises:
            RecordingError: the file is damaged.
        """
        ...

    def forget(self) -> None:
        """Remove what is stored."""
        ...


class Rates:
    """What is stored of one instrument's funding.

    Args:
        root: the archive's folder.
        venue: ``bybit``, ``binance`` or ``okx``.
        symbol: unified.
    """

    revised = False

    def __init__(self, root: Path, venue: str, symbol: str) -> None:
        self.venue = venue
        self.symbol = symbol
        self.path = root / venue / f"{short_symbol(symbol)}USDT-funding.parquet"

    def read(self, start_ms: int = 0, end_ms: int = 1 << 62) -> tuple[tuple[int, float], ...]:
        """Return the settlements in ``[start_ms, end_ms)``, oldest first; see ``History``.

        Raises:
            RecordingError: the file is damaged.
        """
        if not self.path.exists():
            return ()
        known = read_funding(self.path).get(self.symbol, ())
        return tuple(one for one in known if start_ms <= one[0] < end_ms)

    def write(self, settled: Stamped) -> None:
        """Add settlements; one that is known already is replaced.

        Raises:
            RecordingError: the file is damaged.
        """
        if not settled:
            return
        known = dict(self.read()) | {int(row[0]): float(row[1]) for row in settled}
        times = sorted(known)
        names = [f"{short_symbol(self.symbol)}USDT"] * len(times)
        rates = [known[ts] for ts in times]
        _replace(self.path, {"symbol": names, "ts_ms": times, "funding_rate": rates})

    def forget(self) -> None:
        """Remove what is stored."""
        self.path.unlink(missing_ok=True)


class Facts:
    """What is stored of one fact of an instrument.

    Args:
        root: the archive's folder.
        venue: ``bybit``, ``binance`` or ``okx``.
        symbol: unified.
        fact: which.
        timeframe: of the candles at whose ends it is known, seconds.
    """

    def __init__(self, root: Path, venue: str, symbol: str, fact: Fact, timeframe: int) -> None:
        name = f"{short_symbol(symbol)}USDT-{timeframe_text(timeframe)}-{fact}.parquet"
        self.path = root / venue / name
        self.revised = fact is Fact.INTEREST

    def read(self, start_ms: int = 0, end_ms: int = 1 << 62) -> tuple[tuple[int, float], ...]:
        """Return what it was in ``[start_ms, end_ms)``, oldest first.

        Raises:
            RecordingError: the file is damaged.
        """
        if not self.path.exists():
            return ()
        try:
            table = pyarrow.parquet.read_table(self.path, columns=["ts_ms", "value"])
            rows = zip(table["ts_ms"].to_pylist(), table["value"].to_pylist(), strict=True)
            return tuple((ts, value) for ts, value in rows if start_ms <= ts < end_ms)
        except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise RecordingError(
                f"{self.path}: {reason}; remove it and download it again"
            ) from error

    def write(self, told: Stamped) -> None:
        """Add values; one that is known already is replaced.

        Raises:
            RecordingError: the file is damaged.
        """
        if told:
            known = dict(self.read()) | {int(row[0]): float(row[1]) for row in told}
            times = sorted(known)
            _replace(self.path, {"ts_ms": times, "value": [known[ts] for ts in times]})

    def forget(self) -> None:
        """Remove what is stored."""
        self.path.unlink(missing_ok=True)


def _replace(path: Path, columns: dict[str, list[Any]]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.new")
    pyarrow.parquet.write_table(pyarrow.table(columns), draft, compression="zstd")
    draft.replace(path)


class PastDownload:
    """Fills in what is not stored before and after what is, newest first, page by page.

    Sans I/O, as ``Download``. A stored value that the venue tells otherwise now means that it is of
    another market, unless venues correct such values.

    Args:
        past: where to.
        start_ms: the first wanted instant.
        end_ms: after the last.
        page: values a request.
        replace: throw away what is stored where the venue says otherwise now; else that is refused.
    """

    def __init__(
        self,
        past: Past,
        start_ms: int,
        end_ms: int,
        *,
        page: int = PAGE,
        replace: bool = False,
    ) -> None:
        self.got = 0
        self._stored = past
        self._page = page
        self._start, self._end = start_ms, end_ms
        self._replace = replace
        known = past.read(start_ms, end_ms)
        if any(after - ts > _HOLE for (ts, _), (after, _) in pairwise(known)):
            known = ()  # spans that were downloaded apart: a few requests bring the whole
        self._begin(known)

    def _begin(self, known: Sequence[tuple[int, float]]) -> None:
        self._newest = known[-1][0] if known else self._start
        self._oldest = known[0][0] if known else self._start
        self._before: int | None = self._end
        self._past = False
        """Whether what lies before the stored ones is asked for."""

    def next(self) -> Ask | None:
        """Return what to ask the venue next; None when all is asked."""
        return None if self._before is None else Ask(self._before, self._page)

    def take(self, told: Stamped) -> None:
        """Store an answer; an empty one means that the venue has nothing older.

        Raises:
            RecordingError: the venue says otherwise than is stored.
        """
        mine = [row for row in told if self._start <= row[0]]
        if not self._agrees(mine):
            self._stored.forget()
            self._begin(())
            return
        self._stored.write(mine)
        self.got += len(mine)
        oldest = int(min((row[0] for row in told), default=self._start))
        if not told or oldest <= self._start:
            self._before = None
        elif not self._past and oldest <= self._newest:
            self._past = True
            self._before = self._oldest if self._oldest > self._start else None
        else:
            self._before = oldest

    def _agrees(self, told: Stamped) -> bool:
        known = dict(self._stored.read())
        for row in told:
            ts, value = int(row[0]), row[1]
            if abs(known.get(ts, value) - value) > 1e-12 * max(abs(value), 1.0):
                if self._replace:
                    return False
                if self._stored.revised:
                    continue
                raise RecordingError(
                    f"{self._stored.path}: the venue says another value for {ts} ms than is stored;"
                    " remove the file and download it again"
                )
        return True
