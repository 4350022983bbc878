"""Errors that come from worker processes say what they said there."""

from __future__ import annotations

import pickle

from core.errors import ConfigError


def test_a_workers_problems_stay_whole() -> None:
    there = ConfigError(["a.py: does not import", "limits: missing"])
    here = pickle.loads(pickle.dumps(there))
    assert here.problems == there.problems
    assert str(here) == "a.py: does not import\nlimits: missing"
