"""The models on duty and the trainer, as a person sees them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from core.clock import DAY, SECOND
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
from tests.tui.pictures import NOW, busy
from tui.views.learning import (
    MODELS,
    comparison_text,
    learning_lines,
    learning_rows,
    rehearsal_text,
    view_learning,
)
from tui.views.signals import note_signals, signal_columns, view_signals

MODEL = ModelView(
    "linear-4x3600-abc", "champion", "linear", 3600, 4, NOW - 3 * DAY, NOW - 2 * DAY, "ok", "",
    1.0,
    Promise(0.541, 0.00065, 0.502, 0.025, 0.28),
    Live(
        12, 1204, 0.5233, 0.0041, 0.021, 0.504, 0.021, 0.31,
        Interval(0.00012, -0.0003, 0.00051), 123_000.0, 0.0001, 0.00071,
    ),
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
        "0.541 in training; live 52.3% right, Brier +0.41%, IC +0.021, 1,204 outcomes"
        in champion["why"]
    )
    assert challenger["venue"] == "watched"
    assert "in training; features left training: flow_6; live" in challenger["why"]
    old = LearningView(replace(MODEL, trust=0.35), None, None, "")
    assert "35% of what it says beyond a coin counts: it is old or in doubt" in texts(old)[0]["why"]
    assert "counts" not in champion["why"]
    assert note_signals(picture(view)).endswith("lightgbm on 1 h · model of 3d ago")
    fresh = replace(MODEL, live=Live())
    assert learning_lines(LearningView(fresh, None, None, ""), NOW)[2:] == [
        "  nothing has come true yet"
    ]


def test_what_it_says_earns_and_pays_stands_beside_what_training_promised() -> None:
    versus = Comparison(12, 30, Interval(0.00031, -0.0001, 0.0007), None)
    lines = learning_lines(LearningView(MODEL, None, None, "", versus), NOW)
    assert lines == [
        "trades   linear-4x3600-abc, trained 3d ago",
        "  4 candles ahead, AUC 0.541 in training",
        "  live 52.3% right, Brier +0.41%, IC +0.021, 1,204 outcomes in 12 days",
        "  says 50.4% for a rise, spread 2.1% (50.2% and 2.5% in training)",
        "  in a position 31% of the time (28% in training)",
        "  following it made +1.2 (-3.0 to +5.1) bp a day after costs",
        "  orders pay 7.1 bp a side (6.5 assumed), slippage 1.0, over 123k USDT",
        "challenger against champion: 12 of 30 days;"
        " log loss smaller by +3.1 (-1.0 to +7.0) (times 10,000)",
    ]
    enough = Comparison(31, 30, Interval(3e-4, 1e-4, 7e-4), Interval(3e-4, 1e-4, 7e-4))
    assert comparison_text(enough).endswith("bp a day: it takes over")
    alone = comparison_text(replace(enough, alone=True))
    assert alone.startswith("challenger against a coin and no position: 31 of 30 days; ")
    assert alone.endswith("bp a day: it trades")
    poor = replace(enough, net=Interval(3e-4, -1e-4, 7e-4))
    assert comparison_text(poor).endswith("bp a day: not beyond luck in both")


def test_what_the_engine_made_of_a_forecast_is_told() -> None:
    made: dict[str, Any] = {
        "trades": 1823, "stops": 941, "refused": 149, "gain": -0.0321, "drawdown": 0.0511,
        "sharpe": -0.95, "sharpe_low": -4.11, "sharpe_high": 1.51, "halted": "DRAWDOWN: over",
    }  # fmt: skip
    assert rehearsal_text(made) == (
        "as the engine trades it, with stops, sizes and limits: -3.21% of equity in 1,823 round"
        " trips, 941 ended by their stop; Sharpe -0.95 (-4.11 to 1.51), deepest fall 5.11%;"
        " entries refused: 149; DRAWDOWN: over"
    )
    still = made | {"sharpe": None, "refused": 0, "halted": "", "trades": 0, "stops": 0}
    assert rehearsal_text(still).endswith("0 ended by their stop, deepest fall 5.11%")


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
