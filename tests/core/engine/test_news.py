"""News reaches the engine as events, which are recorded and give the same picture again."""

from __future__ import annotations

from core.engine.news import STORIES
from core.engine.picture import ShellFacts
from core.model.effect import Notify
from core.model.event import Event, SentimentScored, decode, encode
from core.model.news import NewsReading, NewsSource, NewsStory
from core.model.snapshot import NewsView
from tests.core.engine.scene import START, Scene

FACTS = ShellFacts("practice", "synthetic", START)
SOURCES = (NewsSource("local", "ok", "", 1, 0),)


def story(number: int = 0, outlets: int = 1, score: float = -0.8, asset: str = "BTC") -> NewsStory:
    at = START + number
    title, scorer = f"Headline {number}", "offline abc"
    return NewsStory(str(number), title, "Times", outlets, "", at, at, (asset,), score, 0.9, scorer)


def scored(*stories: NewsStory, received: int = START) -> SentimentScored:
    readings = (NewsReading("BTC", -0.8, 0.3, 0.0, len(stories), START),)
    return SentimentScored(received, "offline abc", "", "", stories, readings, SOURCES)


def view(scene: Scene) -> NewsView:
    news = scene.engine.snapshot(START, FACTS).news
    assert news is not None
    return news


def test_no_news_is_no_picture() -> None:
    assert Scene().engine.snapshot(START, FACTS).news is None


def test_stories_come_once_and_change() -> None:
    scene = Scene()
    scene.give(scored(story(0), story(1)), scored(story(0, outlets=3)))
    assert [(each.id, each.outlets) for each in view(scene).stories] == [("1", 1), ("0", 3)]
    scene.give(scored(*(story(number) for number in range(2, 100))))
    assert [each.id for each in view(scene).stories][:: STORIES - 1] == ["99", "40"]


def test_readings_stand_while_nobody_judges_and_that_is_said_once() -> None:
    scene = Scene()
    scene.give(scored(story()))
    lost = SentimentScored(START, "", "offline abc", "it was ended by signal 9")
    said = scene.of(Notify, scene.give(lost, lost))
    assert [(each.level, each.text) for each in said] == [
        ("warning", "news: nobody judges instead of offline abc: it was ended by signal 9")
    ]
    news = view(scene)
    assert (news.scorer, news.problem) == ("", "it was ended by signal 9")
    assert news.readings[0].score == -0.8
    assert news.sources == SOURCES


def test_the_recorded_form_gives_the_same_picture() -> None:
    events: list[Event] = [scored(story(0), story(1)), scored(story(2), received=START + 5)]
    first, second = Scene(), Scene()
    first.give(*events)
    second.give(*(decode(encode(event)) for event in events))
    assert view(first) == view(second)
    assert first.engine.decision_hash == second.engine.decision_hash
