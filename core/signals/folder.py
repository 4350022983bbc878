"""Strategies of the user's own: Python files in ``<home>/strategies``."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path

from core import config
from core.errors import ConfigError
from core.signals.strategy import Maker, Strategy, named


def find_strategy(folder: Path, settings: config.Strategy) -> dict[str, Maker]:
    """Load the strategies that the settings name from the folder, if they are there: ``<name>.py``.

    Only the files that are asked for are run: a broken one beside them disturbs nobody. The class
    is the one defined in the file that has ``on_candle``.

    Raises:
        ConfigError: a file does not import, does not define one strategy, or that cannot be made.
    """
    found: dict[str, Maker] = {}
    for name in named(settings):
        path = folder / f"{name}.py"
        if name.isidentifier() and path.is_file():
            found[name] = _load(name, path, settings)
    return found


def _load(name: str, path: Path, settings: config.Strategy) -> Maker:
    spec = importlib.util.spec_from_file_location(f"killcord_strategies.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError([f"{path}: does not import: {blame(error, path)}"]) from error
    classes = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "on_candle")
    ]
    if len(classes) != 1:
        raise ConfigError(
            [f"{path}: defines {len(classes)} classes with on_candle, expected exactly one"]
        )
    kind = classes[0]

    def make(settings: config.Strategy) -> Strategy:
        strategy: Strategy = kind(settings)
        strategy.name = name
        strategy.timeframe = int(settings.timeframe)
        strategy.warmup = int(getattr(strategy, "warmup", 0))
        return strategy

    try:
        make(settings)
    except Exception as error:
        raise ConfigError([f"{path}: cannot be started: {blame(error, path)}"]) from error
    return make


def blame(error: Exception, path: Path) -> str:
    """Return an exception and the line of the file it came from, as one line."""
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    if not lines and isinstance(error, SyntaxError):
        lines = [error.lineno or 0]
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {error}"
