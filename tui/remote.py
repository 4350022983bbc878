"""Commands that ask the running desk: status, orders, arming. The kill cord is in ``cord``."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from decimal import Decimal, InvalidOperation
from typing import Any

from core.errors import SafetyRefusal, UsageError
from core.home import Home
from core.model.instrument import VENUES, short_symbol, unified_symbol
from tui.control import ask
from tui.cord import actor


def status(arguments: argparse.Namespace) -> int:
    """Print how the desk is."""
    snapshot = _snapshot()
    if arguments.json:
        return _print_json(snapshot)
    s = snapshot
    lines = [
        f"{s['environment']}  {s['state'].upper()}  {s['cause']}",
        f"market    {s['market']}",
        f"equity    {_money(s['equity'])} USDT   day {_money(s['day_pnl'])}"
        f"   peak {_money(s['peak'])}",
    ]
    lines += [
        f"{v['venue']:9} {v['state']:12} equity {_money(v['equity']):>14}  orders {v['orders']:>4}"
        f"  fills {v['fills']:>4}  {v['reason']}"
        for v in s["venues"]
    ]
    if guard := s["guard"]:
        lines.append(f"guard     {guard['state']}  {guard['detail']}".rstrip())
    lines.append(
        f"open positions {len(s['positions'])}, unknown orders {s['unknown_orders']},"
        f" discrepancies {s['discrepancies']}, refusals {s['refusals']}"
    )
    if s.get("learning"):
        # The views import more than a status should cost where there is no model.
        import msgspec

        from core.model.learning import LearningView
        from tui.views.learning import learning_lines

        learning = msgspec.convert(s["learning"], LearningView)
        lines += [f"model     {line}" for line in learning_lines(learning, s["ts"])]
    return _print_text(lines)


def positions(arguments: argparse.Namespace) -> int:
    """Print open positions."""
    rows = _snapshot()["positions"]
    if arguments.json:
        return _print_json(rows)
    head = f"{'venue':9} {'symbol':7} {'qty':>14} {'entry':>14} {'unrealised':>12} {'stop':>14}"
    return _print_text(
        [head]
        + [
            f"{r['venue']:9} {short_symbol(r['symbol']):7} {r['qty']:>14} {r['entry']:>14}"
            f" {_money(r['unrealised']):>12} {r['stop'] or 'NONE':>14}"
            for r in rows
        ]
        if rows
        else ["no open positions"]
    )


def orders(arguments: argparse.Namespace) -> int:
    """Print orders, or one of them whole; or end one that no venue's word resolves."""
    if arguments.what == "resolve":
        return _resolve(arguments)
    rows = _snapshot()["orders"]
    if arguments.what == "show":
        rows = [row for row in rows if row["client_id"] == arguments.client_id]
        if not rows:
            raise UsageError(f"no order {arguments.client_id!r} among the recent ones")
        return (
            _print_json(rows[0])
            if arguments.json
            else _print_text([f"{key:12} {value}" for key, value in rows[0].items()])
        )
    if arguments.json:
        return _print_json(rows)
    return _print_text(
        [
            f"{r['client_id']:26}{r['venue']:9}{short_symbol(r['symbol']):7}{r['side']:5}"
            f"{r['kind']:7}{r['filled']:>10}/{r['qty']:<10}"
            f"{r['price'] or r['trigger'] or 'market':>12}  {r['status']}"
            for r in rows
        ]
        or ["no orders"]
    )


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
        if arguments.json:
            return _print_json(rows)
        return _print_text(
            [
                f"{r['client_id']:26}{r['venue']:9}{short_symbol(r['symbol']):7}{r['side']:5}"
                f"{r['qty']:>10} at about {r['price']:<12}{r['strategy']}: {r['reason']}"
                for r in rows
            ]
            or ["nothing waits for an answer"]
        )
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
    """End the desk, and say what it leaves at the venues that nobody watches then."""
    from core.model.order import OrderStatus

    resting = [
        row["client_id"]
        for row in _snapshot()["orders"]
        if not (row["reduce_only"] or row["foreign"] or OrderStatus(row["status"]).terminal)
    ]
    answer = ask(Home.find().socket, "POST", "/v1/stop")
    if arguments.json:
        return _print_json({**answer, "resting": resting})
    lines = ["the desk is stopping"]
    if resting:
        lines.append(
            f"entries that stay at the venues: {len(resting)}; nobody places a stop when they fill."
            " Another time `killcord cancel --all` first"
        )
    return _print_text(lines)


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
    if arguments.json:
        _print_json(answer)
    else:
        ids = " ".join(answer.get("client_ids") or ())
        _print_text([" ".join(part for part in (answer["code"], answer["detail"], ids) if part)])
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
    if not (number.is_finite() and number > 0):
        raise UsageError(f"{name} must be a number above 0, not {text!r}")
    return text


def _print_json(value: object) -> int:
    sys.stdout.write(json.dumps(value) + "\n")
    return 0


def _print_text(lines: list[str]) -> int:
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
