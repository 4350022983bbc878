"""Whether time passes evenly: a machine that slept, or a clock that was set.

The loop's clock stands still while the machine sleeps, the wall clock does not. When they drift
apart everything that was believed is old: the gate closes, and every venue is reached, asked and
reconciled anew, also its clock, before anything new can be opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.clock import SECOND, Clock

LOOK = 0.5
"""Seconds between looks."""
JUMP = 2.0
"""Seconds by which the wall clock may run ahead or behind between two looks."""


class Slumber:
    """Watches the two clocks.

    Args:
        clock: wall time.
        jumped: told by how many seconds the wall clock jumped, negative when it was set back.
    """

    def __init__(self, clock: Clock, jumped: Callable[[float], None]) -> None:
        self._clock = clock
        self._jumped = jumped

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        before = self._clock.now() / SECOND - loop.time()
        while True:
            await asyncio.sleep(LOOK)
            now = self._clock.now() / SECOND - loop.time()
            if abs(now - before) > JUMP:
                self._jumped(now - before)
            before = now
