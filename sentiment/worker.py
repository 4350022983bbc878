"""The transformer's own process: ``python -m sentiment.worker MODEL`` answers over its pipes.

It reads one JSON list of texts a line and writes one JSON object a line: first ``{"ready": ...}``
or ``{"error": ...}``, then ``{"scores": [[negative, neutral, positive], ...]}`` per request. It
ends when its input ends. One thread and passive waiting: a second thread that spins while another
process has the core makes scoring ten times slower, and takes the core from the desk.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BATCH = 32
LONGEST = 128
"""Tokens kept of a text, unless the model takes fewer; headlines have 17 on average."""
RESERVED = 2
"""Positions that RoBERTa-like models keep for themselves."""
WORTH_INT8 = 5_000_000
"""Parameters from which int8 is faster; below, quantising costs more than it gives."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}

_WORDS = {"negative": ("neg", "bear"), "positive": ("pos", "bull"), "neutral": ("neu", "none")}


class CannotLoad(Exception):
    """The model does not load; the text says why and what to do."""


def find_model(model: str) -> Path:
    """Return the folder of a model: itself, from the hub's cache, or downloaded.

    Without a network this fails at once; the hub's client alone would retry for 23 seconds.

    Raises:
        CannotLoad.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if model.startswith(("/", ".", "~")) or model.count("/") != 1:
        raise CannotLoad(f"{model}: no such folder, and not a hub name such as owner/model")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.model", "*.safetensors"]
    try:
        return Path(snapshot_download(model, allow_patterns=wanted, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        pass
    _require_hub(model)
    try:
        return Path(snapshot_download(model, allow_patterns=wanted))
    except (HfHubHTTPError, ValueError, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CannotLoad(f"{model}: the hub did not give it: {first}") from error


def _require_hub(model: str) -> None:
    import socket
    from urllib.parse import urlsplit

    from huggingface_hub import constants

    parts = urlsplit(constants.ENDPOINT)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=3.0).close()
    except OSError as error:
        raise CannotLoad(
            f"{model}: not in the local cache, and the hub cannot be reached ({error});"
            " give the folder of a downloaded model"
        ) from error


def map_labels(names: dict[int, str]) -> list[int]:
    """Return for each output of a model its place in negative, neutral, positive.

    By name, never by position: published models order them differently.

    Raises:
        CannotLoad: a name says nothing, such as LABEL_0, or there is no negative or positive.
    """
    order = ["negative", "neutral", "positive"]
    places = []
    for index in range(len(names)):
        name = names[index].lower()
        kinds = [kind for kind in order if any(word in name for word in _WORDS[kind])]
        if len(kinds) != 1:
            raise CannotLoad(
                f"its outputs are called {', '.join(names.values())}; name them negative, neutral"
                " and positive in id2label of config.json"
            )
        places.append(order.index(kinds[0]))
    if not {0, 2} <= set(places):
        raise CannotLoad("it has no negative or no positive output: not a sentiment model")
    return places


def check_files(folder: Path) -> None:
    """Say what a folder lacks.

    Raises:
        CannotLoad.
    """
    if not (folder / "config.json").is_file():
        raise CannotLoad(f"{folder}: has no config.json; is it the folder of a model?")
    if not list(folder.glob("*.safetensors")):
        raise CannotLoad(
            f"{folder}: has no .safetensors file; weights in pickle files (.bin, .pt) can run"
            " code and are not loaded"
        )
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt", "vocab.json")):
        raise CannotLoad(f"{folder}: has no tokenizer (tokenizer.json or vocab.txt)")


def read_labels(folder: Path) -> dict[int, str]:
    """Return what the configuration of a model calls its outputs.

    Raises:
        CannotLoad.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = config.get("id2label") or {k: f"LABEL_{k}" for k in range(2)}
        return {int(index): str(name) for index, name in names.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise CannotLoad(f"{folder}: its config.json does not read: {error}") from error


def hash_folder(folder: Path) -> str:
    """Return twelve hex digits over everything a score depends on in a model's folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in {".json", ".txt", ".model", ".safetensors"}:
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()[:12]


class Classifier:
    """A sequence classification model on the CPU, int8 where that is faster."""

    def __init__(self, folder: Path) -> None:
        check_files(folder)
        self._places = map_labels(read_labels(folder))
        try:
            torch: Any = importlib.import_module("torch")
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise CannotLoad(
                "torch is not installed, and transformers need it; install torch, or use the"
                " offline engine"
            ) from error
        torch.set_num_threads(1)
        self._torch = torch
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CannotLoad(f"{folder}: does not load: {first}") from error
        positions = int(getattr(model.config, "max_position_embeddings", LONGEST + RESERVED))
        self._longest = min(LONGEST, positions - RESERVED)
        model.eval()
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.precision = "float32"
        if self.parameters >= WORTH_INT8:
            quantization = importlib.import_module("torch.ao.quantization")
            model = quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
            self.precision = "int8"
        self._model: Any = model

    def score(self, texts: Sequence[str]) -> list[list[float]]:
        """Return [negative, neutral, positive] per text, in batches of texts of like length."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        result: list[list[float]] = [[] for _ in texts]
        with self._torch.inference_mode():
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                inputs = self._tokenizer(
                    [texts[index] for index in batch],
                    padding=True,
                    truncation=True,
                    max_length=self._longest,
                    return_tensors="pt",
                )
                rows = self._model(**inputs).logits.softmax(-1).tolist()
                for index, row in zip(batch, rows, strict=True):
                    sums = [0.0, 0.0, 0.0]
                    for place, probability in zip(self._places, row, strict=True):
                        sums[place] += probability
                    result[index] = [value / sum(sums) for value in sums]
        return result


def main(model: str) -> int:
    """Load, then answer until the input ends."""
    os.environ.update(ENVIRONMENT)
    os.nice(10)  # the desk comes first
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not become an answer

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        folder = find_model(model)
        classifier = Classifier(folder)
    except CannotLoad as error:
        answer({"error": str(error)})
        return 1
    answer(
        {
            "ready": {
                "hash": hash_folder(folder),
                "precision": classifier.precision,
                "parameters": classifier.parameters,
            }
        }
    )
    for line in sys.stdin:
        answer({"scores": classifier.score(json.loads(line))})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
