"""Leave a safeguard out, and the simulation notices: what nobody would miss protects nobody.

Safeguards that need two processes or a real venue's limits are missed by the tests named in
docs/reliability.md.
"""

from __future__ import annotations

import pytest

from tests.simulation.safeguards import MOST, SAFEGUARDS, seeds_to_catch


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_missing_safeguard_is_noticed(name: str) -> None:
    seed, _ = seeds_to_catch(SAFEGUARDS[name])
    assert seed, f"{MOST} seeds without it, and no invariant was broken: {name}"
