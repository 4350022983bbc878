"""The kill executor: one pull of the cord on every venue at once.

The gate is closed before this runs. Each venue has a worker (``core.desk.kill_worker``). Modes:

* ``halt``: the gate alone; nothing is sent.
* ``cancel``: orders that could add risk are cancelled; protective stops stay.
* ``flatten``: also close every position with reduce-only IOC orders at a growing distance from the
  mark; stops are cancelled only when the venue is flat, so that no position is ever left naked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from core.desk.kill_worker import Means, VenueWorker
from core.desk.ports import KillGateway
from core.desk.verdicts import RANK, KillReport, VenueKill
from core.files import keep_newest, write_whole
from core.model.event import KillMode

KEPT = 100
"""Reports of kills that stay."""


class KillExecutor:
    """Runs kills. Idempotent: a second pull joins the first, or makes it go further.

    Args:
        gateways: one for each venue, with connections of its own.
        means: what the workers work with.
        folder: where reports are written.
    """

    def __init__(self, gateways: Sequence[KillGateway], means: Means, folder: Path) -> None:
        self._gateways = {gateway.venue: gateway for gateway in gateways}
        self._means = means
        self._folder = folder
        self._workers: dict[str, VenueWorker] = {}
        self._began = 0

    @property
    def active(self) -> bool:
        """Whether a venue is still being worked on."""
        return any(not worker.task.done() for worker in self._workers.values())

    @property
    def runs(self) -> Mapping[str, VenueKill]:
        """How far each venue is."""
        return {name: worker.run for name, worker in self._workers.items()}

    def pull(self, mode: KillMode, cause: str, actor: str, venue: str = "") -> None:
        """Start, join or escalate; returns at once. An empty ``venue`` means all of them."""
        if not self.active:
            self._began = self._means.clock.now()
            self._workers.clear()
        for name in self._gateways:
            if venue not in ("", name):
                continue
            worker = self._workers.get(name)
            if worker is not None and not worker.task.done():
                worker.escalate(mode, cause, actor)
                continue
            run = VenueKill(name, mode, cause, actor)
            self._workers[name] = VenueWorker(self._gateways[name], self._means, run, self._told)

    async def report(self) -> KillReport:
        """Wait until every venue of this kill has a verdict, and return them."""
        for worker in list(self._workers.values()):
            await worker.told.wait()
        return self._report()

    def release(self) -> None:
        """Stop working: the latch was released by hand."""
        for worker in self._workers.values():
            worker.task.cancel()

    async def close(self) -> None:
        """Stop and wait for the workers to end."""
        self.release()
        tasks = [worker.task for worker in self._workers.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self) -> None:
        """Write the report once every venue has its verdict."""
        if all(worker.told.is_set() for worker in self._workers.values()):
            self._save()

    def _report(self) -> KillReport:
        runs = self.runs
        first = next(iter(runs.values()), None)
        if first is None:
            return KillReport(KillMode.HALT, "", "", self._began, 0.0, {})
        return KillReport(
            mode=max((run.mode for run in runs.values()), key=RANK.__getitem__),
            cause=first.cause,
            actor=first.actor,
            started=self._began,
            seconds=max(run.seconds for run in runs.values()),
            venues=dict(runs),
        )

    def _save(self) -> None:
        """Write the report; a disk that refuses does not stop a kill."""
        data = msgspec.json.format(msgspec.json.encode(self._report()))
        path = self._folder / f"kill-{self._began}.json"
        with suppress(OSError):
            write_whole(path, data)
            keep_newest(self._folder, "kill-*.json", KEPT)
