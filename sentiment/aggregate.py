"""From articles to a number per asset: decayed, weighted, with what lies behind it.

For an asset at time t, over articles i of age a_i::

    w_i   = relevance * source * confidence * novelty * 0.5 ** (a_i / half_life)
    score = sum(w_i * value_i) / sum(w_i)

``novelty`` is 1 for the first report of a story and 1/sqrt(k) for its k-th copy, so that ten
outlets with one story weigh about as five stories would, and an outlet that repeats itself weighs
nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from core.clock import DAY
from sentiment.articles import Article
from sentiment.entities import Link
from sentiment.scorer import Score

SATURATION = 3.0
"""Weight of evidence at which two thirds of full certainty are reached."""
LEAST_SOURCE = 0.25
MOST = 1_000
"""Articles kept per asset; busy days of the largest assets bring some hundreds."""


class Reading(Struct, frozen=True):
    """What the news says about an asset at one time and half-life.

    ``score`` is from -1 to 1 and 0 without evidence. ``evidence`` is from 0 to 1, 0 meaning
    nothing is known. ``dispersion`` is the weighted standard deviation of the values: high where
    the articles disagree. ``count`` counts the articles of the last day; ``newest`` is when the
    last one became known, nanoseconds UTC, 0 for none.
    """

    asset: str
    half_life: int
    score: float
    evidence: float
    dispersion: float
    count: int
    newest: int


class Contribution(Struct, frozen=True):
    """One story's part in a reading; the parts of a reading add up to its score.

    ``value`` is the weighted mean of its articles, ``outlets`` how many articles of it count.
    """

    story: str
    title: str
    outlet: str
    outlets: int
    value: float
    share: float
    scorer: str
    """Who judged the first of them: name, hash, and instead of whom."""


class _Entry(Struct, frozen=True):
    at: int
    weight: float
    value: float
    article: Article
    story: str
    scorer: str


class Aggregator:
    """Keeps the news of every asset. Deterministic: the same calls give the same numbers.

    Args:
        sources: outlet or source name to its weight, 1 for those not named, never under 0.25.
        keep: nanoseconds after which an article no longer counts.
    """

    def __init__(self, sources: Mapping[str, float] | None = None, keep: int = 3 * DAY) -> None:
        self._sources = dict(sources or {})
        self._keep = keep
        self._news: dict[str, deque[_Entry]] = {}

    def add(
        self,
        article: Article,
        links: Iterable[Link],
        score: Score | None,
        copy: int = 1,
        story: str = "",
    ) -> float:
        """Take in an article that became known at ``article.first_seen``.

        An article counts from the moment it was known, not from when it was published: what we
        could not know moved nothing. Its age at that moment counts against it.

        Args:
            article: the article.
            links: the assets it is about.
            score: what an engine made of it; without one it adds nothing.
            copy: its place in its story, from 1; 0 for an outlet repeating itself.
            story: id of the story it belongs to; its own when it is none's copy.

        Returns:
            Its weight for an asset of relevance 1, before decay.
        """
        if score is None or copy < 1:
            return 0.0
        source = self._sources.get(article.outlet, self._sources.get(article.source, 1.0))
        weight = max(LEAST_SOURCE, source) * score.confidence / math.sqrt(copy)
        if weight <= 0.0:
            return 0.0
        for link in links:
            entry = _Entry(
                article.published,
                weight * link.relevance,
                score.value,
                article,
                story or article.id,
                score.judge,
            )
            self._news.setdefault(link.asset, deque(maxlen=MOST)).append(entry)
        return weight

    def read(self, asset: str, now: int, half_life: int) -> Reading:
        """Return what is known about an asset at ``now`` (nanoseconds UTC)."""
        weights = total = squares = 0.0
        count = newest = 0
        for entry in self._known(asset, now):
            weight = entry.weight * 0.5 ** (_age(entry, now) / half_life)
            weights += weight
            total += weight * entry.value
            squares += weight * entry.value * entry.value
            count += entry.at > now - DAY
            newest = max(newest, entry.article.first_seen)
        if not weights:
            return Reading(asset, half_life, 0.0, 0.0, 0.0, 0, 0)
        score = total / weights
        dispersion = math.sqrt(max(0.0, squares / weights - score * score))
        evidence = 1.0 - math.exp(-weights / SATURATION)
        return Reading(asset, half_life, score, evidence, dispersion, count, newest)

    def explain(self, asset: str, now: int, half_life: int) -> list[Contribution]:
        """Return the stories behind a reading, weightiest first; their shares sum to its score."""
        stories: dict[str, list[tuple[_Entry, float]]] = {}
        total = 0.0
        for entry in self._known(asset, now):
            weight = entry.weight * 0.5 ** (_age(entry, now) / half_life)
            stories.setdefault(entry.story, []).append((entry, weight))
            total += weight
        found = []
        for story, entries in stories.items():
            entry = min(entries, key=lambda each: each[0].article.first_seen)[0]
            first = entry.article
            weight = sum(weight for _, weight in entries)
            value = sum(weight * entry.value for entry, weight in entries)
            found.append(
                Contribution(
                    story,
                    first.title,
                    first.outlet,
                    len(entries),
                    value / weight,
                    value / total,
                    entry.scorer,
                )
            )
        return sorted(found, key=lambda it: (-abs(it.share), it.story))

    def assets(self) -> list[str]:
        """Return every asset that has had news, sorted."""
        return sorted(self._news)

    def _known(self, asset: str, now: int) -> list[_Entry]:
        # What became known after ``now`` does not count: a reading of the past stays what it was.
        known = self._news.get(asset, ())
        oldest = now - self._keep
        return [it for it in known if it.article.first_seen <= now and it.at >= oldest]


def _age(entry: _Entry, now: int) -> int:
    return max(0, now - entry.at)
