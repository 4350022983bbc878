"""What an endpoint of the Bybit dialect is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Params = Mapping[str, Any]
Handler = Callable[[str, Params], Any]
"""Takes the account (empty for public endpoints) and the parameters; returns ``result``."""


class Route(Struct, frozen=True):
    """An endpoint. ``rate`` is requests a second of an account; 0 means public."""

    handler: Handler
    rate: int = 0
