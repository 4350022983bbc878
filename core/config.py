"""The configuration: everything a person may set, with its bounds and defaults.

Attribute docstrings are the user documentation: ``killcord config defaults`` and
``docs/configuration.md`` are made from them. ``core.config_file`` reads and writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from math import inf
from typing import Annotated, Any, Literal

from msgspec import to_builtins
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    field_validator,
    model_validator,
)

from core.model.instrument import unified_symbol
from core.terminal import Terminal, check

Environment = Literal["practice", "testnet", "live"]
VenueName = Literal["bybit", "binance", "okx"]

DEFAULT_SYMBOLS = tuple(
    unified_symbol(base)
    for base in ("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "AVAX", "LINK", "LTC")
)

NEWS_SERVICES = (
    "newsapi",
    "alphavantage",
    "polygon",
    "coingecko",
    "coingecko-trending",
    "cryptopanic",
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def seconds(value: object) -> object:
    """Read a duration such as ``5s``, ``250ms``, ``15m``, ``4h`` as seconds; numbers pass."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _UNITS[match[2]]
    return value


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, le=1)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Limits(Section):
    """What the risk gate allows. Fractions are of portfolio equity over all venues."""

    position_notional: Fraction = Decimal("0.02")
    """Largest position in one symbol, counting all venues."""
    order_notional: Fraction = Decimal("0.02")
    """Largest single order."""
    loss_to_stop: Fraction = Decimal("0.005")
    """Largest loss if the protective stop of a position is hit."""
    daily_loss: Fraction = Decimal("0.03")
    """Loss over the calendar day (UTC) or the last 24 h that halts and flattens."""
    drawdown: Fraction = Decimal("0.05")
    """Fall from the highest equity ever seen that halts and flattens."""
    loss_streak: Annotated[int, Field(ge=1, le=100)] = 5
    """Losing round trips in a row on one instrument before it pauses for the cool-down."""
    loss_streak_cooldown: Seconds = 900.0
    """How long such a pause lasts."""
    leverage: Annotated[Decimal, Field(gt=0, le=20)] = Decimal(2)
    """Largest sum of all positions, as a multiple of equity."""
    venue_notional: Annotated[Decimal, Field(gt=0, le=20)] = Decimal(1)
    """Largest sum of positions on one venue, as a multiple of equity."""
    value_at_risk: Fraction = Decimal("0.02")
    """Largest loss that one day in twenty may exceed (95 %, one day, from three weeks of hours)."""
    expected_shortfall: Fraction = Decimal("0.03")
    """Largest mean loss of those days."""
    correlated_notional: Annotated[Decimal, Field(gt=0, le=20)] = Decimal("0.2")
    """Largest sum of positions in symbols that move as one (correlation 0.8 or more, either way),
    as a multiple of equity; longs are not set off against shorts."""
    open_orders: Annotated[int, Field(ge=1, le=1000)] = 120
    """Most working orders at once, stops included."""
    orders_per_second: Annotated[int, Field(ge=1, le=100)] = 10
    """Most orders sent in any second, per venue."""
    orders_per_minute: Annotated[int, Field(ge=1, le=3000)] = 240
    """Most orders sent in any minute, over all venues."""
    notional_per_minute: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(2)
    """Most that orders which may open risk add up to in any minute, as a multiple of equity."""
    rejects_in_a_row: Annotated[int, Field(ge=1, le=100)] = 8
    """Venue rejections in a row before the venue stops opening risk."""
    price_collar: Fraction = Decimal("0.03")
    """Largest distance of a limit price from the live mid."""
    stale_data: Seconds = 5.0
    """Oldest book that may open risk."""
    clock_skew: Seconds = 0.75
    """Largest difference to a venue's clock that may open risk."""
    loop_lag: Seconds = 0.25
    """Longest the desk itself may have stood still before it opens no risk for five seconds."""
    unprotected: Seconds = 10.0
    """Longest a position may be without a working stop before it is closed."""
    news_burst: Annotated[int, Field(ge=0, le=1000)] = 3
    """Strongly negative stories on an asset that block new longs on it; 0: news block nothing."""
    news_market_burst: Annotated[int, Field(ge=0, le=1000)] = 8
    """The same for stories on the whole market, which block new longs on everything; 0: never."""
    news_score: Fraction = Decimal("0.5")
    """A story is strongly negative when its score, from -1 to 1, is this far below zero."""
    news_window: Seconds = 3600.0
    """How long such a story counts."""


