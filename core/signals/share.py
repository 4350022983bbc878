"""One context for several strategies: each sees the features it asked for, in its own order."""

from __future__ import annotations

from collections.abc import Iterable

from core.signals.context import Context


class View:
    """Some features of a context. Read like a ``Context``."""

    def __init__(self, whole: Context | View, names: tuple[str, ...]) -> None:
        self.names = names
        self._whole = whole
        self._take = [whole.names.index(name) for name in names]

    @property
    def row(self) -> list[float]:
        """Values at the last closed candle, in the order of ``names``."""
        row = self._whole.row
        return [row[at] for at in self._take]

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the desk."""
        return self._whole.symbols

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the desk does not have."""
        return self._whole.lacks


def union(strategies: Iterable[object]) -> tuple[str, ...]:
    """Return every context feature that one of them needs, once."""
    return tuple(dict.fromkeys(name for one in strategies for name in getattr(one, "needs", ())))


def share(context: Context | View, strategies: Iterable[object]) -> None:
    """Give each what it asked for."""
    for one in strategies:
        needs = getattr(one, "needs", ())
        if needs:
            one.context = View(context, tuple(needs))  # type: ignore[attr-defined]
