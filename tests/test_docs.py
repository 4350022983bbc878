"""The documentation says what the code does, where it can be made from the code."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from core.config_file import load
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


def test_links_lead_somewhere_and_every_page_is_reached() -> None:
    root = Path(__file__).parents[1]
    reached = set()
    for page in (root / "README.md", *(root / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
            reached.add((page.parent / target).resolve())
    assert set((root / "docs").glob("*.md")) <= reached


def test_settings_in_the_pages_are_settings(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    found = 0
    for page in (root / "README.md", *(root / "docs").glob("*.md")):
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL) + re.findall(
            r"^    \[\w+\]\n(?:    .+\n)+", page.read_text(), re.MULTILINE
        ):
            if "[[fault]]" in block:
                continue
            file = tmp_path / "config.toml"
            text = textwrap.dedent(block)
            file.write_text(text if "[limits]" in text else text + "\n[limits]\n")
            load(file, {}, {}, testnet_keys=False)
            found += 1
    assert found >= 6


def test_the_front_page_stays_a_page() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    lines = readme.read_text().splitlines()
    assert len(lines) <= 150
    assert {"make run", "make test"} <= {line.partition("#")[0].strip() for line in lines[:15]}
