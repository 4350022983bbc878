"""What following a forecast brings as the engine trades it: stops, sizes, limits and all.

``core.research.trial`` plays a forecast on columns: positions of one size, in and out at the opens.
That says what the forecast is worth. What a desk would have made of it is played here, by the
engine, with the limits and the strategy settings of that desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import floor, log10

import numpy as np
from msgspec import Struct

from core.clock import DAY, SECOND
from core.config import Config
from core.model.instrument import VENUES, Instrument, short_symbol
from core.model.market import Candle
from core.research.backtest import run_backtest
from core.research.bars import Bars
from core.research.candles import CandleFile
from core.research.panel import Around, Panel, Plan, in_order
from core.research.result import returns_of
from core.research.scores import bootstrap_sharpe, max_drawdown, sharpe
from core.research.training import Forecast
from core.signals.decision import Decision
from core.signals.model import edge_of, kelly_of
from core.signals.model_strategy import follow

_MS = 1_000_000
_DIGITS = 6
"""Of a price: the grid must have no say in the result."""


class Rehearsal(Struct, frozen=True):
    """What the engine made of a forecast, over all that was tested."""

    trades: int
    """Finished round trips."""
    stops: int
    """Protective stops that were hit."""
    refused: int
    """Entries that the gate refused."""
    gain: float
    """Part of equity, after costs and funding."""
    drawdown: float
    """Deepest fall from a peak, part of it."""
    sharpe: float | None
    """Of daily returns, annualised; until a loss limit ended the trading."""
    sharpe_low: float | None
    """95 % interval, by a block bootstrap."""
    sharpe_high: float | None
    halted: str
    """The loss limit that ended the trading; empty when none did."""

    @property
    def earns(self) -> bool:
        """Whether it earned beyond luck, and no loss limit had to end it."""
        return self.sharpe_low is not None and self.sharpe_low > 0.0 and not self.halted


def rehearse(
    files: Sequence[CandleFile],
    around: Around,
    panel: Panel,
    plan: Plan,
    said: Forecast,
    trading: Config,
) -> Rehearsal:
    """Let the engine trade an out-of-sample forecast.

    Each side of a trade costs what the plan says. The account is one, as a desk's.

    Args:
        files: that the panel was made of.
        around: the same; its funding is paid.
        panel: see ``make_panels``.
        plan: the same.
        said: of the panel's rows.
        trading: its limits and strategy settings; what it trades is what the files are of.
    """
    files = in_order(files)
    tested = np.isfinite(said.chance)
    start = int(panel.times[panel.at[tested].min()])
    candles: dict[Instrument, Bars] = {}
    funding: dict[Instrument, list[tuple[int, float]]] = {}
    words: dict[tuple[str, str], dict[int, Word]] = {}
    for who, file in enumerate(files):
        rules = _list(file, plan.cost, words)
        candles[rules] = Bars.of(file).part(int(np.searchsorted(file.ts, start)))
        settled = around.funding.get((file.venue, file.symbol), ())
        funding[rules] = [(ts * _MS, rate) for ts, rate in settled]
        words[rules.venue, rules.symbol] = _words(panel, plan, said, tested & (panel.who == who))
    candles = {rules: bars for rules, bars in candles.items() if len(bars.ts)}
    config = trading.model_copy(
        update={
            "venues": tuple(dict.fromkeys(rules.venue for rules in candles)),
            "symbols": tuple(dict.fromkeys(rules.symbol for rules in candles)),
            "strategy": trading.strategy.model_copy(update={"timeframe": float(plan.timeframe)}),
            "confirm_signals": False,
        }
    )
    result = run_backtest(
        candles,
        config,
        funding=funding,
        hashing=False,
        make_strategy=lambda: Follower(words, plan),
    )
    daily = returns_of(result.traded, DAY)
    ratio = sharpe(daily, DAY // SECOND)
    low, high = bootstrap_sharpe(daily, DAY // SECOND, plan.seed) if ratio else (None, None)
    return Rehearsal(
        result.trades,
        result.stops,
        result.refusals,
        float(result.equity_end / result.equity_start) - 1.0,
        max_drawdown([equity for _, equity in result.curve]),
        ratio.value if ratio else None,
        low,
        high,
        result.halted,
    )


Word = tuple[float, float, float, float, float, float]
"""Of a candle: probability of a rise; those from which a long and a short pay; expected move;
volatility over the horizon; and the funding that a long should pay."""
Words = Mapping[tuple[str, str], Mapping[int, Word]]
"""By venue and symbol, and by when the candle opened: nanoseconds UTC."""


class Follower:
    """Does what ``ModelStrategy`` would, on words that were said before."""

    name = "lightgbm"
    warmup = 0

    def __init__(self, words: Words, plan: Plan) -> None:
        self.timeframe = plan.timeframe
        self._words = words
        self._cost = plan.cost
        self._target = 0

    def on_candle(self, candle: Candle) -> Decision | None:
        """Take the next closed candle."""
        word = self._words[candle.venue, candle.symbol].get(candle.ts)
        if word is None:
            return None
        chance, rise, fall, size, spread, due = word
        target = follow(self._target, chance, rise, fall)
        if target == self._target:
            return None
        self._target = target
        edge = edge_of(chance, size, due, self._cost)
        kelly = kelly_of(edge, spread)
        return Decision(target, chance - 0.5, "", (), chance, edge, kelly)


def _words(
    panel: Panel, plan: Plan, said: Forecast, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> dict[int, Word]:
    times = panel.times[panel.at[rows]] * _MS
    columns = (said.chance, said.rise, said.fall, said.size, panel.move, said.due)
    values = zip(*(column[rows].tolist() for column in columns), strict=True)
    return dict(zip(times.tolist(), values, strict=True))


def _list(file: CandleFile, cost: float, taken: Words) -> Instrument:
    """Return rules for a file's candles: a grid too fine to matter, and the cost of training."""
    venue = file.venue or next(one for one in VENUES if (one, file.symbol) not in taken)
    price = float(file.close[0])
    tick = Decimal(1).scaleb(floor(log10(price)) - _DIGITS + 1)
    lot = Decimal(1).scaleb(-floor(log10(price)) - _DIGITS + 2)
    base = short_symbol(file.symbol)
    fee = Decimal(repr(cost))
    return Instrument(
        venue, file.symbol, f"{base}USDT", base, tick, lot, lot, Decimal(0),
        taker_fee=fee, maker_fee=fee,
    )  # fmt: skip
