"""``killcord models``: what was trained, and which model trades."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import msgspec

from core.errors import UsageError
from core.home import Home
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
    if arguments.action == "list":
        models = registry.all()
        champion = registry.champion
        lines = [_line(meta, champion) for meta in models]
        answer = {"models": [msgspec.to_builtins(one) for one in models], "champion": champion}
        text = "\n".join(lines) or "no models yet: `killcord train --candles FOLDER`"
    elif arguments.action == "show":
        answer = msgspec.to_builtins(registry.read(arguments.id))
        text = json.dumps(answer, indent=2)
    elif arguments.action == "promote":
        meta = registry.promote(arguments.id)
        answer = {"champion": meta.id}
        text = f"{meta.id} trades from the next start of a desk with strategy lightgbm"
    else:
        was = registry.demote()
        answer = {"champion": "", "was": was}
        text = f"{was} trades no more" if was else "no model was promoted"
    line = json.dumps({"type": "models", **answer}) if arguments.json else text
    sys.stdout.write(line + "\n")
    return 0


def _line(meta: Meta, champion: str) -> str:
    mark = "*" if meta.id == champion else " "
    state = "passed" if meta.passed else "no edge"
    return (
        f"{mark} {meta.id:40} {meta.trained}  {state:8} AUC {meta.scores['auc']:.3f}"
        f"  Brier {meta.scores['brier_skill']:+.2%}"
    )
