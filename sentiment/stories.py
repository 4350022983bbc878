"""Stories: one piece of news, counted once however many outlets carry it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from core.clock import DAY
from sentiment.articles import Article, normalise

_STOP_WORDS = (
    "the a an of to in on for and is are was were will with as at by from after its it this that "
    "be has have says said report reports amid into over new"
)
_STOP = frozenset(_STOP_WORDS.split())
_RISE_WORDS = "rise gain jump surge climb rally soar up higher bull bullish above buy"
_FALL_WORDS = "fall drop slump plunge sink tumble slide down lower bear bearish below"
_RISE, _FALL = frozenset(_RISE_WORDS.split()), frozenset(_FALL_WORDS.split())
OVERLAP = 0.6
"""Part of its words that a title shares with another of the same story: this merges rewordings and
keeps templates with another subject apart."""


def _signature(title: str) -> frozenset[str]:
    words = (_singular(word) for word in normalise(title).split() if word not in _STOP)
    return frozenset(words)


def _singular(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Story(Struct):
    """One piece of news with everyone who carried it; changed in place as copies arrive."""

    first: Article
    words: frozenset[str]
    assets: frozenset[str]
    outlets: set[str]
    copies: int = 1


class Verdict(Struct, frozen=True):
    """What an article is to the stories known.

    ``copy`` is its place in the story: 1 for the first, k for the k-th outlet. ``repeat`` is True
    when the same outlet said it before, which adds nothing.
    """

    story: Story
    copy: int
    repeat: bool


class Stories:
    """Finds the story an article belongs to: same address, same words, or nearly the same words.

    Two titles are the same story when their word sets overlap by ``threshold`` (Jaccard), unless
    they disagree in every number, in the direction or in the assets they name. The search is
    exact: of n words, a match must share one of the n - ceil(threshold * n) + 1 rarest.

    Args:
        keep: nanoseconds after which a story is forgotten.
    """

    def __init__(self, keep: int = 3 * DAY) -> None:
        self._keep = keep
        self._stories: dict[str, Story] = {}
        self._by_article: dict[str, str] = {}
        self._by_word: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._stories)

    def add(self, article: Article, assets: Iterable[str] = ()) -> Verdict:
        """File an article and say what it is. ``assets`` are those linked to its title."""
        if (known := self._by_article.get(article.id)) is not None:
            story = self._stories[known]
            return Verdict(story, story.copies, repeat=True)
        words, named = _signature(article.title), frozenset(assets)
        found = self._find(words, named)
        if found is None:
            found = Story(article, words, named, {article.outlet})
            self._stories[article.id] = found
            for word in words:
                self._by_word.setdefault(word, {})[article.id] = None
            self._by_article[article.id] = article.id
            return Verdict(found, 1, repeat=False)
        self._by_article[article.id] = found.first.id
        repeat = article.outlet in found.outlets
        if not repeat:
            found.outlets.add(article.outlet)
            found.copies += 1
        return Verdict(found, found.copies, repeat=repeat)

    def _find(self, words: frozenset[str], assets: frozenset[str]) -> Story | None:
        ordered = sorted(words, key=lambda word: (len(self._by_word.get(word, ())), word))
        needed = -(-int(OVERLAP * 1000) * len(words) // 1000)
        best: Story | None = None
        best_overlap = 0.0
        seen: set[str] = set()
        for word in ordered[: len(words) - needed + 1]:
            for key in self._by_word.get(word, ()):
                if key in seen:
                    continue
                seen.add(key)
                story = self._stories[key]
                shared = len(words & story.words)
                overlap = shared / (len(words) + len(story.words) - shared)
                if overlap >= max(OVERLAP, best_overlap + 1e-9) and _agree(words, assets, story):
                    best, best_overlap = story, overlap
        return best

    def expire(self, now: int) -> int:
        """Forget stories that began more than ``keep`` before ``now``; return how many."""
        old = [key for key, story in self._stories.items() if self._is_old(story, now)]
        for key in old:
            story = self._stories.pop(key)
            for word in story.words:
                del self._by_word[word][key]
                if not self._by_word[word]:
                    del self._by_word[word]
        if old:
            gone = set(old)
            self._by_article = {a: k for a, k in self._by_article.items() if k not in gone}
        return len(old)

    def _is_old(self, story: Story, now: int) -> bool:
        return story.first.first_seen < now - self._keep


def _agree(words: frozenset[str], assets: frozenset[str], story: Story) -> bool:
    if assets and story.assets and assets.isdisjoint(story.assets):
        return False
    numbers = {word for word in words if word[-1:].isdigit() or word[:1] in "$0123456789"}
    others = {word for word in story.words if word[-1:].isdigit() or word[:1] in "$0123456789"}
    if numbers and others and numbers.isdisjoint(others):
        return False
    up, down = bool(words & _RISE), bool(words & _FALL)
    return not (
        up != down and bool(story.words & _RISE) == down and bool(story.words & _FALL) == up
    )
