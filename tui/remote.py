"""Commands that ask the running desk: status, orders, arming. The kill cord is in ``cord``."""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from core.errors import SafetyRefusal, UsageError
from core.home import Home
from core.model.instrument import LARGEST, VENUES, short_symbol, unified_symbol
from tui.control import ask
from tui.cord import actor
from tui.output import reply


def status(arguments: argparse.Namespace) -> int:
    """Print how the desk is."""
    snapshot = _snapshot()
    reply(arguments, snapshot, _status_lines(snapshot))
    return 0


def _status_lines(s: dict[str, Any]) -> Iterator[str]:
    yield f"{s['environment']}  {s['state'].upper()}  {s['cause']}"
    yield f"market    {s['market']}"
    money = (_money(s[name]) for name in ("equity", "day_pnl", "peak"))
    yield "equity    {} USDT   day {}   peak {}".format(*money)
    for v in s["venues"]:
        yield (
            f"{v['venue']:9} {v['state']:12} equity {_money(v['equity']):>14}  "
            f"orders {v['orders']:>4}  fills {v['fills']:>4}  {v['reason']}"
        )
    if guard := s["guard"]:
        yield f"guard     {guard['state']}  {guard['detail']}".rstrip()
    yield (
        f"open positions {len(s['positions'])}, unknown orders {s['unknown_orders']},"
        f" discrepancies {s['discrepancies']}, refusals {s['refusals']}"
    )
    if s.get("learning"):
        # The views import more than a status should cost where there is no model.
        import msgspec

        from core.model.learning import LearningView
        from tui.views.learning import learning_lines

        learning = msgspec.convert(s["learning"], LearningView)
        for line in learning_lines(learning, s["ts"]):
            yield f"model     {line}"


def positions(arguments: argparse.Namespace) -> int:
    """Print open positions."""
    rows = _snapshot()["positions"]
    head = f"{'venue':9} {'symbol':7} {'qty':>14} {'entry':>14} {'unrealised':>12} {'stop':>14}"
    lines = [
        f"{r['venue']:9} {short_symbol(r['symbol']):7} {r['qty']:>14} {r['entry']:>14}"
        f" {_money(r['unrealised']):>12} {r['stop'] or 'NONE':>14}"
        for r in rows
    ]
    reply(arguments, rows, [head, *lines] if rows else ["no open positions"])
    return 0


def orders(arguments: argparse.Namespace) -> int:
    """Print orders, or one of them whole; or end one that no venue's word resolves."""
    if arguments.what == "resolve":
        return _resolve(arguments)
    rows = _snapshot()["orders"]
    if arguments.what == "show":
        rows = [row for row in rows if row["client_id"] == arguments.client_id]
        if not rows:
            raise UsageError(f"no order {arguments.client_id!r} among the recent ones")
        reply(arguments, rows[0], [f"{key:12} {value}" for key, value in rows[0].items()])
        return 0
    lines = [
        f"{r['client_id']:26}{r['venue']:9}{short_symbol(r['symbol']):7}{r['side']:5}"
        f"{r['kind']:7}{r['filled']:>10}/{r['qty']:<10}"
        f"{r['price'] or r['trigger'] or 'market':>12}  {r['status']}"
        for r in rows
    ]
    reply(arguments, rows, lines or ["no orders"])
    return 0


def _resolve(arguments: argparse.Namespace) -> int:
    if not (arguments.client_id and arguments.outcome):
        raise UsageError(
            "say which and how: killcord orders resolve ID --as cancelled|filled|expired|rejected"
        )
    return _send(
        arguments,
        {"type": "ResolveOrder", "client_id": arguments.client_id, "status": arguments.outcome},
    )


def signals(arguments: argparse.Namespace) -> int:
    """Print what strategies want to do and wait to be allowed, or answer it."""
    if arguments.what == "list":
        rows = _snapshot()["held"]
        lines = [
            f"{r['client_id']:26}{r['venue']:9}{short_symbol(r['symbol']):7}{r['side']:5}"
            f"{r['qty']:>10} at about {r['price']:<12}{r['strategy']}: {r['reason']}"
            for r in rows
        ]
        reply(arguments, rows, lines or ["nothing waits for an answer"])
        return 0
    if not arguments.client_id:
        raise UsageError(f"say which: killcord signals {arguments.what} ID")
    command = {
        "type": "AnswerSignal",
        "client_id": arguments.client_id,
        "verdict": arguments.what,
    }
    if arguments.qty:
        if arguments.what == "reject":
            raise UsageError("--qty goes with approve")
        command["qty"] = _number(arguments.qty, "--qty")
    return _send(arguments, command)


def arm(arguments: argparse.Namespace) -> int:
    """Let the desk open risk, after a typed word."""
    _confirm(arguments, "arm")
    return _send(arguments, {"type": "Arm"})


def disarm(arguments: argparse.Namespace) -> int:
    """Stop opening risk."""
    return _send(arguments, {"type": "Disarm"})


