from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from core.secrets import Secret
from sentiment.offline import OfflineEngine
from sentiment.scorer import ModelUnavailable, Score, WithFallback
from sentiment.training import read_headlines
from sentiment.transformer import TransformerEngine
from sentiment.worker import CannotLoad, map_labels
from tests.sentiment.tiny import lesson, train

pytestmark = pytest.mark.timeout(600)
"""torch takes minutes to load where ten others want the processor."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[TransformerEngine]:
    made = TransformerEngine(str(folder))
    yield made
    made.close()


def test_a_folder_is_loaded_and_its_labels_read_by_name(engine: TransformerEngine) -> None:
    texts, labels = lesson()
    scores = engine.score(texts)
    assert all(score is not None for score in scores)
    names = ["negative", "neutral", "positive"]
    right = [s.label == names[k] for s, k in zip(scores, labels, strict=True) if s]
    assert sum(right) / len(right) > 0.8  # a mix-up of labels would give about 0.2
    first = scores[0]
    assert first is not None
    assert first.engine == "tiny-bert"
    assert len(first.hash) == 12
    assert first.hash == engine.hash != OfflineEngine.load().hash
    assert sum(first.probabilities) == pytest.approx(1.0)


def test_batching_and_order_change_no_score(engine: TransformerEngine) -> None:
    texts = read_headlines()[0][:150]
    together = engine.score(texts)
    for index in (0, 63, 149):
        (alone,) = engine.score([texts[index]])
        assert alone is not None
        assert alone.probabilities == pytest.approx(together[index].probabilities, abs=1e-4)  # type: ignore[union-attr]


def test_no_text_no_score(engine: TransformerEngine) -> None:
    scores = engine.score(["", "!!", "Bitcoin falls", "12 %"])
    assert [score is None for score in scores] == [True, True, False, True]


def test_long_and_hostile_texts_are_scored(engine: TransformerEngine) -> None:
    scores = engine.score(["bitcoin " * 5_000, 'quote " \\ \n {"error": 1}', "\u202e\x00abc"])
    assert all(scores)


def test_a_killed_worker_means_fallback_labelled_as_such_then_a_new_worker(folder: Path) -> None:
    clock = [0.0]
    started: list[TransformerEngine] = []

    def start() -> TransformerEngine:
        started.append(TransformerEngine(str(folder)))
        return started[-1]

    both = WithFallback("tiny-bert", start, OfflineEngine.load(), monotonic=lambda: clock[0])
    try:
        (score,) = both.score(["Bitcoin falls"])
        assert score is not None
        assert (score.engine, score.instead_of) == ("tiny-bert", "")
        pid = started[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        (score,) = both.score(["Bitcoin falls"])
        assert score is not None
        assert (score.engine, score.instead_of) == ("offline", "tiny-bert")
        assert "died" in both.problem
        clock[0] = 31.0
        (score,) = both.score(["Bitcoin falls"])
        assert score is not None
        assert (score.engine, score.instead_of) == ("tiny-bert", "")
        assert both.problem == ""
    finally:
        both.close()


def test_weights_in_pickle_files_are_not_loaded(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        name = path.name.replace("model.safetensors", "pytorch_model.bin")
        (tmp_path / name).write_bytes(path.read_bytes())
    with pytest.raises(ModelUnavailable, match=r"\.safetensors"):
        TransformerEngine(str(tmp_path)).score(["x y"])


def test_truncated_weights_are_explained(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="does not load"):
        TransformerEngine(str(tmp_path)).score(["x y"])


# --- without torch --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}', "LABEL_0, LABEL_1"),
        ('{"model_type": "bert"}', "id2label"),
        ("<html>", "does not read"),
        ('{"id2label": {"x": "positive"}}', "does not read"),
    ],
)
def test_outputs_without_names_are_refused(tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=says):
        TransformerEngine(str(tmp_path)).score(["x y"])


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("/no/such/folder", "no such folder"),
        ("not-a-model", "not a hub name"),
        ("EMPTY", "no config.json"),
    ],
)
def test_what_is_no_model_is_explained_at_once(tmp_path: Path, model: str, says: str) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        TransformerEngine(str(tmp_path) if model == "EMPTY" else model).score(["x y"])


def test_a_hub_name_without_network_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"cannot be reached.*give the folder"):
        TransformerEngine("someone/some-model").score(["x y"])
    assert time.monotonic() - began < 15  # the hub's own client would need 23


def test_the_hubs_key_goes_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    try:
        with pytest.raises(ModelUnavailable, match="the hub did not give it") as caught:
            TransformerEngine("someone/gated", Secret("hf-key")).score(["x y"])
    finally:
        server.shutdown()
        server.server_close()
    assert set(asked) == {"Bearer hf-key"}
    assert "hf-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["positive", "negative", "neutral"], [2, 0, 1]),
        (["Bearish", "Neutral", "Bullish"], [0, 1, 2]),
        (["NEG", "POS"], [0, 2]),
        (["very negative", "negative", "neutral", "positive", "very positive"], [0, 0, 1, 2, 2]),
    ],
)
def test_labels_are_mapped_by_name(names: list[str], places: list[int]) -> None:
    assert map_labels(dict(enumerate(names))) == places


@pytest.mark.parametrize("names", [["LABEL_0", "LABEL_1"], ["joy", "anger"], ["neutral", "pos"]])
def test_labels_that_say_nothing_are_refused(names: list[str]) -> None:
    with pytest.raises(CannotLoad):
        map_labels(dict(enumerate(names)))


class Broken:
    name = "broken"
    hash = "0" * 12

    def score(self, texts: Sequence[str]) -> list[Score | None]:
        raise ModelUnavailable("it broke")

    def close(self) -> None:
        pass


def test_the_wait_before_another_try_doubles() -> None:
    clock, tries = [0.0], []

    def start() -> Broken:
        tries.append(clock[0])
        return Broken()

    both = WithFallback("broken", start, OfflineEngine.load(), 30.0, lambda: clock[0])
    for second in range(0, 2_000, 5):
        clock[0] = float(second)
        (score,) = both.score(["Bitcoin falls"])
        assert score is not None
        assert score.instead_of == "broken"
    assert tries == [0.0, 30.0, 90.0, 210.0, 450.0, 930.0, 1530.0]
