"""What was tried on which candles, whatever they are called: the luck that a search has had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from core.errors import RegistryError
from core.research.candles import CandleFile
from core.research.trial import Trial
from core.signals.logbook import alone, append_line, read_lines

_DAY_MS = 86_400_000
_BLOCK = 5
"""Days of one fingerprint: a search tests ten at least."""


class Look(Struct, frozen=True):
    """What a search has seen."""

    what: str
    """Of symbols and features: configurations of the same name on the same are the same."""
    blocks: tuple[str, ...]
    """Fingerprints of the tested candles; searches that share one have seen the same days."""
    first: int
    """Days since 1970 UTC."""
    last: int


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


def note_trials(folder: Path, look: Look, ratios: dict[str, float]) -> list[float]:
    """Add tried configurations; return the Sharpe ratios of all ever tried on these days.

    One that is tried again counts once more when half of the days it was tested on are others:
    a desk that trains each week tries for its luck some three times a year, not fifty.

    Args:
        folder: of the registry.
        look: what they were tried on.
        ratios: Sharpe ratio per day by configuration.
    """
    new = {"look": look, "trials": ratios}
    with alone(folder):
        path = folder / "tried.jsonl"
        known = read_lines(path)  # before anything is added to what cannot be read
        append_line(path, new)
    seen = set(look.blocks)
    tried: dict[tuple[str, str], list[tuple[Look, float]]] = {}
    for row, line in enumerate(known, 1):
        try:
            old = msgspec.convert(line["look"], Look)
            if seen.intersection(old.blocks):
                for name, ratio in msgspec.convert(line["trials"], dict[str, float]).items():
                    tried.setdefault((old.what, name), []).append((old, ratio))
        except (KeyError, msgspec.MsgspecError) as error:
            raise RegistryError(f"{path}: line {row}: {error}; remove that line") from error
    for name, ratio in ratios.items():
        tried.setdefault((look.what, name), []).append((look, ratio))
    return [ratio for entries in tried.values() for ratio in _apart(entries)]


def _apart(entries: list[tuple[Look, float]]) -> Iterator[float]:
    """Yield the newest ratio of a configuration, and older ones that half other days gave."""
    before = inf
    for look, ratio in sorted(entries, key=lambda entry: entry[0].last)[::-1]:
        if look.last < before:
            yield ratio
            before = (look.first + look.last) / 2


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
