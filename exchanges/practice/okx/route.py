"""What an endpoint of the OKX dialect is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Params = Mapping[str, Any]
Handler = Callable[[str, Any], Any]
"""Takes the account (empty for public endpoints) and the parameters; returns ``data``."""


class Route(Struct, frozen=True):
    """An endpoint. ``rate`` is requests in 2 s: of an account if private, else of an address."""

    handler: Handler
    rate: int
    private: bool = True
    many: bool = False
    """The reply's ``data`` elements carry a verdict each."""


def page(rows: list[dict[str, Any]], params: Params, key: str) -> list[dict[str, Any]]:
    """Cut a page out of rows that are newest first: ``after`` an id means older than it."""
    ids = [row[key] for row in rows]
    after, before = str(params.get("after") or ""), str(params.get("before") or "")
    if after:
        rows = (
            rows[ids.index(after) + 1 :]
            if after in ids
            else [row for row in rows if int(row[key]) < int(after)]
        )
    elif before:
        rows = [row for row in rows if int(row[key]) > int(before)]
    return rows[: max(1, min(int(params.get("limit") or 100), 100))]
