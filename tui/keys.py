"""``killcord keys``: put venue keys into the OS keyring, list, remove and check them."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys

from core.errors import KillcordError, UsageError
from core.home import Home
from core.keys import KeyIndex, credentials, variables, vault
from core.model.instrument import VENUES
from core.secrets import Secret


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord keys list|add|remove|check``."""
    home = Home.find()
    if arguments.action == "list":
        return _list(home, as_json=arguments.json)
    if arguments.action == "check":
        return _check(home, arguments)
    if not arguments.venue:
        raise UsageError(f"name a venue: killcord keys {arguments.action} {'|'.join(VENUES)}")
    names = variables(arguments.venue, arguments.env)
    if arguments.action == "add":
        backend = vault(home).store({name: _read_secret(name) for name in names})
        KeyIndex(home).change(arguments.venue, arguments.env, present=True)
        _say(
            arguments,
            {"stored": list(names), "backend": backend},
            f"stored in the OS keyring ({backend}); check it with"
            f" `killcord keys check {arguments.venue} --env {arguments.env}`",
        )
    else:
        vault(home).remove(names)
        KeyIndex(home).change(arguments.venue, arguments.env, present=False)
        _say(arguments, {"removed": list(names)}, "removed")
    return 0


def _read_secret(name: str) -> Secret:
    # From a pipe one line each, so that a script can add keys without them in its arguments,
    # where every process of the machine could read them.
    text = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not text.strip():
        raise UsageError(f"{name} is empty; nothing was stored")
    return Secret(text.strip())


def _list(home: Home, *, as_json: bool) -> int:
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
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
    else:
        for row in rows:
            hint = (
                row["source"]
                or f"none: killcord keys add {row['venue']} --env {row['environment']}"
            )
            sys.stdout.write(f"{row['venue']:9}{row['environment']:9}{hint}\n")
    return 0


def _check(home: Home, arguments: argparse.Namespace) -> int:
    from tui.compose import check_key

    venues = [arguments.venue] if arguments.venue else list(VENUES)
    worst = 0
    for venue in venues:
        keys = credentials(venue, arguments.env, home, os.environ)
        if keys is None:
            row = {"venue": venue, "ok": False, "detail": f"no {arguments.env} key"}
            worst = max(worst, 0 if not arguments.venue else 1)
        else:
            try:
                account = asyncio.run(check_key(venue, arguments.env, keys))
                row = {"venue": venue, "ok": True, "detail": f"works; account {account}"}
            except KillcordError as error:
                row = {"venue": venue, "ok": False, "detail": str(error)}
                worst = max(worst, error.exit_code)
        mark = "ok " if row["ok"] else "-- "
        sys.stdout.write(
            (json.dumps(row) if arguments.json else f"{mark} {venue:9}{row['detail']}") + "\n"
        )
    return worst


def _say(arguments: argparse.Namespace, data: dict[str, object], text: str) -> None:
    sys.stdout.write((json.dumps(data) if arguments.json else text) + "\n")
