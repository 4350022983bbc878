"""A search whose state is in a database: resumable, and shared by as many machines as like.

An Optuna study, asked for points and told of results. A point is handed out once, whichever machine
asks; one that a machine took and never answered, because it died, is handed out again. SQLite in
the home folder by default; PostgreSQL where several machines share one search.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from msgspec import Struct

from core.errors import ClusterUnavailable, UsageError

Point = dict[str, Any]
"""Settings by dotted name."""
_HEARTBEAT = 10
_LISTED = "listed"
"""Marks the points of a full search; one without it came because none was left."""
_GRACE = 60
"""Seconds without a sign of life after which a machine's points are handed out again."""


class Axis(Struct, frozen=True):
    """One setting and the values it may take."""

    name: str
    values: tuple[Any, ...]


class Done(Struct, frozen=True):
    """A point that was worked out."""

    point: Point
    value: float
    facts: dict[str, Any]


def read_axis(text: str) -> Axis:
    """Read ``strategy.fast=5:50:5`` (with both ends) or ``strategy.fast=5,8,13``.

    Raises:
        UsageError: it is neither.
    """
    name, sign, range_ = text.partition("=")
    try:
        if not sign or not name.strip() or not range_:
            raise ValueError
        if ":" in range_:
            low, high, step = (_number(part) for part in range_.split(":"))
            count = int((high - low) / step + 1e-9) + 1 if step > 0 else 0
            if not 0 < count <= 10_000:
                raise ValueError
            values = tuple(round(low + at * step, 12) for at in range(count))
            if all(isinstance(one, int) for one in (low, high, step)):
                values = tuple(int(one) for one in values)
        else:
            values = tuple(_number(part) for part in range_.split(","))
    except ValueError:
        raise UsageError(
            f"--param {text}: expected KEY=LOW:HIGH:STEP or KEY=A,B,C, such as strategy.fast=5:50:5"
        ) from None
    return Axis(name.strip(), values)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class Study:
    """Hands out points and keeps what came of them.

    Args:
        url: of the database, ``sqlite:///PATH`` or ``postgresql://...``.
        name: of the search; the same name goes on with it.
        axes: what may vary.
        trials: points that the sampler chooses by what it has learnt; None for all of them.
        seed: of the sampler.
        fits: tells whether a point makes sense; one that does not is left out.

    Raises:
        ClusterUnavailable: the database does not answer, or Optuna is not installed.
    """

    def __init__(
        self,
        url: str,
        name: str,
        axes: Sequence[Axis],
        trials: int | None = None,
        seed: int = 1,
        fits: Callable[[Point], bool] = lambda point: True,
    ) -> None:
        try:
            import optuna
            from sqlalchemy.exc import SQLAlchemyError
        except ImportError as error:
            raise ClusterUnavailable("Optuna is not installed: pip install optuna") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        # Its signs of life are given in ``beat``, since points are worked out elsewhere.
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        self._states = optuna.trial.TrialState
        self._axes = {axis.name: axis.values for axis in axes}
        self._trials = trials
        grid = (
            dict(zip(self._axes, values, strict=True)) for values in product(*self._axes.values())
        )
        self._points = [] if trials is not None else [point for point in grid if fits(point)]
        self._running: dict[int, Any] = {}
        try:
            self._storage = optuna.storages.RDBStorage(
                dialect_of(url),
                heartbeat_interval=_HEARTBEAT,
                grace_period=_GRACE,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
            )
            if url.startswith("sqlite"):
                _hurry(self._storage.engine)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            )
            self._optuna = optuna
            if not self._study.get_trials(deepcopy=False):
                for point in self._points:
                    self._study.enqueue_trial(point, user_attrs={_LISTED: True})
        except (SQLAlchemyError, OSError, ImportError) as error:
            reason = str(error).partition("\n")[0]
            raise ClusterUnavailable(
                f"--storage {hide_password(url)}: the database cannot be used: {reason}"
            ) from error

    @property
    def total(self) -> int:
        """Points that there will be."""
        return len(self._points) if self._trials is None else self._trials

    def ask(self) -> tuple[int, Point] | None:
        """Return a number and the next point; None when there is none now."""
        alive = (self._states.RUNNING, self._states.COMPLETE, self._states.WAITING)
        if self._trials is None:
            if not self._study.get_trials(deepcopy=False, states=(self._states.WAITING,)):
                return None
        elif self._count((self._states.WAITING,)) == 0 and self._count(alive) >= self._trials:
            return None
        trial = self._study.ask()
        if self._trials is None and _LISTED not in trial.user_attrs:
            # Another machine took the last one between the two questions.
            self._study.tell(trial, state=self._states.FAIL)
            return None
        point = {
            name: trial.suggest_categorical(name, list(values))
            for name, values in self._axes.items()
        }
        self._running[trial.number] = trial
        self._storage.record_heartbeat(trial._trial_id)
        return trial.number, point

    def _count(self, states: tuple[Any, ...]) -> int:
        return len(self._study.get_trials(deepcopy=False, states=states))

    def tell(self, number: int, value: float, facts: Mapping[str, Any]) -> None:
        """Keep what came of a point."""
        trial = self._running.pop(number)
        trial.set_user_attr("facts", json.dumps(facts))
        # Late word of a point that was given to another meanwhile is dropped.
        with contextlib.suppress(self._optuna.exceptions.UpdateFinishedTrialError, ValueError):
            self._study.tell(trial, value)

    def beat(self) -> None:
        """Say that this machine lives, and hand out again what a dead one had."""
        for trial in self._running.values():
            self._storage.record_heartbeat(trial._trial_id)
        self._optuna.storages.fail_stale_trials(self._study)

    def done(self) -> list[Done]:
        """Return every point that was worked out, by any machine; the best first."""
        found: dict[str, Done] = {}
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.COMPLETE,)):
            facts = json.loads(trial.user_attrs.get("facts", "{}"))
            key = json.dumps(trial.params, sort_keys=True)
            found.setdefault(key, Done(dict(trial.params), float(trial.values[0]), facts))
        return sorted(found.values(), key=lambda one: -one.value)

    @property
    def finished(self) -> int:
        """Points that were worked out."""
        return self._count((self._states.COMPLETE,))

    def close(self) -> None:
        """Let the database go."""
        self._storage.remove_session()
        self._storage.engine.dispose()


def _hurry(engine: Any) -> None:
    """Let SQLite not wait for the disk at each of a search's many small commits.

    A power cut may lose the last points; they are worked out again.
    """
    from sqlalchemy import event

    def relax(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(engine, "connect", relax)
    engine.dispose()


def hide_password(url: str) -> str:
    """Return an address as it may be shown: without its password."""
    return re.sub(r"//[^/@]*@", "//...@", url)


def dialect_of(url: str) -> str:
    """Return a database's address with the driver that is installed for it."""
    for known in ("postgresql://", "postgres://"):
        if url.startswith(known):
            return "postgresql+psycopg://" + url.removeprefix(known)
    return url
