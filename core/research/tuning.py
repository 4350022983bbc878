"""Hyper-parameters by Optuna: every configuration is walked forward, and every one counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from core.errors import ClusterUnavailable, UsageError
from core.research.study import dialect_of, hide_password

if TYPE_CHECKING:
    import optuna

Configuration = tuple[int, str, dict[str, Any]]
"""Number of the plan, kind, parameters that differ from the defaults."""


def tune(
    trials: int,
    plans: int,
    kinds: Sequence[str],
    run: Callable[[Configuration], tuple[float, dict[str, Any]]],
    *,
    name: str,
    seed: int,
    storage: str = "",
) -> list[dict[str, Any]]:
    """Try configurations; return what was noted of all that the study has, ours and others'.

    Args:
        trials: how many to add.
        plans: how many there are to choose from.
        kinds: of models.
        run: walks one configuration forward; returns its score, greater is better, and what to note
            of it: values that JSON can hold.
        name: of the study; the same data and plans have the same.
        seed: of the sampler.
        storage: of a database that several machines may share, such as ``postgresql://...``; empty
            for memory.

    Raises:
        UsageError: Optuna is not installed.
        ClusterUnavailable: the database does not answer.
    """
    shared = open_storage(storage)
    import optuna

    study = optuna.create_study(
        storage=shared, study_name=name, direction="maximize", load_if_exists=True
    )
    # Machines that share a study must not all begin with the same guesses.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))

    def attempt(trial: optuna.Trial) -> float:
        value, noted = run(_suggest(trial, plans, kinds))
        for key, one in noted.items():
            trial.set_user_attr(key, one)
        return value

    try:
        study.optimize(attempt, n_trials=trials)
        done = optuna.trial.TrialState.COMPLETE
        return [dict(one.user_attrs) for one in study.get_trials(states=(done,))]
    finally:
        close_storage(shared)


def open_storage(url: str) -> optuna.storages.RDBStorage | None:
    """Return the database of a study; None for memory, where the address is empty.

    Raises:
        UsageError, ClusterUnavailable: see ``tune``.
    """
    if not find_spec("optuna"):
        raise UsageError("--trials needs Optuna: pip install optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not url:
        return None
    try:
        return optuna.storages.RDBStorage(dialect_of(url))
    except Exception as error:  # of whichever driver the URL names
        reason = str(error).partition("\n")[0]
        raise ClusterUnavailable(
            f"--study {hide_password(url)}: the database cannot be used: {reason}"
        ) from error


def close_storage(storage: optuna.storages.RDBStorage | None) -> None:
    """Let the database go."""
    if storage is not None:
        storage.remove_session()
        storage.engine.dispose()


def _suggest(trial: optuna.Trial, plans: int, kinds: Sequence[str]) -> Configuration:
    plan = trial.suggest_int("plan", 0, plans - 1)
    kind = trial.suggest_categorical("kind", list(kinds))
    parameters: dict[str, Any]
    if kind == "linear":
        parameters = {"ridge": trial.suggest_float("ridge", 5.0, 2000.0, log=True)}
    else:
        parameters = {
            "rounds": trial.suggest_int("rounds", 40, 240, step=40),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 0.8, step=0.1),
            "lambda_l2": trial.suggest_float("lambda_l2", 1.0, 50.0, log=True),
        }
        if kind == "lightgbm":
            parameters["num_leaves"] = trial.suggest_int("num_leaves", 3, 16)
        else:
            parameters["max_depth"] = trial.suggest_int("max_depth", 2, 4)
    return plan, kind, parameters