class Strategy(Section):
    """Which strategy trades, and how."""

    name: str = "ema_cross"
    """``ema_cross``, ``mean_reversion``, ``funding_carry``, ``lightgbm`` (a trained model),
    ``ensemble`` (several, weighed), ``manual`` (none: orders by hand), or the file of your own."""
    timeframe: Seconds = 5.0
    """Length of its candles; ``lightgbm`` without one decides on candles of an hour."""
    fast: Annotated[int, Field(ge=1, le=1000)] = 3
    """Fast average, candles."""
    slow: Annotated[int, Field(ge=2, le=5000)] = 9
    """Slow average, or the window of ``mean_reversion``, candles."""
    stop_distance: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.02")
    """Distance of the protective stop from the entry price, as a fraction."""
    share: Fraction = Decimal("0.8")
    """Part of the position limit a strategy uses."""
    kelly: Fraction = Decimal("0.25")
    """Part of Kelly's fraction of equity that a position may be, where a model says how probable it
    is and what it pays; what remains of the position limit caps it."""
    news_filter: Annotated[float, Field(ge=0, le=1)] = 0.0
    """No strategy opens a long while the news score of the asset is at or below minus this, nor a
    short while it is at or above; 0: news change no decision. 0.4 is clear news."""
    weights: dict[str, float] = {"ema_cross": 1.0, "mean_reversion": 1.0, "funding_carry": 1.0}
    """The members of ``ensemble`` and what each weighs; your own may be among them."""

    @model_validator(mode="before")
    @classmethod
    def _candles_of_a_model(cls, given: Any) -> Any:
        # 11 bp a round trip are not paid by the moves of seconds: docs/learning.md.
        if isinstance(given, dict) and given.get("name") == "lightgbm":
            return {"timeframe": 3600.0} | given
        return given

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not weights or "ensemble" in weights:
            raise ValueError("name one strategy or more, none of them ensemble")
        if not all(0 < weight < inf for weight in weights.values()):
            raise ValueError("every weight must be a number above zero")
        return weights

    @field_validator("slow")
    @classmethod
    def _slow_after_fast(cls, slow: int, info: Any) -> int:
        if "fast" in info.data and slow <= info.data["fast"]:
            raise ValueError("must be greater than fast")
        return slow


class Practice(Section):
    """The practice exchange that this desk starts for itself."""

    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the synthetic market."""
    market: str = "synthetic"
    """``synthetic``, or the path of a recording."""
    speed: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Market seconds per second."""
    balance: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    """USDT on each venue at the start."""
    faults: str = ""
    """What goes wrong on purpose: a shipped script's name or a path; see docs/practice.md."""


