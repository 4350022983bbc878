"""What an endpoint of the Binance dialect is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Params = Mapping[str, Any]
Handler = Callable[[str, Params], Any]
"""Takes the account (empty for public endpoints) and the parameters; returns the reply."""

PUBLIC, KEY_ONLY, SIGNED = "public", "key", "signed"


class Route(Struct, frozen=True):
    """An endpoint. ``weight`` may depend on the parameters; ``orders`` counts as order entry."""

    handler: Handler
    security: str = SIGNED
    weight: int | Callable[[Params], int] = 1
    orders: bool = False


def by_limit(*steps: tuple[int, int]) -> Callable[[Params], int]:
    """Weigh a request by its ``limit``: the weight of the first step it does not exceed."""

    def weigh(params: Params) -> int:
        text = str(params.get("limit") or 500)
        limit = int(text) if text.isdigit() else 500
        return next((weight for most, weight in steps if limit <= most), steps[-1][1])

    return weigh


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """Weigh a request by whether it names a symbol."""
    return lambda params: one if params.get("symbol") else every
