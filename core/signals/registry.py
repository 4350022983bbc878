"""Trained models on disk: text and JSON with hashes, never pickles; one of them may trade.

models/<id>/meta.json     what it is, its scores, the hash of the file beside it
models/<id>/model.json    all that makes a probability of features; trees in LightGBM's text form
models/<id>/live.json     how it has done on duty
models/CHAMPION           the id that trades; replaced by rename
models/CHALLENGER         the id that is watched, and orders nothing
models/log.jsonl          who was put on duty and taken off it, when and why
models/tried.jsonl        every configuration ever tried, see ``core.research.looks``
models/.lock              held by whoever changes one of the last four
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from core import config
from core.errors import ConfigError, RegistryError, SafetyRefusal, UsageError
from core.files import write_whole
from core.model.event import ModelRole
from core.model.learning import Promise, Record
from core.signals.logbook import alone, append_line, read_lines
from core.signals.model import DESCRIBED, Model, Recipe, define
from core.signals.model_strategy import ModelStrategy
from core.signals.monitor import Reference
from core.signals.strategy import Maker, Strategy, named

FILE = "model.json"
MONITOR = "monitor"
"""Who takes models off duty for what came of what they said."""


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
    reference: dict[str, Reference] = {}
    """How the features that are watched for drift were distributed in training."""
    said: tuple[float, float] | None = None
    """Mean and standard deviation of its probabilities over the rows of training."""

    @property
    def passed(self) -> bool:
        """Whether it may trade."""
        return bool(self.gate) and all(check.passed for check in self.gate)

    def promise(self) -> Promise:
        """Return what training led to expect of it on duty."""
        held, cost = self.scores.get("exposure"), self.parameters.get("cost")
        said, spread = self.said or (None, None)
        return Promise(float(self.scores.get("auc") or 0.0), float(cost or 0.0), said, spread, held)


class Registry:
    """The models of one home.

    Args:
        folder: made when the first model is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, meta: Meta, file: bytes) -> None:
        """Write a model whole or not at all; ``file`` is its encoded ``Recipe``.

        One that is there is written anew: other tries, or other conditions, judge it otherwise;
        and it may have been damaged.
        """
        folder = self.folder / meta.id
        text = msgspec.json.format(msgspec.json.encode(meta))
        if folder.is_dir():
            write_whole(folder / FILE, file)
            write_whole(folder / "meta.json", text)
            return
        half = self.folder / f".{meta.id}.half"
        shutil.rmtree(half, ignore_errors=True)  # of a program that was killed
        half.mkdir(parents=True)
        (half / FILE).write_bytes(file)
        (half / "meta.json").write_bytes(text)
        half.rename(folder)

    def names(self) -> list[str]:
        """Return the ids of all models, corrupt ones too."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and p.name[0] != ".")

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
        return self.on_duty(ModelRole.CHAMPION)

    def on_duty(self, role: ModelRole) -> str:
        """Return the id of the model in a role; empty for none."""
        try:
            # What a crash left of it names no model, and is said as such.
            return (self.folder / role.name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def promote(
        self,
        name: str,
        actor: str = "trainer",
        role: ModelRole = ModelRole.CHAMPION,
        cause: str = "",
    ) -> Meta:
        """Put a model on duty: as champion it trades. A desk that runs follows within a second.

        Raises:
            SafetyRefusal: it did not pass its gate.
            UsageError: there is no such model.
            RegistryError: it is corrupt, or of other features.
        """
        meta = self._judge(name)
        with alone(self.folder):
            self._appoint(name, actor, role, cause)
        return meta

    def _judge(self, name: str) -> Meta:
        """Return what is known of a model that may go on duty; raises as ``promote``."""
        meta = self.read(name)
        failed = [check.name for check in meta.gate if not check.passed]
        if not meta.passed:
            raise SafetyRefusal(f"{name} did not pass: {', '.join(failed) or 'no gate'}")
        self.load(name)
        return meta

    def _appoint(self, name: str, actor: str, role: ModelRole, cause: str) -> None:
        before = self.on_duty(role)
        # The log first: on a full disk nobody trades whom nobody put there.
        if before not in ("", name):
            self._log("replaced", role, before, actor, f"by {name}")
        self._log("promoted", role, name, actor, cause)
        write_whole(self.folder / role.name, f"{name}\n".encode())
        if role is ModelRole.CHAMPION and self.on_duty(ModelRole.CHALLENGER) == name:
            (self.folder / ModelRole.CHALLENGER.name).unlink(missing_ok=True)

    def admit(self, name: str, shadow: int = 30) -> ModelRole | None:
        """Put a new model on duty: to trade where none does, else to be watched first.

        It is watched first, too, where outcomes have ended the last one that traded: what a
        training promised has just not come.

        Args:
            name: of a stored model that passed.
            shadow: days for which a challenger is left alone: one that a new training replaced
                each week would never have been watched for a month.

        Returns:
            What it does now; None where another is being watched, or where it was demoted: only a
            person puts it on duty again.

        Raises:
            SafetyRefusal: it did not pass its gate.
            RegistryError: it, the log, or what is known of the challenger, is corrupt.
        """
        self._judge(name)
        with alone(self.folder):
            champion, challenger = self.champion, self.on_duty(ModelRole.CHALLENGER)
            if name in (champion, challenger):
                return ModelRole.CHAMPION if name == champion else ModelRole.CHALLENGER
            if self.demoted(name) is not None:
                return None
            disproved = not champion and self._disproved()
            if challenger and (champion or disproved):
                watched = sum(day.count > 0 for day in self.record(challenger).days)
                if watched < shadow:
                    return None
            role = ModelRole.CHALLENGER if champion or disproved else ModelRole.CHAMPION
            self._appoint(name, "trainer", role, "")
        return role

    def _disproved(self) -> bool:
        """Return whether the last model that traded was taken off duty by its outcomes."""
        traded = [
            one
            for one in read_lines(self.folder / "log.jsonl")
            if one.get("role") == ModelRole.CHAMPION.value
        ]
        return bool(traded) and (traded[-1]["what"], traded[-1]["actor"]) == ("demoted", MONITOR)

    def demoted(self, name: str) -> str | None:
        """Return why a model was taken off duty; None where it was not, or was put on again.

        Raises:
            RegistryError: a line of the log is no such thing.
        """
        life = self.life(name)
        return life[-1]["cause"] if life and life[-1]["what"] == "demoted" else None

    def demote(
        self,
        cause: str = "by hand",
        actor: str = "trainer",
        role: ModelRole = ModelRole.CHAMPION,
    ) -> str:
        """Take a model off duty: back to no signal, never to an older one. Return which it was."""
        if not self.on_duty(role):
            return ""
        with alone(self.folder):
            name = self.on_duty(role)
            if name:
                (self.folder / role.name).unlink(missing_ok=True)
                self._log("demoted", role, name, actor, cause)
        return name

    def life(self, name: str) -> list[dict[str, str]]:
        """Return when a model was put on duty and taken off it, oldest first.

        Raises:
            RegistryError: a line of the log is no such thing.
        """
        return [one for one in read_lines(self.folder / "log.jsonl") if one.get("id") == name]

    def record(self, name: str) -> Record:
        """Return how a model has done on duty.

        Raises:
            RegistryError: it is corrupt.
        """
        path = self.folder / name / "live.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            return Record()
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{path}: {error}; remove it: counting begins anew") from error

    def keep(self, name: str, record: Record) -> None:
        """Write down how a model does."""
        folder = self.folder / name
        if folder.is_dir():
            write_whole(folder / "live.json", msgspec.json.encode(record))

    def _log(self, what: str, role: ModelRole, name: str, actor: str, cause: str) -> None:
        entry = {
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "what": what,
            "role": role.value,
            "id": name,
            "actor": actor,
            "cause": cause,
        }
        append_line(self.folder / "log.jsonl", entry)

    def text(self, name: str) -> tuple[str, str]:
        """Return a model as it is stored: what is known of it as JSON, and its file.

        Raises:
            UsageError: there is no such model.
            RegistryError: it is corrupt.
        """
        self.read(name)
        folder = self.folder / name
        return (folder / "meta.json").read_text(), (folder / FILE).read_text()

    def load(self, name: str) -> Model:
        """Make a model ready to score.

        Raises:
            UsageError: there is no such model.
            RegistryError: it is corrupt, or of other features.
        """
        meta, text = self.text(name)
        return make_model(read_meta(meta), text)


def read_meta(text: str) -> Meta:
    """Read what is known of a model.

    Raises:
        RegistryError: it is no such thing.
    """
    try:
        return msgspec.json.decode(text, type=Meta)
    except msgspec.MsgspecError as error:
        raise RegistryError(f"a model's description: {error}; train again") from error


def make_model(meta: Meta, text: str) -> Model:
    """Make a stored model ready to score: a function of these two alone, wherever it runs.

    Raises:
        RegistryError: it is corrupt, or of other features or another library.
    """
    name = meta.id
    if _hash(text.encode()) != meta.sha256:
        raise RegistryError(f"{name}: is not the file that was stored; train again")
    try:
        recipe = msgspec.json.decode(text, type=Recipe)
    except msgspec.MsgspecError as error:
        raise RegistryError(f"{name}: {error}; train again") from error
    strange = [one for one in recipe.features if one not in DESCRIBED]
    if strange:
        raise RegistryError(
            f"{name}: needs features that are not here: {', '.join(strange)}; train again"
        )
    if define(recipe.features) != recipe.definitions:
        raise RegistryError(f"{name}: its features mean something else now; train again")
    if any(one.trees for one in recipe.members):
        trained, here = meta.versions.get("lightgbm", ""), version("lightgbm")
        if trained.partition(".")[0] != here.partition(".")[0]:
            raise RegistryError(f"{name}: is of LightGBM {trained}, here is {here}; train again")
    try:
        return Model(name, recipe)
    except Exception as error:  # of LightGBM, or a row of weights that is too short
        raise RegistryError(f"{name}: cannot be loaded: {error}; train again") from error


def find_model(folder: Path, settings: config.Strategy) -> dict[str, Maker]:
    """Return the maker of the strategy ``lightgbm`` with the promoted model, if they name it.

    A backtest needs one from the first candle; a desk's strategy is told of models as they come.

    Raises:
        ConfigError: no model is promoted, or it is of another timeframe.
        RegistryError: it is corrupt, or of other features.
    """
    if "lightgbm" not in named(settings):
        return {}
    registry = Registry(folder)
    name = registry.champion
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
