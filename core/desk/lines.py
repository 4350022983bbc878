"""What happened, one line each, in plain words: for the log pane, headless output and the log file.

Lines come from effects, not from raw events: the engine has already dropped what was heard twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.clock import Clock
from core.model.account import FundingPaid
from core.model.effect import Effect, Notify, Record, RiskEvent, Signalled, StateChanged
from core.model.event import (
    Event,
    FeedChanged,
    FeedState,
    KillReported,
    VenueOpened,
)
from core.model.instrument import short_symbol
from core.model.order import CancelSent, Fill, Order, OrderReport, OrderSent, OrderStatus, Outcome
from core.model.record import (
    Intent,
    Resolved,
    SignalAnswered,
    SignalHeld,
    StopMoved,
    SymbolFrozen,
    VenueBaseline,
)
from core.model.snapshot import LogView

KEPT = 200
"""Lines in the ring; a snapshot carries the last of them."""

Reader = Callable[[LogView], None]


class Lines:
    """The ring of log lines, and those who read along.

    Args:
        clock: stamps lines that come without a time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ring: deque[LogView] = deque(maxlen=KEPT)
        self._readers: list[Reader] = []
        self._seq = 0

    def subscribe(self, reader: Reader) -> Callable[[], None]:
        """Call ``reader`` with each new line, on the loop; return how to stop that."""
        self._readers.append(reader)
        return lambda: self._readers.remove(reader)

    def last(self, count: int) -> tuple[LogView, ...]:
        """Return the newest lines, oldest first."""
        ring = self._ring
        return tuple(ring)[-count:] if count < len(ring) else tuple(ring)

    def add(self, kind: str, text: str, level: str = "info", ts: int = 0) -> None:
        """Add a line.

        Args:
            kind: see ``LogView.kind``.
            text: one line, for a person; line breaks become spaces.
            level: info, warning or alarm.
            ts: nanoseconds UTC; now when 0.
        """
        self._seq += 1
        line = LogView(self._seq, ts or self._clock.now(), level, kind, " ".join(text.split()))
        self._ring.append(line)
        for reader in tuple(self._readers):
            reader(line)

    def event(self, event: Event) -> None:
        """Add the line of an event that no effect tells of; most have none."""
        write = _EVENTS.get(type(event))
        if write is not None:
            write(self, event)

    def effect(self, effect: Effect) -> None:
        """Add the line of an effect, if it has one."""
        write = _EFFECTS.get(type(effect))
        if write is not None:
            write(self, effect)

    # --- effects ------------------------------------------------------------------------------

    def _record(self, effect: Record) -> None:
        write = _RECORDS.get(type(effect.record))
        if write is not None:
            write(self, effect.record)

    def _intent(self, record: Intent) -> None:
        order = record.order
        why = " ".join(part for part in (order.purpose.value, order.strategy) if part)
        self.add("order", f"{_place(order)} {order_text(order)} ({why})", ts=order.created)

    def _sent(self, record: OrderSent) -> None:
        if record.outcome is Outcome.ACCEPTED:
            return
        word = {
            Outcome.REJECTED: "refused by the venue",
            Outcome.UNKNOWN: "outcome unknown; asking the venue",
            Outcome.NOT_SENT: "not sent",
        }[record.outcome]
        reason = _why(record.code, record.reason)
        self.add(
            "order",
            f"{_place(record)} order {record.client_id} {word}{reason}",
            "warning",
            record.received,
        )

    def _report(self, record: OrderReport) -> None:
        if record.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED):
            what = f"{record.side.value} {number(record.qty)} {record.kind.value}"
            done = f" after {number(record.filled)} filled" if record.filled else ""
            self.add(
                "order",
                f"{_place(record)} {what} {record.status.value}{done}{_why(record.reason)}",
                "warning" if record.status is OrderStatus.REJECTED else "info",
                record.received,
            )

    def _stop_moved(self, record: StopMoved) -> None:
        text = f"{_place(record)} stop moves to {number(record.price)} (by {record.actor})"
        self.add("order", text, "info", record.ts)

    def _held(self, record: SignalHeld) -> None:
        order = record.order
        seconds = (record.expires - order.created) / 1e9
        text = f"{_place(order)} {order_text(order)} waits {seconds:.0f} s for a person's approval"
        self.add("signal", text, "warning", order.created)

    def _frozen(self, record: SymbolFrozen) -> None:
        said = f"frozen: {record.reason}" if record.reason else "is no longer frozen"
        level = "alarm" if record.reason else "info"
        self.add("risk", f"{_place(record)} {said}", level, record.ts)

    def _answered(self, record: SignalAnswered) -> None:
        text = f"{_place(record)} entry {record.verdict} (by {record.actor})"
        self.add("signal", text, "info", record.ts)

    def _resolved(self, record: Resolved) -> None:
        text = f"{_place(record)} order {record.client_id} {record.status.value}: {record.evidence}"
        self.add("order", text, "warning", record.ts)

    def _fill(self, record: Fill) -> None:
        fee = f"fee {number(record.fee)}" if record.fee >= 0 else f"rebate {number(-record.fee)}"
        text = (
            f"{_place(record)} {record.side.value} {number(record.qty)} filled at "
            f"{number(record.price)}, {fee}"
        )
        self.add("fill", text, ts=record.received)

    def _funding(self, record: FundingPaid) -> None:
        word = "received" if record.amount >= 0 else "paid"
        text = f"{_place(record)} funding {word} {number(abs(record.amount))}"
        self.add("fill", text, ts=record.received)

    def _baseline(self, record: VenueBaseline) -> None:
        text = (
            f"{record.venue} account {record.account} counts from {number(record.balance)} USDT"
            + (f" and {len(record.positions)} positions" if record.positions else "")
        )
        self.add("venue", text)

    def _signal(self, effect: Signalled) -> None:
        word = {1: "long", -1: "short"}.get(effect.target, "flat")
        text = f"{_place(effect)} {effect.strategy} wants {word}: {effect.reason}"
        self.add("signal", text, ts=effect.ts)

    def _risk(self, effect: RiskEvent) -> None:
        place = _place(effect) if effect.symbol else effect.venue
        text = f"{place} {effect.code}: {effect.detail}".strip()
        self.add("risk", text, "warning", effect.ts)

    def _state(self, effect: StateChanged) -> None:
        level = "alarm" if effect.state.value == "halted" else "info"
        text = f"{effect.state.value.upper()}: {effect.cause} (by {effect.actor})"
        self.add("state", text, level)

    def _notify(self, effect: Notify) -> None:
        self.add("info", effect.text, effect.level, effect.ts)

    # --- events -------------------------------------------------------------------------------

    def _opened(self, event: VenueOpened) -> None:
        text = (
            f"{event.venue} connected, {len(event.instruments)} instruments, "
            f"clock {event.clock_offset_ms:+.0f} ms"
        )
        self.add("venue", text, ts=event.received)

    def _feed(self, event: FeedChanged) -> None:
        level = "info" if event.state is FeedState.UP else "warning"
        text = f"{event.venue} {event.channel} {event.state.value}{_why(event.reason)}"
        self.add("venue", text, level, event.received)

    def _cancel(self, event: CancelSent) -> None:
        if event.outcome in (Outcome.REJECTED, Outcome.UNKNOWN):
            text = (
                f"{_place(event)} cancel of {event.client_id} {event.outcome.value}"
                f"{_why(event.code, event.reason)}"
            )
            self.add("order", text, "warning", event.received)

    def _kill(self, event: KillReported) -> None:
        good = event.verdict not in ("INCOMPLETE", "BLIND")
        text = (
            f"{event.venue} {event.verdict} in {event.seconds:.2f} s: {event.orders_cancelled} "
            f"orders cancelled, {event.positions_closed} positions closed{_why(event.detail)}"
        )
        self.add("kill", text, "info" if good else "alarm", event.received)


