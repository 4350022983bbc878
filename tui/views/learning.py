"""Models on duty and what the trainer does, in words and as rows among the signals."""

from __future__ import annotations

from textwrap import wrap

from core.model.learning import NO_MODEL, LearningView, ModelView, TrainingView
from core.model.snapshot import Snapshot
from tui import numbers
from tui.text import clean
from tui.views.table import Cell, Line, Row, Tone

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
    lines = [
        f"{_WORDS.get(one.role, one.role):8} {clean(one.id)}, trained"
        f" {numbers.age((now - one.trained) / 1e9)} ago: {describe(one)}"
        for one in (learning.champion, learning.challenger)
        if one is not None
    ]
    text = trainer_text(learning)
    return [*lines, *([text] if text else [])]


def view_learning(learning: LearningView, now: int) -> tuple[Line, ...]:
    """Return the same as lines of a page, for whoever asks why."""
    lines: list[Line] = [(Cell(" models", "strong"),)]
    for text in learning_lines(learning, now):
        lines.append(())
        lines += [(Cell(f"   {part}"),) for part in wrap(text, _WIDTH)]
    lines += [
        (),
        (Cell("   killcord models show ID has the conditions and the life of each", "dim"),),
    ]
    return tuple(lines)


def describe(model: ModelView) -> str:
    """Return what a model speaks of, and how it does."""
    words = f"{model.horizon} candles ahead, AUC {model.auc:.3f} in training"
    if model.hit_rate is None or model.brier_skill is None:
        words += "; nothing has come true yet"
    else:
        words += (
            f"; live {model.hit_rate:.1%} right, Brier {model.brier_skill:+.2%},"
            f" {model.scored:,} outcomes in {model.days} days"
        )
    return f"{words}; {clean(model.detail)}" if model.detail else words


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
    rate = numbers.NONE if model.hit_rate is None else f"{model.hit_rate:.1%}"
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
            Cell(f"{clean(model.id)}: {describe(model)}", "dim"),
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
