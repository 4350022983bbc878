"""What a drill prints for a person."""

from __future__ import annotations

from tui.drills.run import _lines


def test_a_report_is_words_and_numbers() -> None:
    report = {
        "type": "drill",
        "drill": "kill",
        "passed": True,
        "venues": {"okx": {"left_at_venue": {"orders": 0, "positions": 0}, "detail": ""}},
        "truthful": True,
    }
    assert _lines(report) == [
        "drill kill: passed",
        "okx            left_at_venue orders 0, positions 0",
        "truthful: yes",
    ]
