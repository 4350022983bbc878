"""Pages of the documentation that are made from the code: ``make docs`` writes them."""

from __future__ import annotations

from pathlib import Path

from core.config import render
from core.risk.codes import table

DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[Path, str]:
    """Return each generated page and its text."""
    return {
        DOCS / "risk-codes.md": "# Codes\n\nWhy an order was refused, a breaker fired, or a command"
        " answered as it did. Made by `make docs`.\n\n" + table(),
        DOCS / "configuration.md": "# Configuration\n\nThe file `killcord config path` names, with"
        " every setting at its default. Made by `make docs`.\n\n```toml\n" + render() + "```\n",
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
