"""``killcord models``: what was trained, and which model trades."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

import msgspec

from core.config import Learning
from core.errors import ConfigError, RegistryError, UsageError
from core.home import Home
from core.model.event import ModelRole
from core.model.learning import Comparison, Live
from core.signals.diary import compare, earning, sum_up
from core.signals.registry import Meta, Registry
from tui import numbers
from tui.output import reply
from tui.settings import configured, environment_of
from tui.text import clean
from tui.views.learning import (
    check_line,
    comparison_text,
    describe_live,
    interval_text,
    rehearsal_text,
)


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord models list|show|promote|demote``.

    Raises:
        UsageError: no model, or none of that id.
        SafetyRefusal: the model did not pass its gate.
        RegistryError: a stored model is corrupt.
    """
    home = Home.find()
    folder = home.synthetic_models
    if not arguments.synthetic:
        folder = home.models(environment_of(arguments, home))
    registry = Registry(folder)
    if arguments.action in ("show", "promote") and not arguments.id:
        raise UsageError(f"models {arguments.action}: which one? `killcord models list` shows them")
    answer: dict[str, Any]
    actor = f"shell:{os.environ.get('USER') or os.getuid()}"
    if arguments.action == "list":
        answer, text = _list(registry, _needed(arguments, home))
    elif arguments.action == "show":
        answer, text = _show(registry, registry.read(arguments.id), _needed(arguments, home))
    elif arguments.action == "promote":
        meta = registry.promote(arguments.id, actor)
        answer = {"champion": meta.id}
        text = f"{meta.id} trades: a desk with strategy lightgbm follows within a second"
    else:
        was = registry.demote("by hand", actor, _role(registry, arguments.id))
        answer = {"champion": registry.champion, "was": was}
        text = f"{was} is off duty" if was else "no model was promoted"
    reply(arguments, {"type": "models", **answer}, [text])
    return 0


def _role(registry: Registry, name: str) -> ModelRole:
    """Return what a model does that is to be taken off duty; without a name, the champion."""
    for role in ModelRole:
        if name in ("", registry.on_duty(role)):
            return role
    raise UsageError(f"{name}: is not on duty; `killcord models list` shows who is")


def _needed(arguments: argparse.Namespace, home: Home) -> int:
    """Return the days for which a challenger is watched; a wrong file hides no model."""
    try:
        return configured(arguments, home).learning.shadow
    except ConfigError:
        return Learning().shadow


def _list(registry: Registry, needed: int) -> tuple[dict[str, Any], str]:
    """Return all models; a corrupt one is named among them, and hides none of the others."""
    rows: list[Meta] = []
    corrupt: dict[str, str] = {}
    live: dict[str, Live] = {}
    for name in registry.names():
        try:
            rows.append(registry.read(name))
            days = registry.record(name).days
            live[name] = sum_up(days, earning(days))
        except RegistryError as error:
            corrupt[name] = str(error)
    rows.sort(key=lambda meta: (meta.trained, meta.id))
    marks = {registry.on_duty(role): mark for role, mark in _MARKS.items()}
    lines = [_line(meta, marks.get(meta.id, " "), live.get(meta.id)) for meta in rows]
    if lines:
        lines.insert(0, _HEAD)
    for role in ModelRole:
        name = registry.on_duty(role)
        if name and name not in registry.names():
            corrupt[name] = f"is {role.value} and not here; `killcord models demote {name}`"
    lines += [f"! {clean(f'{name}: {problem}')}" for name, problem in corrupt.items()]
    if any(marks):
        lines.append("* trades, o is watched")
    found = _compare(registry, needed)
    if found is not None:
        lines.append(comparison_text(found))
    answer = {
        "models": [
            msgspec.to_builtins(one) | {"live": msgspec.to_builtins(live.get(one.id))}
            for one in rows
        ],
        "champion": registry.champion,
        "challenger": registry.on_duty(ModelRole.CHALLENGER),
        "comparison": msgspec.to_builtins(found),
        "corrupt": corrupt,
    }
    return answer, "\n".join(lines) or "no models yet: `killcord train --candles FOLDER`"


def _compare(registry: Registry, needed: int) -> Comparison | None:
    """Return how the challenger stands; None where there is none, or one is corrupt."""
    champion, challenger = (registry.on_duty(role) for role in ModelRole)
    if not challenger or not {champion, challenger} - {""} <= set(registry.names()):
        return None
    try:
        traded = registry.record(champion).days if champion else None
        return compare(traded, registry.record(challenger).days, needed)
    except RegistryError:
        return None


_MARKS = {ModelRole.CHALLENGER: "o", ModelRole.CHAMPION: "*"}
"""How the models on duty are marked in the list."""
_HEAD = f"  {'model':34} {'trained':16}  {'gate':7} {'AUC':>6} {'Brier':>7}  live"


