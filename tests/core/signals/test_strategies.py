"""The built-in strategies, the user's own, and what becomes of one that raises."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from core import config
from core.engine.engine import Engine
from core.errors import ConfigError
from core.model.effect import RiskEvent, Signalled
from core.orders.ids import ClientIds
from core.research.backtest import run_backtest
from core.risk.codes import Code
from core.signals import context
from core.signals.folder import find_strategy
from core.signals.funding_carry import FundingCarry
from core.signals.mean_reversion import MeanReversion
from core.signals.strategy import strategy_maker
from tests.core.engine.scene import Scene
from tests.core.research.test_backtest import BTC, ETH, random_bars, rules, settings
from tests.core.signals.test_ema_cross import candle

DOCS = Path(__file__).parents[3] / "docs"


def test_mean_reversion_bets_on_the_return_and_leaves_at_the_mean() -> None:
    strategy = MeanReversion(config.Strategy(fast=2, slow=10))
    said = [
        decision.target
        for i, price in enumerate([100.0, 101.0] * 6 + [110.0, 109.0, 99.0, 98.0, 80.0, 100.0])
        if (decision := strategy.on_candle(candle(price, i))) is not None
    ]
    assert said == [-1, 0, 1, 0]


def test_funding_carry_takes_what_is_paid() -> None:
    strategy = FundingCarry(config.Strategy())
    said = []
    for i, rate in enumerate([0.0001, 0.0004, 0.0002, 0.00005, -0.0005, 0.0002, 0.0004, -0.0004]):
        strategy.on_funding(rate)
        decision = strategy.on_candle(candle(100.0, i))
        said.append(decision and decision.target)
    assert said == [None, -1, None, 0, 1, 0, -1, 1]
    told = FundingCarry(config.Strategy())
    assert told.on_candle(candle(100.0, 0)) is None


def test_manual_wants_nothing() -> None:
    result = run_backtest(
        {rules(): random_bars(600, 1)}, settings(strategy={"name": "manual", "timeframe": 60})
    )
    assert (result.orders, result.signals) == (0, ())


def test_funding_carry_is_told_the_rates_of_a_backtest() -> None:
    bars = random_bars(600, 1)
    rates = [(bars.ts[i], rate) for i, rate in ((100, 0.001), (200, 0.0005), (300, 0.0))]
    result = run_backtest(
        {rules(): bars},
        settings(strategy={"name": "funding_carry", "stop_distance": "0.5"}),
        funding={rules(): rates},
    )
    # The first rate is news only once it is settled; the second one is earned.
    assert (result.trades, result.orders) == (1, 3)
    assert result.funding > 0


OWN = """
from core.signals.decision import Decision

class Mine:
    def __init__(self, settings):
        self.count = 0

    def on_candle(self, candle):
        self.count += 1
        if self.count == 300 and candle.symbol.startswith("BTC"):
            return 1 / 0
        return Decision(1 if self.count % 20 < 10 else -1, 0.0, "") if not self.count % 10 else None
