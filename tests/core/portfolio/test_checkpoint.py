"""A checkpoint stands for everything before it, wherever the journal is cut."""

from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.record import JournalRecord
from core.portfolio import ledger as module
from core.portfolio.checkpoint import Checkpoint, restore, take
from core.portfolio.ledger import Ledger
from tests.core.engine.test_replay import STEPS, facts, live


def through_bytes(ledger: Ledger) -> Ledger:
    return restore(msgspec.json.decode(msgspec.json.encode(take(ledger)), type=Checkpoint))


def check(journal: list[JournalRecord], cut: int) -> None:
    whole = Ledger.replay(journal)
    resumed = through_bytes(Ledger.replay(journal[:cut]))
    assert facts(resumed) == facts(Ledger.replay(journal[:cut]))
    for record in journal[cut:]:
        resumed.apply(record)
    assert facts(resumed) == facts(whole)
    assert all(resumed.positions[key] is held for key, held in resumed.open.items())


@pytest.mark.parametrize("kept", [3, 10_000], ids=["forgetful", "usual"])
@settings(max_examples=60)
@given(steps=STEPS, cut=st.integers(0, 10**6))
def test_a_ledger_restored_at_any_cut_goes_on_as_if_it_had_never_stopped(
    kept: int, steps: list[tuple[str, int]], cut: int
) -> None:
    with patch.object(module, "_KEYS", kept), patch.object(module, "_DONE", kept):
        journal = live(steps).journal
        check(journal, cut % (len(journal) + 1))


def test_an_empty_ledger_is_carried_too() -> None:
    assert facts(through_bytes(Ledger())) == facts(Ledger())


def test_no_fact_of_a_ledger_is_forgotten() -> None:
    """A field added to the ledger must be carried: this fails until it is."""
    kept = {name.removeprefix("_") for name in facts(Ledger())}
    inside = {"keys", "arrived", "horizon"}
    assert kept - inside == set(Checkpoint.__struct_fields__) - {"venues"}
