"""How well the desk's loop runs: its lag, the collector's pauses, what threads take of it."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from bisect import bisect_left
from collections.abc import Callable

_STEP = 0.05
"""Seconds between looks at the clock."""
_TIDY = 30.0
"""Seconds between full collections that we choose the moment of."""
LATENESS_MS = (0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 100, 250)
"""Upper bounds of the histogram of lags."""
TURN = 0.0005
"""Seconds for which a thread of ours may keep the interpreter from the loop; Python's own 5 ms
would be the whole time that the kill cord may take to close the gate."""
LONG_PAUSE_MS = 4.0
"""A full collection that took this long freezes its survivors, so that the next one is short."""


class Pulse:
    """Measures how late the loop wakes, and keeps what could hold it up short.

    The collector is tuned so that it never decides on a full collection itself: what exists after
    start-up is frozen (58 ms saved each time), and full collections run twice a minute over what
    came since.

    Args:
        late: told in milliseconds when the loop was later than ``tolerance_ms``.
        tolerance_ms: what is worth telling.
        clock: seconds; finer than the loop's own time, which stands still within a turn of it.
    """

    def __init__(
        self,
        late: Callable[[float], None],
        tolerance_ms: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.lag_ms = 0.0
        """Worst of the last second."""
        self.worst_ms = 0.0
        """Since ``settle``: a start imports libraries, which takes as long as it takes."""
        self.lags = [0] * (len(LATENESS_MS) + 1)
        """How many lags fell between the bounds; the last is beyond them all."""
        self.lags_ms = 0.0
        """Sum of all lags."""
        self.gc_pause_ms = 0.0
        """Longest collection since ``settle``."""
        self._late = late
        self.settled = False
        """Whether start-up is over."""
        self._tolerance = tolerance_ms
        self._clock = clock
        self._began = 0.0
        self._last_full_ms = 0.0
        self._thresholds = gc.get_threshold()
        self._turn = sys.getswitchinterval()

    def settle(self) -> None:
        """Freeze what start-up made; call it when the desk is ready."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000_000)
        gc.callbacks.append(self._collected)
        sys.setswitchinterval(TURN)
        self.settled = True
        self.worst_ms = 0.0

    def close(self) -> None:
        """Give the collector and the interpreter back as they were."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
            gc.unfreeze()
        gc.set_threshold(*self._thresholds)
        sys.setswitchinterval(self._turn)

    async def run(self) -> None:
        """Measure until cancelled."""
        window: list[float] = []
        tidied = time.monotonic()
        while True:
            before = self._clock()
            await asyncio.sleep(_STEP)
            lag = max((self._clock() - before - _STEP) * 1000, 0.0)
            self.lags[bisect_left(LATENESS_MS, lag)] += 1
            self.lags_ms += lag
            window.append(lag)
            if len(window) > 20:
                window.pop(0)
            self.lag_ms = max(window)
            self.worst_ms = max(self.worst_ms, lag)
            if lag > self._tolerance and self.settled:
                self._late(lag)
            if time.monotonic() - tidied > _TIDY:
                tidied = time.monotonic()
                self._tidy()

    def _tidy(self) -> None:
        gc.collect()
        if self._last_full_ms > LONG_PAUSE_MS:
            gc.freeze()

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        pause = (time.perf_counter() - self._began) * 1000
        self.gc_pause_ms = max(self.gc_pause_ms, pause)
        if info.get("generation") == 2:
            self._last_full_ms = pause
