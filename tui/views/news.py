"""Stories, newest first: when, which assets, the score, its effect; and how each source is."""

from __future__ import annotations

from typing import NamedTuple

from core.model.instrument import short_symbol
from core.model.news import NewsReading, NewsSource, NewsStory, news_asset
from core.model.snapshot import NewsView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.focus import Focus
from tui.views.table import Cell, Column, Row, Tone

COLUMNS = (
    Column("age", 4, 0, right=True),
    Column("score", 6, 0, right=True),
    Column("assets", 9, 0),
    Column("headline", 30, 0, grow=1),
    Column("outlets", 7, 2, right=True),
    Column("effect", 24, 1),
    Column("outlet", 14, 3),
    Column("judged by", 20, 4),
)

SOURCE_COLUMNS = (
    Column("source", 26, 0),
    Column("state", 10, 0),
    Column("articles", 8, 1, right=True),
    Column("left out, failed, what to do", 40, 0, grow=1),
)

EMPTY = "No news yet. Press n for the sources; docs/sentiment.md has more."
EMPTY_SOURCES = "No news is read here; [news] in the configuration names feeds and services."

_EVERYTHING = Focus()
_STATES: dict[str, Tone] = {"ok": "good", "unchanged": "dim", "waiting": "dim"}
_FELT = 0.05
"""Smaller parts of a reading speak for or against nothing."""
_CLEAR = 0.2
"""From this score on, either way, a colour says so; nearer to zero news is neutral."""


class Known(NamedTuple):
    """What a picture says about assets."""

    readings: dict[str, NewsReading]
    wanted: dict[str, list[int]]
    """The strategy's directions, one an instrument."""
    blocked: dict[str, float]
    """Seconds for which the news guard blocks new longs."""


class Effect(NamedTuple):
    """What a story does to one of its assets."""

    asset: str
    share: float
    """Its part of the asset's reading; 0 where it is not among the weightiest."""
    reading: NewsReading | None
    longs: int
    """Instruments of the asset on which the strategy wants to be long now."""
    shorts: int
    blocked: float
    """Seconds for which the news guard blocks new longs on the asset."""


def view_news(snapshot: Snapshot, focus: Focus = _EVERYTHING) -> tuple[Row, ...]:
    """Return one row a story, of one asset where that is wished."""
    news = snapshot.news
    if news is None:
        return ()
    about, known = focus.about, know(snapshot)
    return tuple(
        _row(story, snapshot.ts, known)
        for story in news.stories
        if not about or about in story.assets
    )


def note_news(snapshot: Snapshot, focus: Focus = _EVERYTHING) -> str:
    """Return what stands at the right of the title: who judges, or why nobody does; sources."""
    news = snapshot.news
    if news is None:
        return ""
    good = sum(source.state in ("ok", "unchanged") for source in news.sources)
    only = f"{clean(focus.about, 12)} only, f all · " if focus.about else ""
    return f"{only}{_judge(news)} · {good} of {len(news.sources)} sources"


