"""The venue's own timer: orders that rest there are cancelled when this desk falls silent.

It is set while ordinary orders rest and taken back when none does, so that an account without
orders of ours is never touched. It cancels, it never flattens. Protective stops are conditional
orders, which the timers of Binance and OKX are documented without; docs/reliability.md says what
that is worth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from core.desk.lines import Lines
from core.desk.ports import Gateway
from core.errors import VenueError

WINDOW = 30
"""Seconds from the last sign of life to the cancel."""
RENEW = 10.0
"""Seconds between renewals: two may fail."""
LOOK = 0.5
"""Seconds between looks for orders that no timer covers yet."""
REQUEST_LIMIT = 5.0


class DeadMan:
    """Keeps the timer of one venue.

    Args:
        gateway: the venue.
        resting: symbols in which ordinary orders rest there.
        lines: the log.
    """

    def __init__(
        self, gateway: Gateway, resting: Callable[[str], Iterable[str]], lines: Lines
    ) -> None:
        self._gateway = gateway
        self._resting = resting
        self._lines = lines
        self._armed: dict[str, float] = {}
        """Symbol ("" for all of ours) to the loop's second it was last set."""
        self._failing = ""

    @property
    def scope(self) -> str:
        """``symbol``, ``tag``, or nothing where the venue has no timer that can be set."""
        return self._gateway.dead_man

    @property
    def remaining(self) -> float | None:
        """Seconds until the first timer fires if nothing renews it; None when none is set."""
        if not self._armed:
            return None
        return max(0.0, min(self._armed.values()) + WINDOW - asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Set, renew and take back until cancelled."""
        while self.scope in ("symbol", "tag"):
            await self.mind()
            await asyncio.sleep(LOOK)
        await asyncio.Event().wait()

    async def mind(self) -> None:
        """Do once what is due."""
        wanted = set(self._resting(self._gateway.venue))
        if self.scope == "tag":
            wanted = {""} if wanted else set()
        now = asyncio.get_running_loop().time()
        due = [name for name in wanted if now - self._armed.get(name, -RENEW) >= RENEW]
        await asyncio.gather(
            *(self._set(name, WINDOW) for name in due),
            *(self._set(name, 0) for name in set(self._armed) - wanted),
        )

    async def disarm(self) -> None:
        """Take every timer back: the desk ends in order, and its orders may stay.

        Tried again until it worked (OKX takes one such request a second) or the caller gives up.
        """
        while self._armed:
            await asyncio.gather(*(self._set(name, 0) for name in list(self._armed)))
            if self._armed:
                await asyncio.sleep(1.0)

    async def _set(self, symbol: str, seconds: int) -> None:
        # The time before the request: the venue counts from when it gets it, which is later.
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(REQUEST_LIMIT):
                await self._gateway.arm_dead_man(symbol, seconds)
        except (VenueError, TimeoutError, KeyError) as error:
            reason = str(error) or "no answer"
            self._tell(f"{self._gateway.venue}: its dead-man timer cannot be set: {reason}")
            return
        self._tell("")
        if seconds:
            self._armed[symbol] = asked
        else:
            self._armed.pop(symbol, None)

    def _tell(self, problem: str) -> None:
        if problem and not self._failing:
            self._lines.add("venue", problem, "warning")
        elif self._failing and not problem:
            self._lines.add("venue", f"{self._gateway.venue}: dead-man timer works again")
        self._failing = problem
