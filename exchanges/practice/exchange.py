"""One venue of the practice exchange: accounts, orders, market data. No HTTP and no dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from core.model.instrument import Instrument
from exchanges.practice.contracts import Contract, Rules
from exchanges.practice.state import (
    Credential,
    DepthSnapshot,
    FundingPayment,
    Kline,
    OrderRequest,
    PositionState,
    PracticeEvent,
    PracticeFill,
    PracticeOrder,
    PublicTrade,
    TickerState,
    WalletState,
)

Listener = Callable[[PracticeEvent], None]
"""Called synchronously, in order, possibly before the request that caused it has returned."""


class PracticeVenue:
    """One venue. Every method is synchronous, on one thread; events go to the listeners.

    Symbols are unified (``BTC/USDT:USDT``). Methods that take ``account`` raise KeyError for an
    account that no key has. All the methods that raise ``Refusal`` leave nothing changed.

    Attributes:
        name: bybit, binance or okx.
        rules: what this venue does differently.
        contracts: unified symbol to contract (grid, texts, OKX contract size).
        instruments: unified symbol to the core's instrument.
        api_keys: API key to credential.
    """

    name: str
    rules: Rules
    contracts: dict[str, Contract]
    instruments: dict[str, Instrument]
    api_keys: dict[str, Credential]

    # --- clock, names, listeners

    def now_ms(self) -> int:
        """Return the venue's clock, milliseconds UTC; it is wall time at every ``--speed``."""
        raise NotImplementedError

    def contract_of(self, venue_symbol: str) -> Contract:
        """Return the contract by the venue's own symbol.

        Raises:
            Refusal: BAD_SYMBOL.
        """
        raise NotImplementedError

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have every event of this venue given to ``listener``; returns the way to stop that."""
        raise NotImplementedError

    # --- orders

    def submit(self, account: str, request: OrderRequest) -> PracticeOrder:
        """Place an order; returns a copy of how it stands now, which may already be done.

        Events of it are emitted before this returns. Post-only that would cross is refused only on
        Binance; elsewhere the order is returned CANCELLED with cause POST_ONLY.

        Raises:
            Refusal: any kind but UNKNOWN_ORDER and ALREADY_DONE.
        """
        raise NotImplementedError

    def check(self, account: str, request: OrderRequest) -> None:
        """Do all the checks of ``submit`` and place nothing (Binance ``order/test``).

        Raises:
            Refusal: as ``submit``.
        """
        raise NotImplementedError

    def amend(
        self,
        account: str,
        symbol: str,
        order_id: str = "",
        client_id: str = "",
        *,
        qty: Decimal | None = None,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
    ) -> PracticeOrder:
        """Change an open order; ``qty`` is the new total, filled part included.

        Queue priority is kept only when the price stays and the quantity falls.

        Raises:
            Refusal: UNKNOWN_ORDER, ALREADY_DONE, UNCHANGED and the filters of ``submit``.
        """
        raise NotImplementedError

    def cancel(
        self,
        account: str,
        symbol: str,
        order_id: str = "",
        client_id: str = "",
        conditional: bool | None = None,
    ) -> PracticeOrder:
        """Cancel one order; with both ids the order id counts.

        Args:
            conditional: look only among conditional orders (True) or only among others (False).

        Raises:
            Refusal: UNKNOWN_ORDER, ALREADY_DONE.
        """
        raise NotImplementedError

    def cancel_all(
        self, account: str, symbol: str | None = None, conditional: bool | None = None
    ) -> list[PracticeOrder]:
        """Cancel all open orders of a symbol, or of all; returns those it cancelled."""
        raise NotImplementedError

    def find_order(
        self,
        account: str,
        symbol: str | None = None,
        order_id: str = "",
        client_id: str = "",
        conditional: bool | None = None,
    ) -> PracticeOrder | None:
        """Return a copy of an order, open or done; by client id the newest that carries it."""
        raise NotImplementedError

    def open_orders(
        self, account: str, symbol: str | None = None, conditional: bool | None = None
    ) -> list[PracticeOrder]:
        """Return copies of all open orders, oldest first; UNTRIGGERED conditional ones included."""
        raise NotImplementedError

    def order_history(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        limit: int = 500,
        conditional: bool | None = None,
    ) -> list[PracticeOrder]:
        """Return copies of orders, open and done, created in the span: the newest ``limit`` of them,
        oldest first."""
        raise NotImplementedError

    def fills(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        order_id: str = "",
        after_id: str = "",
        limit: int = 500,
    ) -> list[PracticeFill]:
        """Return executions, oldest first.

        With ``since_ms`` or ``after_id`` the oldest ``limit`` of the span, else the newest.
        """
        raise NotImplementedError

    def arm_countdown(self, account: str, ms: int, symbol: str | None = None) -> int:
        """Cancel all orders (of a symbol) when ``ms`` have passed without another call; 0 disarms.

        Returns:
            Venue milliseconds at which it fires; 0 when disarmed.
        """
        raise NotImplementedError

    # --- account

    def positions(self, account: str, symbol: str | None = None) -> list[PositionState]:
        """Return positions that are not flat; for a named symbol its position even when flat."""
        raise NotImplementedError

    def wallet(self, account: str) -> WalletState:
        """Return the money of an account."""
        raise NotImplementedError

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
        raise NotImplementedError

    def leverage(self, account: str, symbol: str) -> Decimal:
        """Return the leverage set for a symbol; 10 until set."""
        raise NotImplementedError

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol.

        Raises:
            Refusal: BAD_LEVERAGE, UNCHANGED, INSUFFICIENT_MARGIN.
        """
        raise NotImplementedError

    # --- market data

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        """Return the best ``limit`` levels a side with the update id they stand at.

        A later BookChanged whose ``first_id`` is greater applies on top. The snapshot is taken
        after pending changes were emitted, so no BookChanged straddles it.
        """
        raise NotImplementedError

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """Return the newest public trades, oldest first; at least the last 15 minutes are kept."""
        raise NotImplementedError

    def klines(
        self,
        symbol: str,
        interval_s: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[Kline]:
        """Return candles, oldest first, the running one last where the span covers now.

        With ``start_ms`` the first ``limit`` candles from there, else the last before ``end_ms``.
        ``interval_s`` is a multiple of 60. At least 30 days are there.
        """
        raise NotImplementedError

    def ticker(self, symbol: str) -> TickerState:
        """Return the ticker of a symbol."""
        raise NotImplementedError

    def tickers(self) -> Sequence[TickerState]:
        """Return the tickers of all symbols."""
        raise NotImplementedError

    def funding_history(
        self, symbol: str, *, start_ms: int | None = None, limit: int = 100
    ) -> list[tuple[int, Decimal]]:
        """Return past settlements as ``(venue ms, rate)``, oldest first."""
        raise NotImplementedError


