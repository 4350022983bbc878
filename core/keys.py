"""API keys of venues and news services: their names, and the one place that says where they are.

The OS keyring comes first; environment variables serve testnets and containers, never live.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from core.errors import KeyRefused, UsageError
from core.files import write_whole
from core.home import Home
from core.model.instrument import VENUES
from core.secrets import Secret
from core.vault import Vault, VaultUnavailable

_WORDS = {("okx", "testnet"): "DEMO"}
_PARTS = {"okx": ("KEY", "SECRET", "PASSPHRASE")}

NEWS_KEYS = {
    "newsapi": "NEWS_API_KEY",
    "alphavantage": "ALPHA_VANTAGE_API_KEY",
    "polygon": "POLYGON_API_KEY",
    "coingecko": "COINGECKO_API_KEY",
    "cryptopanic": "CRYPTOPANIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "huggingface": "HUGGINGFACE_API_KEY",
}
"""Service of the news process to the name of its key. Those of the two analysts can spend money,
within the budget of ``[analyst]``; the others spend a quota at most."""


class Credentials(Struct, frozen=True):
    """What signs requests to one venue."""

    key: Secret
    secret: Secret
    passphrase: Secret
    source: str
    """``keyring``, ``environment`` or ``practice``."""


def variables(venue: str, environment: str) -> tuple[str, ...]:
    """Return the names of a venue's secrets: ``BYBIT_TESTNET_API_KEY``, ``..._API_SECRET``.

    OKX calls its testnet demo trading and has a third secret: ``OKX_DEMO_API_PASSPHRASE``.

    Raises:
        UsageError: no such venue, or an environment that has no keys.
    """
    if venue not in VENUES:
        raise UsageError(f"no venue {venue!r}: choose one of {', '.join(VENUES)}")
    if environment not in ("testnet", "live"):
        raise UsageError(f"{environment} has no keys to store: choose testnet or live")
    word = _WORDS.get((venue, environment), environment.upper())
    return tuple(
        f"{venue.upper()}_{word}_API_{part}" for part in _PARTS.get(venue, ("KEY", "SECRET"))
    )


def vault(home: Home) -> Vault:
    """Return the keyring entries of a home; the standard home and a moved one do not share."""
    moved = os.environ.get("KILLCORD_HOME")
    return Vault(f"killcord:{home.data}" if moved else "killcord")


class KeyIndex:
    """Which keys were stored, by name only, so that start-up need not ask the keyring.

    Args:
        home: the home whose configuration folder holds the index.
    """

    def __init__(self, home: Home) -> None:
        self._path: Path = home.config / "keys.json"

    def stored(self) -> frozenset[tuple[str, str]]:
        """Return (venue, environment) pairs."""
        try:
            return frozenset((venue, env) for venue, env in json.loads(self._path.read_text()))
        except (OSError, ValueError):
            return frozenset()

    def change(self, venue: str, environment: str, present: bool) -> None:
        """Add or remove a pair."""
        pairs = set(self.stored())
        (pairs.add if present else pairs.discard)((venue, environment))
        write_whole(self._path, json.dumps(sorted(pairs)).encode())


def credentials(
    venue: str, environment: str, home: Home, environ: Mapping[str, str]
) -> Credentials | None:
    """Return a venue's keys, or None when there are none.

    Raises:
        KeyRefused: live keys are in the environment, or only a part of a set is there.
        VaultUnavailable: keys are known to be in the keyring, and it does not answer.
    """
    names = variables(venue, environment)
    lost: set[str] = set()
    if (venue, environment) in KeyIndex(home).stored():
        found = vault(home).fetch(names)
        lost = set(names) - set(found)
        if not lost:
            return _credentials(found, names, "keyring")
    given = {name: Secret(environ[name]) for name in names if environ.get(name)}
    if not given:
        if lost:  # left out without a word, the positions there would be watched by nobody
            text = f"{', '.join(sorted(lost))} is no longer in the OS keyring"
            here = f"{venue} --env {environment}"
            raise KeyRefused(f"{text}: killcord keys add {here}, or killcord keys remove {here}")
        return None
    if environment == "live":
        raise KeyRefused(
            f"{names[0]} is an environment variable, which every child process can read; live keys"
            f" come from the OS keyring only: killcord keys add {venue} --env live"
        )
    if missing := [name for name in names if name not in given]:
        raise KeyRefused(
            f"{', '.join(missing)} is not set, but the rest of the {environment} key of {venue} is;"
            " set all of it, or none"
        )
    return _credentials(given, names, "environment")


def _credentials(found: Mapping[str, Secret], names: tuple[str, ...], source: str) -> Credentials:
    texts = [found[name] for name in names]
    return Credentials(texts[0], texts[1], texts[2] if len(texts) > 2 else Secret(""), source)


def news_keys(home: Home, environ: Mapping[str, str]) -> dict[str, Secret]:
    """Return the news services' keys by their names; a service without one is left out.

    Raises:
        VaultUnavailable: keys are known to be in the keyring, and it does not answer.
    """
    found = {name: Secret(environ[name]) for name in NEWS_KEYS.values() if environ.get(name)}
    stored = [NEWS_KEYS[who] for who, kind in KeyIndex(home).stored() if kind == "news"]
    return found | (vault(home).fetch(stored) if stored else {})


def has_testnet_keys(home: Home, environ: Mapping[str, str]) -> bool:
    """Return whether any testnet key is stored or in the environment."""
    if any(environment == "testnet" for _, environment in KeyIndex(home).stored()):
        return True
    return any(environ.get(name) for venue in VENUES for name in variables(venue, "testnet"))


__all__ = [
    "NEWS_KEYS",
    "Credentials",
    "KeyIndex",
    "VaultUnavailable",
    "credentials",
    "has_testnet_keys",
    "news_keys",
    "variables",
    "vault",
]
