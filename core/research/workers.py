"""Who does the work of a sweep: processes of this machine, or a Dask cluster.

Work is handed out one task at a time, so that a search can learn from results as they come. A
worker that dies takes nothing with it: what it had in hand is given to another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from core.errors import ClusterUnavailable, StateError

Ask = Callable[[], Any]
"""Returns the next task, or None when there is none now."""
Tell = Callable[[Any, Any], None]
"""Takes a task and its result."""
BEAT = 5.0
"""Seconds after which ``beat`` is called at the latest."""
_ADDRESS = re.compile(r"(\w+://)?[^\s/]+:\d+")
_DEATHS = 3
"""Deaths of a worker, one after the other without a result between, that end the work."""

_job: Any = None


def _take(job: Any) -> None:
    global _job
    os.nice(5)
    _job = job


def _do(work: Callable[[Any, Any], Any], task: Any) -> Any:
    return work(_job, task)


class LocalWorkers:
    """Processes of this machine.

    Args:
        work: what is done with the job and a task; a function of a module.
        job: what every task needs; sent once to each process.
        count: of processes.
    """

    def __init__(self, work: Callable[[Any, Any], Any], job: Any, count: int) -> None:
        self._work = work
        self._job = job
        self._count = count
        self._pool = self._start()
        self.deaths = 0

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count, mp_context=get_context("spawn"), initializer=_take, initargs=(self._job,)
        )

    def run(self, ask: Ask, tell: Tell, beat: Callable[[], None]) -> None:
        """Do all there is to do.

        Raises:
            StateError: workers die again and again.
        """
        waiting: list[Any] = []
        running: dict[Future[Any], Any] = {}
        silent = 0
        while True:
            while len(running) < self._count:
                task = waiting.pop() if waiting else ask()
                if task is None:
                    break
                try:
                    running[self._pool.submit(_do, self._work, task)] = task
                except BrokenProcessPool:
                    waiting.append(task)
                    self._pool = self._start()
            if not running:
                return
            done, _ = wait(running, BEAT, FIRST_COMPLETED)
            broken = False
            for future in done:
                task = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    waiting.append(task)
                    broken = True
                else:
                    silent = 0
                    tell(task, future.result())
            if broken:
                self.deaths += 1
                silent += 1
                if silent >= _DEATHS:
                    raise StateError(f"{silent} workers died in a row: too little memory?")
                # The pool is lost with one process of it; its other tasks are done again.
                waiting += running.values()
                running.clear()
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._start()
            beat()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


class ClusterWorkers:
    """The workers of a Dask cluster, which give a dead worker's tasks to others by themselves.

    Args:
        work: see ``LocalWorkers``; the workers must have Killcord installed.
        job: sent once to each worker.
        address: of the scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises:
        ClusterUnavailable: nobody answers there, or Dask is not installed.
    """

    def __init__(self, work: Callable[[Any, Any], Any], job: Any, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ClusterUnavailable("Dask is not installed: pip install distributed") from error
        if not _ADDRESS.fullmatch(address):
            raise ClusterUnavailable(
                f"--scheduler {address}: expected an address such as tcp://10.0.0.5:8786"
            )
        try:
            self._client = Client(address, timeout="5s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ClusterUnavailable(
                f"--scheduler {address}: no cluster answers: {reason}"
            ) from error
        self._work = work
        self._job = self._client.scatter(job, broadcast=True)

    @property
    def count(self) -> int:
        """Threads of all workers."""
        threads: dict[str, int] = self._client.nthreads()
        return max(sum(threads.values()), 1)

    def run(self, ask: Ask, tell: Tell, beat: Callable[[], None]) -> None:
        """Do all there is to do.

        Raises:
            ClusterUnavailable: the cluster went away, or its workers die again and again.
        """
        from distributed import CancelledError, KilledWorker

        try:
            with self._client.as_current():
                self._run(ask, tell, beat)
        except (KilledWorker, CancelledError, OSError) as error:
            raise ClusterUnavailable(f"the cluster went away: {error}") from error

    def _run(self, ask: Ask, tell: Tell, beat: Callable[[], None]) -> None:
        from distributed import wait as wait_for

        running: dict[Any, Any] = {}
        while True:
            while len(running) < 2 * self.count and (task := ask()) is not None:
                future = self._client.submit(
                    self._work, self._job, task, pure=False, retries=_DEATHS
                )
                running[future] = task
            if not running:
                return
            try:
                done = wait_for(list(running), timeout=BEAT, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                done = set()
            for future in done:
                tell(running.pop(future), future.result())
            beat()

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()
