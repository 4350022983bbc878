"""The documentation says what the code does, where it can be made from the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exchanges.practice.faults import names
from tests.docs import pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path) -> None:
    assert path.read_text() == pages()[path], "run `make docs`"


def test_what_the_fault_table_names_exists() -> None:
    root = Path(__file__).parents[1]
    text = (root / "docs" / "reliability.md").read_text()
    written = {
        name
        for path in (root / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert set(re.findall(r"`(test_\w+)`", text)) <= written
    rows = re.findall(r"^\| (F\d\d) \|[^|]*\|([^|]*)\|", text, re.MULTILINE)
    assert [number for number, _ in rows] == [f"F{number:02d}" for number in range(1, 64)]
    scripts = {name for _, cell in rows for name in re.findall(r"`([\w-]+)`", cell)}
    assert scripts <= set(names())


def test_the_front_page_stays_a_page() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    lines = readme.read_text().splitlines()
    assert len(lines) <= 150
    assert {"make run", "make test"} <= {line.partition("#")[0].strip() for line in lines[:15]}
