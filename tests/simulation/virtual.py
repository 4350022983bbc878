"""Virtual time: an event loop that never waits, and a disk that works inline.

When nothing is ready, the loop's clock jumps to the next timer. Everything else is asyncio's own:
the same order of callbacks, the same tasks. Together with seeded chance and no threads, the same
seed gives the same run, whatever the machine does meanwhile.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from core.clock import SECOND

EPOCH = 1_767_571_200 * SECOND
"""Where simulated time begins: 2026-01-05 00:00 UTC; no funding is settled for eight hours."""

TIE = 1e-6
"""Seconds that keep two things apart: timers of one instant fire in no order."""

FENCED = "core.desk.latch."
"""What changes the disk off the loop: the dead do not. The journal is fenced by itself."""


class Stuck(AssertionError):
    """Nothing is ready and nothing is scheduled: everybody waits for something that never comes."""


class _Jump(selectors.DefaultSelector):  # type: ignore[valid-type,misc]
    """Instead of waiting, moves the clock. Looks at sockets only while there are any."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0) if len(self.get_map()) > 1 else []
        if not ready:
            if timeout is None:
                raise Stuck
            if timeout > 0:
                self.now += timeout
        return ready


class Life:
    """One life of a process in the simulation: what it does after its death changes nothing."""

    alive = True

    def point(self, name: str) -> None:
        """Pass a place where the process may die."""


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""Whose code is running; tasks inherit it."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.disk_delay: Callable[[], float] = lambda: 0.0
        """Says how long the next piece of work for a thread takes, seconds."""
        self._busy_until: WeakKeyDictionary[Executor, float] = WeakKeyDictionary()

    def time(self) -> float:
        return self._jump.now

    def stall(self, seconds: float) -> None:
        """Let time pass while the callback that asks for it runs, as if it took so long."""
        self._jump.now += seconds

    def now(self) -> int:
        """Return nanoseconds UTC: the loop is the clock of everything on it."""
        return EPOCH + round(self._jump.now * SECOND)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do in one go, a little later, what a thread would do."""
        future = self.create_future()
        life = LIFE.get()
        name = f"{getattr(func, '__module__', '')}.{getattr(func, '__name__', '')}"

        def work() -> None:
            if life is not None:
                life.point(f"before {name}")
                if not life.alive and name.startswith(FENCED):
                    _tell(future, None)
                    return
            try:
                result = func(*args)
            except Exception as error:
                _tell(future, error)
                return
            if life is not None:
                life.point(f"after {name}")
            _tell(future, result)

        due = self.time() + self.disk_delay()
        if executor is not None:  # ours have one thread: work is done in the order it was given
            due = self._busy_until[executor] = max(due, self._busy_until.get(executor, 0.0) + TIE)
        self.call_at(due, work)
        return future


def _tell(future: asyncio.Future[Any], result: Any) -> None:
    if future.cancelled():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
