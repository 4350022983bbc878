"""``killcord models``: what was trained, and which model trades."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

import msgspec

from core.errors import RegistryError, UsageError
from core.home import Home
from core.model.event import ModelRole
from core.signals.registry import Meta, Registry
from tui.settings import environment_of


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord models list|show|promote|demote``.

    Raises:
        UsageError: no model, or none of that id.
        SafetyRefusal: the model did not pass its gate.
        RegistryError: a stored model is corrupt.
    """
    home = Home.find()
    folder = home.synthetic_models
    if not arguments.synthetic:
        folder = home.models(environment_of(arguments, home))
    registry = Registry(folder)
    if arguments.action in ("show", "promote") and not arguments.id:
        raise UsageError(f"models {arguments.action}: which one? `killcord models list` shows them")
    answer: dict[str, Any]
    actor = f"shell:{os.environ.get('USER') or os.getuid()}"
    if arguments.action == "list":
        answer, text = _list(registry)
    elif arguments.action == "show":
        answer = msgspec.to_builtins(registry.read(arguments.id))
        answer["life"] = registry.life(arguments.id)
        answer["live"] = msgspec.to_builtins(registry.record(arguments.id).days)
        text = json.dumps(answer, indent=2)
    elif arguments.action == "promote":
        meta = registry.promote(arguments.id, actor)
        answer = {"champion": meta.id}
        text = f"{meta.id} trades: a desk with strategy lightgbm follows within a second"
    else:
        was = registry.demote("by hand", actor, _role(registry, arguments.id))
        answer = {"champion": registry.champion, "was": was}
        text = f"{was} is off duty" if was else "no model was promoted"
    line = json.dumps({"type": "models", **answer}) if arguments.json else text
    sys.stdout.write(line + "\n")
    return 0


def _role(registry: Registry, name: str) -> ModelRole:
    """Return what a model does that is to be taken off duty; without a name, the champion."""
    for role in ModelRole:
        if name in ("", registry.on_duty(role)):
            return role
    raise UsageError(f"{name}: is not on duty; `killcord models list` shows who is")


def _list(registry: Registry) -> tuple[dict[str, Any], str]:
    """Return all models; a corrupt one is named among them, and hides none of the others."""
    rows: list[Meta] = []
    corrupt: dict[str, str] = {}
    for name in registry.names():
        try:
            rows.append(registry.read(name))
        except RegistryError as error:
            corrupt[name] = str(error)
    rows.sort(key=lambda meta: (meta.trained, meta.id))
    marks = {registry.on_duty(role): mark for role, mark in _MARKS.items()}
    lines = [_line(meta, marks.get(meta.id, " ")) for meta in rows]
    lines += [f"! {name}: {problem}" for name, problem in corrupt.items()]
    if any(marks):
        lines.append("* trades, o is watched beside it")
    answer = {
        "models": [msgspec.to_builtins(one) for one in rows],
        "champion": registry.champion,
        "challenger": registry.on_duty(ModelRole.CHALLENGER),
        "corrupt": corrupt,
    }
    return answer, "\n".join(lines) or "no models yet: `killcord train --candles FOLDER`"


_MARKS = {ModelRole.CHALLENGER: "o", ModelRole.CHAMPION: "*"}
"""How the models on duty are marked in the list."""


def _line(meta: Meta, mark: str) -> str:
    state = "passed" if meta.passed else "no edge"
    return (
        f"{mark} {meta.id:40} {meta.trained}  {state:8} AUC {meta.scores['auc']:.3f}"
        f"  Brier {meta.scores['brier_skill']:+.2%}"
    )
