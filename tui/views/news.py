"""Stories, newest first: when, how many outlets, which assets, the score and who judged."""

from __future__ import annotations

from core.model.instrument import short_symbol
from core.model.news import NewsReading, NewsSource, NewsStory, news_asset
from core.model.snapshot import NewsView, Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Column, Row, Tone

COLUMNS = (
    Column("age", 4, 0, right=True),
    Column("score", 6, 0, right=True),
    Column("assets", 9, 0),
    Column("headline", 30, 0, grow=1),
    Column("outlets", 7, 2, right=True),
    Column("outlet", 14, 3),
    Column("judged by", 20, 4),
)

READING = Column("news", 11, 2, right=True)
"""For other tables, of ``sentiment_cell``: score, number of articles of the last day, and the rank
among the most searched assets."""

EMPTY = "No news yet. `killcord news --once` says how each source is; docs/sentiment.md has more."

_CLEAR = 0.2
"""From this score on, either way, a colour says so; nearer to zero news is neutral."""


def view_news(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return one row a story."""
    news = snapshot.news
    return tuple(_row(story, snapshot.ts) for story in news.stories) if news else ()


def note_news(snapshot: Snapshot) -> str:
    """Return what stands at the right of the title: who judges, or why nobody does; sources."""
    news = snapshot.news
    if news is None:
        return ""
    good = sum(source.state in ("ok", "unchanged") for source in news.sources)
    return f"{_judge(news)} · {good} of {len(news.sources)} sources"


def source_facts(source: NewsSource) -> list[str]:
    """Return what there is to say of a source: trouble, articles, what was refused and failed."""
    facts: list[str] = [clean(source.detail)] if source.detail else []
    if source.articles:
        facts.append(f"{source.articles} articles")
    refused = ", ".join(f"{count} {clean(why)}" for why, count in source.refused.items())
    failed = ", ".join(f"{clean(why)} {count} times" for why, count in source.failed.items())
    return [*facts, *([f"left out: {refused}"] if refused else []), *([failed] if failed else [])]


def sentiment_cell(snapshot: Snapshot, symbol: str) -> Cell:
    """Return what the news says about a symbol, ``-`` where it says nothing."""
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


def _row(story: NewsStory, now: int) -> Row:
    score = story.score
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
            Cell(clean(story.outlet), "dim"),
            Cell(clean(judged), "dim"),
        ),
    )


def _score_cell(score: float) -> Cell:
    return Cell(numbers.signed(score, 2), _tone(score))


def _tone(score: float) -> Tone:
    if abs(score) < _CLEAR:
        return "dim"
    return "up" if score > 0 else "down"
