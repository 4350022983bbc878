"""The grammar of the command line. ``tui.research_grammar`` has what trades the past."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tui.late import CONFIG, VENUE, Late, add_command, add_environment, add_group, example
from tui.research_grammar import (
    backtest_command,
    history_commands,
    sweep_commands,
    training_commands,
)

_EPILOG = """\
examples:
  killcord                               a desk on the practice exchange, and its terminal
  killcord --no-ui --json --for 60s      the same without a terminal
  killcord kill --mode flatten           the kill cord, from any shell
  killcord COMMAND --help                the options of a command, and an example

exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 refused by safety,
4 no desk running, 5 venue or network unavailable. Every command takes --json.
"""


def whole_parser() -> argparse.ArgumentParser:
    """Return the parser of everything; each command's ``run`` is what it does."""
    parser = argparse.ArgumentParser(
        prog="killcord",
        description="Trade crypto perpetuals on Bybit, Binance and OKX from one terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    _start_options(parser)
    parser.set_defaults(run=Late("launch", "start"))
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    desk = commands.add_parser("desk")
    _start_options(desk)
    desk.set_defaults(run=Late("launch", "run_background"))
    _attach_command(commands)
    _desk_commands(commands)
    _further_terminals(commands)
    _check_commands(commands)
    _order_commands(commands)
    _practice_command(commands)
    _news_commands(commands)
    backtest_command(commands)
    sweep_commands(commands)
    history_commands(commands)
    training_commands(commands)
    _key_command(commands)
    _config_command(commands)
    return parser


def kill_parser() -> argparse.ArgumentParser:
    """Return the parser of ``killcord kill`` alone, for the words behind it."""
    parser = argparse.ArgumentParser(
        prog="killcord kill",
        description="pull the kill cord",
        epilog=example("kill"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run=Late("cord", "pull"))
    _kill_options(parser)
    return parser


def _attach_command(commands: Any) -> None:
    attach = add_command(
        commands, "attach", Late("launch", "attach"), "open a terminal on the running desk"
    )
    add = attach.add_argument
    add("--control", action="store_true", help="take control; without it: look on, kill cord only")
    add("--ssh", default="", metavar="USER@HOST", help="a desk on another machine, through ssh")
    add("--remote", default="killcord", metavar="PROGRAM", help="with --ssh: killcord over there")
    add("--remote-home", default="", metavar="PATH", help="with --ssh: KILLCORD_HOME over there")
    add("--fps", type=int, metavar="N", help="frames a second (default 10)")


def _desk_commands(commands: Any) -> None:
    add_command(commands, "status", Late("remote", "status"), "say how the desk is")
    arm = add_command(commands, "arm", Late("remote", "arm"), "let the desk open risk")
    arm.add_argument("--yes", action="store_true", help="do not ask for the word")
    add_command(
        commands,
        "disarm",
        Late("remote", "disarm"),
        "stop opening risk; keep orders and positions",
    )
    resume = add_command(
        commands, "resume", Late("remote", "resume"), "release the kill cord's latch"
    )
    resume.add_argument("--yes", action="store_true", help="do not ask for the word")
    _kill_options(add_command(commands, "kill", Late("cord", "pull"), "pull the kill cord"))
    add_command(
        commands, "stop", Late("remote", "stop"), "end the desk; positions keep their stops"
    )
    guard = add_command(
        commands, "guard", Late("guard"), "guard a desk: pull the cord when it dies or hangs"
    )
    guard.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def _further_terminals(commands: Any) -> None:
    web = add_command(
        commands, "web", Late("web"), "the attached terminal in a browser on this machine"
    )
    add = web.add_argument
    add("--control", action="store_true", help="with control; else it looks on")
    add("--port", type=int, default=0, metavar="N", help="default: a free one")
    add(
        "--address", default="127.0.0.1", metavar="IP", help="a loopback address; no other is taken"
    )

    replay = add_command(
        commands, "replay", Late("replay"), "a recorded session again, compared and watched"
    )
    replay.add_argument(
        "recording",
        nargs="?",
        default="",
        metavar="RECORDING|DATE",
        help="name, folder, date such as 2026-11-21, or last; without it: list them",
    )
    add = replay.add_argument
    add("--no-ui", action="store_true", help="compare only, as with --json")
    add("--fps", type=int, metavar="N", help="frames a second (default 10)")
    add("--serve", default="", metavar="SOCKET", help=argparse.SUPPRESS)


def _check_commands(commands: Any) -> None:
    verify = add_command(commands, "verify", Late("verify"), "check the journal's hash chain")
    verify.add_argument("path", nargs="?", help="a journal file or folder (default: this home's)")
    add_environment(verify, "whose journal")

    doctor = add_command(
        commands, "doctor", Late("doctor"), "look at machine, files, keys and venues"
    )
    add_environment(doctor, "whose venues")
    doctor.add_argument("--config", metavar="FILE", help=CONFIG)
    doctor.add_argument("--faults", metavar="NAME|FILE", help="practice: what goes wrong")

    drill = add_command(
        commands, "drill", Late("drills.run"), "rehearse on a practice exchange; a timed report"
    )
    drill.add_argument(
        "what",
        choices=("kill", "deadman", "feed", "guard"),
        help="kill: flatten 300 orders and 15 positions; deadman: the desk dies with orders out;"
        " feed: market data stalls, lies and has gaps; guard: the desk is stopped, killed and"
        " blocked, and its guard acts",
    )
    drill.add_argument("--faults", metavar="NAME|FILE", help="what goes wrong meanwhile")


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


def _start_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_environment(parser, "which venues to use")
    add("--config", metavar="FILE", help=CONFIG)
    add("--no-ui", action="store_true", help="no terminal: one line per event")
    add("--json", action="store_true", help="with --no-ui: one JSON object per line")
    add("--for", dest="duration", metavar="DURATION", help="end after, such as 60s or 2h")
    add("--seed", type=int, metavar="N", help="practice: seed of the synthetic market")
    add("--market", metavar="synthetic|PATH", help="practice: what the market plays")
    add("--speed", type=float, metavar="X", help="practice: market seconds per second")
    add("--faults", metavar="NAME|FILE", help="practice: what goes wrong, see docs/practice.md")


def _order_commands(commands: Any) -> None:
    for side in ("buy", "sell"):
        order = add_command(
            commands, side, Late("remote", "order"), f"{side} through the risk gate"
        )
        order.set_defaults(side=side)
        order.add_argument("venue", help=VENUE)
        order.add_argument("symbol", help="BTC, BTCUSDT or BTC/USDT:USDT")
        order.add_argument("qty", help="base units, such as 0.05")
        order.add_argument("--limit", metavar="PRICE", help="limit price; market without it")
        order.add_argument("--post-only", action="store_true", help="never take liquidity")
        order.add_argument("--stop", metavar="PRICE", help="protective stop of the position")
        order.add_argument(
            "--reduce-only", action="store_true", help="only make a position smaller"
        )
    close = add_command(
        commands, "close", Late("remote", "close"), "close one position, a venue's, or all of them"
    )
    close.add_argument("venue", nargs="?", default="", help="without it: every position")
    close.add_argument("symbol", nargs="?", default="", help="without it: all of the venue")
    close.add_argument(
        "--fraction", default="1", metavar="X", help="part of the position, above 0 (default 1)"
    )
    cancel = add_command(
        commands, "cancel", Late("remote", "cancel"), "cancel entries; a stop only by its id"
    )
    cancel.add_argument("client_id", nargs="?", default="", help="one order, a stop too")
    cancel.add_argument("--venue", default="", metavar="VENUE", help="entries of a venue")
    cancel.add_argument("--symbol", default="", metavar="SYMBOL", help="entries of a symbol")
    cancel.add_argument("--all", action="store_true", help="every entry")
    orders = add_command(
        commands, "orders", Late("remote", "orders"), "list orders, or resolve one"
    )
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
    add_command(commands, "positions", Late("remote", "positions"), "list positions")
    signals = add_command(
        commands,
        "signals",
        Late("remote", "signals"),
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


def _practice_command(commands: Any) -> None:
    practice = add_command(
        commands, "practice", Late("launch", "run_practice"), "run the practice exchange alone"
    )
    add = practice.add_argument
    add("--market", default="synthetic", metavar="synthetic|PATH", help="what it plays")
    add("--seed", type=int, default=1, metavar="N", help="of the synthetic market (default 1)")
    add("--speed", type=float, default=1.0, metavar="X", help="market seconds per second")
    add("--port", type=int, default=0, metavar="N", help="default: a free one")
    add("--balance", default="100000", metavar="USDT", help="on each venue (default 100000)")
    add("--faults", default="", metavar="NAME|FILE", help="what goes wrong, see docs/practice.md")
    add("--for", dest="duration", metavar="DURATION", help="end after, such as 10m")


def _news_commands(commands: Any) -> None:
    sentiment = add_group(commands, "sentiment", "judge headlines, measure a judge")
    actions = sentiment.add_subparsers(metavar="ACTION", required=True)
    engine = "offline, a folder with a transformers model, or a hub name"
    score = add_command(actions, "score", Late("sentiment", "score"), "judge one headline")
    score.add_argument("text", help="the headline, in quotes")
    score.add_argument("--engine", default="offline", metavar="NAME", help=engine)
    evaluate = add_command(
        actions, "evaluate", Late("sentiment", "evaluate"), "measure on labelled rows"
    )
    evaluate.add_argument("file", help="CSV or CSV.gz with columns text and label")
    evaluate.add_argument("--engine", default="offline", metavar="NAME", help=engine)
    news = add_command(commands, "news", Late("news"), "read the configured news sources")
    news.add_argument("--once", action="store_true", help="ask each source once, then end")
    news.add_argument("--config", metavar="FILE", help=CONFIG)
    add_environment(news, "whose configuration")


def _key_command(commands: Any) -> None:
    keys = add_command(commands, "keys", Late("keys"), "keys of venues and news services")
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


def _config_command(commands: Any) -> None:
    config = add_command(commands, "config", Late("settings"), "show or check the configuration")
    config.add_argument(
        "action",
        nargs="?",
        choices=("show", "check", "defaults", "path"),
        default="show",
        help="show: what is in force (default); check: every mistake at once; defaults: a file to"
        " begin with; path: where files are",
    )
    config.add_argument("--config", metavar="FILE", help=CONFIG)
    add_environment(config, "as it would be there")


class _Version(argparse.Action):
    # Looked up only when asked for: importlib.metadata costs 20 ms.
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from tui.build import build

        sys.stdout.write(f"killcord {build()}\n")  # argparse would say it to stderr
        parser.exit()