def resume(arguments: argparse.Namespace) -> int:
    """Release the latch, after a typed word. The desk is then disarmed, never armed."""
    _confirm(arguments, "resume")
    return _send(arguments, {"type": "Resume"})


def stop(arguments: argparse.Namespace) -> int:
    """End the desk, wait until it has ended, and say what becomes of what it has at the venues.

    Files may be copied then, and a new desk started. 1 where it takes longer than a minute.
    """
    from core.model.order import OrderStatus

    home, picture = Home.find(), _snapshot()
    resting = [
        row["client_id"]
        for row in picture["orders"]
        if not (row["reduce_only"] or row["foreign"] or OrderStatus(row["status"]).terminal)
    ]
    answer = ask(home.socket, "POST", "/v1/stop")
    ended = _has_ended(home)
    lines = ["the desk has stopped" if ended else STOPS_SLOWLY]
    if resting:
        lines.append(f"entries it cancels: {len(resting)}")
    if picture["positions"]:
        lines.append(f"positions that stay, with their stops: {len(picture['positions'])}")
    reply(arguments, {**answer, "cancelling": resting, "ended": ended}, lines)
    return 0 if ended else 1


STOP_WITHIN = 60.0
"""Seconds. A venue that is away keeps a desk that has entries there."""
STOPS_SLOWLY = (
    "the desk is still stopping: `killcord status` says what it waits for,"
    " `killcord stop` once more does not wait for venues"
)


def _has_ended(home: Home) -> bool:
    """Wait for the desk's lock, the last thing it lets go of; return whether it has."""
    from core.desk.lock import living_holder

    deadline = time.monotonic() + STOP_WITHIN
    while living_holder(home.lock) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def order(arguments: argparse.Namespace) -> int:
    """Place an order through the desk's risk gate."""
    command: dict[str, Any] = {
        "type": "Submit",
        "venue": _venue(arguments.venue),
        "symbol": unified_symbol(arguments.symbol),
        "side": arguments.side,
        "qty": _number(arguments.qty, "QTY"),
        "kind": "limit" if arguments.limit else "market",
        "reduce_only": arguments.reduce_only,
    }
    if arguments.limit:
        command["price"] = _number(arguments.limit, "--limit")
        command["tif"] = "post_only" if arguments.post_only else "gtc"
    elif arguments.post_only:
        raise UsageError("--post-only needs --limit")
    if arguments.stop:
        command["stop"] = _number(arguments.stop, "--stop")
    return _send(arguments, command)


def close(arguments: argparse.Namespace) -> int:
    """Close positions with reduce-only market orders."""
    fraction = _number(arguments.fraction, "--fraction")
    if Decimal(fraction) > 1:
        raise UsageError("--fraction is a part of the position: above 0, at most 1")
    return _send(
        arguments,
        {
            "type": "Close",
            "venue": _venue(arguments.venue) if arguments.venue else "",
            "symbol": unified_symbol(arguments.symbol) if arguments.symbol else "",
            "fraction": fraction,
        },
    )


def cancel(arguments: argparse.Namespace) -> int:
    """Cancel one order, those of a venue or symbol, or all."""
    if not (arguments.client_id or arguments.venue or arguments.symbol or arguments.all):
        raise UsageError("say what to cancel: an order's id, --venue, --symbol or --all")
    return _send(
        arguments,
        {
            "type": "Cancel",
            "client_id": arguments.client_id,
            "venue": _venue(arguments.venue) if arguments.venue else "",
            "symbol": unified_symbol(arguments.symbol) if arguments.symbol else "",
        },
    )


# --- asking ---------------------------------------------------------------------------------------


def _snapshot() -> Any:
    return ask(Home.find().socket, "GET", "/v1/snapshot")


def _send(arguments: argparse.Namespace, command: dict[str, Any]) -> int:
    command.setdefault("actor", actor())
    if command["type"] in ("Submit", "Cancel", "Close", "ResolveOrder", "AnswerSignal"):
        command["request"] = uuid.uuid4().hex[:12]
    answer = ask(Home.find().socket, "POST", "/v1/commands", command)
    ids = " ".join(answer.get("client_ids") or ())
    line = " ".join(part for part in (answer["code"], answer["detail"], ids) if part)
    reply(arguments, answer, [line])
    return 0 if answer["ok"] else SafetyRefusal.exit_code


def _confirm(arguments: argparse.Namespace, word: str) -> None:
    if arguments.yes or not sys.stdin.isatty():
        return
    snapshot = _snapshot()
    typed = input(f"{snapshot['environment']}, {snapshot['state']}: type {word} to go on: ")
    if typed.strip() != word:
        raise SafetyRefusal(f"{word} was not typed; nothing changed")


def _money(text: str | None) -> str:
    return "-" if text is None else f"{Decimal(text):,.2f}"


def _venue(text: str) -> str:
    if text.lower() not in VENUES:
        raise UsageError(f"no venue {text!r}: choose one of {', '.join(VENUES)}")
    return text.lower()


def _number(text: str, name: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 < number < LARGEST):
        raise UsageError(f"{name} must be a number above 0 and below {LARGEST:,f}, not {text!r}")
    return text
