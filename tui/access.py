"""The ways into the venues, with keys: for the desk and, read anew, for its guard."""

from __future__ import annotations

import os
from collections.abc import Sequence

from core.home import Home
from core.keys import Credentials, credentials
from core.secrets import Secret, forbid_core_dumps
from exchanges.access import Access
from tui.practice import PracticeServer


def practice_accesses(venues: Sequence[str], server: PracticeServer) -> dict[str, Access]:
    """Return the way into each venue of a practice exchange."""
    forbid_core_dumps()
    accesses = {}
    for venue in venues:
        keys = {name: Secret(text) for name, text in server.keys[venue].items()}
        passphrase = keys.get("passphrase", Secret(""))
        accesses[venue] = Access(
            "practice", keys["api_key"], keys["secret"], passphrase, server.url
        )
    return accesses


def venue_accesses(venues: Sequence[str], environment: str, home: Home) -> dict[str, Access]:
    """Return the way into each venue that has keys.

    Raises:
        KeyRefused: keys come from where they must not.
        VaultUnavailable: the keyring does not answer.
    """
    forbid_core_dumps()
    accesses = {}
    for venue in venues:
        keys = credentials(venue, environment, home, os.environ)
        if keys is not None:
            accesses[venue] = access(environment, keys)
    return accesses


def access(environment: str, keys: Credentials) -> Access:
    """Return the way into one venue with these keys."""
    return Access(environment, keys.key, keys.secret, keys.passphrase)
