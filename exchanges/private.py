"""From a venue's frame about our account to our events: what the three venues have in common.

The counterpart of ``feed.py`` for orders, fills, positions and money. Here every number is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from core.desk.ports import Sink
from core.model.instrument import Instrument
from core.model.market import BadMessage

SETTLE = "USDT"
ZERO = Decimal(0)


class Names:
    """What links a stop to the order it turned into, and an order id to our client id.

    Binance and OKX give a triggered stop a second order with an id of its own. Reports and fills
    of that child are told under the stop's client id. Only a memory: the venue is asked where it
    does not help. Binance counts orders symbol by symbol, and conditional ones apart from both.
    """

    LIMIT = 20_000

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], str] = {}
        self._stops: dict[str, str] = {}

    def link(self, symbol: str, venue_id: str, client_id: str) -> None:
        """Remember that the id of an ordinary order belongs to a client id."""
        if venue_id and client_id:
            self._clients[symbol, venue_id] = client_id
            if len(self._clients) > self.LIMIT:
                for old in list(self._clients)[: self.LIMIT // 4]:
                    del self._clients[old]

    def client(self, symbol: str, venue_id: str, default: str = "") -> str:
        """Return the client id of an ordinary order's id."""
        return self._clients.get((symbol, venue_id), default)

    def mark_stop(self, client_id: str, venue_id: str = "") -> None:
        """Remember that a client id is a stop in the venue's conditional order book."""
        if client_id:
            self._stops[client_id] = venue_id or self._stops.get(client_id, "")
            if len(self._stops) > self.LIMIT:
                for old in list(self._stops)[: self.LIMIT // 4]:
                    del self._stops[old]

    def is_stop(self, client_id: str) -> bool:
        """Whether it is known to be a stop."""
        return client_id in self._stops

    def is_child(self, symbol: str, venue_id: str) -> bool:
        """Whether an ordinary order's id is that of a triggered stop."""
        return self._clients.get((symbol, venue_id), "") in self._stops


class PrivateFeed:
    """Decodes a venue's frames about our own orders, fills, positions and money.

    Exact: numbers are read from the venue's text as Decimal. ``take`` never raises.
    """

    venue = ""

    def __init__(self, instruments: Mapping[str, Instrument], names: Names, sink: Sink) -> None:
        self.instruments = instruments
        self.names = names
        self.sink = sink
        self.bad = 0
        self.expired: Callable[[str], None] = lambda reason: None
        """Called when the venue ends the session in words rather than by closing."""

    def take(self, text: str, received: int) -> bool:
        """Decode one frame; False when it is not about the account.

        A frame that does not decode is a ``BadMessage``: what it said is found by the next sweep.
        """
        try:
            return self._route(text, received)
        except Exception as error:  # a frame must never silence the socket
            self.bad += 1
            self.sink(
                BadMessage(self.venue, "private", f"{type(error).__name__}: {error}", received)
            )
            return True

    def _route(self, text: str, received: int) -> bool:
        raise NotImplementedError


def number(text: str | None) -> Decimal:
    """Read a venue's number exactly; what is missing is 0.

    Raises:
        decimal.InvalidOperation: it is not a number.
    """
    return Decimal(text) if text else ZERO


def optional(text: str | None) -> Decimal | None:
    """Read a venue's number where 0 and nothing both mean "none"."""
    value = number(text)
    return value if value else None
