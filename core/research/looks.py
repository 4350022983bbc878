"""Which candles were looked at, whatever they are called: what makes two searches the same try."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from core.research.candles import CandleFile
from core.research.trial import Trial
from core.signals.registry import Look

_DAY_MS = 86_400_000
_BLOCK = 5
"""Days of one fingerprint: a search tests ten at least."""


def look_at(
    files: Sequence[CandleFile], features: Sequence[str], trials: Sequence[Trial], salt: str = ""
) -> Look:
    """Return what a search has seen.

    Candles are told by what they are: other names, a few symbols more or less, other features, a
    week of new candles or another timeframe do not make what was tested new.

    Args:
        files: candles.
        features: names of the columns that were learnt from.
        trials: configurations that were tested on them.
        salt: of tries that are to be counted by themselves.
    """
    first = min(one.first_day for one in trials)
    last = max(one.first_day + one.days - 1 for one in trials)
    blocks = {block for file in files for block in _blocks(file, first, last, salt)}
    names = (*sorted(file.symbol for file in files), *features)
    return Look(_digest(" ".join(names).encode()), tuple(sorted(blocks)), first, last)


def _blocks(file: CandleFile, first: int, last: int, salt: str) -> Iterator[str]:
    """Yield fingerprints of the closes of days, some days each."""
    ends = file.ts + file.timeframe * 1000
    days = ends // _DAY_MS - 1
    closing = (ends % _DAY_MS == 0) & (days >= first) & (days <= last)
    days, closes = days[closing], file.close[closing]
    for block in np.unique(days // _BLOCK).tolist():
        inside = days // _BLOCK == block
        if int(inside.sum()) == _BLOCK:
            yield _digest(f"{salt}{block}".encode() + closes[inside].tobytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:10]
