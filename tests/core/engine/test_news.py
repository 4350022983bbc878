"""News reaches the engine as events, which are recorded and give the same picture again."""

from __future__ import annotations

from decimal import Decimal

from core.clock import HOUR, SECOND
from core.engine.news import STORIES
from core.engine.picture import ShellFacts
from core.model.effect import Answer, Notify, RiskEvent, Signalled
from core.model.event import Event, SentimentScored, Submit, decode, encode
from core.model.market import Side
from core.model.news import NewsPart, NewsReading, NewsSource, NewsStory, news_asset
from core.model.snapshot import LimitView, NewsView
from core.risk.codes import Code
from tests.core.engine.scene import BTC, START, Scene, config

FACTS = ShellFacts("practice", "synthetic", START)
SOURCES = (NewsSource("local", "ok", "", 1),)


def story(number: int = 0, outlets: int = 1, score: float = -0.8, asset: str = "BTC") -> NewsStory:
    at = START + number
    title, scorer = f"Headline {number}", "offline abc"
    return NewsStory(str(number), title, "Times", outlets, "", at, at, (asset,), score, 0.9, scorer)


def scored(*stories: NewsStory, received: int = START) -> SentimentScored:
    parts = tuple(NewsPart(s.id, s.title, s.outlet, s.outlets, -0.8, -0.8) for s in stories)
    readings = (NewsReading("BTC", -0.8, 0.3, 0.0, len(stories), START, -0.8, parts),)
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


def test_a_fresh_clear_story_on_what_is_traded_is_in_the_log_once() -> None:
    scene = Scene()
    scene.now = START + 2 * HOUR
    fresh = 2 * HOUR - 60 * SECOND
    mild, other = story(fresh, score=-0.4), story(fresh + 1, asset="SOL")
    old, clear = story(0), story(fresh + 2, score=0.7)
    wide = story(fresh + 3, asset="MARKET")
    words = scored(mild, other, old, clear, wide, received=scene.now)
    said = [each.text for each in scene.of(Notify, scene.give(words, words))]
    assert [text for text in said if "Headline" in text] == [
        f"news: BTC +0.70: Headline {fresh + 2} (Times)",
        f"news: MARKET -0.80: Headline {fresh + 3} (Times)",
    ]


def test_pictures_carry_no_story_twice() -> None:
    scene = Scene()
    scene.give(scored(story()))
    (part,) = view(scene).readings[0].parts
    assert (part.story, part.share, part.title, part.outlet) == ("0", -0.8, "", "")
    assert view(scene).stories[0].title == "Headline 0"


def test_the_recorded_form_gives_the_same_picture() -> None:
    events: list[Event] = [scored(story(0), story(1)), scored(story(2), received=START + 5)]
    first, second = Scene(), Scene()
    first.give(*events)
    second.give(*(decode(encode(event)) for event in events))
    assert view(first) == view(second)
    assert first.engine.decision_hash == second.engine.decision_hash


# --- the news guard ---------------------------------------------------------------------------


def order(scene: Scene, side: Side) -> Answer:
    scene.give(scene.book(50_000.0))
    out = scene.give(Submit("r", "me", "bybit", BTC, side, Decimal("0.01"), scene.now))
    (answer,) = scene.of(Answer, out)
    assert isinstance(answer, Answer)
    return answer


def guard(scene: Scene) -> LimitView:
    picture = scene.engine.snapshot(scene.now, FACTS)
    return next(limit for limit in picture.limits if limit.code == Code.BAD_NEWS)


def armed(**limits: object) -> Scene:
    scene = Scene(config(limits={"news_window": 60.0} | limits))
    scene.open()
    return scene


