"""One venue of the practice exchange. No HTTP and no dialect.

In layers, each knowing those before it: ``board`` (public data), ``floor`` (matching), ``ordering``
(requests), and here money and time: accounts, positions, funding, liquidation, countdowns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from core.matching.book import BookOrder
from core.model.market import Side
from core.model.order import OrderKind
from exchanges.practice.accounts import Trader, span
from exchanges.practice.clock import FundingClock
from exchanges.practice.contracts import Contract
from exchanges.practice.ordering import OrderEntry
from exchanges.practice.state import (
    ZERO,
    Cause,
    Credential,
    FundingPayment,
    FundingSettled,
    OrderRequest,
    PositionChanged,
    PositionState,
    PracticeOrder,
    Refusal,
    RefusalKind,
    WalletChanged,
    WalletState,
)
from exchanges.practice.tape import PublicHistory


class PracticeVenue(OrderEntry):
    """One venue. Every method is synchronous, on one thread; events go to the listeners.

    Symbols are unified (``BTC/USDT:USDT``). Methods that take ``account`` raise KeyError for an
    account that no key has. All the methods that raise ``Refusal`` leave nothing changed.

    Args:
        name: bybit, binance or okx.
        contracts: what is listed, by unified symbol.
        history: the instruments' past.
        funding: when funding is settled.
        clock: venue milliseconds.

    Attributes:
        rules: what this venue does differently.
        instruments: unified symbol to the core's instrument.
        api_keys: API key to credential.
        tapes: public market data by unified symbol; the market writes into their books.
    """

    def __init__(
        self,
        name: str,
        contracts: Mapping[str, Contract],
        history: PublicHistory,
        funding: FundingClock,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(name, contracts, history, funding, clock)
        self.api_keys: dict[str, Credential] = {}
        self._next_second = 0
        self._opening: dict[str, Decimal] = {}

    def add_account(
        self, uid: str, balance: Decimal, api_key: str, secret: str, passphrase: str = ""
    ) -> None:
        """Open an account, or give an open one another key."""
        if uid not in self._traders:
            self._traders[uid] = Trader(uid, balance)
            self._opening[uid] = balance
        self.api_keys[api_key] = Credential(secret, passphrase, uid)

    def counts(self) -> dict[str, int]:
        """Return how much happened here: orders, fills, open orders and open positions."""
        traders = self._traders.values()
        return {
            "orders": sum(trader.placed for trader in traders),
            "fills": sum(trader.filled for trader in traders),
            "open_orders": sum(len(trader.open) for trader in traders),
            "open_positions": sum(
                1 for t in traders for holding in t.margin.holdings.values() if holding.qty
            ),
            "funding_payments": sum(len(trader.payments) for trader in traders),
        }

    def books(self) -> dict[str, Any]:
        """Return the venue's own truth, to compare a client's books with: see ``/practice/books``.

        Positions are signed base units, the balance is cash without unrealised P&L, duplicates
        are client ids that more than one order carried.
        """
        traders = self._traders.values()
        placed = [order.client_id for trader in traders for order in trader.orders()]
        counts = Counter(client_id for client_id in placed if client_id)
        return {
            "positions": {
                symbol: str(holding.qty)
                for trader in traders
                for symbol, holding in trader.margin.holdings.items()
                if holding.qty
            },
            "balance": str(sum((trader.margin.balance for trader in traders), ZERO)),
            "open": [
                {
                    "client_id": order.client_id,
                    "symbol": order.symbol,
                    "side": order.side.value,
                    "qty": str(order.qty),
                    "kind": order.kind.value,
                }
                for trader in traders
                for order in trader.open.values()
            ],
            "orders": sum(trader.placed for trader in traders),
            "fills": sum(trader.filled for trader in traders),
            "duplicates": [client_id for client_id, count in counts.items() if count > 1],
        }

    def positions(self, account: str, symbol: str | None = None) -> list[PositionState]:
        """Return positions that are not flat; for a named symbol its position even when flat."""
        trader = self._traders[account]
        if symbol is not None:
            self._holding(trader, self._tape(symbol))
            return [self._position(trader, symbol)]
        return [
            self._position(trader, name)
            for name, holding in trader.margin.holdings.items()
            if holding.qty
        ]

    def wallet(self, account: str) -> WalletState:
        """Return the money of an account."""
        return self._traders[account].wallet()

    def funding_payments(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        limit: int = 500,
    ) -> list[FundingPayment]:
        """Return funding settlements, oldest first; which ``limit`` of them as in ``fills``."""
        rows = span(self._traders[account].payments, since_ms, until_ms)
        rows = [row for row in rows if symbol in (None, row.symbol)]
        return rows[:limit] if since_ms else rows[-limit:]

    def leverage(self, account: str, symbol: str) -> Decimal:
        """Return the leverage set for a symbol; 10 until set."""
        return self._holding(self._traders[account], self._tape(symbol)).leverage

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol.

        Raises:
            Refusal: BAD_LEVERAGE, UNCHANGED, INSUFFICIENT_MARGIN.
        """
        trader = self._traders[account]
        tape = self._tape(symbol)
        holding = self._holding(trader, tape)
        most = tape.contract.instrument.max_leverage
        if not 1 <= leverage <= most:
            raise Refusal(RefusalKind.BAD_LEVERAGE, f"leverage {leverage} is not in 1 to {most}")
        if leverage == holding.leverage:
            raise Refusal(RefusalKind.UNCHANGED, f"leverage is {leverage} already")
        before, holding.leverage = holding.leverage, leverage
        if trader.margin.equity < trader.margin.margin and leverage < before:
            holding.leverage = before
            raise Refusal(RefusalKind.INSUFFICIENT_MARGIN, f"leverage {leverage} needs more margin")
        self._outbox.append(PositionChanged(account, self._position(trader, symbol), "leverage"))
        self._deliver()

    def wipe(self) -> None:
        """Start every account again with the balance it began with, as test networks do.

        Working orders are announced as cancelled; positions and fills are simply not there any
        more, and nothing says so.
        """
        for uid, trader in list(self._traders.items()):
            self._withdraw_all(trader, None, None, Cause.USER)
            self._traders[uid] = Trader(uid, self._opening[uid])

    def change_rules(self, match: str, times: int, least: int) -> None:
        """Change what is asked of orders in each symbol that contains ``match``; told to nobody.

        Args:
            times: price and quantity steps, in those the market began with.
            least: smallest value of an order, USDT; 0 leaves it as it is.
        """
        for symbol, contract in self.contracts.items():
            if match in symbol:
                contract.change_rules(times, least)

    # --- time

    def arm_countdown(
        self, account: str, ms: int, symbol: str | None = None, tag: str | None = None
    ) -> int:
        """Cancel all orders (of a symbol, or with a tag) ``ms`` after the last call; 0 disarms.

        Conditional orders go too on Bybit, which says so. Binance and OKX keep them in a service of
        its own, and their documentation names ordinary orders only: there they stay.

        Returns:
            Venue milliseconds at which it fires; 0 when disarmed.
        """
        trader = self._traders[account]
        if symbol is not None:
            self._tape(symbol)
        if ms <= 0:
            trader.countdowns.pop((symbol, tag), None)
            return 0
        fires = trader.countdowns[symbol, tag] = self._clock() + ms
        return fires

    def tick(self) -> None:
        """Do what is due: countdowns at once, money and public facts once a second."""
        now = self._clock()
        for trader in self._traders.values():
            for (symbol, tag), due in list(trader.countdowns.items()):
                if now >= due:
                    del trader.countdowns[symbol, tag]
                    conditional = None if self.name == "bybit" else False
                    self._withdraw_all(trader, symbol, conditional, Cause.COUNTDOWN, tag)
        if now >= self._next_second:
            self._next_second = now - now % 1000 + 1000
            for interval in self._funding.due(now):
                self._settle_funding(interval)
            for trader in self._traders.values():
                if trader.margin.doomed:
                    self._liquidate(trader)
        self._publish_facts(now)

    def _settle_funding(self, interval: int) -> None:
        now = self._clock()
        for trader in self._traders.values():
            for symbol, holding in trader.margin.holdings.items():
                if not holding.qty:
                    continue
                rate = self._rate(symbol, interval)
                amount = trader.margin.fund(symbol, rate)
                self._trade_number += 1
                payment = FundingPayment(
                    payment_id=self._name("funding", self._trade_number),
                    account=trader.uid,
                    symbol=symbol,
                    amount=amount,
                    rate=rate,
                    qty=holding.qty,
                    mark=holding.mark,
                    ts_ms=now,
                )
                trader.payments.append(payment)
                trader.wallet_ms = now
                self._outbox.append(FundingSettled(payment))
                self._outbox.append(WalletChanged(trader.uid, trader.wallet(), amount, "funding"))

    def _liquidate(self, trader: Trader) -> None:
        """Cancel everything, then close every position at what the book gives."""
        self._withdraw_all(trader, None, None, Cause.LIQUIDATION)
        if not trader.margin.doomed:
            return
        for symbol, holding in list(trader.margin.holdings.items()):
            if not holding.qty:
                continue
            side = Side.SELL if holding.qty > 0 else Side.BUY
            order = self._make(
                trader,
                OrderRequest(
                    symbol=symbol, side=side, kind=OrderKind.MARKET, qty=abs(holding.qty),
                    reduce_only=True,
                ),
            )  # fmt: skip
            order.liquidation = True
            self._accept(trader, order)
            self._match(trader, order)
            if holding.qty:
                self._absorb(trader, order)
        if trader.margin.balance < 0:  # the insurance fund bears what is beyond the account
            delta = -trader.margin.balance
            trader.margin.balance = ZERO
            self._outbox.append(WalletChanged(trader.uid, trader.wallet(), delta, "liquidation"))
        self._settle()

    def _absorb(self, trader: Trader, order: PracticeOrder) -> None:
        """Close at the mark what the book could not take: the insurance fund is the other side."""
        tape = self.tapes[order.symbol]
        holding = trader.margin.holdings[order.symbol]
        tick = round(tape.mark / tape.contract.tick_size)
        lots = int(abs(holding.qty) / tape.contract.lot)
        entry = BookOrder(order.number, trader.uid, order.side.sign, 0, tick)
        self._live[order.number] = (trader, order)
        self._book_fill(order.symbol, entry, tick, lots, False)
