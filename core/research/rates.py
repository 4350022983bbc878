"""Settled funding of venues, kept once: Parquet, a file an instrument, beside its candles.

<folder>/<venue>/<BASE>USDT-funding.parquet

A few thousand rows at most, so the file is replaced whole. Its columns are those of every funding
file (``core.research.candles.read_funding``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow
import pyarrow.parquet

from core.errors import RecordingError
from core.model.instrument import short_symbol
from core.research.archive import Ask
from core.research.candles import read_funding

PAGE = 200
"""Settlements a request: the fewest that any venue but OKX gives at once."""
_HOLE = 86_400_000
"""Milliseconds without a settlement that are a hole: contracts settle every 8 hours or oftener."""
Settled = Sequence[Sequence[float]]
"""Times (ms) and rates, in any order."""


class Rates:
    """What is stored of one instrument's funding.

    Args:
        root: the archive's folder.
        venue: ``bybit``, ``binance`` or ``okx``.
        symbol: unified.
    """

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

    def write(self, settled: Settled) -> None:
        """Add settlements; one that is known already is replaced.

        Raises:
            RecordingError: the file is damaged.
        """
        if not settled:
            return
        known = dict(self.read()) | {int(row[0]): float(row[1]) for row in settled}
        times = sorted(known)
        table = pyarrow.table(
            {
                "symbol": [f"{short_symbol(self.symbol)}USDT"] * len(times),
                "ts_ms": times,
                "funding_rate": [known[ts] for ts in times],
            }
        )
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{os.getpid()}.new")
        pyarrow.parquet.write_table(table, draft, compression="zstd")
        draft.replace(self.path)

    def forget(self) -> None:
        """Remove what is stored."""
        self.path.unlink(missing_ok=True)


class RateDownload:
    """Fills in what is not stored before and after what is, newest first, page by page.

    Sans I/O, as ``Download``. A stored settlement that the venue tells otherwise now means that it
    is of another market.

    Args:
        rates: where to.
        start_ms: the first wanted instant.
        end_ms: after the last.
        replace: throw away what is stored where the venue says otherwise now; else that is refused.
    """

    def __init__(self, rates: Rates, start_ms: int, end_ms: int, *, replace: bool = False) -> None:
        self.got = 0
        self._rates = rates
        self._start, self._end = start_ms, end_ms
        self._replace = replace
        known = rates.read(start_ms, end_ms)
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
        return None if self._before is None else Ask(self._before, PAGE)

    def take(self, settled: Settled) -> None:
        """Store an answer; an empty one means that the venue has nothing older.

        Raises:
            RecordingError: the venue says otherwise than is stored.
        """
        mine = [row for row in settled if self._start <= row[0]]
        if not self._agrees(mine):
            self._rates.forget()
            self._begin(())
            return
        self._rates.write(mine)
        self.got += len(mine)
        oldest = int(min((row[0] for row in settled), default=self._start))
        if not settled or oldest <= self._start:
            self._before = None
        elif not self._past and oldest <= self._newest:
            self._past = True
            self._before = self._oldest if self._oldest > self._start else None
        else:
            self._before = oldest

    def _agrees(self, settled: Settled) -> bool:
        known = dict(self._rates.read())
        for row in settled:
            ts, rate = int(row[0]), row[1]
            if abs(known.get(ts, rate) - rate) > 1e-12:
                if self._replace:
                    return False
                raise RecordingError(
                    f"{self._rates.path}: the venue says another rate for {ts} ms than is stored;"
                    " remove the file and download it again"
                )
        return True
