"""Which code or model a strategy is: two runs compare only when this is the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core import config
from core.signals.registry import Registry


def stamp(strategies: Path, models: Path, settings: config.Strategy) -> str:
    """Return the hash of a strategy's own file, or the id of its model; empty for a built-in one.

    Args:
        strategies: folder of the user's own strategies.
        models: folder of trained models.
        settings: name the strategy.
    """
    own = strategies / f"{settings.name}.py"
    if settings.name.isidentifier() and own.is_file():
        return hashlib.sha256(own.read_bytes()).hexdigest()
    return Registry(models).champion if settings.name == "lightgbm" else ""
