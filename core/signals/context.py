"""Features that do not come from an instrument's own candles: books, flow, other venues, news.

A *family* is one file in ``core/signals/families``, listed in ``FAMILIES`` and ``TABLES``. It has
two forms of the same definitions, written apart so that each is the other's test (equal to 1e-9):

* a class after ``Family``: told of events one by one inside the engine, asked for its values when a
  candle closes;
* a function after ``Tabulate``: the same values for every candle of a ``History`` at once, for
  training. What the history has no data for is NaN.

The rules of both:

* **Absent is NaN, never 0.** A model learns what missing means (LightGBM) or is told by a flag of
  its own (linear); a 0 would claim that something was seen.
* **Nothing of the future.** ``close(candle)`` may use what was *received* before the candle's end;
  an event received after it belongs to the next candle even when it is heard first, for the engine
  closes candles up to a second late. Companions' candles of the same open time are complete by
  then: the engine waits for them (below).
* **Scale-free.** Ratios, basis points, units of volatility; no raw prices or quantities. Finite
  windows, so that a desk that was started yesterday sees the numbers of one that ran for a month.
* **Deterministic.** Time is in the events; no clock, no randomness, no I/O. What raises stops the
  strategy on that instrument, as an exception of its own would.

A new family, sentiment for instance, is::

    FEATURES = (Feature("news_score", 1, "-1 to 1", "SentimentScored: the asset's reading"), ...)

    class Sentiment:
        features = FEATURES
        hears = (SentimentScored,)

        def __init__(self, place: Place) -> None: ...
        def hear(self, event: SentimentScored) -> None: ...     # keep the asset's reading
        def close(self, candle: Candle) -> list[float]: ...     # one value a feature, NaN: unknown
        @staticmethod
        def company(place: Place) -> tuple[Key, ...]: return ()
        @staticmethod
        def lacks(place: Place) -> str: return "" if place.news else "news is not read here"

    def tabulate(history: History) -> Floats: ...               # from history.events

``SentimentScored`` reaches every instrument's context, also the last one before the context was
made; market events reach the context of their own instrument; ``Candle`` is heard only of the
instruments that ``company`` names (the own candle comes with ``close``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct
from msgspec.structs import replace

from core.clock import SECOND
from core.errors import ConfigError
from core.model.market import Candle, Fact
from core.signals.families import basis, book, funding, interest, leader, market, news, venues
from core.signals.features import NAN, Feature
from core.signals.universe import Universe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.model.event import Event
    from core.research.candles import CandleFile

    Floats = NDArray[np.float64]
    Tabulate = Callable[["History"], Floats]

Key = tuple[str, str]
"""Venue and symbol."""


class Place(Struct, frozen=True):
    """Where an instrument trades, and what else the desk has."""

    venue: str
    symbol: str
    timeframe: int
    """Seconds of the strategy's candles."""
    venues: tuple[str, ...] = ()
    """All venues of the desk."""
    symbols: tuple[str, ...] = ()
    """All symbols of the desk."""
    news: bool = False
    """Whether news is read."""
    universe: Universe | None = None
    """What the venue's instruments share; None: it is by itself."""


class History(Struct, frozen=True):
    """What is known of the past around one instrument."""

    own: CandleFile
    others: tuple[CandleFile, ...] = ()
    """Candles of the same timeframe: other symbols of the venue, the symbol at other venues."""
    index: CandleFile | None = None
    """The symbol's index price, or its spot price at the venue; ``close`` alone is read."""
    facts: Mapping[Fact, Sequence[tuple[int, float]]] = {}
    """What venues told of the past: milliseconds UTC and value, oldest first."""
    funding: tuple[tuple[int, float], ...] = ()
    """Settlements: milliseconds UTC, fraction of notional that longs pay; oldest first."""
    events: Sequence[Event] = ()
    """A recording: every event of the instrument, and of the desk, as received."""


class Family(Protocol):
    """One kind of context of one instrument."""

    features: ClassVar[tuple[Feature, ...]]
    hears: ClassVar[tuple[type, ...]]
    """Types of the events it is told of."""

    def __init__(self, place: Place) -> None: ...

    def hear(self, event: Any) -> object:
        """Take an event into account. Called thousands of times a second: O(1).

        What it returns is nobody's.
        """
        ...

    def close(self, candle: Candle) -> Sequence[float]:
        """Return the values at the end of a candle, in the order of ``features``."""
        ...

    @staticmethod
    def company(place: Place) -> tuple[Key, ...]:
        """Return the other instruments whose candles it hears."""
        ...

    @staticmethod
    def lacks(place: Place) -> str:
        """Return what the desk would need and does not have; empty when it has all."""
        ...


