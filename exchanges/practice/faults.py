"""What a fault script says: which messages of which venue go wrong, how, and in what order.

A script is a TOML file, or the name of one that is shipped (``fault_scripts/``)::

    text = "Orders execute, their acknowledgement is lost"
    [[fault]]
    do = "reset"          # see ``Deed``
    at = "submit"         # an alias, or a pattern such as "POST /v5/order/*", "WS private"
    venue = "bybit"       # without it: every venue
    every = 3             # each third message that fits

``skip``, ``count``, ``every`` and ``chance`` choose messages by their index, ``begin`` and
``lasts`` by seconds since the exchange began. ``match`` is text that the request (path, query and
body), the frame, or the symbol must contain. The same script and seed choose the same indices.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from core.errors import UsageError
from core.model.instrument import VENUES

FOLDER = Path(__file__).parent / "fault_scripts"


class Deed(StrEnum):
    """What a fault does. The first six spoil requests, the next nine frames, the rest a venue."""

    DELAY = "delay"
    """Hold the request for ``seconds``, then handle it, though the client may be gone."""
    HANG = "hang"
    """Answer nothing for ``seconds``, then cut; ``when`` says whether it was executed."""
    RESET = "reset"
    """Cut the connection; ``when`` says whether it was executed."""
    ANSWER = "answer"
    """Answer in the venue's words (``meaning``) or with ``status`` and ``body``."""
    TRUNCATE = "truncate"
    """Execute, answer with the first ``size`` bytes as if they were all."""
    CUT = "cut"
    """Execute, promise the whole answer, send ``size`` bytes of it and cut."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    """Send the frame after the next one of the socket."""
    STALL = "stall"
    """Send nothing but pongs."""
    HALF_OPEN = "half_open"
    """Neither read nor write from here on, without closing; ends with the fault."""
    KICK = "kick"
    """Close the socket with ``close_code``."""
    MALFORMED = "malformed"
    """Send ``size`` bytes of the frame instead of it."""
    INJECT = "inject"
    """Send ``body`` before the frame."""
    LIE = "lie"
    """Call bids asks and asks bids."""

    SKEW = "skew"
    """The venue's clock is ``seconds`` ahead; negative behind."""
    MAINTENANCE = "maintenance"
    """Refuse every request in the venue's words, and every new socket; close those that are."""
    WIPE = "wipe"
    """Forget orders, fills and positions of every account; start again with its balance."""
    RULES = "rules"
    """Change an instrument's rules: steps ``times`` as large, orders worth ``least`` at least."""


FRAMES = frozenset(
    {Deed.DROP, Deed.DUPLICATE, Deed.REORDER, Deed.STALL, Deed.HALF_OPEN, Deed.KICK}
    | {Deed.MALFORMED, Deed.INJECT, Deed.LIE}
)
VENUE_WIDE = frozenset({Deed.SKEW, Deed.MAINTENANCE, Deed.WIPE, Deed.RULES})


class When(StrEnum):
    """Whether the venue has executed a request when the fault strikes."""

    BEFORE = "before"
    AFTER = "after"


