"""The grammar of commands that trade the past: backtests, sweeps, training, candles."""

from __future__ import annotations

import argparse
import os
from typing import Any

from tui.late import CONFIG, VENUE, Late, add_command, add_environment, add_group

_WHOSE = "whose candles and models"
_VENUES = ("bybit", "binance", "okx")


def history_commands(commands: Any) -> None:
    """Add ``history`` and what it does with candles."""
    history = add_group(commands, "history", "candles of venues: download and keep them")
    actions = history.add_subparsers(metavar="ACTION", required=True)

    download = add_command(
        actions, "download", Late("history", "download"), "fetch what is missing"
    )
    _series_arguments(download)
    add = download.add_argument
    add("--from", dest="since", metavar="DATE", help="UTC, such as 2026-01-31; default: a year ago")
    add("--to", metavar="DATE", help="default: now")
    add("--replace", action="store_true", help="throw away stored candles that are not the venue's")
    add("--config", metavar="FILE", help=CONFIG)

    listing = add_command(actions, "list", Late("history", "show"), "say what is stored")
    export = add_command(actions, "export", Late("history", "export"), "write a series to a file")
    _series_arguments(export)
    export.add_argument("path", help="ends in .parquet or .csv")
    take = add_command(actions, "import", Late("history", "take_in"), "store the candles of files")
    take.add_argument("path", help="a candle file, or a folder of them")
    take.add_argument(
        "--venue", default="", metavar="VENUE", help="default: what the folder's name begins with"
    )
    for action in (download, listing, export, take):
        add_environment(action, _WHOSE)


def _series_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("venue", help=VENUE)
    parser.add_argument("symbol", help="BTC, or several: BTC,ETH")
    parser.add_argument("timeframe", help="1m, 5m, 15m, 1h, 4h, 1d")


def backtest_command(commands: Any) -> None:
    """Add ``backtest``."""
    backtest = add_command(
        commands, "backtest", Late("backtest"), "trade recorded markets, and report"
    )
    add = backtest.add_argument
    _candle_options(backtest)
    add("--trades", nargs="+", metavar="PATH", help="files of trades (and quotes) instead")
    add("--books", nargs="+", metavar="PATH", help="recorded order book frames instead")
    add("--recording", metavar="NAME", help="what a desk recorded instead, such as last")
    add("--html", metavar="FILE", help="write the report as a page of its own, with charts")
    add("--audit", action="store_true", help="play other futures: decisions must not change")
    add("--check-parity", action="store_true", help="trade it live on practice, too, and compare")
    add("--for", dest="duration", default="60s", metavar="TIME", help="of --check-parity (60s)")
    add("--latency", default="50", metavar="MS", help="order flow: one way to a venue (default 50)")
    _trading_options(backtest)


def _trading_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--strategy", default="ema_cross", metavar="NAME", help="default ema_cross")
    add("--funding", metavar="PATH", help="CSV of symbol, ts_ms, funding_rate; or a folder of them")
    add("--balance", default="100000", metavar="USDT", help="on each venue (default 100000)")
    add("--taker-fee", metavar="BP", help="basis points; default: the venue's")
    add("--maker-fee", metavar="BP", help="basis points; default: the venue's")
    add("--slippage", metavar="BP", help="of taker fills, basis points (default 0)")
    _setting_options(parser, "strategy.fast=10")


def _setting_options(parser: argparse.ArgumentParser, example: str) -> None:
    add = parser.add_argument
    add("--config", metavar="FILE", help="limits and strategy; default: yours")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help=f"such as {example}")


def sweep_commands(commands: Any) -> None:
    """Add ``sweep`` and ``walk-forward``."""
    sweep = add_command(
        commands, "sweep", Late("sweep", "run_sweep"), "try many settings of a strategy on candles"
    )
    walk = add_command(
        commands,
        "walk-forward",
        Late("sweep", "run_walk"),
        "choose settings on the past, trade what follows, again",
    )
    for parser in (sweep, walk):
        _candle_options(parser)
        _trading_options(parser)
        add = parser.add_argument
        add("--param", action="append", default=[], metavar="KEY=LOW:HIGH:STEP",
            help="what to try, such as strategy.fast=5:50:5 or strategy.slow=20,50")  # fmt: skip
        add(
            "--engine", action="store_true", help="never the fast kernel: every try with all limits"
        )
        add("--workers", type=int, metavar="N", help="processes (default: one a core)")
        add(
            "--scheduler",
            metavar="ADDRESS",
            help="a Dask cluster instead, such as tcp://10.0.0.5:8786",
        )
        add("--storage", metavar="URL", help="PostgreSQL that several machines share one search in")
        add("--study", metavar="NAME", help="of the search; the same name goes on with it")
    sweep.add_argument(
        "--trials", type=int, metavar="N", help="so many, chosen as it learns; default: all"
    )
    sweep.add_argument("--seed", type=int, default=1, metavar="N", help="of the choice (default 1)")
    walk.add_argument("--train", default="90d", metavar="TIME", help="to choose on (default 90d)")
    walk.add_argument(
        "--test", default="30d", metavar="TIME", help="to trade each time (default 30d)"
    )