def test_a_burst_of_bad_news_blocks_longs_alone_and_passes() -> None:
    scene = armed()
    begun = scene.now - START  # when the stories are seen, from START
    said = scene.give(scored(*(story(begun + n) for n in range(2)), received=scene.now))
    assert not scene.of(RiskEvent, said)
    assert order(scene, Side.BUY).ok
    said = scene.give(scored(story(begun + 2), received=scene.now))
    (event,) = scene.of(RiskEvent, said)
    assert event.code is Code.BAD_NEWS
    assert "BTC: strongly negative news" in event.detail
    refused = order(scene, Side.BUY)
    assert (refused.ok, refused.code) == (False, Code.BAD_NEWS)
    assert guard(scene).breached
    assert "no new longs for 60 s" in guard(scene).detail
    assert order(scene, Side.SELL).ok
    scene.now += 61 * SECOND
    scene.give(scene.true_sweep())
    assert order(scene, Side.BUY).code != Code.BAD_NEWS
    assert not guard(scene).breached


def test_what_is_no_burst_blocks_nothing() -> None:
    scene = armed()
    at = scene.now - START
    mild = [story(at + n, score=-0.4) for n in range(3)]
    others = [story(at + 10 + n, asset="ETH") for n in range(3)]
    copies = [story(at + 20, outlets=n) for n in range(1, 9)]  # one story, many outlets
    scene.give(scored(*mild, *others, *copies, received=scene.now))
    assert order(scene, Side.BUY).ok


def test_news_on_the_market_block_every_asset_by_a_number_of_their_own() -> None:
    scene = armed(news_market_burst=2, news_burst=1)
    at = scene.now - START
    scene.give(scored(story(at, asset="MARKET"), received=scene.now))
    assert order(scene, Side.BUY).ok  # one is enough on an asset, not on the market
    said = scene.give(scored(story(at + 1, asset="MARKET"), received=scene.now))
    (event,) = scene.of(RiskEvent, said)
    assert event.code is Code.BAD_MARKET_NEWS
    assert "MARKET: strongly negative news; no new longs at all" in event.detail
    refused = order(scene, Side.BUY)
    assert (refused.ok, refused.code) == (False, Code.BAD_MARKET_NEWS)
    assert order(scene, Side.SELL).ok
    assert not guard(scene).breached  # no asset has bad news of its own
    picture = scene.engine.snapshot(scene.now, FACTS)
    (wide,) = (limit for limit in picture.limits if limit.code == Code.BAD_MARKET_NEWS)
    assert (wide.value, wide.limit, wide.breached) == (2.0, 2.0, True)


def test_a_contract_of_a_thousand_coins_is_the_coin() -> None:
    assert [news_asset(name) for name in ("1000PEPE", "1000000MOG", "BTC", "1INCH")] == [
        "PEPE",
        "MOG",
        "BTC",
        "1INCH",
    ]


def test_the_guard_can_be_turned_off() -> None:
    scene = armed(news_burst=0, news_market_burst=0)
    at = scene.now - START
    both = [story(at + n, asset=name) for name in ("BTC", "MARKET") for n in range(9)]
    scene.give(scored(*both, received=scene.now))
    assert order(scene, Side.BUY).ok
    assert not guard(scene).breached


# --- what strategies make of it ---------------------------------------------------------------


def crossing(bar: float) -> Scene:
    """A market that rises through its averages after bad news on BTC."""
    scene = Scene(config(strategy={"news_filter": bar}))
    scene.open()
    scene.give(scored(story(), received=scene.now))
    scene.serve(scene.closes(100.0, 99.0, 98.0, 97.0, 96.0, 99.0, 103.0), 100.0)
    return scene


def test_a_strategy_may_heed_the_news_and_why_shows_the_articles() -> None:
    free, heeding = crossing(0.0), crossing(0.4)
    assert [signal.target for signal in free.of(Signalled)][-1] == 1
    last = heeding.of(Signalled)[-1]
    assert last.target == 0
    assert last.reason.startswith("no long against news -0.80 (1 article); ")
    assert not any(order.side is Side.BUY for order in heeding.orders() if not order.reduce_only)
    for scene in (free, heeding):
        why = scene.engine.why(f"bybit|{BTC}")
        assert why is not None
        assert why.news is not None
        assert (why.news.score, why.news.parts[0].title) == (-0.8, "Headline 0")
