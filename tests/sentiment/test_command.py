from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from core.errors import UsageError
from sentiment.scorer import ModelUnavailable
from tui import sentiment


def arguments(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"json": True, "engine": "offline", **more})


def test_score_tells_assets_label_probabilities_scorer_and_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sentiment.score(arguments(text="SEC approves spot ether ETF")) == 0
    said = json.loads(capsys.readouterr().out)
    assert [it["asset"] for it in said["assets"]] == ["ETH"]
    assert said["label"] == "positive"
    assert sum(said["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert said["scorer"]["engine"] == "offline"
    assert len(said["scorer"]["hash"]) == 12
    assert 0 < said["milliseconds"] < 1_000


def test_score_for_people_names_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert sentiment.score(arguments(text="Exchange hacked, $90M stolen", json=False)) == 0
    said = capsys.readouterr().out
    assert said.startswith("negative -0.")
    assert "by offline " in said


def test_an_engine_that_cannot_answer_is_replaced_and_that_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sentiment.score(arguments(text="Bitcoin falls", engine=str(tmp_path))) == 0
    scorer = json.loads(capsys.readouterr().out)["scorer"]
    assert scorer["engine"] == "offline"
    assert scorer["instead_of"] == str(tmp_path)
    assert "config.json" in scorer["problem"]


def test_but_not_when_it_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "set.tsv"
    path.write_text("negative\tBitcoin falls\n")
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        sentiment.evaluate(arguments(file=str(path), engine=str(tmp_path)))


@pytest.mark.parametrize("text", ["", "  ", "<b></b>", "!?"])
def test_no_text_is_bad_usage(text: str) -> None:
    with pytest.raises(UsageError):
        sentiment.score(arguments(text=text))


def test_evaluate_gives_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.tsv"
    path.write_text("negative\tBitcoin falls\npositive\tBitcoin soars\nneutral\tWhat is gas?\n")
    assert sentiment.evaluate(arguments(file=str(path))) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"] == said["macro_f1"] == 1.0
    assert said["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert said["per_second"] > 0
    assert sentiment.evaluate(arguments(file=str(path), json=False)) == 0
    assert "macro-F1 1.000" in capsys.readouterr().out
