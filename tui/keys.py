"""``killcord keys``: keys of venues and news services in the OS keyring."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Mapping

from core.errors import KillcordError, UsageError
from core.home import Home
from core.keys import NEWS_KEYS, KeyIndex, credentials, variables, vault
from core.model.instrument import VENUES
from core.secrets import Secret
from tui.output import reply


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord keys list|add|remove|check``."""
    home = Home.find()
    if arguments.action == "list":
        return _list(home, arguments)
    if arguments.action == "check":
        return _check(home, arguments)
    if not arguments.venue:
        choices = "|".join((*VENUES, *NEWS_KEYS))
        raise UsageError(
            f"name a venue or a news service: killcord keys {arguments.action} {choices}"
        )
    if arguments.venue in NEWS_KEYS:
        _change_news(home, arguments)
        return 0
    names = variables(arguments.venue, arguments.env)
    if arguments.action == "add":
        backend = vault(home).store({name: _read_secret(name) for name in names})
        KeyIndex(home).change(arguments.venue, arguments.env, present=True)
        text = (
            f"stored in the OS keyring ({backend}); check it with"
            f" `killcord keys check {arguments.venue} --env {arguments.env}`"
        )
        reply(arguments, {"stored": names, "backend": backend}, [text])
    else:
        vault(home).remove(names)
        KeyIndex(home).change(arguments.venue, arguments.env, present=False)
        reply(arguments, {"removed": names}, ["removed"])
    return 0


def _change_news(home: Home, arguments: argparse.Namespace) -> None:
    service, name = arguments.venue, NEWS_KEYS[arguments.venue]
    if arguments.action == "add":
        backend = vault(home).store({name: _read_secret(name)})
        KeyIndex(home).change(service, "news", present=True)
        text = f"stored in the OS keyring ({backend}); try it with `killcord news --once`"
        reply(arguments, {"stored": [name], "backend": backend}, [text])
    else:
        vault(home).remove((name,))
        KeyIndex(home).change(service, "news", present=False)
        reply(arguments, {"removed": [name]}, ["removed"])


def _read_secret(name: str) -> Secret:
    # From a pipe one line each, so that a script can add keys without them in its arguments,
    # where every process of the machine could read them.
    text = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not text.strip():
        raise UsageError(f"{name} is empty; nothing was stored")
    return Secret(text.strip())


def _list(home: Home, arguments: argparse.Namespace) -> int:
    stored = KeyIndex(home).stored()
    rows = []
    for environment in ("testnet", "live"):
        for venue in VENUES:
            names = variables(venue, environment)
            in_environment = all(os.environ.get(name) for name in names)
            source = "keyring" if (venue, environment) in stored else ""
            if not source and in_environment:
                source = "environment" if environment == "testnet" else "environment (refused)"
            rows.append({"venue": venue, "environment": environment, "source": source})
    for service, name in NEWS_KEYS.items():
        source = "keyring" if (service, "news") in stored else ""
        source = source or ("environment" if os.environ.get(name) else "")
        rows.append({"venue": service, "environment": "news", "source": source})
    reply(arguments, rows, map(_stored, rows))
    return 0


def _stored(row: Mapping[str, str]) -> str:
    kind = "" if row["environment"] == "news" else f" --env {row['environment']}"
    hint = row["source"] or f"none: killcord keys add {row['venue']}{kind}"
    return f"{row['venue']:13}{row['environment']:9}{hint}"


def _check(home: Home, arguments: argparse.Namespace) -> int:
    from tui.compose import check_key

    if arguments.venue in NEWS_KEYS:
        raise UsageError("a news service is tried with `killcord news --once`")
    venues = [arguments.venue] if arguments.venue else list(VENUES)
    worst = 0
    for venue in venues:
        try:
            keys = credentials(venue, arguments.env, home, os.environ)
            if keys is None:
                row = {"venue": venue, "ok": False, "detail": f"no {arguments.env} key"}
                worst = max(worst, 0 if not arguments.venue else 1)
            else:
                account = asyncio.run(check_key(venue, arguments.env, keys))
                row = {"venue": venue, "ok": True, "detail": f"works; account {account}"}
        except KillcordError as error:
            row = {"venue": venue, "ok": False, "detail": str(error)}
            worst = max(worst, error.exit_code)
        mark = "ok " if row["ok"] else "-- "
        reply(arguments, row, [f"{mark} {venue:9}{row['detail']}"])
    return worst
