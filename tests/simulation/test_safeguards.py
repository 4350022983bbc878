"""Leave a safeguard out, and the simulation notices: what nobody would miss protects nobody.

Safeguards that need two processes or a real venue's limits are missed by the tests named in
docs/reliability.md.
"""

from __future__ import annotations

import pytest

from tests.simulation import safeguards
from tests.simulation.safeguards import MOST, SAFEGUARDS, seeds_to_catch


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_missing_safeguard_is_noticed(name: str) -> None:
    seed, _ = seeds_to_catch(SAFEGUARDS[name])
    assert seed, f"{MOST} seeds without it, and no invariant was broken: {name}"


def test_every_substitute_takes_the_place_of_something() -> None:
    """A method that the program no longer has leaves no safeguard out."""
    for without in SAFEGUARDS.values():
        for made in (*without.parts.values(), without.gateway, without.kill_gateway):
            if isinstance(made, type) and made.__module__ == safeguards.__name__:
                methods = {name for name, value in vars(made).items() if callable(value)}
                replaced = {name for base in made.__mro__[1:] for name in vars(base)}
                assert methods <= replaced, made