_EFFECTS: dict[type, Callable[[Lines, Any], None]] = {
    Record: Lines._record,
    Signalled: Lines._signal,
    RiskEvent: Lines._risk,
    StateChanged: Lines._state,
    Notify: Lines._notify,
}
_RECORDS: dict[type, Callable[[Lines, Any], None]] = {
    Intent: Lines._intent,
    OrderSent: Lines._sent,
    OrderReport: Lines._report,
    Resolved: Lines._resolved,
    Fill: Lines._fill,
    FundingPaid: Lines._funding,
    VenueBaseline: Lines._baseline,
    StopMoved: Lines._stop_moved,
    SymbolFrozen: Lines._frozen,
    SignalHeld: Lines._held,
    SignalAnswered: Lines._answered,
}
_EVENTS: dict[type, Callable[[Lines, Any], None]] = {
    VenueOpened: Lines._opened,
    FeedChanged: Lines._feed,
    CancelSent: Lines._cancel,
    KillReported: Lines._kill,
}


def number(value: Decimal) -> str:
    """Write a number for a person: thousands separated, no trailing zeros, no exponent."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_text(order: Order) -> str:
    """Write what an order asks for: ``buy 0.033 market``, ``sell 1 stop at 60,000``."""
    price = order.price if order.price is not None else order.trigger
    at = f" at {number(price)}" if price is not None else ""
    tif = "" if order.tif.value == "gtc" else f" {order.tif.value}"
    return f"{order.side.value} {number(order.qty)} {order.kind.value}{tif}{at}"


def _place(of: Any) -> str:
    return f"{of.venue} {short_symbol(of.symbol)}"


def _why(*parts: str) -> str:
    text = " ".join(part for part in parts if part)
    return f": {text}" if text else ""
