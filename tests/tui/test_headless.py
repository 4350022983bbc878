"""What a desk without a terminal prints."""

from __future__ import annotations

import io

import pytest

from core.desk.summary import DeskSummary, VenueSummary
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
    start: float | None, end: float | None, said: str
) -> None:
    out = io.StringIO()
    Printer(out, as_json=False).summary(
        DeskSummary(
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
    )
    assert said in out.getvalue()
