"""What happened to each order, as records: kept for a while, put into words when asked."""

from __future__ import annotations

from core.desk.lines import number
from core.model.order import Fill, OrderReport, OrderSent
from core.model.record import Intent, JournalRecord, Resolved
from core.model.why import Happening

KEPT = 400
"""Orders remembered."""
MOST = 40
"""Records kept of one order."""


class Trails:
    """The records of the last orders."""

    def __init__(self) -> None:
        self._kept: dict[str, list[JournalRecord]] = {}

    def add(self, record: JournalRecord) -> None:
        """Take a record that may belong to an order."""
        if type(record) is Intent:
            self._kept[record.order.client_id] = [record]
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        elif isinstance(record, OrderSent | OrderReport | Fill | Resolved):
            trail = self._kept.get(record.client_id)
            if trail is not None and len(trail) < MOST:
                trail.append(record)

    def of(self, client_id: str) -> tuple[Happening, ...]:
        """Return what happened to an order, oldest first."""
        return tuple(_tell(record) for record in self._kept.get(client_id, ()))


def _tell(record: JournalRecord) -> Happening:
    if isinstance(record, Intent):
        return Happening(record.order.created, "decided, written to the journal, sent")
    if isinstance(record, OrderSent):
        words = (record.outcome.value, record.code, record.reason)
        return Happening(record.received, "reply: " + " ".join(word for word in words if word))
    if isinstance(record, OrderReport):
        text = f"{record.source}: {record.status.value}, {number(record.filled)} filled"
        return Happening(record.received, f"{text} {record.reason}".rstrip())
    if isinstance(record, Fill):
        side = "maker" if record.maker else "taker"
        text = f"fill {number(record.qty)} at {number(record.price)}, fee {number(record.fee)}"
        return Happening(record.received, f"{text} ({side})")
    assert isinstance(record, Resolved)
    return Happening(record.ts, f"resolved: {record.status.value}, {record.evidence}")
