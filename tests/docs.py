"""Pages of the documentation that are made from the code: ``make docs`` writes them."""

from __future__ import annotations

from pathlib import Path

from core.config_file import render
from core.engine import invariants
from core.risk.codes import table
from core.signals import candle_features, context
from core.signals.features import Feature
from tui.bindings import table as key_table

DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[Path, str]:
    """Return each generated page and its text."""
    return {
        DOCS / "risk-codes.md": "# Codes\n\nWhy an order was refused, a breaker fired, or a command"
        " answered as it did. Made by `make docs`.\n\n" + table(),
        DOCS / "invariants.md": "# Invariants\n\nWhat must hold at every moment; a breach closes"
        " the gate until a person arms again. Made by `make docs`.\n\n" + invariants.table(),
        DOCS / "keys.md": "# Keys of the terminal\n\nThe names go into `[terminal.keymap]` of the"
        " configuration. Made by `make docs`.\n\n" + key_table(),
        DOCS / "configuration.md": "# Configuration\n\nThe file `killcord config path` names, with"
        " every setting at its default. Made by `make docs`.\n\n```toml\n" + render() + "```\n",
        DOCS / "features.md": _features(),
    }


def _features() -> str:
    """Return what each feature is, family by family."""
    families: list[tuple[str, tuple[Feature, ...]]] = [
        ("Candles", candle_features.FEATURES),
        *((one.__name__, one.features) for one in context.FAMILIES),
    ]
    lines = [
        "# Features",
        "",
        "What models are trained on and strategies may ask for"
        " ([strategies.md](strategies.md)). All are scale-free and look back a",
        "finite number of candles; what is not known is NaN. Made by `make docs`.",
    ]
    for name, features in families:
        lines += ["", f"## {name}", "", "| name | candles | unit | from |", "|---|---|---|---|"]
        lines += [f"| `{f.name}` | {f.window} | {f.unit} | {f.source} |" for f in features]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
