"""One practice venue on a clock that the test turns, with a book that the test fills."""

from __future__ import annotations

from decimal import Decimal

from core.model.market import Side
from core.model.order import OrderKind, TimeInForce
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import list_contracts
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.state import OrderRequest, PracticeEvent, PracticeOrder
from exchanges.practice.tape import CandleHistory, IndexHistory

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
START_MS = 1_795_246_500_000  # 2026-11-21 07:35:00 UTC, 25 minutes before a funding settlement
D = Decimal


class NoPast:
    """A market without a past, with one funding rate."""

    def __init__(self, rate: Decimal = Decimal("0.0001")) -> None:
        self.rate = rate

    def candles(self, venue: str, symbol: str) -> CandleHistory:
        return CandleHistory.empty()

    last_minute = hours = candles

    def index(self, venue: str, symbol: str) -> IndexHistory:
        return IndexHistory.empty()

    def trades(self, venue: str, symbol: str) -> list[tuple[int, int, int, int]]:
        return []

    def funding_rate(self, venue: str, symbol: str, interval: int) -> Decimal:
        return self.rate


class Floor:
    """A venue with BTC at 100,000.0 / 100,000.1 and an account ``me``."""

    def __init__(self, name: str = "binance", balance: int = 10_000, speed: float = 1.0) -> None:
        self.now = START_MS
        contracts = {s: c for s, c in list_contracts(name).items() if s in (BTC, ETH)}
        self.venue = PracticeVenue(
            name, contracts, NoPast(), FundingClock(START_MS, speed), lambda: self.now
        )
        self.venue.add_account("me", D(balance), "key", "secret")
        self.events: list[PracticeEvent] = []
        self.venue.subscribe(self.events.append)
        self.mark(100_000.0)
        self.venue.set_mark(ETH, 4_000.0, 4_000.0)
        self.quote(1_000_000)

    def quote(self, bid: int, levels: int = 5, lots: int = 1000) -> None:
        """Put levels of one BTC each, one tick apart."""
        book = self.venue.tapes[BTC].book
        for sign in (1, -1):
            for tick, _ in book.levels(sign, 1000):
                book.set_level(sign, tick, 0)
        for place in range(levels):
            book.set_level(1, bid - place, lots)
            book.set_level(-1, bid + 1 + place, lots)
        self.venue.publish(BTC)

    def mark(self, price: float) -> None:
        self.venue.set_mark(BTC, price, price)

    def of(self, kind: type) -> list[PracticeEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def order(
        self, side: Side, qty: str, price: str | None = None, **more: object
    ) -> PracticeOrder:
        return self.venue.submit("me", ask(side, qty, price, **more))


def ask(side: Side, qty: str, price: str | None = None, **more: object) -> OrderRequest:
    """Make a request for BTC; a price makes it a limit order."""
    settings: dict[str, object] = {
        "symbol": BTC,
        "tif": TimeInForce.GTC,
        "kind": OrderKind.MARKET if price is None else OrderKind.LIMIT,
        "price": None if price is None else D(price),
    }
    return OrderRequest(side=side, qty=D(qty), **(settings | more))  # type: ignore[arg-type]
