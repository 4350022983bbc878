"""Models small enough to be written by hand."""

from __future__ import annotations

import hashlib

import msgspec

from core.model.event import ModelPromoted, ModelRole
from core.model.learning import Record
from core.signals.model import Linear, Member, Recipe, define
from core.signals.monitor import Reference
from core.signals.registry import Check, Meta

HOUR = 3600


def follower(
    weight: float,
    horizon: int = 1,
    name: str = "",
    beside: tuple[str, ...] = (),
    cost: float = 0.0,
    said: tuple[float, float] | None = None,
    fresh_until: int = 0,
    fades: int = 0,
) -> tuple[Meta, str]:
    """A model that expects the last candle's direction to go on (or, below 0, to turn).

    It must know the features ``beside``, too, which weigh as much.
    """
    features = ("return_1", *beside)
    count = len(features)
    nothing = (0.0,) * count
    linear = Linear(nothing, (1.0,) * count, (weight,) * count, nothing, 0.0)
    member = Member("linear", 1.0, 1.0, 0.0, linear)
    recipe = Recipe(
        HOUR, horizon, features, define(features), beside, cost, 1.0, (member,),
        fresh_until=fresh_until, fades=fades,
    )  # fmt: skip
    text = msgspec.json.encode(recipe)
    meta = Meta(
        name or f"linear-{horizon}x{HOUR}-{weight:g}",
        "linear",
        hashlib.sha256(text).hexdigest(),
        features,
        HOUR,
        horizon,
        "2023-11-01T00:00:00Z",
        {},
        {"cost": cost},
        {"lightgbm": "4.7.0"},
        {"auc": 0.6, "brier_skill": 0.01},
        (Check("made by hand", 1.0, "nothing", True),),
        {"return_1": Reference((-0.5, 0.0, 0.5), (0.25, 0.25, 0.25, 0.25))},
        said,
    )
    return meta, text.decode()


def promotion(
    meta: Meta,
    text: str,
    now: int,
    role: ModelRole = ModelRole.CHAMPION,
    live: Record | None = None,
) -> ModelPromoted:
    """The event that puts it on duty."""
    return ModelPromoted(role, msgspec.json.encode(meta).decode(), text, now, live or Record())
