"""The documentation says what the code does, where it can be made from the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path) -> None:
    assert path.read_text() == pages()[path], "run `make docs`"


def test_the_front_page_stays_a_page() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    lines = readme.read_text().splitlines()
    assert len(lines) <= 150
    assert {"make run", "make test"} <= {line.partition("#")[0].strip() for line in lines[:15]}
