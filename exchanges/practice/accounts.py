"""What one account has at a practice venue: its orders by every id, fills, funding, timers."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from core.matching.account import Account
from exchanges.practice.state import (
    ZERO,
    FundingPayment,
    PracticeFill,
    PracticeOrder,
    WalletState,
)

ORDERS_KEPT = 20_000
FILLS_KEPT = 50_000


class Trader:
    """One account. Orders and fills are kept in the order they came, the oldest dropped in time.

    Attributes:
        uid: the venue's own account id.
        margin: cash and positions.
        open: working orders by number, conditional ones included.
        countdowns: symbol and tag (None for all) to the venue millisecond that cancels those.
        moved: symbols whose position changed in the running operation, and why.
        delta: cash change of the running operation.
    """

    def __init__(self, uid: str, balance: Decimal) -> None:
        self.uid = uid
        self.margin = Account(balance)
        self.open: dict[int, PracticeOrder] = {}
        self.fills: list[PracticeFill] = []
        self.payments: list[FundingPayment] = []
        self.countdowns: dict[tuple[str | None, str | None], int] = {}
        self.opened_ms: dict[str, int] = {}
        self.updated_ms: dict[str, int] = {}
        self.wallet_ms = 0
        self.moved: dict[str, str] = {}
        self.delta = ZERO
        self.placed = 0
        self.filled = 0
        self._orders: dict[int, PracticeOrder] = {}
        self._by_id: dict[str, PracticeOrder] = {}
        self._by_client: dict[str, PracticeOrder] = {}

    def add(self, order: PracticeOrder) -> None:
        """Keep a new order."""
        self.placed += 1
        self._orders[order.number] = order
        self._by_id[order.order_id] = order
        if order.client_id:
            self._by_client[order.client_id] = order
        self.open[order.number] = order
        if len(self._orders) > ORDERS_KEPT:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        for number, order in list(self._orders.items())[: ORDERS_KEPT // 10]:
            if order.done:
                del self._orders[number]
                del self._by_id[order.order_id]
                if self._by_client.get(order.client_id) is order:
                    del self._by_client[order.client_id]

    def add_fill(self, fill: PracticeFill) -> None:
        """Keep a fill."""
        self.filled += 1
        self.fills.append(fill)
        if len(self.fills) > FILLS_KEPT:
            del self.fills[: FILLS_KEPT // 10]

    def find(
        self,
        symbol: str | None,
        order_id: str,
        client_id: str,
        conditional: bool | None = None,
    ) -> PracticeOrder | None:
        """Return an order, open or done."""
        order = self._by_id.get(order_id) if order_id else self._by_client.get(client_id)
        if order is None or (symbol is not None and order.symbol != symbol):
            return None
        if conditional is not None and order.conditional is not conditional:
            return None
        return order

    def orders(self) -> Iterable[PracticeOrder]:
        """Return all kept orders, oldest first."""
        return self._orders.values()

    def counts(self, symbol: str) -> tuple[int, int]:
        """Return how many plain and conditional orders of a symbol work."""
        stops = sum(1 for o in self.open.values() if o.symbol == symbol and o.conditional)
        return sum(1 for o in self.open.values() if o.symbol == symbol) - stops, stops

    def wallet(self) -> WalletState:
        """Return the money."""
        margin = self.margin
        held = margin.position_margin
        return WalletState(
            balance=margin.balance,
            equity=margin.equity,
            unrealised=margin.unrealised,
            position_margin=held,
            order_margin=margin.margin - held,
            maintenance_margin=margin.maintenance,
            available=margin.available,
            updated_ms=self.wallet_ms,
        )


def clone(order: PracticeOrder) -> PracticeOrder:
    """Return a copy that the exchange will not change any more."""
    return copy.copy(order)


Row = TypeVar("Row", PracticeFill, FundingPayment)


def span(rows: list[Row], since_ms: int, until_ms: int | None) -> list[Row]:
    """Return the rows of a span; rows are in time order."""
    begin = bisect_left(rows, since_ms, key=lambda row: row.ts_ms)
    end = (
        len(rows)
        if until_ms is None
        else bisect_left(rows, until_ms + 1, key=lambda row: row.ts_ms)
    )
    return rows[begin:end]
