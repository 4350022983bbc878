"""The page is one file, well-formed, and shows what the report says."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import msgspec
import pytest

from core.clock import DAY
from core.research.audit import Audit
from core.research.backtest import run_backtest
from core.research.charts import bar_chart, fall_chart, line_chart, reliability_chart
from core.research.model_notes import ModelReport
from core.research.page import make_page
from core.research.report import BacktestReport, count_codes, hold, report
from core.research.scores import Bin
from tests.core.research.test_backtest import BTC, ETH, random_bars, rules, settings


@pytest.fixture(scope="module")
def answer() -> BacktestReport:
    bars = {rules(BTC): random_bars(6_000, 1), rules(ETH): random_bars(6_000, 2)}
    config = settings(symbols=(BTC, ETH))
    return report(run_backtest(bars, config), "candles", config.strategy, 3)


def charts(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_it_needs_nothing_from_elsewhere(answer: BacktestReport) -> None:
    page = make_page(answer)
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://", page)
    assert page.count("<html") == page.count("</html>") == 1
    assert len(charts(page)) == 3  # equity, drawdown, instruments
    for text in (
        answer.decision_hash,
        "BTC bybit",
        "Sharpe",
        "drawn anew 1,000 times",
        "no volume",
    ):
        assert text in page


def test_many_symbols_stand_below_the_title(answer: BacktestReport) -> None:
    assert "<h1>ema_cross on BTC, ETH</h1>" in make_page(answer)
    many = msgspec.structs.replace(answer, symbols=tuple(f"S{at}" for at in range(9)))
    page = make_page(many)
    assert "<h1>ema_cross on 9 symbols</h1>" in page
    assert "candles of 1 min: S0, S1," in page


def test_what_followed_a_halt_flatters_nothing() -> None:
    bars, config = {rules(): random_bars(60 * 24 * 60, 1)}, settings(limits={"drawdown": "0.05"})
    result = run_backtest(bars, config)
    assert result.halted
    stood = report(result, "candles", config.strategy, 0, hold(bars.values()))
    end = msgspec.structs.replace(
        result, curve=tuple(one for one in result.curve if one[0] <= result.halted_at + DAY)
    )
    cut = report(end, "candles", config.strategy, 0)
    assert stood.sharpe is not None
    assert stood.sharpe_returns < 60
    assert (stood.sharpe, stood.months, stood.exposure) == (cut.sharpe, cut.months, cut.exposure)
    (columns,) = bars.values()
    assert stood.market_return == pytest.approx(columns.close[-1] / columns.open[0] - 1)
    page = make_page(stood)
    assert "Nothing was traded after it" in page
    assert "buying and holding" in page
    assert "not over" in page
    # What was refused adds up to the refusals; what tripped stands apart.
    refused, tripped = count_codes(stood)
    assert "DRAWDOWN 1" in tripped
    assert "DRAWDOWN" not in refused
    counts = [int(one.rpartition(" ")[2]) for one in refused.split(", ") if one]
    assert sum(counts) == stood.refusals
    assert f"<td>{tripped}</td>" in page


def test_the_deepest_fall_is_dated_by_hand(answer: BacktestReport) -> None:
    curve = tuple((at * DAY, value) for at, value in enumerate([10.0, 12.0, 9.0, 11.0, 12.0, 11.0]))
    result = run_backtest({rules(): random_bars(50, 1)}, settings())
    found = report(msgspec.structs.replace(result, curve=curve), "candles", settings().strategy, 0)
    assert found.max_drawdown == 0.25
    assert [
        text[:10] for text in (found.drawdown_from, found.drawdown_to, found.drawdown_over)
    ] == [
        "1970-01-02",
        "1970-01-03",
        "1970-01-05",
    ]
    rising = msgspec.structs.replace(result, curve=((0, 1.0), (DAY, 2.0)))
    assert report(rising, "candles", settings().strategy, 0).drawdown_from == ""


def test_a_model_and_an_audit_are_shown(answer: BacktestReport) -> None:
    model = ModelReport(
        "h4-<b>", (Bin(0.45, 0.44, 900), Bin(0.55, 0.57, 1_100)), (("return_8", 0.6), ("z_48", 0.4))
    )
    audit = Audit(9, 100, False, "the signal <x> became <y>")
    page = make_page(msgspec.structs.replace(answer, model=model, audit=audit))
    assert len(charts(page)) == 5
    assert "<b>" not in page.replace("<b>", "", 0).split("Model")[1].split("</h2>")[0]
    assert "h4-&lt;b&gt;" in page
    assert "The strategy sees the future: the signal &lt;x&gt;" in page
    assert "said 55.0%, came 57.0%, 1100 times" in page


def test_a_curve_is_thinned_but_keeps_its_extremes(answer: BacktestReport) -> None:
    bars = {rules(): random_bars(60 * 700, 1)}
    config = settings()
    result = run_backtest(bars, config)
    thin = report(result, "candles", config.strategy, 0).curve
    assert len(result.curve) > 700 > len(thin) > 300
    assert list(thin) == sorted(thin)
    for pick in (min, max):
        assert pick(thin, key=lambda p: p[1]) == pick(result.curve, key=lambda p: p[1])
    assert (thin[0], thin[-1]) == (result.curve[0], result.curve[-1])


@pytest.mark.parametrize("values", [[1.0, 1.0], [5.0, -3.0], [1e9, 2e9], [1e-9, 2e-9]])
def test_charts_of_odd_values_are_well_formed(values: list[float]) -> None:
    points = list(enumerate(values))
    for text in (
        line_chart(points, 100, label="a & b"),
        fall_chart([(at, -abs(value)) for at, value in points], 100, label="x"),
        bar_chart([("<", value, "1") for value in values], label="x"),
        reliability_chart([(0.5, 0.5, 1)], label="x"),
    ):
        assert "nan" not in text
        ElementTree.fromstring(text)
