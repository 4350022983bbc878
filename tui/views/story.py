"""One story in full, as lines."""

from __future__ import annotations

from textwrap import wrap

from core.model.news import NewsOpinion, NewsStory
from core.model.snapshot import Snapshot
from tui import numbers
from tui.text import clean
from tui.views.news import Effect, effects, know
from tui.views.table import Cell, Line, tone_of

WIDTH = 66
"""Characters a line: what a dialog has on a screen of 80 columns."""
_NAMES = ("negative", "neutral", "positive")


def view_story(story: NewsStory, snapshot: Snapshot) -> tuple[Line, ...]:
    """Return title, outlets, times, judgement, effect and link; all of it plain text."""
    lines: list[Line] = [(Cell(f" {part}", "strong"),) for part in wrap(clean(story.title), WIDTH)]
    names = ", ".join(clean(name, 40) for name in story.names or (story.outlet,))
    carried = "" if story.outlets == 1 else f"{story.outlets} outlets: "
    lines += [(Cell(f" {part}", "dim"),) for part in wrap(carried + names, WIDTH)]
    lines += [
        (Cell(f" published {numbers.clock(story.published)} UTC"),),
        (
            Cell(f" known     {numbers.clock(story.seen)} UTC"),
            Cell(f", {numbers.age(max(0, snapshot.ts - story.seen) / 1e9)} ago", "dim"),
        ),
        (),
        *_judgement(story),
        (),
        *view_opinion(story.opinion),
        (Cell(" effect", "strong"),),
        *_effects(story, snapshot),
        (),
        (Cell(" link", "strong"),),
    ]
    link = clean(story.url, 1_000) or "none was given"
    # Cut anywhere, so that what is shown can be put together again.
    return (
        *lines,
        *((Cell(f"   {link[at : at + WIDTH - 2]}"),) for at in range(0, len(link), WIDTH - 2)),
    )


def _judgement(story: NewsStory) -> list[Line]:
    lines: list[Line] = [(Cell(" judged", "strong"),)]
    if story.score is None or story.probabilities is None:
        return [*lines, (Cell("   there was no text to judge", "dim"),)]
    lines.append(
        (
            Cell("   score "),
            Cell(numbers.signed(story.score, 2), tone_of(story.score)),
            Cell(f", confidence {story.confidence:.2f}", "dim"),
        )
    )
    chances = zip(_NAMES, story.probabilities, strict=True)
    lines.append((Cell("   " + "  ".join(f"{name} {chance:.0%}" for name, chance in chances)),))
    by = f"   by {clean(story.scorer, 50)}"
    lines.append((Cell(by, "dim"),))
    if story.instead_of:
        lines.append((Cell(f"   instead of {clean(story.instead_of, 50)}", "warn"),))
    return lines


def view_opinion(opinion: NewsOpinion | None) -> list[Line]:
    """Return what an analyst said of a story; nothing where none did."""
    if opinion is None:
        return []
    assets = " ".join(clean(asset, 12) for asset in opinion.assets) or "none of its assets"
    said = f"{assets} {clean(opinion.direction, 8)} over {clean(opinion.horizon, 8)}"
    return [
        (
            Cell(" second reading", "strong"),
            Cell(f"  {clean(opinion.analyst, 40)}; moves no score, no trade", "dim"),
        ),
        (Cell(f"   {said}"), Cell(f", confidence {opinion.confidence:.2f}", "dim")),
        *((Cell(f"   {part}"),) for part in wrap(clean(opinion.reason), WIDTH - 2)),
        (),
    ]


def _effects(story: NewsStory, snapshot: Snapshot) -> list[Line]:
    if not story.assets:
        return [(Cell("   it names no asset, and not the market: it counts nowhere", "dim"),)]
    lines: list[Line] = []
    for effect in effects(story, know(snapshot)):
        lines += _effect(effect)
    return lines


def _effect(effect: Effect) -> list[Line]:
    asset, reading = clean(effect.asset, 12), effect.reading
    if reading is None:
        return [(Cell(f"   {asset} "), Cell("counts for nothing any more", "dim"))]
    if effect.share:
        part = f"{numbers.signed(effect.share, 2)} of the score {numbers.signed(reading.score, 2)}"
    else:
        part = f"little in the score {numbers.signed(reading.score, 2)}"
    lines: list[Line] = [
        (
            Cell(f"   {asset} "),
            Cell(part, tone_of(effect.share)),
            Cell(f" (articles {reading.count}), evidence {reading.evidence:.2f}", "dim"),
        )
    ]
    if effect.longs or effect.shorts:
        wants = [f"▲ long on {effect.longs}"] * bool(effect.longs)
        wants += [f"▼ short on {effect.shorts}"] * bool(effect.shorts)
        lines.append((Cell(f"      the strategy wants {', '.join(wants)} instruments", "dim"),))
    if effect.blocked:
        lines.append((Cell(f"      no new longs for {effect.blocked:,.0f} s", "warn"),))
    return lines
