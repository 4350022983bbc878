"""What a desk without a terminal prints."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from threading import Thread

import pytest

from core.desk.summary import DeskSummary, VenueSummary
from core.model.snapshot import LogView
from tui import headless
from tui.headless import Printer


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (300.0, 299.5, "equity 300.00 -> 299.50 USDT"),
        (None, 299.5, "equity 299.50 USDT"),
        (None, None, "equity unknown;"),
    ],
)
def test_a_run_whose_first_equity_is_not_known_claims_none(
    tmp_path: Path, start: float | None, end: float | None, said: str
) -> None:
    with open(tmp_path / "out", "w") as out:
        printer = Printer(out, as_json=False)
        printer.summary(run(start, end))
        printer.close()
    assert said in (tmp_path / "out").read_text()


def run(start: float | None, end: float | None) -> DeskSummary:
    return DeskSummary(
        environment="practice",
        seconds=1.0,
        market="synthetic, seed 1",
        venues={"okx": VenueSummary(1, 1, "ready")},
        events=1,
        signals=1,
        orders=1,
        fills=1,
        refusals=0,
        equity_start=start,
        equity_end=end,
        realised=0.0,
        open_positions=0,
        unknown_orders=0,
        discrepancies=0,
        state="armed",
        loop_lag_ms=0.0,
        gc_pause_ms=0.0,
        ready_seconds=1.0,
        decision_hash="",
    )


def test_a_reader_that_does_not_read_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "WAITING", 100)
    source, sink = os.pipe()
    fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 4096)  # some fifty lines
    with open(sink, "w") as out, open(source) as lines:
        printer = Printer(out, as_json=True)

        def say() -> None:
            for number in range(5000):
                printer.line(LogView(number, 0, "info", "info", f"line {number}"))

        desk = Thread(target=say, daemon=True)
        desk.start()
        desk.join(20)
        assert not desk.is_alive(), "the desk waits for a reader"
        # Somebody reads again: what waited comes, and how much is missing is said.
        told = [json.loads(lines.readline())["text"]]
        while printer._queue.qsize() > 50:
            told.append(json.loads(lines.readline())["text"])
        printer.line(LogView(5000, 0, "info", "info", "the last"))
        while told[-1] != "the last":
            told.append(json.loads(lines.readline())["text"])
        printer.close()
        assert not printer._thread.is_alive()
    missing = [int(text.split()[0]) for text in told if text.endswith("see the log file")]
    assert sum(missing) + len(told) - len(missing) == 5001
    numbers = [int(text.split()[1]) for text in told if text.startswith("line ")]
    assert numbers == sorted(numbers)
