"""Which code a strategy is: two runs compare only when this is the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core import config
from core.signals.strategy import named


def stamp(strategies: Path, settings: config.Strategy) -> str:
    """Return a hash of the user's own files that the settings name; empty for built-in strategies.

    Models are no part of it: a session's events carry them.

    Args:
        strategies: folder of the user's own strategies.
        settings: name the strategy.
    """
    own = [strategies / f"{name}.py" for name in named(settings) if name.isidentifier()]
    texts = [path.read_bytes() for path in own if path.is_file()]
    return hashlib.sha256(b"\n".join(texts)).hexdigest() if texts else ""
