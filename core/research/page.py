"""A backtest's report as one HTML file: tables and charts, no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from core.research.charts import bar_chart, fall_chart, line_chart, reliability_chart
from core.research.model_notes import ModelReport
from core.research.report import BacktestReport, count_codes

_NAMED = 6
"""Symbols that stand in the title; more stand below it."""
_STYLE = """
:root{--ink:#1b1f24;--dim:#5b6570;--paper:#fff;--line:#d9dee4;--up:#0072b2;--down:#d55e00}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa5b1;--paper:#14171b;
--line:#323940;--up:#56b4e9;--down:#e69f00}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1000px;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.sub,.note{color:var(--dim);margin:.2rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.6rem;
margin-top:1rem}
.tile{border:1px solid var(--line);border-radius:6px;padding:.5rem .7rem}
.tile b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}
.tile span{color:var(--dim);font-size:.85rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:500}
.warn{border-left:4px solid var(--down);padding:.4rem .8rem;margin:1rem 0}
svg{max-width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}
.tick,.name{text-anchor:end}.grid{stroke:var(--line)}.axis{stroke:var(--dim)}
.line-line,.area-line{fill:none;stroke:var(--up);stroke-width:1.5}
.area-line{stroke:var(--down)}.area{fill:var(--down);opacity:.2}
.up{fill:var(--up)}.down{fill:var(--down)}.dot{fill:var(--up);opacity:.75}
code{font-size:.85em;word-break:break-all}
"""


def make_page(answer: BacktestReport) -> str:
    """Return the report as HTML."""
    names = ", ".join(answer.symbols)
    few = len(answer.symbols) <= _NAMED
    title = f"{answer.strategy} on {names if few else f'{len(answer.symbols)} symbols'}"
    minutes = answer.timeframe / 60
    length = f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min"
    what = "" if answer.source == "candles" else f"{answer.source}, "
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>{escape(title)}: backtest</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p class='sub'>{escape(', '.join(answer.venues))}, {answer.start[:16]} to"
        f" {answer.end[:16]} UTC, {what}candles of {length}"
        f"{'' if few else ': ' + escape(names)}</p>",
        _warnings(answer),
        _tiles(answer),
        *_curves(answer),
        *_months(answer),
        *_symbols(answer),
        *_luck(answer),
        *(_model(answer.model) if answer.model is not None else ()),
        *_rest(answer),
        "</body></html>",
    ]
    return "".join(parts)


def _warnings(answer: BacktestReport) -> str:
    said = []
    if answer.halted:
        said.append(f"Halted {answer.halted_at}: {answer.halted}. Nothing was traded after it")
    if answer.failed:
        said.append(f"The strategy raised on {len(answer.failed)} instruments: {answer.failed[0]}")
    if answer.liquidations:
        said.append(f"{answer.liquidations} positions were liquidated")
    if answer.silent_bars:
        said.append(f"{answer.silent_bars} candles have no volume")
    if answer.audit is not None and not answer.audit.clean:
        said.append(f"The strategy sees the future: {answer.audit.finding}")
    return "".join(f"<p class='warn'>{escape(text)}</p>" for text in said)


def _tiles(answer: BacktestReport) -> str:
    ratio = "-" if answer.sharpe is None else f"{answer.sharpe:.2f}"
    reach = (
        f"Sharpe, {answer.sharpe_low:.2f} to {answer.sharpe_high:.2f}"
        if answer.sharpe_low is not None and answer.sharpe_high is not None
        else "Sharpe, too short to tell"
    )
    tiles = [
        (f"{answer.total_return:+.2%}", "return"),
        (f"{answer.equity_end:,.2f}", f"USDT at the end, from {answer.equity_start:,.0f}"),
        (ratio, reach),
        (f"{answer.max_drawdown:.2%}", f"deepest drawdown{_when(answer)}"),
        (f"{answer.trades:,}", f"round trips, {answer.stops:,} stops"),
        (f"{answer.fees:,.2f}", "fees paid"),
        (f"{answer.funding:+,.2f}", "funding"),
    ]
    if answer.trips is not None:
        tiles.insert(5, (f"{answer.trips.won:.1%}", "of them won"))
    if answer.market_return is not None:
        tiles.insert(1, (f"{answer.market_return:+.2%}", "buying and holding, in equal parts"))
    tiles.insert(-2, (f"{answer.exposure:.0%}", "of the time in the market"))
    cells = "".join(f"<div class='tile'><b>{b}</b><span>{escape(t)}</span></div>" for b, t in tiles)
    return f"<div class='tiles'>{cells}</div>"


def _when(answer: BacktestReport) -> str:
    if not answer.drawdown_from:
        return ""
    over = f", over {answer.drawdown_over[:10]}" if answer.drawdown_over else ", not over"
    return f", {answer.drawdown_from[:10]} to {answer.drawdown_to[:10]}{over}"


def _curves(answer: BacktestReport) -> Iterable[str]:
    points = answer.curve
    if len(points) < 2:
        return
    yield "<h2>Equity, USDT</h2>" + line_chart(points, 260, label="Equity over time")
    peak, falls = points[0][1], []
    for ts, equity in points:
        peak = max(peak, equity)
        falls.append((ts, (equity / peak - 1.0) * 100.0))
    yield "<h2>Drawdown, %</h2>" + fall_chart(falls, 140, label="Fall from the peak over time")


def _months(answer: BacktestReport) -> Iterable[str]:
    if len(answer.months) > 1:
        rows = [(m.month, m.change, f"{m.change:+.2%}, {m.trades} trips") for m in answer.months]
        yield "<h2>Months</h2>" + bar_chart(rows, label="Return by month")


def _symbols(answer: BacktestReport) -> Iterable[str]:
    yield "<h2>Instruments</h2>"
    if len(answer.by_symbol) > 1:
        rows = [(f"{s.symbol} {s.venue}", s.net, f"{s.net:+,.2f}") for s in answer.by_symbol]
        yield bar_chart(rows, label="Net result by instrument, USDT")
    yield _table(
        ("", "trips", "realised", "fees", "funding", "net"),
        [
            (f"{s.symbol} {s.venue}", f"{s.trades:,}", f"{s.realised:,.2f}", f"{s.fees:,.2f}",
             f"{s.funding:,.2f}", f"{s.net:,.2f}")
            for s in answer.by_symbol
        ],
    )  # fmt: skip


def _luck(answer: BacktestReport) -> Iterable[str]:
    drawn = answer.monte_carlo
    if drawn is None:
        return
    yield "<h2>Luck</h2>"
    yield (
        f"<p class='note'>The round trips drawn anew {drawn.draws:,} times, with replacement:"
        f" {drawn.lost:.0%} of the draws lost money.</p>"
    )
    yield _table(
        ("of the draws", *(f"{share:.0%} below" for share in drawn.quantiles)),
        [
            ("return", *(f"{value:+.2%}" for value in drawn.total_return)),
            ("deepest drawdown", *(f"{value:.2%}" for value in drawn.max_drawdown)),
        ],
    )


def _model(model: ModelReport) -> Iterable[str]:
    yield f"<h2>Model {escape(model.name)}</h2>"
    if model.calibration:
        rows = [(one.said, one.came, one.count) for one in model.calibration]
        yield (
            "<p class='note'>What it said of a rise, against how often one came; on the line is"
            " right.</p>"
        )
        yield reliability_chart(rows, label="Calibration: said against happened")
    if model.importance:
        bars = [(name, value, f"{value:.1%}") for name, value in model.importance]
        yield "<h2>What it looks at</h2>" + bar_chart(bars, label="Feature importance")


def _rest(answer: BacktestReport) -> Iterable[str]:
    refused, tripped = count_codes(answer)
    yield "<h2>How it was done</h2>"
    yield _table(
        ("", ""),
        [
            ("played", f"{answer.bars:,} {'candles' if answer.source == 'candles' else 'events'}"),
            ("speed", f"{answer.bars_per_second:,} a second"),
            ("orders, fills", f"{answer.orders:,}, {answer.fills:,}"),
            ("refused", refused or "nothing"),
            ("breakers", tripped or "none tripped"),
            *([("no signal", answer.no_signal)] if answer.no_signal else []),
        ],
    )
    yield f"<p class='note'>Decisions <code>{answer.decision_hash}</code></p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