def view_sources(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a source, those that need something first."""
    news = snapshot.news
    sources = news.sources if news else ()
    return tuple(
        Row(
            source.name,
            (
                Cell(clean(source.name), "strong"),
                Cell(clean(source.state), _STATES.get(source.state, "warn")),
                Cell(str(source.articles) if source.articles else numbers.NONE),
                Cell("; ".join(source_facts(source, articles=False)), "dim"),
            ),
        )
        for source in sorted(sources, key=lambda each: each.state in _STATES)
    )


def note_sources(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title."""
    news = snapshot.news
    if news is None or not news.trending:
        return ""
    return "most searched: " + clean(" ".join(news.trending), 60)


def source_facts(source: NewsSource, articles: bool = True) -> list[str]:
    """Return what there is to say of a source: trouble, articles, what was refused and failed."""
    facts: list[str] = [clean(source.detail)] if source.detail else []
    if source.articles and articles:
        facts.append(f"{source.articles} articles")
    refused = ", ".join(f"{count} {clean(why)}" for why, count in source.refused.items())
    failed = ", ".join(f"{clean(why)} {count} times" for why, count in source.failed.items())
    return [*facts, *([f"left out: {refused}"] if refused else []), *([failed] if failed else [])]


def sentiment_column(snapshot: Snapshot) -> Column:
    """Return a column for other tables, of ``sentiment_cell``; its name says who stands in."""
    news = snapshot.news
    name = "news"
    if news is not None and (news.instead_of or not news.scorer):
        name = "news, stand-in" if news.scorer else "news, unjudged"
    return Column(name, max(11, len(name)), 2, right=True)


def sentiment_cell(snapshot: Snapshot, symbol: str) -> Cell:
    """Return what the news says about a symbol: score, articles of the last day, rank in searches.

    ``-`` where it says nothing.
    """
    asset = news_asset(short_symbol(symbol))
    searched = snapshot.news.trending if snapshot.news else ()
    rank = f" #{searched.index(asset) + 1}" if asset in searched else ""
    reading = _readings(snapshot).get(asset)
    if reading is None:
        return Cell(numbers.NONE + rank, "dim")
    text = f"{numbers.signed(reading.score, 2)} ({reading.count}){rank}"
    return Cell(text, _tone(reading.score))


def _readings(snapshot: Snapshot) -> dict[str, NewsReading]:
    return {each.asset: each for each in snapshot.news.readings} if snapshot.news else {}


def _judge(news: NewsView) -> str:
    if not news.scorer:
        return f"nobody judges: {clean(news.problem)}"
    stand_in = f" instead of {clean(news.instead_of)}" if news.instead_of else ""
    return clean(news.scorer) + stand_in


def effects(story: NewsStory, known: Known) -> tuple[Effect, ...]:
    """Return what a story does to the readings and signals of its assets, strongest first."""
    found = []
    for asset in story.assets:
        reading = known.readings.get(asset)
        parts = reading.parts if reading else ()
        share = next((part.share for part in parts if part.story == story.id), 0.0)
        wanted = known.wanted.get(asset, [])
        left = known.blocked.get(asset, 0.0)
        found.append(Effect(asset, share, reading, wanted.count(1), wanted.count(-1), left))
    return tuple(sorted(found, key=lambda each: -abs(each.share)))


def know(snapshot: Snapshot) -> Known:
    """Look a picture's readings and signals up once for many stories."""
    wanted: dict[str, list[int]] = {}
    for signal in snapshot.signals:
        wanted.setdefault(news_asset(short_symbol(signal.symbol)), []).append(signal.target)
    blocked = dict(snapshot.news.blocked) if snapshot.news else {}
    return Known(_readings(snapshot), wanted, blocked)


def effect_text(effect: Effect) -> str:
    """Say what a story does: its part of the reading, and whom that speaks for or against."""
    words = [numbers.signed(effect.share, 2)] if effect.share else []
    if effect.blocked:
        words.append("blocks longs")
    elif abs(effect.share) >= _FELT:
        with_it, against = effect.longs, effect.shorts
        if effect.share < 0:
            with_it, against = against, with_it
        signs = "▲▼" if effect.share > 0 else "▼▲"
        words += [f"for {with_it}{signs[0]}"] * bool(with_it)
        words += [f"vs {against}{signs[1]}"] * bool(against)
    return " ".join(words) or numbers.NONE


def _row(story: NewsStory, now: int, known: Known) -> Row:
    score = story.score
    strongest = next(iter(effects(story, known)), None)
    names = clean(" ".join(story.assets))
    judged = f"{story.scorer} instead of {story.instead_of}" if story.instead_of else story.scorer
    return Row(
        story.id,
        (
            Cell(numbers.age(max(0, now - story.published) / 1e9), "dim"),
            Cell(numbers.NONE, "dim") if score is None else _score_cell(score),
            Cell(names or numbers.NONE, "strong" if names else "dim"),
            Cell(clean(story.title)),
            Cell(str(story.outlets), "dim"),
            Cell(numbers.NONE, "dim") if strongest is None else _effect_cell(strongest),
            Cell(clean(story.outlet), "dim"),
            Cell(clean(judged), "dim"),
        ),
    )


def _effect_cell(effect: Effect) -> Cell:
    text = effect_text(effect)
    if text == numbers.NONE:
        return Cell(text, "dim")
    return Cell(f"{clean(effect.asset, 8)} {text}", "warn" if effect.blocked else "")


def _score_cell(score: float) -> Cell:
    return Cell(numbers.signed(score, 2), _tone(score))


def _tone(score: float) -> Tone:
    if abs(score) < _CLEAR:
        return "dim"
    return "up" if score > 0 else "down"
