"""The models on duty and the trainer, as a person sees them."""

from __future__ import annotations

from msgspec.structs import replace

from core.clock import DAY, SECOND
from core.model.learning import NO_MODEL, LearningView, ModelView, TrainingView
from core.model.snapshot import Snapshot
from tests.tui.pictures import NOW, busy
from tui.views.learning import MODELS, learning_lines, learning_rows, view_learning
from tui.views.signals import note_signals, signal_columns, view_signals

MODEL = ModelView(
    "linear-4x3600-abc", "champion", "linear", 3600, 4, NOW - 3 * DAY, NOW - 2 * DAY, "ok", "",
    0.541, 1204, 0.5233, 0.0041, 12, (),
)  # fmt: skip


def picture(learning: LearningView | None) -> Snapshot:
    return replace(busy(), learning=learning, strategy="lightgbm", timeframe=3600)


def texts(learning: LearningView) -> list[dict[str, str]]:
    """By name of the column."""
    shown = replace(picture(learning), news=None)
    names = [column.name for column in signal_columns(shown)]
    return [
        dict(zip(names, [cell.text for cell in row.cells], strict=True))
        for row in learning_rows(shown)
    ]


def test_where_no_model_is_used_nothing_is_said() -> None:
    assert learning_rows(picture(None)) == ()
    assert "model" not in note_signals(picture(None))


def test_training_is_shown_as_it_goes_and_as_it_ends() -> None:
    running = TrainingView("training", "training on 8,760 candles of BTC at okx", 0.43, 0, 0)
    view = LearningView(None, None, running, NO_MODEL)
    (row,) = texts(view)
    assert (row["venue"], row["came of it"]) == ("none", "training 43%")
    assert row["why"] == "no model is promoted: training on 8,760 candles of BTC at okx, 43%"
    assert note_signals(picture(view)).endswith("no model, training 43%")
    done = TrainingView("waiting", "no edge found: tells rises from falls", None, NOW - SECOND, 0)
    view = LearningView(None, None, done, NO_MODEL)
    (row,) = texts(view)
    assert (row["came of it"], row["why"]) == ("no edge", "no edge found: tells rises from falls")
    left = LearningView(None, None, done, "linear-x was demoted: its hit rate fell")
    assert texts(left)[0]["why"].startswith(
        "linear-x was demoted: its hit rate fell: no edge found"
    )


def test_the_model_its_age_and_what_came_true_are_shown() -> None:
    drifted = replace(
        MODEL, role="challenger", state="degraded", detail="features left training: flow_6"
    )
    view = LearningView(MODEL, drifted, None, "")
    champion, challenger = texts(view)
    said = [champion[name] for name in ("symbol", "venue", "wants", "score", "age", "came of it")]
    assert said == ["model", "trades", "linear", "52.3%", "3d", "ok"]
    assert (
        "AUC 0.541 in training; live 52.3% right, Brier +0.41%, 1,204 outcomes" in champion["why"]
    )
    assert challenger["venue"] == "watched"
    assert challenger["why"].endswith("features left training: flow_6")
    assert note_signals(picture(view)).endswith("lightgbm on 1 h · model of 3d ago")
    fresh = replace(MODEL, hit_rate=None, brier_skill=None, scored=0)
    assert (
        "nothing has come true yet" in learning_lines(LearningView(fresh, None, None, ""), NOW)[0]
    )


def test_rows_fit_the_columns_with_news_and_without() -> None:
    view = LearningView(MODEL, None, None, "")
    for snapshot in (picture(view), replace(picture(view), news=None)):
        width = len(signal_columns(snapshot))
        assert {len(row.cells) for row in view_signals(snapshot)} == {width}


def test_the_whole_story_is_on_a_page() -> None:
    done = TrainingView(
        "waiting", "no edge found: " + ", ".join(["tells rises from falls"] * 9), None, NOW, 0
    )
    lines = view_learning(LearningView(None, MODEL, done, NO_MODEL), NOW)
    texts = ["".join(cell.text for cell in line) for line in lines]
    assert max(map(len, texts)) <= 76
    assert " ".join(" ".join(texts).split()).count("tells rises from falls") == 9
    assert any(MODEL.id in text for text in texts)
    # The rows answer to a name that no venue and symbol has.
    view = LearningView(MODEL, None, None, "")
    assert {"|".join(row.key.split("|")[:2]) for row in learning_rows(picture(view))} == {MODELS}
