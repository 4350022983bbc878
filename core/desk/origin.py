"""Where the desk's prices come from: a live venue, a synthetic market or a recording."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from core.errors import VenueUnavailable

EVERY = 2.0
"""Seconds between questions."""


class MarketFacts(Struct, frozen=True):
    """Where prices come from, as told by who started the desk."""

    text: str
    """See ``Snapshot.market``."""
    recording: dict[str, Any] = {}
    """File, span, messages played; empty when no recording is played."""


class Origin:
    """Keeps the newest word on where prices come from.

    Args:
        ask: tells it; may block, called off the loop.
    """

    def __init__(self, ask: Callable[[], MarketFacts]) -> None:
        self.facts = MarketFacts("")
        self.ask = ask

    async def run(self) -> None:
        """Ask until cancelled; no answer leaves the last one standing."""
        while True:
            with suppress(VenueUnavailable):
                self.facts = await asyncio.to_thread(self.ask)
            await asyncio.sleep(EVERY)
