"""The chain of a decision as lines."""

from __future__ import annotations

from core.model.instrument import short_symbol
from core.model.news import NewsReading
from core.model.why import Why
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Line, tone_of

_WANTS = {1: "▲ long", -1: "▼ short", 0: "· flat"}


def view_why(why: Why) -> tuple[Line, ...]:
    """Return signal, sizing, checks, verdict, and what happened, in that order."""
    name = f"{clean(short_symbol(why.symbol))} {clean(why.venue)}"
    lines: list[Line] = [
        (Cell(f" {name} ", "strong"), Cell(f" {numbers.clock(why.ts)} {numbers.CLOCK.zone}", "dim"))
    ]
    if why.client_id:
        lines.append((Cell(f" {clean(why.order)}  "), Cell(clean(why.client_id), "dim")))
    lines += [
        (),
        *_signal(why),
        *_factors(why),
        *_news(why),
        *_sizing(why),
        *_checks(why),
        *_happenings(why),
    ]
    return tuple(lines)


def _signal(why: Why) -> list[Line]:
    said = why.signal
    if said is None:
        return [(Cell(" not asked for by a strategy", "dim"),), ()]
    return [
        (Cell(" signal", "strong"),),
        (
            Cell(f"   {clean(said.strategy)} wants "),
            Cell(_WANTS.get(said.target, str(said.target)), "key"),
            Cell(f", score {said.score:+.6g}"),
        ),
        (Cell(f"   {clean(said.reason)}", "dim"),),
        *(
            (Cell(f"   {share:+8.3f}  ", tone_of(share)), Cell(clean(name, 40)))
            for name, share in said.parts
        ),
        (),
    ]


def _factors(why: Why) -> list[Line]:
    """Return the features that weighed in a model: ``+`` for a rise, ``-`` for a fall."""
    if not why.factors:
        return []
    lines: list[Line] = [
        (Cell(" what the model saw", "strong"), Cell("  log odds of a rise it added", "dim"))
    ]
    for one in why.factors:
        value = "not known" if one.value is None else f"{one.value:+.3g}"
        lines.append(
            (
                Cell(f"   {one.share:+8.3f}  ", tone_of(one.share)),
                Cell(f"{clean(one.name, 24):24}"),
                Cell(f" {value:>9}", "dim"),
            )
        )
    return [*lines, ()]


def _news(why: Why) -> list[Line]:
    news = why.news
    if news is None:
        return []
    facts = (
        f"evidence {news.evidence:.2f}, change in an hour {numbers.signed(news.change, 2)},"
        f" dispersion {news.dispersion:.2f}, articles {news.count}"
    )
    lines: list[Line] = [
        (
            Cell(" news", "strong"),
            Cell(f"  {clean(news.asset, 12)} "),
            Cell(numbers.signed(news.score, 2), tone_of(news.score)),
        ),
        (Cell(f"   {facts}", "dim"),),
        *((Cell(f"   judged by {clean(name, 60)}", "dim"),) for name in _judges(news)),
    ]
    for part in news.parts:
        others = f" +{part.outlets - 1}" if part.outlets > 1 else ""
        lines.append(
            (
                Cell(f"   {numbers.signed(part.share, 2):>5} ", tone_of(part.share)),
                Cell(clean(part.title, 60)),
                Cell(f" {clean(part.outlet, 14)}{others}", "dim"),
            )
        )
        if said := part.opinion:
            who = f"{clean(said.analyst, 30)}: {clean(said.direction, 8)}"
            over = f"over {clean(said.horizon, 8)}, {said.confidence:.0%} sure"
            lines.append((Cell(f"         {who} {over}; moves nothing", "dim"),))
    return [*lines, ()]


def _judges(news: NewsReading) -> list[str]:
    """Return who judged the stories shown, each once."""
    return list(dict.fromkeys(part.scorer for part in news.parts if part.scorer))


def _sizing(why: Why) -> list[Line]:
    size = why.sizing
    if size is None:
        return []
    raw = size.equity * size.part / size.price if size.price else size.qty
    best = () if size.kelly is None else ((Cell(f"   {_kelly(size.kelly)}", "dim"),),)
    return [
        (Cell(" size", "strong"),),
        *best,
        (
            Cell(f"   {numbers.money(size.equity)} × {numbers.percent(size.part, 3, sign=False)}"),
            Cell(f" ÷ {numbers.quantity(size.price)} = {raw:.8g}"),
        ),
        (
            Cell(f"   down to the lot of {numbers.quantity(size.lot)}: "),
            Cell(numbers.quantity(size.qty), "strong"),
        ),
        (),
    ]


def _kelly(fraction: float) -> str:
    """Return what a model's probability says of the size."""
    part = f"{fraction:,.0f} times equity" if fraction >= 1.0 else f"{fraction:.2%} of equity"
    return f"Kelly: {part}; a part of it (strategy.kelly), or the limit if that is less"


def _checks(why: Why) -> list[Line]:
    passed = sum(check.passed for check in why.checks)
    lines: list[Line] = []
    if why.checks:
        lines.append(
            (Cell(" checks", "strong"), Cell(f"  {passed} of {len(why.checks)} passed", "dim"))
        )
    for check in why.checks:
        mark = Cell("   ✓ ", "up") if check.passed else Cell("   ✗ ", "warn")
        tail = " of ".join(clean(text, 20) for text in (check.value, check.limit) if text)
        lines.append(
            (
                mark,
                Cell(f"{clean(check.code, 20):<18} ", "" if check.passed else "warn"),
                Cell(tail or clean(check.detail, 40), "dim" if check.passed else ""),
            )
        )
    good = why.outcome == "DONE"
    word = "let through" if good else clean(why.outcome, 30)
    lines += [(Cell("   → ", "dim"), Cell(word, "up" if good else "warn")), ()]
    return lines


def _happenings(why: Why) -> list[Line]:
    if not why.happenings:
        return []
    lines: list[Line] = [(Cell(" what happened", "strong"),)]
    for each in why.happenings:
        after = (each.ts - why.ts) / 1e6
        lines.append((Cell(f"   {after:>10,.1f} ms  ", "dim"), Cell(clean(each.text))))
    return lines