class Learning(Section):
    """How the strategy lightgbm comes by its models."""

    train: bool = True
    """Train in the background, on the venue's own history, while a desk runs."""
    every: Seconds = 604_800.0
    """Time between two trainings."""
    retry: Seconds = 900.0
    """Time until a training that failed is tried again."""
    history: Seconds = 31_536_000.0
    """How much history is learnt from, where the venue has it; at most 45,000 candles."""
    horizons: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (4, 24)
    """Candles ahead that are tried."""
    out_of_sample: Annotated[int, Field(ge=10, le=3650)] = 90
    """Days of history that a model must have been tested on before it may trade."""
    shadow: Annotated[int, Field(ge=30, le=365)] = 30
    """Days that a new model is watched, before it may replace the one that trades."""

    @field_validator("horizons")
    @classmethod
    def _some_horizon(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if not horizons:
            raise ValueError("name at least one horizon")
        return tuple(sorted(set(horizons)))


class Storage(Section):
    """Where history is kept."""

    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite in the data folder. ``DATABASE_URL`` sets it too."""
    record: bool = True
    """Record every event in Parquet segments."""
    record_days: Annotated[int, Field(ge=1)] = 7
    """How long recordings are kept."""
    article_days: Annotated[int, Field(ge=1)] = 365
    """How long the stories that were read stay in the store."""


class Guard(Section):
    """The process beside the desk that pulls the cord when the desk cannot."""

    start: bool = True
    """Whether the desk starts its guard; false where a supervisor runs ``killcord guard``."""
    mode: Literal["cancel", "flatten"] = "cancel"
    """How far it goes: cancel entries and keep stops, or also close every position."""
    silence: Annotated[Seconds, Field(ge=0.5, le=30)] = 0.9
    """How long the desk's heartbeat may be missing before the guard acts."""
    required: bool = True
    """Whether nothing is opened while a guard that the desk starts, or had, is missing for 3 s."""


class News(Section):
    """Which news is read, and who judges it."""

    enabled: Literal["auto", "yes", "no"] = "auto"
    """auto: on testnets and live venues; in practice, which needs no network, only where feeds are
    named here."""
    feeds: dict[str, str] = {}
    """Name and address of RSS or Atom feeds; none named means the ten of docs/sentiment.md."""
    sources: tuple[str, ...] = NEWS_SERVICES
    """Services to ask beside the feeds; each needs its key, `killcord keys add NAME`."""
    poll: Annotated[Seconds, Field(ge=1)] = 60.0
    """Time between looks at the sources; services are asked no more often than they allow."""
    engine: str = "offline"
    """Who judges headlines: offline, the folder of a transformers model, or its hub name."""
    retention: Annotated[Seconds, Field(ge=3600)] = 259200.0
    """How long articles count in readings; older ones are not taken."""
    weights: dict[str, Annotated[float, Field(gt=0, le=10)]] = {}
    """What an outlet or source weighs beside the others' 1, such as `{ coindesk = 1.5 }`; at least
    0.25."""
    assets: dict[str, tuple[str, ...]] = {}
    """Further names, such as `{ SOL = ["solana labs"], FOO = ["foo network", "~Foo"] }`; a name
    with ~ is an ordinary word too, and counts with a capital in a text about crypto."""

    @field_validator("sources")
    @classmethod
    def _known(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in sources if name not in NEWS_SERVICES]:
            known = ", ".join(NEWS_SERVICES)
            raise ValueError(f"no service {', '.join(unknown)}: choose from {known}")
        return tuple(dict.fromkeys(sources))

    @field_validator("feeds")
    @classmethod
    def _addresses(cls, feeds: dict[str, str]) -> dict[str, str]:
        for name, address in feeds.items():
            if not address.startswith(("http://", "https://")):
                raise ValueError(f"the address of {name} must begin with http:// or https://")
        return feeds


class Analyst(Section):
    """A language model that reads the weightiest stories; what it says is shown, moves nothing."""

    provider: Literal["off", "openai", "anthropic"] = "off"
    """Whose model; its key: `killcord keys add openai`."""
    model: str = ""
    """Its name, as the provider lists it."""
    address: str = ""
    """Of another server that speaks as the provider does; empty: the provider's own."""
    requests: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Most requests in 24 hours."""
    dollars: Annotated[float, Field(gt=0, le=1_000)] = 0.5
    """Most US dollars in 24 hours, by the prices below; the dearest case counts before it is sent.
    """
    price_in: Annotated[float, Field(ge=0, le=1_000)] = 5.0
    """US dollars for a million tokens read. Both prices are dearer than most models', so that a
    price left as it is ends the spending early, never late."""
    price_out: Annotated[float, Field(ge=0, le=1_000)] = 25.0
    """US dollars for a million tokens written."""
    impact: Annotated[float, Field(ge=0, le=1)] = 0.6
    """A story is read when its score is this far from zero, or when three outlets carry it."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        if address and not address.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return address

    @model_validator(mode="after")
    def _named(self) -> Analyst:
        if self.provider != "off" and not self.model.strip():
            raise ValueError("analyst.model: name the model to ask")
        return self


def _terminal(value: object) -> Terminal:
    if isinstance(value, Terminal):
        return value
    wanted, problems = check(value)
    if problems:
        raise ValueError("; ".join(problems))
    return wanted


class Config(Section):
    """Everything a person may set."""

    environment: Environment = "practice"
    """``practice``, ``testnet`` or ``live``; without it testnet where testnet keys are stored,
    else practice."""
    venues: tuple[VenueName, ...] = ("bybit", "binance", "okx")
    """Venues to trade on."""
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    """What to trade, as ``BTC`` or ``BTC/USDT:USDT``."""
    arm_on_start: bool | None = None
    """Trade without being armed by hand. Default: only in practice."""
    resume_after: Annotated[float, BeforeValidator(seconds), Field(ge=0)] | None = None
    """Shortest time from a kill to its release by hand. Default: a minute, in practice none."""
    confirm_signals: bool = False
    """Ask a person before a strategy opens a position; exits and stops never wait."""
    confirm_within: Annotated[Seconds, Field(le=3600)] = 60.0
    """How long such a question stands."""
    max_flatten_slippage: Fraction = Decimal("0.03")
    """Worst price the kill cord accepts, as a fraction of the mark price."""
    limits: Limits
    strategy: Strategy = Strategy()
    learning: Learning = Learning()
    practice: Practice = Practice()
    storage: Storage = Storage()
    guard: Guard = Guard()
    news: News = News()
    analyst: Analyst = Analyst()
    terminal: Annotated[Terminal, PlainValidator(_terminal), PlainSerializer(to_builtins)] = (
        Terminal()
    )

    @field_validator("symbols", mode="after")
    @classmethod
    def _unified(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        if not symbols:
            raise ValueError("name at least one symbol")
        if any(not text.strip() for text in symbols):
            raise ValueError("a symbol is empty")
        return tuple(dict.fromkeys(unified_symbol(text) for text in symbols))

    @property
    def reads_news(self) -> bool:
        """Whether the desk reads news."""
        by_itself = self.environment != "practice" or bool(self.news.feeds)
        return self.news.enabled == "yes" or (self.news.enabled == "auto" and by_itself)

    @field_validator("venues", mode="after")
    @classmethod
    def _some_venue(cls, venues: tuple[str, ...]) -> tuple[str, ...]:
        if not venues:
            raise ValueError("name at least one venue")
        return tuple(dict.fromkeys(venues))

    def rules(self) -> dict[str, Any]:
        """Return what trading goes by as plain values, for journal, recordings and training.

        Without the look of terminals, and ``storage``, which holds the address of a database.
        """
        return self.model_dump(mode="json", exclude={"storage", "terminal"})


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words which settings changed; those that only one of the two knows are left out.

    Args:
        before: as of ``Config.rules``, perhaps of an older program.
        now: the same.
    """
    old, new = _flat(before), _flat(now)
    return [
        f"{name}: {_told(old[name])} before, {_told(new[name])} now"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]


def _flat(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in rules.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": setting for key, setting in value.items()}
        else:
            found[name] = value
    return found


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        value = [f"{key} {one}" for key, one in value.items()]
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
