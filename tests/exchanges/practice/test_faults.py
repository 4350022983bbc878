"""Fault scripts: what is shipped reads, what is wrong is named, a seed strikes the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UsageError
from exchanges.practice.faults import Deed, Fault, Strike, names, read_script


@pytest.mark.parametrize("name", names())
def test_every_shipped_script_reads(name: str) -> None:
    script = read_script(name)
    assert script.text
    assert script.fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("text = 'x'", "missing required field `fault`"),
        ("text = 'x'\n[[fault]]\ndo = 'explode'", "Invalid enum value 'explode'"),
        ("text = 'x'\n[[fault]]\ndo = 'drop'\nevry = 2", "unknown field `evry`"),
        ("text = 'x'\n[[fault]]\ndo = 'drop'\nevery = 0", r">= 1"),
        ("text = 'x'\n[[fault]]\ndo = 'drop'\nat = 'submit'", "strikes frames"),
        ("text = 'x'\n[[fault]]\ndo = 'reset'\nat = 'WS private'", "strikes requests"),
        ("text = 'x'\n[[fault]]\ndo = 'reset'\nvenue = 'kraken'", "kraken"),
        ("text = 'x'\n[[fault]]\ndo = 'delay'\nseconds = -1", "in the past"),
        ("text = [", "Invalid"),
    ],
)
def test_a_wrong_script_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem) as refused:
        read_script(str(path))
    assert "wrong.toml" in str(refused.value)


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(UsageError, match="lost-acks"):
        read_script("nothing")


def struck(fault: Fault, count: int, seed: str = "1") -> list[int]:
    strike = Strike(fault, "bybit", seed)
    endpoint = "POST /v5/order/create"
    return [index for index in range(count) if strike.hits(endpoint, "a body", 0.0)]


def test_indices() -> None:
    assert struck(Fault(do=Deed.RESET, at="submit", every=3), 8) == [0, 3, 6]
    assert struck(Fault(do=Deed.RESET, at="submit", skip=2, every=3, count=2), 20) == [2, 5]
    assert struck(Fault(do=Deed.RESET, at="cancel"), 5) == []
    assert struck(Fault(do=Deed.RESET, match="nobody"), 5) == []
    assert struck(Fault(do=Deed.RESET, match="body", count=1), 5) == [0]


def test_the_same_seed_strikes_the_same_messages() -> None:
    fault = Fault(do=Deed.RESET, chance=0.3)
    assert struck(fault, 200) == struck(fault, 200)
    assert struck(fault, 200) != struck(fault, 200, seed="2")
    assert 30 < len(struck(fault, 200)) < 90


def test_times() -> None:
    strike = Strike(Fault(do=Deed.RESET, begin=5.0, lasts=2.0), "okx", "1")
    assert [age for age in range(10) if strike.hits("GET /x", "", float(age))] == [5, 6]
