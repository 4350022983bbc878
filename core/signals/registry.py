"""Trained models on disk: text and JSON with hashes, never pickles; one of them may trade.

models/<id>/meta.json     what it is, its scores, the hash of the file beside it
models/<id>/model.json    all that makes a probability of features; trees in LightGBM's text form
models/CHAMPION           the id that trades; replaced by rename
models/trials.jsonl       every configuration ever tried, for honest statistics
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from core import config
from core.errors import ConfigError, RegistryError, SafetyRefusal, UsageError
from core.signals.model import DESCRIBED, Model, ModelStrategy, Recipe, define
from core.signals.strategy import Maker, Strategy

FILE = "model.json"


class Check(Struct, frozen=True):
    """One condition of promotion."""

    name: str
    value: float | None
    """None where there is nothing to measure."""
    need: str
    passed: bool

    def __str__(self) -> str:
        value = "nothing" if self.value is None else f"{self.value:.3g}"
        return f"{self.name}: {value}, needs {self.need}"


class Meta(Struct, frozen=True):
    """What is known of a stored model."""

    id: str
    kind: str
    """``linear``, ``lightgbm``, ``xgboost`` or ``ensemble``."""
    sha256: str
    """Of its file."""
    features: tuple[str, ...]
    timeframe: int
    horizon: int
    trained: str
    """ISO 8601, UTC."""
    data: dict[str, Any]
    """Symbols, span, rows and hash of the candles."""
    parameters: dict[str, Any]
    versions: dict[str, str]
    scores: dict[str, Any]
    gate: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether it may trade."""
        return bool(self.gate) and all(check.passed for check in self.gate)


class Registry:
    """The models of one home.

    Args:
        folder: made when the first model is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, meta: Meta, file: bytes) -> None:
        """Write a model whole or not at all; ``file`` is its encoded ``Recipe``."""
        folder = self.folder / meta.id
        half = self.folder / f".{meta.id}.half"
        half.mkdir(parents=True)
        (half / FILE).write_bytes(file)
        (half / "meta.json").write_bytes(msgspec.json.format(msgspec.json.encode(meta)))
        half.rename(folder)

    def all(self) -> list[Meta]:
        """Return all models, oldest first.

        Raises:
            RegistryError: one is corrupt.
        """
        if not self.folder.is_dir():
            return []
        names = [p.name for p in self.folder.iterdir() if p.is_dir() and p.name[0] != "."]
        return sorted((self.read(name) for name in names), key=lambda meta: (meta.trained, meta.id))

    def read(self, name: str) -> Meta:
        """Return what is known of a model, its file checked.

        Raises:
            UsageError: there is no such model.
            RegistryError: it is corrupt.
        """
        path = self.folder / name / "meta.json"
        if "/" in name or name.startswith(".") or not path.is_file():
            raise UsageError(f"{name}: no such model; `killcord models list` shows them")
        try:
            meta = msgspec.json.decode(path.read_bytes(), type=Meta)
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{path}: {error}; remove the folder and train again") from error
        model = path.parent / FILE
        if not model.is_file() or _hash(model.read_bytes()) != meta.sha256:
            raise RegistryError(f"{model}: is not the file that was stored; train again")
        return meta

    @property
    def champion(self) -> str:
        """The id of the model that trades; empty for none."""
        try:
            return (self.folder / "CHAMPION").read_text().strip()
        except FileNotFoundError:
            return ""

    def promote(self, name: str) -> Meta:
        """Let a model trade, from the next start of a desk.

        Raises:
            SafetyRefusal: it did not pass its gate.
            UsageError: there is no such model.
            RegistryError: it is corrupt, or of other features.
        """
        meta = self.read(name)
        failed = [check.name for check in meta.gate if not check.passed]
        if not meta.passed:
            raise SafetyRefusal(f"{name} did not pass: {', '.join(failed) or 'no gate'}")
        self.load(name)
        half = self.folder / ".CHAMPION"
        half.write_text(name + "\n")
        os.replace(half, self.folder / "CHAMPION")
        return meta

    def demote(self) -> str:
        """Let no model trade: back to no signal, never to an older model. Return who traded."""
        name = self.champion
        (self.folder / "CHAMPION").unlink(missing_ok=True)
        return name

    def load(self, name: str) -> Model:
        """Make a model ready to score.

        Raises:
            RegistryError: it is corrupt, or of other features.
        """
        self.read(name)
        path = self.folder / name / FILE
        try:
            recipe = msgspec.json.decode(path.read_bytes(), type=Recipe)
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{path}: {error}; train again") from error
        strange = [one for one in recipe.features if one not in DESCRIBED]
        if strange:
            raise RegistryError(
                f"{name}: needs features that are not here: {', '.join(strange)}; train again"
            )
        if define(recipe.features) != recipe.definitions:
            raise RegistryError(f"{name}: its features mean something else now; train again")
        try:
            return Model(name, recipe)
        except Exception as error:  # of LightGBM, or a row of weights that is too short
            raise RegistryError(f"{name}: cannot be loaded: {error}; train again") from error

    def note_trials(self, data: str, ratios: dict[str, float]) -> list[float]:
        """Add tried configurations and return the Sharpe ratios of all ever tried on these data.

        Args:
            data: hash of the candles.
            ratios: Sharpe ratio per day by configuration; the same one again replaces itself.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "trials.jsonl"
        with path.open("ab") as file:
            for name, ratio in ratios.items():
                file.write(msgspec.json.encode({"data": data, "trial": name, "sharpe": ratio}))
                file.write(b"\n")
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        return list({one["trial"]: one["sharpe"] for one in lines if one["data"] == data}.values())


def find_model(folder: Path, settings: config.Strategy, name: str = "") -> dict[str, Maker]:
    """Return the maker of the strategy ``lightgbm``, if that is the one the settings name.

    Args:
        folder: of all models.
        settings: name the strategy.
        name: of the model; empty for the one that trades.

    Raises:
        UsageError: there is no such model.
        ConfigError: no model is promoted, or it is of another timeframe.
        RegistryError: it is corrupt, or of other features.
    """
    if settings.name != "lightgbm":
        return {}
    registry = Registry(folder)
    name = name or registry.champion
    if not name:
        raise ConfigError(
            ["strategy.name: lightgbm: no model is promoted: `killcord train` looks for one"]
        )
    model = registry.load(name)
    if model.timeframe != settings.timeframe:
        raise ConfigError(
            [f"strategy.timeframe: {settings.timeframe:g} s, but {name} is of {model.timeframe} s"]
        )

    def make(chosen: config.Strategy) -> Strategy:
        return ModelStrategy(chosen, model)

    return {"lightgbm": make}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
