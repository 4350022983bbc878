"""The practice exchange's own books, to compare a desk with: the venues' truth, not the desk's."""

from __future__ import annotations

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any


class VenueBooks:
    """What the practice exchange of a home says it has."""

    def __init__(self, home: Path) -> None:
        url = json.loads((home / "run" / "practice.json").read_text())["url"]
        with urllib.request.urlopen(f"{url}/practice/books", timeout=10) as reply:
            self._books: dict[str, Any] = json.load(reply)

    def positions(self, venue: str) -> dict[str, Decimal]:
        """Return non-zero positions: symbol to base units, negative when short."""
        return {s: Decimal(q) for s, q in self._books[venue]["positions"].items()}

    def balance(self, venue: str) -> Decimal:
        """Return cash without unrealised P&L."""
        return Decimal(self._books[venue]["balance"])

    def open_client_ids(self, venue: str) -> set[str]:
        """Return the client ids of working orders, untriggered stops included."""
        return {order["client_id"] for order in self._books[venue]["open"]}

    def duplicate_client_ids(self) -> list[str]:
        """Return client ids that more than one order ever carried."""
        return [client_id for books in self._books.values() for client_id in books["duplicates"]]

    def orders(self) -> int:
        """Return how many orders were ever accepted."""
        return sum(int(books["orders"]) for books in self._books.values())
