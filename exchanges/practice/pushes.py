"""From the exchange's events to frames for those who subscribed: what the three dialects share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchanges.practice.contracts import Contract
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import (
    BookChanged,
    Filled,
    FundingSettled,
    KlineChanged,
    OrderChanged,
    PositionChanged,
    PracticeEvent,
    PublicTrade,
    Refusal,
    TickerChanged,
    WalletChanged,
)
from exchanges.practice.wire import Topics


class Pushes:
    """Listens to one venue. A dialect fills in what each event looks like on its wire."""

    def __init__(self, venue: PracticeVenue) -> None:
        self.venue = venue
        self.topics = Topics()
        self._handlers: dict[type, Callable[[Any], None]] = {
            PublicTrade: self._on_trade,
            BookChanged: self._on_book,
            TickerChanged: self._on_ticker,
            KlineChanged: self._on_kline,
            OrderChanged: self._on_order,
            Filled: self._on_fill,
            PositionChanged: self._on_position,
            WalletChanged: self._on_wallet,
            FundingSettled: self._on_funding,
        }
        venue.subscribe(self.on_event)

    def on_event(self, event: PracticeEvent) -> None:
        """Turn an event of the exchange into frames for those who subscribed."""
        self._handlers[type(event)](event)

    def _contract(self, venue_symbol: str) -> Contract | None:
        try:
            return self.venue.contract_of(venue_symbol)
        except Refusal:
            return None

    def _on_trade(self, trade: PublicTrade) -> None:
        raise NotImplementedError

    def _on_book(self, change: BookChanged) -> None:
        raise NotImplementedError

    def _on_ticker(self, event: TickerChanged) -> None:
        raise NotImplementedError

    def _on_kline(self, event: KlineChanged) -> None:
        raise NotImplementedError

    def _on_order(self, event: OrderChanged) -> None:
        raise NotImplementedError

    def _on_fill(self, event: Filled) -> None:
        raise NotImplementedError

    def _on_position(self, event: PositionChanged) -> None:
        raise NotImplementedError

    def _on_wallet(self, event: WalletChanged) -> None:
        raise NotImplementedError

    def _on_funding(self, event: FundingSettled) -> None:
        """Nothing of its own: most venues tell funding by the wallet alone."""
