"""Models on duty and what the trainer does, in words and as rows among the signals."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from core.model.learning import (
    NO_MODEL,
    Comparison,
    Interval,
    LearningView,
    Live,
    ModelView,
    Promise,
    TrainingView,
)
from core.model.snapshot import Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Line, Row, Tone

if TYPE_CHECKING:
    from core.signals.registry import Check  # half a second that a terminal need not pay

MODELS = "|"
"""What a row of these answers when it is asked for venue and symbol: it has neither."""
_WIDTH = 72
"""Characters of a line on a page."""
_WORDS = {"champion": "trades", "challenger": "watched"}
_STATES: dict[str, Tone] = {"ok": "up", "degraded": "warn"}


def learning_rows(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return a row a model on duty, and one for the trainer where there is something to say.

    Cells have the order of the signals' columns.
    """
    learning = snapshot.learning
    if learning is None:
        return ()
    models = [one for one in (learning.champion, learning.challenger) if one is not None]
    rows = [_model(one, snapshot.ts) for one in models]
    if learning.champion is None or (learning.training and learning.training.part is not None):
        rows.append(_trainer(learning))
    return tuple(rows)


def note_learning(snapshot: Snapshot) -> str:
    """Return the model in a few words: which trades and how old it is, or that none does."""
    learning = snapshot.learning
    if learning is None:
        return ""
    champion, training = learning.champion, learning.training
    text = "no model"
    if champion is not None:
        old = numbers.age((snapshot.ts - champion.trained) / 1e9)
        text = f"model of {old} ago" + ("" if champion.state == "ok" else f", {champion.state}")
    if training is not None and training.part is not None:
        text += f", {clean(training.state, 12)} {training.part:.0%}"
    return text


def learning_lines(learning: LearningView, now: int) -> list[str]:
    """Return everything there is to say, a line each, for a shell."""
    lines = []
    for one in (learning.champion, learning.challenger):
        if one is not None:
            lines.append(f"{_title(one)}, trained {numbers.age((now - one.trained) / 1e9)} ago")
            lines += [f"  {text}" for text in describe(one)]
    if learning.comparison is not None:
        lines.append(comparison_text(learning.comparison))
    text = trainer_text(learning)
    return [*lines, *([text] if text else [])]


def _title(model: ModelView) -> str:
    return f"{_WORDS.get(model.role, model.role):8} {clean(model.id)}"


def view_learning(learning: LearningView, now: int) -> tuple[Line, ...]:
    """Return the same as lines of a page, for whoever asks why."""
    lines: list[Line] = [(Cell(" models", "strong"),)]
    for text in learning_lines(learning, now):
        if not text.startswith(" "):
            lines.append(())
        indent = " " * (len(text) - len(text.lstrip()))
        lines += [(Cell(f"   {part}"),) for part in wrap(text, _WIDTH, subsequent_indent=indent)]
    lines += [
        (),
        (Cell("   killcord models show ID has the conditions and the life of each", "dim"),),
    ]
    return tuple(lines)


def describe(model: ModelView) -> list[str]:
    """Return what a model speaks of, what is wrong with it, and how it does; a text each."""
    first = f"{model.horizon} candles ahead, AUC {model.promise.auc:.3f} in training"
    wrong: list[str] = [clean(model.detail)] if model.detail else []
    if model.trust < 0.995:
        counts = f"{model.trust:.0%} of what it says beyond a coin counts"
        wrong.append(f"{counts}: it is old or in doubt")
    return [first, *wrong, *describe_live(model.promise, model.live)]


def describe_live(promise: Promise, live: Live) -> list[str]:
    """Return how a model does, against what training promised; a text each."""
    if live.hit_rate is None or live.brier_skill is None:
        found = ["nothing has come true yet"]
    else:
        ic = "" if live.ic is None else f", IC {live.ic:+.3f}"
        found = [
            f"live {live.hit_rate:.1%} right, Brier {live.brier_skill:+.2%}{ic},"
            f" {live.scored:,} outcomes in {live.days} {'day' if live.days == 1 else 'days'}"
        ]
    if live.said is not None and live.spread is not None:
        then = ""
        if promise.said is not None and promise.spread is not None:
            then = f" ({promise.said:.1%} and {promise.spread:.1%} in training)"
        found.append(f"says {live.said:.1%} for a rise, spread {live.spread:.1%}{then}")
    if live.held is not None:
        then = "" if promise.held is None else f" ({promise.held:.0%} in training)"
        found.append(f"in a position {live.held:.0%} of the time{then}")
    if live.net is not None:
        found.append(f"following it made {interval_text(live.net)} bp a day after costs")
    if live.cost is not None and live.slippage is not None:
        found.append(
            f"orders pay {numbers.basis_points(live.cost)} bp a side"
            f" ({numbers.basis_points(promise.cost)} assumed), slippage"
            f" {numbers.basis_points(live.slippage)}, over {numbers.compact(live.orders)} USDT"
        )
    return found


