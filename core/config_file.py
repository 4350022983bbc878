"""The configuration's file: read, overlaid by environment and command line, and written anew."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BeforeValidator, ValidationError
from pydantic.fields import FieldInfo

from core.config import Config, Limits, Section, seconds
from core.errors import ConfigError, in_words
from core.terminal import Terminal, descriptions


def load(
    path: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any],
    *,
    testnet_keys: bool = False,
) -> Config:
    """Read the file, lay the environment and the command line over it, and check everything.

    Args:
        path: the TOML file; it need not exist, then the defaults with their limits apply.
        environ: environment variables, names as in ``.env.example``.
        overrides: choices of the command line, dotted keys: ``{"practice.seed": 7}``.
        testnet_keys: whether testnet keys are stored, which decides the environment when nothing
            else does.

    Raises:
        ConfigError: with every problem found.
    """
    data, problems = _read(path)
    if problems:
        raise ConfigError(problems)
    origin: dict[str, str] = {}
    for key, variable in (
        ("environment", "TRADING_ENVIRONMENT"),
        ("storage.database_url", "DATABASE_URL"),
    ):
        if value := environ.get(variable, "").strip():
            _put(data, key, value)
            origin[key] = f"environment variable {variable}"
    for key, value in overrides.items():
        if value is not None:
            _put(data, key, value)
            origin[key] = "command line"
    data.setdefault("environment", "testnet" if testnet_keys else "practice")
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(
            [_describe(problem, path, origin) for problem in error.errors(include_url=False)]
        ) from None


def _read(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), []
    except FileNotFoundError:
        return {"limits": {}}, []
    except tomllib.TOMLDecodeError as error:
        return {}, [f"{path}: not valid TOML: {error}; compare with `killcord config defaults`"]
    except (OSError, UnicodeDecodeError) as error:
        return {}, [
            f"{path}: cannot be read ({in_words(error)}); set KILLCORD_HOME, or --config FILE"
        ]


def _put(data: dict[str, Any], key: str, value: object) -> None:
    *tables, name = key.split(".")
    for table in tables:
        inner = data.setdefault(table, {})
        if not isinstance(inner, dict):
            return  # the validator names the misplaced value
        data = inner
    data[name] = value


def _describe(problem: Mapping[str, Any], path: Path, origin: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    source = origin.get(key, str(path))
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{source}: {key}: missing; `killcord config defaults` prints it with every value"
    if problem["type"] == "extra_forbidden":
        return f"{source}: {key}: no such setting; `killcord config defaults` prints all of them"
    return f"{source}: {key}: {message[:1].lower()}{message[1:]}, got {problem['input']!r}"


def render(config: Config | None = None) -> str:
    """Return a configuration file: the settings given, or the defaults, with their explanations."""
    config = config or Config(limits=Limits())
    lines = [
        "# Killcord. Unknown keys are errors; `killcord config check` checks this file.",
        '# Times are "250ms", "5s", "15m", "4h", "7d", or seconds.',
        "# Fractions are of equity: 0.02 is 2 %.",
        "",
    ]
    tables: list[str] = []
    for name, field in Config.model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Section | Terminal):
            tables += ["", f"[{name}]", *_table(value)]
        else:
            lines += _comment(field.description)
            commented = name == "environment" or value is None
            text = (
                _time(value)
                if seconds in _readers(field)
                else _toml(True if value is None else value)
            )
            lines.append(f"{'# ' * commented}{name} = {text}")
    return "\n".join([*lines, *tables]) + "\n"


def _table(section: Section | Terminal) -> list[str]:
    if isinstance(section, Terminal):
        return _settings(section, descriptions(), set())
    fields = type(section).model_fields
    times = {name for name, field in fields.items() if seconds in _readers(field)}
    return _settings(section, {name: one.description for name, one in fields.items()}, times)


def _settings(section: object, texts: Mapping[str, str | None], times: Container[str]) -> list[str]:
    lines: list[str] = []
    for name, text in texts.items():
        value = getattr(section, name)
        lines += [*_comment(text), f"{name} = {_time(value) if name in times else _toml(value)}"]
    return lines


def _readers(field: FieldInfo) -> list[object]:
    return [one.func for one in field.metadata if isinstance(one, BeforeValidator)]


def _time(value: float) -> str:
    """Return a duration in the largest unit of which it is a whole number."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if value % size == 0:
            return f'"{value / size:.0f}{unit}"'
    return f'"{value * 1000:.0f}ms"' if round(value * 1000) / 1000 == value else repr(value)


def _comment(text: str | None) -> list[str]:
    return [f"# {line.strip()}" for line in (text or "").replace("``", "").splitlines()]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int | float):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        items = (f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items())
        return "{ " + ", ".join(items) + " }"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)