"""


def load(folder: Path, text: str, name: str = "mine") -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return find_strategy(folder, config.Strategy(name=name))  # type: ignore[return-value]


def test_one_that_raises_is_stopped_alone(tmp_path: Path) -> None:
    own = load(tmp_path, OWN)
    chosen = settings(symbols=(BTC, ETH), strategy={"name": "mine"})
    make = strategy_maker(chosen.strategy, own)  # type: ignore[arg-type]
    bars = {rules(BTC): random_bars(1_000, 1), rules(ETH): random_bars(1_000, 2)}
    result = run_backtest(bars, chosen, make_strategy=make)
    trades = {one.symbol: one.trades for one in result.results}
    assert 20 <= trades[BTC] <= 31
    assert trades[ETH] > 90
    assert result.refused[Code.STRATEGY_FAILED] == 1


def test_its_traceback_is_shown(tmp_path: Path) -> None:
    own = load(tmp_path, OWN.replace("== 300", "== 3"))
    scene = Scene()
    make = strategy_maker(config.Strategy(name="mine"), own)  # type: ignore[arg-type]
    scene.engine = Engine(scene.settings, ClientIds("TEST", 1, bytes(16)), make_strategy=make)
    scene.open()
    effects = scene.of(RiskEvent, scene.closes(*[100.0] * 5))
    assert [effect.code for effect in effects] == [Code.STRATEGY_FAILED]
    assert "ZeroDivisionError: division by zero (mine.py line 11 in on_candle)" in effects[0].detail


@pytest.mark.parametrize(
    "answer",
    [
        "1",
        "Decision(2, 0.0, '')",
        "'long'",
        "Decision(1, 0.0, '', kelly=-0.1)",
        "Decision(1, 0.0, '', kelly=float('nan'))",
        "Decision(1, 0.0, '', kelly='much')",
    ],
)
def test_one_that_talks_nonsense_is_stopped(tmp_path: Path, answer: str) -> None:
    own = load(tmp_path, OWN.replace("1 / 0", answer))
    chosen = settings(strategy={"name": "mine"})
    make = strategy_maker(chosen.strategy, own)  # type: ignore[arg-type]
    result = run_backtest({rules(): random_bars(400, 1)}, chosen, make_strategy=make)
    assert result.refused[Code.STRATEGY_FAILED] == 1
    assert result.equity_end > Decimal(0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import nonsense_that_is_not_there", "does not import: line 1: ModuleNotFoundError"),
        ("class A:\n  def on_candle(self candle): pass", "does not import: line 2: SyntaxError"),
        ("x = 1", "defines 0 classes"),
        (OWN + OWN.replace("Mine", "Other"), "defines 2 classes"),
        (
            OWN.replace("self.count = 0", "self.count = settings.nothing"),
            "cannot be started: line 6",
        ),
    ],
)
def test_a_file_that_does_not_work_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"mine.py: {re.escape(problem)}"):
        load(tmp_path, text)


def test_only_plain_names_are_files(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit")
    for name in ("../evil", "nothing", "ema_cross"):
        assert find_strategy(tmp_path / "inner", config.Strategy(name=name)) == {}


CLOSES = """
from core.signals.closes import Closes
from core.signals.decision import Decision

class Even(Closes):
    target = 0

    def __init__(self, settings):
        pass

    def on_closes(self, closes):
        for close in closes:
            target = 1 if int(close) % 2 else -1
            if close > MOST:
                raise ValueError(close)
            if target != self.target:
                self.target = target
                return Decision(target, 0.0, f"{close}")
        return None
"""


def test_the_users_own_may_take_closes_alone(tmp_path: Path) -> None:
    bars = random_bars(1_000, 1)
    most = max(bars.close)
    own = load(tmp_path, CLOSES.replace("> MOST", f"== {most}"))
    chosen = settings(strategy={"name": "mine"})
    make = strategy_maker(chosen.strategy, own)  # type: ignore[arg-type]
    result = run_backtest({rules(): bars}, chosen, make_strategy=make)
    strategy = make()
    before = [candle(close, i) for i, close in enumerate(bars.close[: bars.close.index(most)])]
    alone = [said.reason for one in before if (said := strategy.on_candle(one)) is not None]
    assert len(alone) > 50
    assert [signal.reason for signal in result.signals] == alone
    assert result.refused[Code.STRATEGY_FAILED] == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("return Decision(1, 0.0, '')", "decided before it took a close"),
        ("raise KeyError('mine')", "KeyError: 'mine'"),
    ],
)
def test_one_that_takes_no_close_is_stopped(tmp_path: Path, line: str, told: str) -> None:
    own = load(tmp_path, f"{CLOSES.partition('        for close')[0]}        {line}\n")
    chosen = settings(strategy={"name": "mine"})
    make = strategy_maker(chosen.strategy, own)  # type: ignore[arg-type]
    result = run_backtest({rules(): random_bars(100, 1)}, chosen, make_strategy=make)
    assert told in result.failed[0]
    assert not result.signals


def test_the_example_of_the_docs_works_as_printed(tmp_path: Path) -> None:
    text = (DOCS / "strategies.md").read_text()
    example = text.partition("```python\n")[2].partition("```")[0]
    assert len(example.splitlines()) <= 30
    own = load(tmp_path, example, "breakout")
    chosen = settings(strategy={"name": "breakout"})
    make = strategy_maker(chosen.strategy, own)  # type: ignore[arg-type]
    result = run_backtest({rules(): random_bars(2_000, 1)}, chosen, make_strategy=make)
    assert result.trades > 10
    assert not result.refused


def fixed(*targets: int) -> str:
    """A strategy that says these directions, one a candle."""
    return f"""
from core.signals.decision import Decision

class Fixed:
    warmup = {len(targets)}

    def __init__(self, settings):
        self.left = list({targets})

    def on_candle(self, candle):
        target = self.left.pop(0)
        return None if target == 9 else Decision(target, 0.0, "")