def comparison_text(found: Comparison) -> str:
    """Return how the challenger stands against the champion, or against no model."""
    other = "a coin and no position" if found.alone else "champion"
    text = f"challenger against {other}: {found.days} of {found.needed} days"
    if found.loss is not None:
        text += f"; log loss smaller by {interval_text(found.loss)} (times 10,000)"
    if found.net is not None:
        text += f"; return larger by {interval_text(found.net)} bp a day"
    if found.days < found.needed:
        return text
    wins = "it trades" if found.alone else "it takes over"
    return f"{text}: {wins if found.favours else 'not beyond luck in both'}"


def check_line(check: Check) -> str:
    """Return a condition of promotion as a line for a person."""
    value = "-" if check.value is None else f"{check.value:.3g}"
    return f"  {'✓' if check.passed else '✗'} {check.name:42} {value:>8}   needs {check.need}"


def rehearsal_text(found: dict[str, Any]) -> str:
    """Return what the engine made of a forecast; see ``core.research.rehearsal.Rehearsal``."""
    text = (
        f"as the engine trades it, with stops, sizes and limits: {found['gain']:+.2%} of equity in"
        f" {found['trades']:,} round trips, {found['stops']:,} ended by their stop"
    )
    if found["sharpe"] is not None:
        low, high = found["sharpe_low"], found["sharpe_high"]
        text += f"; Sharpe {found['sharpe']:.2f} ({low:.2f} to {high:.2f})"
    text += f", deepest fall {found['drawdown']:.2%}"
    if found["refused"]:
        text += f"; entries refused: {found['refused']:,}"
    return f"{text}; {clean(found['halted'])}" if found["halted"] else text


def interval_text(found: Interval) -> str:
    """Return a mean and its interval in ten thousandths."""
    return f"{found.mean * 1e4:+.1f} ({found.low * 1e4:+.1f} to {found.high * 1e4:+.1f})"


def trainer_text(learning: LearningView) -> str:
    """Return what the trainer does, or came to, and why no model trades."""
    training: TrainingView | None = learning.training
    parts: list[str] = []
    done = training is not None and training.part is None and training.text
    if learning.champion is None and learning.cause and not (done and learning.cause == NO_MODEL):
        parts.append(clean(learning.cause))
    if training is not None and training.text:
        part = "" if training.part is None else f", {training.part:.0%}"
        parts.append(clean(training.text) + part)
    return ": ".join(dict.fromkeys(parts))


def _model(model: ModelView, now: int) -> Row:
    rate = numbers.NONE if model.live.hit_rate is None else f"{model.live.hit_rate:.1%}"
    return Row(
        f"||{model.role}",
        (
            Cell("model", "strong"),
            Cell(_WORDS.get(model.role, model.role)),
            Cell(clean(model.kind, 8), "dim"),
            Cell(rate),
            Cell(""),
            Cell(""),
            Cell(numbers.age((now - model.trained) / 1e9), "dim"),
            Cell(model.state, _STATES.get(model.state, "")),
            Cell(f"{clean(model.id)}: {'; '.join(describe(model))}", "dim"),
            Cell("lightgbm", "dim"),
        ),
    )


def _trainer(learning: LearningView) -> Row:
    training = learning.training
    word, tone = "no model", ""
    if training is not None and training.part is not None:
        word, tone = f"{training.state} {training.part:.0%}", "key"
    elif training is not None and training.state == "failed":
        word, tone = "failed", "warn"
    elif training is not None and training.finished:
        word = "no edge"
    none = Cell(numbers.NONE, "dim")
    return Row(
        "||trainer",
        (
            Cell("model", "strong"),
            Cell("none" if learning.champion is None else "next", "dim"),
            none,
            none,
            none,
            none,
            none,
            Cell(word, tone),  # type: ignore[arg-type]
            Cell(trainer_text(learning), "dim"),
            Cell("lightgbm", "dim"),
        ),
    )
