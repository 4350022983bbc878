"""What is known about a request after it was made.

ccxt's exceptions do not tell "not sent" from "unknown": a refused connection and a reset after
the order left are the same class, and a truncated reply is an order without an id and no
exception at all. So the verdict is ours, from our own record of the exchange: whether the first
byte can have left, the HTTP status, the venue's raw code. What is not proved is ``UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from msgspec import Struct

from core.model.order import Outcome


class Reply(Struct):
    """Our record of one request."""

    sent: bool = False
    """Whether its first byte can have left this machine. False is proof that it did not."""
    status: int | None = None
    """HTTP status; None when no complete reply came."""
    headers: dict[str, str] = {}
    body: str = ""
    fault: str = ""
    """A transport word when no reply came: ``timeout``, ``refused``, ``reset``, ``budget`` …"""
    wait: float = 0.0
    """Seconds until it is worth trying again, where the budget refused."""
    seconds: float = 0.0
    """Round trip."""

    @property
    def answered(self) -> bool:
        """Whether a complete HTTP reply came."""
        return self.status is not None


class Answer(Struct, frozen=True):
    """A venue's verdict as its own reply format states it."""

    code: str
    """The venue's raw code; ``0`` or empty when it accepted."""
    text: str = ""
    venue_id: str = ""


class Verdict(Struct, frozen=True):
    """The outcome of an order request, with the evidence."""

    outcome: Outcome
    code: str = ""
    reason: str = ""
    venue_id: str = ""


def judge(
    reply: Reply,
    read: Callable[[str], Answer],
    refusals: Collection[str],
    *,
    needs_id: bool = True,
) -> Verdict:
    """Classify a submit or cancel request.

    Args:
        reply: what happened on the wire.
        read: parses the venue's body into an ``Answer``; raises when it is not one.
        refusals: the venue's codes that prove that it did not and will not act.
        needs_id: an acceptance without an order id is UNKNOWN (a submit) or fine (a cancel).
    """
    if not reply.answered:
        outcome = Outcome.UNKNOWN if reply.sent else Outcome.NOT_SENT
        return Verdict(outcome, reply.fault or "no reply", reply.fault)
    status = reply.status or 0
    try:
        answer = read(reply.body)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError):
        if status == 429 or status == 418:
            return Verdict(Outcome.REJECTED, f"http {status}", "rate limit")
        if status == 403 and "too frequent" in reply.body:
            return Verdict(Outcome.REJECTED, "http 403", "rate limit")
        return Verdict(Outcome.UNKNOWN, f"http {status}", f"unreadable reply: {reply.body[:120]!r}")
    if answer.code in ("", "0"):
        if status >= 300:
            return Verdict(Outcome.UNKNOWN, f"http {status}", answer.text)
        if needs_id and not answer.venue_id:
            return Verdict(Outcome.UNKNOWN, "no id", "the venue accepted without an order id")
        return Verdict(Outcome.ACCEPTED, "", answer.text, answer.venue_id)
    if answer.code in refusals and status < 500:
        return Verdict(Outcome.REJECTED, answer.code, answer.text)
    if status in (418, 429):
        return Verdict(Outcome.REJECTED, answer.code, answer.text)
    return Verdict(Outcome.UNKNOWN, answer.code, answer.text)


def codes(*spans: int | tuple[int, int]) -> frozenset[str]:
    """Return codes as text from single numbers and inclusive spans."""
    numbers: set[int] = set()
    for span in spans:
        if isinstance(span, int):
            numbers.add(span)
        else:
            numbers.update(range(span[0], span[1] + 1))
    return frozenset(map(str, numbers))