"""


def ensemble(folder: Path, weights: dict[str, float], **files: str) -> tuple[object, object]:
    for name, text in files.items():
        load(folder, text, name)
    chosen = config.Strategy(name="ensemble", weights=weights)
    return chosen, strategy_maker(chosen, find_strategy(folder, chosen))


def test_an_ensemble_weighs_directions(tmp_path: Path) -> None:
    _, make = ensemble(
        tmp_path,
        {"one": 2.0, "two": 1.0, "three": 1.0},
        one=fixed(0, 1, 9, 9, 9, 0, -1),
        two=fixed(1, 9, 9, -1, 9, 9, 9),
        three=fixed(9, 9, 0, 9, -1, 9, 9),
    )
    strategy = make()  # type: ignore[operator]
    said = [strategy.on_candle(candle(100.0, i)) for i in range(7)]
    # 0.25, 0.75, 0.75, 0.25, 0, -0.5, -1: in at half of the weight, out at none.
    assert [one and one.target for one in said] == [None, 1, None, None, 0, -1, None]
    assert said[1] is not None
    assert said[1].reason == "one 50% long, two 25% long, three 25% flat"
    assert said[1].parts == (("one", 0.5), ("two", 0.25), ("three", 0.0))
    assert strategy.warmup == 7


def test_a_member_that_raises_is_stopped_alone(tmp_path: Path) -> None:
    _, make = ensemble(
        tmp_path, {"good": 1.0, "bad": 3.0}, good=fixed(0, 0, 1, 9, 9), bad=fixed(0, 0)
    )
    scene = Scene()
    scene.engine = Engine(scene.settings, ClientIds("TEST", 1, bytes(16)), make_strategy=make)  # type: ignore[arg-type]
    scene.open()
    effects = scene.closes(*[100.0] * 5)
    stopped = scene.of(RiskEvent, effects)
    assert [effect.code for effect in stopped] == [Code.STRATEGY_FAILED]
    assert "bad is stopped here: IndexError" in stopped[0].detail
    assert "(bad.py line 11 in on_candle" in stopped[0].detail
    # The one that is left has all the weight, and had the candle on which the other raised.
    assert [one.target for one in scene.of(Signalled, effects)] == [1]


def test_an_ensemble_of_nobody_left_is_stopped(tmp_path: Path) -> None:
    _, make = ensemble(tmp_path, {"bad": 3.0}, bad=fixed())
    scene = Scene()
    scene.engine = Engine(scene.settings, ClientIds("TEST", 1, bytes(16)), make_strategy=make)  # type: ignore[arg-type]
    scene.open()
    assert len(scene.of(RiskEvent, scene.closes(*[100.0] * 5))) == 1


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ({}, "name one strategy or more"),
        ({"ensemble": 1.0}, "none of them ensemble"),
        ({"ema_cross": 0.0}, "above zero"),
        ({"ema_cross": float("nan")}, "above zero"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(weights: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        config.Strategy(name="ensemble", weights=weights)


def test_an_unknown_member_is_named() -> None:
    with pytest.raises(ConfigError, match=r"strategy.weights: 'tea_leaves' is unknown"):
        strategy_maker(config.Strategy(name="ensemble", weights={"tea_leaves": 1.0}))


SEER = """
class Seer:
    needs = NEEDS

    def __init__(self, settings):
        pass

    def on_candle(self, candle):
        assert len(self.context.row) == len(self.needs)
"""


def test_members_share_a_context_and_each_sees_its_own(tmp_path: Path) -> None:
    one, two = context.NAMES[:2], context.NAMES[1:4]
    _, make = ensemble(
        tmp_path,
        {"one": 1.0, "two": 1.0},
        one=SEER.replace("NEEDS", repr(one)),
        two=SEER.replace("NEEDS", repr(two)),
    )
    scene = Scene()
    scene.engine = Engine(scene.settings, ClientIds("TEST", 1, bytes(16)), make_strategy=make)  # type: ignore[arg-type]
    scene.open()
    strategy = make()  # type: ignore[operator]
    assert strategy.needs == tuple(dict.fromkeys((*one, *two)))
    assert not scene.of(RiskEvent, scene.closes(*[100.0] * 3))
    slot = scene.engine._world.slots["bybit", BTC]
    members = slot.strategy.members  # type: ignore[union-attr]
    assert [member.context.names for member in members] == [one, two]  # type: ignore[union-attr]
    whole = dict(zip(slot.context.names, slot.context.row, strict=True))  # type: ignore[union-attr]
    for member in members:
        row = member.context.row  # type: ignore[union-attr]
        assert str(row) == str([whole[name] for name in member.context.names])  # type: ignore[union-attr]