def training_commands(commands: Any) -> None:
    """Add ``train`` and ``models``."""
    train = add_command(
        commands, "train", _train, "look for an edge, honestly, and promote it if any"
    )
    add = train.add_argument
    _candle_options(train)
    add("--synthetic", metavar="edge=X", help="made-up candles with an edge of X instead")
    add("--horizons", default="4,24", metavar="N,M", help="candles ahead (default 4,24)")
    add("--window", type=int, default=2880, metavar="N", help="candles to train on (default 2880)")
    add("--test", type=int, default=360, metavar="N", help="candles a test step (default 360)")
    add("--cost", default="6.5", metavar="BP", help="a side: fee, spread, slippage (default 6.5)")
    add("--seed", type=int, default=1, metavar="N", help="of all that is drawn (default 1)")
    labels = ("horizon", "barrier", "relative")
    add("--label", choices=labels, default="horizon", help="what is foretold (default horizon)")
    add("--half-life", type=int, default=0, metavar="N", help="candles in which old rows fade")
    add("--funding", metavar="PATH", help="settlements: a file, or a folder with one a venue")
    add("--news", nargs="+", default=[], metavar="PATH", help="recordings: their news are features")
    add("--spot", nargs="+", default=[], metavar="PATH", help="spot candles: basis is a feature")
    add("--books", nargs="+", default=[], metavar="PATH", help="recordings: books are features")
    add("--trials", type=int, default=0, metavar="N", help="parameters to try beyond the usual")
    add("--study", default="", metavar="URL", help="database in which machines share the trials")
    add("--shuffle-labels", action="store_true", help="give labels to the wrong rows: must fail")
    _setting_options(train, "strategy.stop_distance=0.05")
    train.set_defaults(strategy="lightgbm")
    models = add_command(commands, "models", Late("models"), "trained models, and which one trades")
    models.add_argument(
        "action",
        nargs="?",
        choices=("list", "show", "promote", "demote"),
        default="list",
        help="default list; promote: let it trade; demote: take it off duty",
    )
    models.add_argument("id", nargs="?", default="", metavar="ID", help="of a model")
    models.add_argument("--synthetic", action="store_true", help="those of made-up candles")
    add_environment(models, _WHOSE)
    strategies = add_command(
        commands, "strategies", Late("strategies"), "which there are, and a new one of your own"
    )
    strategies.add_argument(
        "action", nargs="?", choices=("list", "new"), default="list", help="default list"
    )
    strategies.add_argument("name", nargs="?", default="", metavar="NAME", help="of a new one")
    strategies.add_argument("--config", metavar="FILE", help=CONFIG)


def _candle_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--candles", nargs="+", default=[], metavar="PATH", help="files, or folders of them")
    add("--symbols", "--symbol", metavar="BTC,ETH", help="only these of a folder, or of the stored")
    add(
        "--venue",
        default="",
        type=_venues,
        metavar="VENUE",
        help="whose rules and fees; without --candles whose stored candles (bybit,okx), with"
        " --timeframe",
    )
    add(
        "--timeframe",
        metavar="1h",
        help="of the stored candles (killcord history list), or of those made from order flow",
    )
    add_environment(parser, _WHOSE)


def _venues(text: str) -> str:
    strange = [one for one in text.split(",") if one not in _VENUES]
    if text and strange:
        raise argparse.ArgumentTypeError(
            f"no venue {strange[0]!r}: choose of {', '.join(_VENUES)}; several with commas"
        )
    return text


def _train(arguments: argparse.Namespace) -> int:
    # numpy reads it when it is loaded. Threads cost more than they give on matrices this narrow,
    # and one of them sums in the same order every time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return Late("train")(arguments)
