"""``killcord news``: read the configured sources and print what they say about which asset."""

from __future__ import annotations

import argparse
import asyncio
import os

from core.clock import SystemClock
from core.config import Config
from core.errors import UsageError
from core.home import Home
from core.keys import news_keys
from core.model.news import NewsReading, NewsReport, NewsSource, NewsStory
from tui import numbers, settings
from tui.output import reply, say
from tui.text import clean
from tui.views.news import source_facts

SHOWN = 15
"""Stories printed for a person."""


def run(arguments: argparse.Namespace) -> int:
    """Read the news once, or until interrupted.

    Raises:
        UsageError: the configuration says that no news is read, or the desk reads it already.
        VaultUnavailable: keys are in a keyring that does not answer.
        ModelUnavailable: not even the offline engine loads.
    """
    home = Home.find()
    config = settings.read(arguments, home)
    if config.news.enabled == "no":
        raise UsageError('the configuration says `enabled = "no"` under [news]')
    return asyncio.run(_read(config, home, arguments))


async def _read(config: Config, home: Home, arguments: argparse.Namespace) -> int:
    from sentiment.analyst import open_analyst
    from sentiment.reader import PATIENCE, Reader, hold

    with hold(home.news):
        keys = news_keys(home, os.environ)
        clock = SystemClock()
        analyst = open_analyst(config.analyst, home.news, keys, clock)
        reader = Reader(config.news, home.news, keys, clock, analyst=analyst)
        try:
            printed: set[str] = set()
            while True:
                await reader.poll(None if arguments.once else PATIENCE)
                if arguments.once:
                    await reader.settle()
                report = reader.report()
                fresh = [story for story in report.stories if story.id not in printed]
                if arguments.json:
                    reply(arguments, report, ())
                elif not printed:
                    _print_sources(report.sources)
                    _print_trending(report.trending)
                    _print_readings(report.readings)
                    _print_stories(fresh[:SHOWN])
                    _print_scorer(report)
                else:
                    _print_stories(fresh)
                printed.update(story.id for story in fresh)
                if arguments.once:
                    answered = any(s.state in ("ok", "unchanged") for s in report.sources)
                    return 0 if answered else 5
                await asyncio.sleep(config.news.poll)
        finally:
            await reader.close()


def _print_sources(sources: tuple[NewsSource, ...]) -> None:
    say("SOURCES")
    for source in sources:
        line = f"  {clean(source.name):19}{source.state:11}"
        say(line + "; ".join(source_facts(source)))


def _print_trending(trending: tuple[str, ...]) -> None:
    if trending:
        say("MOST SEARCHED")
        say("  " + " ".join(clean(name) for name in trending))


def _print_readings(readings: tuple[NewsReading, ...]) -> None:
    say("READINGS")
    for each in sorted(readings, key=lambda reading: (-reading.evidence, reading.asset)):
        say(
            f"  {clean(each.asset):10}{numbers.signed(each.score, 2):>7}"
            f"   change {numbers.signed(each.change, 2)}   evidence {each.evidence:.2f}"
            f"   articles {each.count}"
        )
    if not readings:
        say("  none: no article names an asset")


def _print_stories(stories: list[NewsStory]) -> None:
    for story in stories:
        score = "" if story.score is None else numbers.signed(story.score, 2)
        names = " ".join(story.assets) or "-"
        outlets = f" (+{story.outlets - 1})" if story.outlets > 1 else ""
        say(f"{score:>7}  {clean(names):12}{clean(story.title)}  {clean(story.outlet)}{outlets}")
        if said := story.opinion:
            over = f"{clean(said.direction)} over {clean(said.horizon)}, {said.confidence:.0%} sure"
            say(f"{'':21}{clean(said.analyst)}: {over}: {clean(said.reason)}")


def _print_scorer(report: NewsReport) -> None:
    line = f"judged by {report.scorer}"
    if report.instead_of:
        line += f" instead of {report.instead_of}: {clean(report.problem)}"
    say(line)
