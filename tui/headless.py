"""The desk without a terminal: one line an event for a person, or one JSON object a line."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Thread
from typing import TextIO

import msgspec

from core.clock import SECOND
from core.desk.summary import DeskSummary
from core.model.snapshot import LogView
from tui.text import clean

WAITING = 10_000
"""Lines that wait for a slow reader; further ones are not printed, and counted."""
PATIENCE = 5.0
"""Seconds that the end of a run waits for a reader."""


class Printer:
    """Writes lines until nobody reads them any more; then the desk goes on without.

    In a thread of its own: a pipe that is not read, a terminal held by ctrl+s and an ssh session
    whose line is dead block whoever writes to them, and a desk that is blocked is killed.

    Args:
        out: where lines go; a file with a descriptor.
        as_json: one JSON object a line, with ``type`` first.
    """

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._descriptor = out.fileno()
        self._encoding = out.encoding
        self._as_json = as_json
        self._queue: Queue[str | None] = Queue(WAITING)
        self._lost = 0
        """Lines left out since the last one that was not."""
        self._thread = Thread(target=self._write_on, name="printer", daemon=True)
        self._thread.start()

    def line(self, line: LogView) -> None:
        """Print one event."""
        if self._lost and not self._queue.full():
            lost, self._lost = self._lost, 0
            text = f"{lost} lines were not printed, for nobody read them: see the log file"
            self.line(LogView(0, line.ts, "warning", "info", text))
        if self._as_json:
            fields = {"type": line.kind, **msgspec.to_builtins(line)}
            del fields["kind"]
            self._write(msgspec.json.encode(fields).decode())
            return
        at = datetime.fromtimestamp(line.ts / SECOND, UTC).strftime("%H:%M:%S")
        mark = {"warning": "! ", "alarm": "!! "}.get(line.level, "")
        self._write(f"{at}  {line.kind:7} {mark}{clean(line.text)}")

    def summary(self, summary: DeskSummary) -> None:
        """Print what the run came to."""
        if self._as_json:
            self._write(msgspec.json.encode(summary).decode())
            return
        venues = ", ".join(
            f"{name} {v.orders} orders {v.fills} fills" for name, v in summary.venues.items()
        )
        # Where a run begins is known once its equity was marked, which a short one may not reach.
        ends = (summary.equity_start, summary.equity_end)
        known = " -> ".join(f"{one:,.2f}" for one in ends if one is not None)
        equity = f"{known} USDT" if known else "unknown"
        self._write(
            f"{summary.seconds:.0f} s on {summary.market}: {venues}; equity {equity};"
            f" {summary.open_positions} positions open, {summary.unknown_orders} orders unknown,"
            f" {summary.discrepancies} discrepancies"
        )

    def close(self) -> None:
        """Wait until everything is written, but not for ever."""
        deadline = time.monotonic() + PATIENCE
        with suppress(Full):
            self._queue.put(None, timeout=PATIENCE)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _write(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except Full:
            self._lost += 1

    def _write_on(self) -> None:
        gone = False
        while (text := self._queue.get()) is not None:
            data = memoryview((text + "\n").encode(self._encoding, "replace"))
            try:
                while data and not gone:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:  # the SSH session is gone, or the pipe's reader: the desk is not
                gone = True
