"""The offline engine: lexicon features and a small linear model. No download, no numpy, no torch.

The model in ``data/model.json`` is made by ``python -m sentiment.training`` from the headlines in
``data/headlines.tsv``, which were written and labelled for this project.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files

from sentiment.lexicon import features
from sentiment.scorer import ModelUnavailable, Score

Weights = tuple[float, float, float]


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities of logits."""
    top = max(logits)
    powers = [math.exp(logit - top) for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


class OfflineEngine:
    """A softmax over weighted features.

    Args:
        bias: of negative, neutral, positive.
        weights: feature name to its three weights, temperature already applied.
        digest: hash over model, lexicon and asset names.
    """

    name = "offline"

    def __init__(self, bias: Weights, weights: Mapping[str, Weights], digest: str) -> None:
        self._bias = bias
        self._weights = weights
        self.hash = digest

    @classmethod
    def load(cls) -> OfflineEngine:
        """Read the model that comes with the program.

        Raises:
            ModelUnavailable: a file is missing, broken, or of another lexicon.
        """
        try:
            texts = {name: _read(name) for name in ("model.json", "lexicon.tsv", "assets.tsv")}
            model = json.loads(texts["model.json"])
            if model["lexicon"] != sha256(texts["lexicon.tsv"]):
                raise ModelUnavailable(
                    "sentiment/data/model.json was made with another lexicon;"
                    " run `python -m sentiment.training`"
                )
            weights = {name: (a, b, c) for name, (a, b, c) in model["weights"].items()}
            bias = (model["bias"][0], model["bias"][1], model["bias"][2])
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelUnavailable(
                f"sentiment/data: the offline model does not load ({error});"
                " install the program again"
            ) from error
        return cls(bias, weights, sha256("".join(texts.values()))[:12])

    def score(self, texts: Sequence[str]) -> list[Score | None]:
        """Return one score per text, None where there is no text to judge."""
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> Score | None:
        found = features(text)
        if not found:
            return None
        a, b, c = self._bias
        get = self._weights.get
        for name, value in found.items():
            weight = get(name)
            if weight is not None:
                a += value * weight[0]
                b += value * weight[1]
                c += value * weight[2]
        negative, neutral, positive = softmax((a, b, c))
        return Score(negative, neutral, positive, self.name, self.hash)

    def close(self) -> None:
        """Nothing is held."""


def sha256(text: str) -> str:
    """Return the hex digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read(name: str) -> str:
    return files("sentiment").joinpath("data", name).read_text(encoding="utf-8")
