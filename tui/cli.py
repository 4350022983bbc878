"""The command line. Imports late: ``--help`` costs the interpreter and argparse, no more."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from core.errors import KillcordError
from tui.examples import EXAMPLES

Run = Callable[[argparse.Namespace], int]

_ENVIRONMENTS = ("practice", "testnet", "live")
_CONFIG = "configuration file (default: see killcord config path)"
_VENUE = "bybit, binance or okx"

_EPILOG = """\
examples:
  killcord                               a desk on the practice exchange, and its terminal
  killcord --no-ui --json --for 60s      the same without a terminal
  killcord kill --mode flatten           the kill cord, from any shell
  killcord COMMAND --help                the options of a command, and an example

exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 refused by safety,
4 no desk running, 5 venue or network unavailable. Every command takes --json.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    # The cord is not kept waiting by the grammar of everything else.
    arguments = _kill_parser().parse_args(words[1:]) if words[:1] == ["kill"] else None
    arguments = arguments or _parser().parse_args(words)
    run: Run = arguments.run
    try:
        return run(arguments)
    except KillcordError as error:
        _report(error, as_json=getattr(arguments, "json", False))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _report(error: KillcordError, *, as_json: bool) -> None:
    if as_json:
        text = {"type": "error", "error": type(error).__name__, "detail": str(error)}
        print(json.dumps(text), flush=True)  # noqa: T201 - the answer of the command
    print(f"killcord: {error}", file=sys.stderr)  # noqa: T201


class _Late:
    """A command's function, imported when it is called.

    Args:
        module: below ``tui``.
        name: of the function in it.
    """

    def __init__(self, module: str, name: str = "run") -> None:
        self.module = module
        self.name = name

    def __call__(self, arguments: argparse.Namespace) -> int:
        return self.find()(arguments)

    def find(self) -> Run:
        """Import the module and return the function."""
        found: Run = getattr(import_module(f"tui.{self.module}"), self.name)
        return found


def _train(arguments: argparse.Namespace) -> int:
    # numpy reads it when it is loaded. Threads cost more than they give on matrices this narrow,
    # and one of them sums in the same order every time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return _Late("train")(arguments)


# --- the grammar --------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="killcord",
        description="Trade crypto perpetuals on Bybit, Binance and OKX from one terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    _start_options(parser)
    parser.set_defaults(run=_Late("launch", "start"))
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")

    desk = commands.add_parser("desk")
    _start_options(desk)
    desk.set_defaults(run=_Late("launch", "run_background"))

    attach = _command(
        commands, "attach", _Late("launch", "attach"), "open a terminal on the running desk"
    )
    add = attach.add_argument
    add("--control", action="store_true", help="take control; without it: look on, kill cord only")
    add("--ssh", default="", metavar="USER@HOST", help="a desk on another machine, through ssh")
    add("--remote", default="killcord", metavar="PROGRAM", help="with --ssh: killcord over there")
    add("--remote-home", default="", metavar="PATH", help="with --ssh: KILLCORD_HOME over there")
    add("--fps", type=int, metavar="N", help="frames a second (default 10)")

    _command(commands, "status", _Late("remote", "status"), "say how the desk is")
    arm = _command(commands, "arm", _Late("remote", "arm"), "let the desk open risk")
    arm.add_argument("--yes", action="store_true", help="do not ask for the word")
    _command(
        commands,
        "disarm",
        _Late("remote", "disarm"),
        "stop opening risk; keep orders and positions",
    )
    resume = _command(
        commands, "resume", _Late("remote", "resume"), "release the kill cord's latch"
    )
    resume.add_argument("--yes", action="store_true", help="do not ask for the word")

    _kill_options(_command(commands, "kill", _Late("cord", "pull"), "pull the kill cord"))
    _command(commands, "stop", _Late("remote", "stop"), "end the desk; positions keep their stops")

    guard = _command(
        commands, "guard", _Late("guard"), "guard a desk: pull the cord when it dies or hangs"
    )
    guard.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    web = _command(
        commands, "web", _Late("web"), "the attached terminal in a browser on this machine"
    )
    web.add_argument("--control", action="store_true", help="with control; else it looks on")
    web.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    web.add_argument(
        "--address", default="127.0.0.1", metavar="IP", help="a loopback address; no other is taken"
    )

    replay = _command(
        commands, "replay", _Late("replay"), "a recorded session again, compared and watched"
    )
    replay.add_argument(
        "recording",
        nargs="?",
        default="",
        metavar="RECORDING|DATE",
        help="name, folder, date such as 2026-11-21, or last; without it: list them",
    )
    replay.add_argument("--no-ui", action="store_true", help="compare only, as with --json")
    replay.add_argument("--fps", type=int, metavar="N", help="frames a second (default 10)")
    replay.add_argument("--serve", default="", metavar="SOCKET", help=argparse.SUPPRESS)

    verify = _command(commands, "verify", _Late("verify"), "check the journal's hash chain")
    verify.add_argument("path", nargs="?", help="a journal file or folder (default: this home's)")
    verify.add_argument("--env", choices=_ENVIRONMENTS, help="whose journal")

    doctor = _command(
        commands, "doctor", _Late("doctor"), "look at machine, files, keys and venues"
    )
    doctor.add_argument("--env", choices=_ENVIRONMENTS, help="whose venues")
    doctor.add_argument("--config", metavar="FILE", help=_CONFIG)
    doctor.add_argument("--faults", metavar="NAME|FILE", help="practice: what goes wrong")

    drill = _command(
        commands, "drill", _Late("drills.run"), "rehearse on a practice exchange; a timed report"
    )
    drill.add_argument(
        "what",
        choices=("kill", "deadman", "feed", "guard"),
        help="kill: flatten 300 orders and 15 positions; deadman: the desk dies with orders out;"
        " feed: market data stalls, lies and has gaps; guard: the desk is stopped, killed and"
        " blocked, and its guard acts",
    )
    drill.add_argument("--faults", metavar="NAME|FILE", help="what goes wrong meanwhile")

    _orders(commands)
    _practice_options(commands)
    _sentiment_commands(commands)
    _backtest_options(commands)
    _sweep_options(commands)
    _history_commands(commands)
    _training_options(commands)
    _key_commands(commands)
    _config_commands(commands)
    return parser