def _line(meta: Meta, mark: str, live: Live | None) -> str:
    state = "passed" if meta.passed else "no edge"
    auc, skill = meta.scores.get("auc"), meta.scores.get("brier_skill")
    text = (
        f"{mark} {meta.id:34} {meta.trained[:16].replace('T', ' ')}  {state:7}"
        f" {numbers.NONE if auc is None else f'{auc:.3f}':>6}"
        f" {numbers.percent(skill):>7}"
    )
    if live is None or live.hit_rate is None:
        return text
    text += f"  {live.hit_rate:.1%} right of {live.scored:,}"
    return text if live.net is None else f"{text}, {interval_text(live.net)} bp a day"


def _show(registry: Registry, meta: Meta, needed: int) -> tuple[dict[str, Any], str]:
    """Return everything about a model."""
    days, life = registry.record(meta.id).days, registry.life(meta.id)
    live = sum_up(days, earning(days))
    on_duty = [role for role in ModelRole if registry.on_duty(role) == meta.id]
    found = _compare(registry, needed) if on_duty else None
    answer = msgspec.to_builtins(meta) | {
        "life": life,
        "role": on_duty[0].value if on_duty else "",
        "live": msgspec.to_builtins(live),
        "days": msgspec.to_builtins(days),
        "comparison": msgspec.to_builtins(found),
    }
    lines = [*_made(meta, answer["role"]), "", "  on duty"]
    lines += [f"    {text}" for text in describe_live(meta.promise(), live)]
    if found is not None:
        lines.append(f"    {comparison_text(found)}")
    lines += ["", "  life"] if life else []
    lines += [
        f"    {one['at']}  {one['what']} as {one['role']} by {one['actor']}"
        + (f": {one['cause']}" if one["cause"] else "")
        for one in life
    ]
    versions = ", ".join(f"{name} {number}" for name, number in meta.versions.items())
    lines += ["", f"  file       {registry.folder / meta.id}", f"  made with  {versions}"]
    return answer, "\n".join(_fold(line) for line in lines)


def _made(meta: Meta, role: str) -> list[str]:
    """Return what a model is, and what training found of it."""
    data = meta.data
    lines = [
        f"{meta.id}: {meta.kind}, {meta.horizon} candles of {numbers.span(meta.timeframe)} ahead,"
        f" trained {meta.trained}",
        f"  now        {_DUTIES.get(role, 'off duty')}",
    ]
    if data:
        span = f"{_date(data['from_ms'])} to {_date(data['to_ms'])}"
        names = ", ".join(data["symbols"])
        lines.append(f"  learnt     {data['rows']:,} rows, {span}, of {names}")
    if "fresh_until_ms" in data:
        half = numbers.span(data["fades"])
        fresh = _date(data["fresh_until_ms"])
        lines.append(f"  fresh      until {fresh}; then half of what it says fades every {half}")
    lines += [f"  features   {len(meta.features)}: {', '.join(meta.features)}", "", "  conditions"]
    lines += [f"  {check_line(one)}" for one in meta.gate]
    return [*lines, "", "  out of sample", *(f"    {text}" for text in _scores(meta.scores))]


def _scores(scores: dict[str, Any]) -> list[str]:
    """Return what the walk-forward found; what an older model does not say is left out."""
    found = []
    texts: dict[str, Callable[[float], str]] = {
        "auc": lambda value: f"AUC {value:.3f} ± {scores.get('auc_error', 0.0):.3f}",
        "brier_skill": lambda value: f"Brier {value:+.2%} against a coin",
        "ic": lambda value: f"IC {value:+.3f}",
        "sharpe": lambda value: (
            f"Sharpe after costs {value:.2f}"
            f" ({scores.get('sharpe_low', 0.0):.2f} to {scores.get('sharpe_high', 0.0):.2f})"
        ),
        "turnover": lambda value: f"trades {value:.2f} of equity a day",
        "exposure": lambda value: f"in a position {value:.0%} of the time",
        "break_even": lambda value: f"breaks even at {value * 1e4:.1f} bp a side",
        "capacity": lambda value: f"carries {numbers.compact(value)}",
    }
    for name, text in texts.items():
        if scores.get(name) is not None:
            found.append(text(scores[name]))
    lines = [", ".join(found[:3]), ", ".join(found[3:])] if found else []
    rehearsal = scores.get("rehearsal")
    return lines if rehearsal is None else [*lines, rehearsal_text(rehearsal)]


_DUTIES = {"champion": "trades", "challenger": "is watched, and orders nothing"}
_WIDTH = 110


def _fold(line: str) -> str:
    """Break a long line under itself."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return "\n".join(wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False)) or line


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")