FAMILIES: tuple[type[Family], ...] = (
    book.Book,
    venues.Venues,
    leader.Leader,
    market.Market,
    funding.Funding,
    basis.Basis,
    interest.Interest,
    news.News,
)
TABLES: tuple[Tabulate, ...] = (
    book.tabulate,
    venues.tabulate,
    leader.tabulate,
    market.tabulate,
    funding.tabulate,
    basis.tabulate,
    interest.tabulate,
    news.tabulate,
)
"""The batch form of each family."""
NAMES = tuple(feature.name for family in FAMILIES for feature in family.features)


class Context:
    """The context features that one strategy asked for, on one instrument.

    The engine makes it for a strategy with ``needs``, keeps it up to date, and closes it before
    each ``on_candle``; the strategy reads ``row``.

    Args:
        names: of features; ``row`` has their order.
        place: where.
        before: the context there was until now: families that it had go on with what they know.

    Raises:
        ConfigError: no family has such a feature.
    """

    def __init__(self, names: Sequence[str], place: Place, before: Context | None = None) -> None:
        self.names = tuple(names)
        unknown = [name for name in names if name not in NAMES]
        if unknown:
            raise ConfigError([f"strategy.name: no feature is called {', '.join(unknown)}"])
        if place.universe is None:
            place = replace(place, universe=Universe(place.timeframe))
        wanted = set(names)
        kinds = [one for one in FAMILIES if wanted & {feature.name for feature in one.features}]
        kept = {type(one): one for one in before._families} if before is not None else {}
        self._families: list[Family] = [kept.get(one) or one(place) for one in kinds]
        self._closes = [one.close for one in self._families]
        self._fresh = [one for one in self._families if type(one) not in kept]
        listed = [feature.name for one in kinds for feature in one.features]
        # Of one name itemgetter returns no tuple; of all of them in their order none is needed.
        alone = len(names) == 1
        self._only = listed.index(names[0]) if alone else -1
        order = [listed.index(name) for name in names]
        self._take = None if alone or listed == [*names] else itemgetter(*order)
        self.company = tuple(dict.fromkeys(key for one in kinds for key in one.company(place)))
        """Instruments whose candles are waited for."""
        self.lacks = tuple(dict.fromkeys(text for one in kinds if (text := one.lacks(place))))
        """What the desk does not have, for a person; the features stay NaN."""
        self.symbols = place.symbols
        """All symbols of the desk."""
        self.row: list[float] = [NAN] * len(self.names)
        """Values at the last closed candle, in the order of ``names``."""
        self._span = place.timeframe * SECOND
        self._place = place
        self._last: dict[Key, int] = dict(before._last) if before is not None else {}
        self._hearers: dict[type | Key, tuple[Callable[[Any], object], ...]] = {}
        for one in self._families:
            of: list[type | Key] = [kind for kind in one.hears if kind is not Candle]
            for what in (*of, *one.company(place)):
                known = self._hearers.get(what, ())
                if one.hear not in known:  # two families may have it from the same universe
                    self._hearers[what] = (*known, one.hear)

    def hear(self, event: Event) -> None:
        """Tell the families of an event."""
        if type(event) is Candle:
            key = event.venue, event.symbol
            self._last[key] = event.ts
            tellers = self._hearers.get(key, ())
        else:
            tellers = self._hearers.get(type(event), ())
        for tell in tellers:
            tell(event)

    def begin(self, events: Iterable[Event]) -> None:
        """Tell families that are new here what was heard last before they came."""
        for event in events:
            for one in self._fresh:
                if type(event) in one.hears:
                    one.hear(event)

    def warm(self, own: Sequence[Candle], others: Iterable[Candle]) -> None:
        """Show families that are new here the candles that closed before they came.

        Args:
            own: of the instrument, oldest first.
            others: of companions, each one's oldest first.
        """
        key = (self._place.venue, self._place.symbol)
        families = [(one, one.company(self._place)) for one in self._fresh]
        # Those that ended together: companions first.
        for candle in sorted([*others, *own], key=lambda c: (c.ts, (c.venue, c.symbol) == key)):
            of = (candle.venue, candle.symbol)
            if of != key:
                self._last[of] = candle.ts
            for one, company in families:
                if of == key:
                    one.close(candle)
                elif of in company:
                    one.hear(candle)

    def awaits(self, candle: Candle) -> bool:
        """Whether a companion that closed the candle before this one has not closed this one yet.

        Who has missed one is not waited for: a venue that fell silent must not hold decisions up.
        """
        last = self._last
        before = candle.ts - self._span
        return any(last.get(key) == before for key in self.company)

    def close(self, candle: Candle) -> None:
        """Work out ``row`` for a candle of the instrument itself."""
        values: list[float] = []
        for close in self._closes:
            values += close(candle)
        if self._take is not None:
            values = list(self._take(values))
        elif self._only >= 0:
            values = [values[self._only]]
        self.row = values

    def values(self) -> Mapping[str, float]:
        """Return the last row by name."""
        return dict(zip(self.names, self.row, strict=True))
