"""The desk's background tasks: kept running, and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

AGAIN = 1.0
"""Seconds until a task that ended is begun anew."""


class Supervisor:
    """Runs background tasks.

    Args:
        died: told what ended when a task raised; it closes the gate.
    """

    def __init__(self, died: Callable[[str], None]) -> None:
        self._died = died
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run ``work`` once; its death closes the gate."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def keep(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Keep ``work`` running; its death closes the gate, and it is begun anew."""

        async def run() -> None:
            while True:
                try:
                    await work()
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    self._tell(name, error)
                await asyncio.sleep(AGAIN)

        self.start(run(), name)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(task.get_name(), error)

    def _tell(self, name: str, error: BaseException) -> None:
        self._died(f"the task {name!r} ended: {type(error).__name__}: {error}")

    async def cancel(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
