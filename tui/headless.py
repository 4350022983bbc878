"""The desk without a terminal: one line an event for a person, or one JSON object a line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TextIO

import msgspec

from core.clock import SECOND
from core.desk.summary import DeskSummary
from core.model.snapshot import LogView
from tui.text import clean


class Printer:
    """Writes lines until nobody reads them any more; then the desk goes on without.

    Args:
        out: where lines go.
        as_json: one JSON object a line, with ``type`` first.
    """

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out: TextIO | None = out
        self._as_json = as_json

    def line(self, line: LogView) -> None:
        """Print one event."""
        if self._as_json:
            fields = {"type": line.kind, **msgspec.to_builtins(line)}
            del fields["kind"]
            self._write(msgspec.json.encode(fields).decode())
            return
        time = datetime.fromtimestamp(line.ts / SECOND, UTC).strftime("%H:%M:%S")
        mark = {"warning": "! ", "alarm": "!! "}.get(line.level, "")
        self._write(f"{time}  {line.kind:7} {mark}{clean(line.text)}")

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

    def _write(self, text: str) -> None:
        if self._out is None:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except OSError:  # the SSH session is gone, or the pipe's reader: the desk is not
            self._out = None