class Meaning(StrEnum):
    """What an answer says; each venue has its own code for it."""

    RATE = "rate"
    BAN = "ban"
    OVERLOAD = "overload"
    TIMEOUT = "timeout"
    MAINTENANCE = "maintenance"
    BAD_TRIGGER = "bad_trigger"
    """A stop that would trigger at once."""


Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault; see the module."""

    do: Deed
    venue: str = ""
    at: str = "*"
    match: str = ""
    skip: Count = 0
    count: Count = 0
    """Most messages that it strikes; 0 is no limit."""
    every: Annotated[int, Meta(ge=1)] = 1
    chance: Annotated[float, Meta(gt=0, le=1)] = 1.0
    begin: Seconds = 0.0
    lasts: Seconds = 0.0
    """Seconds; 0 is for good."""
    when: When = When.AFTER
    seconds: Annotated[float, Meta(ge=-3600, le=3600)] = 1.0
    meaning: Meaning | None = None
    retry_after: int | None = None
    """Seconds of a ``Retry-After`` header; none without it."""
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    body: str = ""
    size: Count = 20
    close_code: Annotated[int, Meta(ge=1000, le=4999)] = 1012
    times: Annotated[int, Meta(ge=1)] = 10
    least: Count = 0
    """USDT; 0 leaves it as it is."""


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """A fault script."""

    text: str
    """What it does, in one line."""
    fault: tuple[Fault, ...]
    seed: int = 1


class Strike:
    """A fault and how often it was looked at and struck."""

    def __init__(self, fault: Fault, venue: str, seed: str) -> None:
        self.fault = fault
        self.seen = 0
        self.struck = 0
        self._patterns = ENDPOINTS.get(fault.at, {}).get(venue) or (fault.at,)
        self._chance = random.Random(seed)

    def active(self, age: float) -> bool:
        """Whether its time has come and is not over; ``age`` in seconds since the beginning."""
        fault = self.fault
        return age >= fault.begin and (not fault.lasts or age < fault.begin + fault.lasts)

    def hits(self, endpoint: str, text: str, age: float) -> bool:
        """Count a message; whether the fault strikes it."""
        fault = self.fault
        if (fault.count and self.struck >= fault.count) or not self.active(age):
            return False
        if not any(fnmatchcase(endpoint, pattern) for pattern in self._patterns):
            return False
        if fault.match and fault.match not in text:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (self.seen - fault.skip - 1) % fault.every:
            return False
        if fault.chance < 1 and self._chance.random() >= fault.chance:
            return False
        self.struck += 1
        return True


def read_script(name: str) -> Script:
    """Read a script by its path, or by the name of a shipped one.

    Raises:
        UsageError: there is none, or it does not say what a script says; the text names where.
    """
    path = FOLDER / f"{name}.toml"
    if name not in names():
        path = Path(name).expanduser()
        if not path.is_file():
            raise UsageError(f"faults {name!r}: neither a file nor one of {', '.join(names())}")
    try:
        script = msgspec.convert(tomllib.loads(path.read_text()), Script)
        for number, fault in enumerate(script.fault, 1):
            _check(number, fault)
    except (OSError, ValueError) as error:
        raise UsageError(f"faults {path.name}: {error}") from None
    return script


def names() -> tuple[str, ...]:
    """Return the names of the shipped scripts."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def _check(number: int, fault: Fault) -> None:
    if fault.venue and fault.venue not in VENUES:
        raise ValueError(f"fault {number}: venue {fault.venue!r} is none of {', '.join(VENUES)}")
    if fault.do in FRAMES and fault.at not in ("*", "WS *", "WS public", "WS private"):
        raise ValueError(f"fault {number}: {fault.do} strikes frames: at is WS public or private")
    if fault.do in FRAMES | VENUE_WIDE:
        return
    if fault.at.startswith("WS"):
        raise ValueError(f"fault {number}: {fault.do} strikes requests, not sockets")
    if fault.seconds < 0:
        raise ValueError(f"fault {number}: seconds {fault.seconds} is in the past")


ENDPOINTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "submit": {
        "bybit": ("POST /v5/order/create", "POST /v5/order/create-batch"),
        "binance": ("POST /fapi/v1/order", "POST /fapi/v1/algoOrder"),
        "okx": (
            "POST /api/v5/trade/order",
            "POST /api/v5/trade/batch-orders",
            "POST /api/v5/trade/order-algo",
        ),
    },
    "cancel": {
        "bybit": ("POST /v5/order/cancel*",),
        "binance": ("DELETE /fapi/v1/*rder*", "DELETE /fapi/v1/all*"),
        "okx": ("POST /api/v5/trade/cancel-*",),
    },
    "query": {
        "bybit": ("GET /v5/order/*",),
        "binance": ("GET /fapi/v1/*rder*",),
        "okx": ("GET /api/v5/trade/order*",),
    },
    "positions": {
        "bybit": ("GET /v5/position/list",),
        "binance": ("GET /fapi/v*/positionRisk",),
        "okx": ("GET /api/v5/account/positions",),
    },
    "trades": {
        "bybit": ("GET /v5/execution/list",),
        "binance": ("GET /fapi/v1/userTrades",),
        "okx": ("GET /api/v5/trade/fills*",),
    },
    "time": {
        "bybit": ("GET /v5/market/time",),
        "binance": ("GET /fapi/v1/time",),
        "okx": ("GET /api/v5/public/time",),
    },
}
"""Aliases of endpoints, so that one script serves all venues."""