def _kill_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="killcord kill",
        description="pull the kill cord",
        epilog=_example("kill"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run=_Late("cord", "pull"))
    _kill_options(parser)
    return parser


def _kill_options(kill: argparse.ArgumentParser) -> None:
    kill.add_argument(
        "--mode",
        choices=("halt", "cancel", "flatten"),
        default="cancel",
        help="halt: open no more; cancel: and cancel entries, keep stops (default); "
        "flatten: and close every position, then prove it",
    )
    kill.add_argument("--venue", default="", metavar="VENUE", help="one venue only")
    kill.add_argument(
        "--cause", default="killed by hand", metavar="TEXT", help="written into the report"
    )


class _Version(argparse.Action):
    # Looked up only when asked for: importlib.metadata costs 20 ms.
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"killcord {version('killcord')}\n")


def _command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    command = _group(commands, name, text)
    command.add_argument("--json", action="store_true", help="answer in JSON")
    command.set_defaults(run=run)
    return command


def _group(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=_example(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _example(command: str) -> str:
    return f"example: {EXAMPLES[command]}"


def _start_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--env", choices=_ENVIRONMENTS, help="which venues to use")
    add("--config", metavar="FILE", help=_CONFIG)
    add("--no-ui", action="store_true", help="no terminal: one line per event")
    add("--json", action="store_true", help="with --no-ui: one JSON object per line")
    add("--for", dest="duration", metavar="DURATION", help="end after, such as 60s or 2h")
    add("--seed", type=int, metavar="N", help="practice: seed of the synthetic market")
    add("--market", metavar="synthetic|PATH", help="practice: what the market plays")
    add("--speed", type=float, metavar="X", help="practice: market seconds per second")
    add("--faults", metavar="NAME|FILE", help="practice: what goes wrong, see docs/practice.md")


def _orders(commands: Any) -> None:
    for side in ("buy", "sell"):
        order = _command(commands, side, _Late("remote", "order"), f"{side} through the risk gate")
        order.set_defaults(side=side)
        order.add_argument("venue", help=_VENUE)
        order.add_argument("symbol", help="BTC, BTCUSDT or BTC/USDT:USDT")
        order.add_argument("qty", help="base units, such as 0.05")
        order.add_argument("--limit", metavar="PRICE", help="limit price; market without it")
        order.add_argument("--post-only", action="store_true", help="never take liquidity")
        order.add_argument("--stop", metavar="PRICE", help="protective stop of the position")
        order.add_argument(
            "--reduce-only", action="store_true", help="only make a position smaller"
        )
    close = _command(
        commands, "close", _Late("remote", "close"), "close one position, a venue's, or all of them"
    )
    close.add_argument("venue", nargs="?", default="", help="without it: every position")
    close.add_argument("symbol", nargs="?", default="", help="without it: all of the venue")
    close.add_argument(
        "--fraction", default="1", metavar="X", help="part of the position, above 0 (default 1)"
    )
    cancel = _command(commands, "cancel", _Late("remote", "cancel"), "cancel orders")
    cancel.add_argument("client_id", nargs="?", default="", help="one order")
    cancel.add_argument("--venue", default="", metavar="VENUE", help="those of a venue")
    cancel.add_argument("--symbol", default="", metavar="SYMBOL", help="those of a symbol")
    cancel.add_argument("--all", action="store_true", help="everything that rests")
    orders = _command(commands, "orders", _Late("remote", "orders"), "list orders, or resolve one")
    orders.add_argument(
        "what",
        nargs="?",
        choices=("list", "show", "resolve"),
        default="list",
        help="default list; resolve: end one whose outcome no venue tells",
    )
    orders.add_argument("client_id", nargs="?", default="", metavar="ID", help="of one order")
    orders.add_argument(
        "--as",
        dest="outcome",
        choices=("cancelled", "filled", "expired", "rejected"),
        help="resolve: what became of an order whose outcome the venue does not tell",
    )
    _command(commands, "positions", _Late("remote", "positions"), "list positions")
    signals = _command(
        commands,
        "signals",
        _Late("remote", "signals"),
        "what waits for a person, with confirm_signals",
    )
    signals.add_argument(
        "what",
        nargs="?",
        choices=("list", "approve", "reject"),
        default="list",
        help="default list",
    )
    signals.add_argument("client_id", nargs="?", default="", metavar="ID", help="of what waits")
    signals.add_argument("--qty", metavar="QTY", help="approve: another quantity, base units")


def _practice_options(commands: Any) -> None:
    practice = _command(
        commands, "practice", _Late("launch", "run_practice"), "run the practice exchange alone"
    )
    add = practice.add_argument
    add("--market", default="synthetic", metavar="synthetic|PATH", help="what it plays")
    add("--seed", type=int, default=1, metavar="N", help="of the synthetic market (default 1)")
    add("--speed", type=float, default=1.0, metavar="X", help="market seconds per second")
    add("--port", type=int, default=0, metavar="N", help="default: a free one")
    add("--balance", default="100000", metavar="USDT", help="on each venue (default 100000)")
    add("--faults", default="", metavar="NAME|FILE", help="what goes wrong, see docs/practice.md")
    add("--for", dest="duration", metavar="DURATION", help="end after, such as 10m")


def _sentiment_commands(commands: Any) -> None:
    sentiment = _group(commands, "sentiment", "judge headlines, measure a judge")
    actions = sentiment.add_subparsers(metavar="ACTION", required=True)
    engine = "offline, a folder with a transformers model, or a hub name"
    score = _command(actions, "score", _Late("sentiment", "score"), "judge one headline")
    score.add_argument("text", help="the headline, in quotes")
    score.add_argument("--engine", default="offline", metavar="NAME", help=engine)
    evaluate = _command(
        actions, "evaluate", _Late("sentiment", "evaluate"), "measure on labelled rows"
    )
    evaluate.add_argument("file", help="CSV or CSV.gz with columns text and label")
    evaluate.add_argument("--engine", default="offline", metavar="NAME", help=engine)
    news = _command(commands, "news", _Late("news"), "read the configured news sources")
    news.add_argument("--once", action="store_true", help="ask each source once, then end")
    news.add_argument("--config", metavar="FILE", help=_CONFIG)
    news.add_argument("--env", choices=_ENVIRONMENTS, help="whose settings")


def _backtest_options(commands: Any) -> None:
    backtest = _command(
        commands, "backtest", _Late("backtest"), "trade recorded markets, and report"
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
    add("--funding", metavar="FILE", help="CSV of settlements: symbol, ts_ms, funding_rate")
    add("--balance", default="100000", metavar="USDT", help="on each venue (default 100000)")
    add("--taker-fee", metavar="BP", help="basis points; default: the venue's")
    add("--maker-fee", metavar="BP", help="basis points; default: the venue's")
    add("--slippage", metavar="BP", help="of taker fills, basis points (default 0)")
    add("--config", metavar="FILE", help="limits and strategy; default: yours")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="such as strategy.fast=10")


def _sweep_options(commands: Any) -> None:
    sweep = _command(
        commands, "sweep", _Late("sweep", "run_sweep"), "try many settings of a strategy on candles"
    )
    walk = _command(
        commands,
        "walk-forward",
        _Late("sweep", "run_walk"),
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


def _training_options(commands: Any) -> None:
    train = _command(commands, "train", _train, "look for an edge, honestly, and promote it if any")
    add = train.add_argument
    _candle_options(train)
    add("--synthetic", metavar="edge=X", help="made-up candles with an edge of X instead")
    add("--horizons", default="4,24", metavar="N,M", help="candles ahead (default 4,24)")
    add("--window", type=int, default=2880, metavar="N", help="candles to train on (default 2880)")
    add("--test", type=int, default=360, metavar="N", help="candles a test step (default 360)")
    add("--cost", default="6.5", metavar="BP", help="a side: fee, spread, slippage (default 6.5)")
    add("--seed", type=int, default=1, metavar="N", help="of all that is drawn (default 1)")
    add("--label", choices=("horizon", "barrier"), default="horizon", help="what is foretold")
    add("--half-life", type=int, default=0, metavar="N", help="candles in which old rows fade")
    add("--funding", metavar="PATH", help="settlements (CSV) of the candles' venue: a feature")
    add("--news", nargs="+", default=[], metavar="PATH", help="recordings: their news are features")
    add("--spot", nargs="+", default=[], metavar="PATH", help="spot candles: basis is a feature")
    add("--books", nargs="+", default=[], metavar="PATH", help="recordings: books are features")
    add("--trials", type=int, default=0, metavar="N", help="parameters to try beyond the usual")
    add("--study", default="", metavar="URL", help="database in which machines share the trials")
    add("--shuffle-labels", action="store_true", help="give labels to the wrong rows: must fail")
    models = _command(commands, "models", _Late("models"), "trained models, and which one trades")
    models.add_argument(
        "action",
        nargs="?",
        choices=("list", "show", "promote", "demote"),
        default="list",
        help="default list; promote: let it trade; demote: take it off duty",
    )
    models.add_argument("id", nargs="?", default="", metavar="ID", help="of a model")
    models.add_argument("--synthetic", action="store_true", help="those of made-up candles")
    _environment_option(models)


def _candle_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--candles", nargs="+", default=[], metavar="PATH", help="files, or folders of them")
    add("--symbols", "--symbol", metavar="BTC,ETH", help="only these of a folder, or of the stored")
    add(
        "--venue",
        default="",
        choices=("bybit", "binance", "okx"),
        help="whose rules and fees; without --candles whose stored candles, with --timeframe",
    )
    add(
        "--timeframe",
        metavar="1h",
        help="of the stored candles (killcord history list), or of those made from order flow",
    )
    _environment_option(parser)


def _environment_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", choices=_ENVIRONMENTS, help="whose candles and models")


def _history_commands(commands: Any) -> None:
    history = _group(commands, "history", "candles of venues: download and keep them")
    actions = history.add_subparsers(metavar="ACTION", required=True)

    download = _command(actions, "download", _Late("history", "download"), "fetch what is missing")
    _series_arguments(download)
    add = download.add_argument
    add("--from", dest="since", metavar="DATE", help="UTC, such as 2026-01-31; default: a year ago")
    add("--to", metavar="DATE", help="default: now")
    add("--replace", action="store_true", help="throw away stored candles that are not the venue's")
    add("--config", metavar="FILE", help=_CONFIG)

    listing = _command(actions, "list", _Late("history", "show"), "say what is stored")
    export = _command(actions, "export", _Late("history", "export"), "write a series to a file")
    _series_arguments(export)
    export.add_argument("path", help="ends in .parquet or .csv")
    take = _command(actions, "import", _Late("history", "take_in"), "store the candles of files")
    take.add_argument("path", help="a candle file, or a folder of them")
    take.add_argument(
        "--venue", default="", metavar="VENUE", help="default: what the folder's name begins with"
    )
    for action in (download, listing, export, take):
        _environment_option(action)


def _series_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("venue", help=_VENUE)
    parser.add_argument("symbol", help="BTC, or several: BTC,ETH")
    parser.add_argument("timeframe", help="1m, 5m, 15m, 1h, 4h, 1d")


def _key_commands(commands: Any) -> None:
    keys = _command(commands, "keys", _Late("keys"), "keys of venues and news services")
    keys.add_argument(
        "action",
        nargs="?",
        choices=("list", "add", "remove", "check"),
        default="list",
        help="default list; add asks for the key; check tries it at the venue",
    )
    keys.add_argument("venue", nargs="?", default="", help="venue or news service")
    keys.add_argument(
        "--env", choices=("testnet", "live"), default="testnet", help="whose (default testnet)"
    )


def _config_commands(commands: Any) -> None:
    config = _command(commands, "config", _Late("settings"), "show or check the configuration")
    config.add_argument(
        "action",
        nargs="?",
        choices=("show", "check", "defaults", "path"),
        default="show",
        help="show: what is in force (default); check: every mistake at once; defaults: a file to"
        " begin with; path: where files are",
    )
    config.add_argument("--config", metavar="FILE", help=_CONFIG)
    config.add_argument("--env", choices=_ENVIRONMENTS, help="as if this were asked for")


if __name__ == "__main__":
    sys.exit(main())
