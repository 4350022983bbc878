"""``killcord config``: print, check and locate the configuration."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from core.config import Config
from core.config_file import load, render
from core.errors import SafetyRefusal, UsageError
from core.home import Home
from core.keys import has_testnet_keys
from tui.output import reply, say


def read(arguments: argparse.Namespace, home: Home) -> Config:
    """Load the configuration that these arguments and this environment ask for.

    Raises:
        ConfigError: with every problem found.
        SafetyRefusal: live trading without its gates.
        UsageError: a file named on the command line does not exist.
    """
    config = configured(arguments, home)
    if config.environment == "live":
        _check_live_gates()
    return config


def environment_of(arguments: argparse.Namespace, home: Home) -> str:
    """Return the environment whose candles and models a command means; nothing is traded by it.

    Raises:
        ConfigError: with every problem found.
        UsageError: a file named on the command line does not exist.
    """
    return arguments.env or configured(arguments, home).environment


def configured(arguments: argparse.Namespace, home: Home) -> Config:
    """Load the configuration for a command that trades nothing.

    Raises:
        ConfigError: with every problem found.
        UsageError: a file named on the command line does not exist.
    """
    named = getattr(arguments, "config", None)
    path = Path(named) if named else home.config_file
    if named and not path.exists():
        raise UsageError(f"{path}: no such file")
    overrides: dict[str, Any] = {
        "environment": getattr(arguments, "env", None),
        "practice.seed": getattr(arguments, "seed", None),
        "practice.market": getattr(arguments, "market", None),
        "practice.speed": getattr(arguments, "speed", None),
        "practice.faults": getattr(arguments, "faults", None),
    }
    return load(path, os.environ, overrides, testnet_keys=has_testnet_keys(home, os.environ))


def _check_live_gates() -> None:
    gates = {"TRADING_ENVIRONMENT": "live", "ALLOW_LIVE_TRADING": "true"}
    closed = [f"{name}={word}" for name, word in gates.items() if os.environ.get(name) != word]
    if closed:
        raise SafetyRefusal(f"live trading needs {' and '.join(closed)} in the environment as well")


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord config show|check|defaults|path``."""
    home = Home.find()
    if arguments.action == "defaults":
        say(*render().splitlines())
    elif arguments.action == "path":
        places = {
            "config": home.config_file,
            "data": home.data,
            "log": home.log,
            "socket": home.socket,
        }
        text = {name: str(path) for name, path in places.items()}
        reply(arguments, text, [f"{name:8}{path}" for name, path in text.items()])
    else:
        config = read(arguments, home)
        if arguments.action == "check":
            reply(arguments, {"type": "config", "ok": True}, ["the configuration is good"])
        else:
            reply(arguments, config.model_dump(mode="json"), render(config).splitlines())
    return 0
