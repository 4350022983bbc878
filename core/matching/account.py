"""A margin account: cash, one-way positions, cross margin, funding, liquidation. All exact."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

ZERO = Decimal(0)


class Holding(Struct):
    """One instrument of an account; USDT and base units."""

    maintenance: Decimal
    """Maintenance margin as a fraction of the position's value."""
    leverage: Decimal
    qty: Decimal = ZERO
    """Signed."""
    cost: Decimal = ZERO
    """Signed value at which the open quantity was entered."""
    mark: Decimal = ZERO
    realised: Decimal = ZERO
    """Since it last was flat, before fees."""
    buying: Decimal = ZERO
    """Value of open orders that buy, reduce-only ones left out."""
    selling: Decimal = ZERO

    @property
    def entry(self) -> Decimal:
        """Average entry price; 0 when flat."""
        return self.cost / self.qty if self.qty else ZERO

    @property
    def unrealised(self) -> Decimal:
        """Profit if closed at the mark, before fees."""
        return self.qty * self.mark - self.cost

    @property
    def value(self) -> Decimal:
        """Absolute value at the mark."""
        return abs(self.qty) * self.mark

    @property
    def position_margin(self) -> Decimal:
        """Initial margin of the position."""
        return self.value / self.leverage

    @property
    def margin(self) -> Decimal:
        """Initial margin of position and orders: of the worse of all buys or all sells filling."""
        signed = self.qty * self.mark
        return (
            max(abs(signed), abs(signed + self.buying), abs(signed - self.selling)) / self.leverage
        )


class Account:
    """One currency, many instruments, cross margin, one position an instrument.

    Args:
        balance: cash at the start.
        leverage: of instruments where none was set.

    Attributes:
        balance: cash: start + realised P&L - fees + funding. Without unrealised P&L.
    """

    def __init__(self, balance: Decimal, leverage: Decimal = Decimal(10)) -> None:
        self.balance = balance
        self.fees = ZERO
        self.funding = ZERO
        self.realised = ZERO
        self.holdings: dict[str, Holding] = {}
        self._leverage = leverage

    def open(self, symbol: str, maintenance: Decimal, mark: Decimal) -> Holding:
        """Return the holding of an instrument, made when it is not there."""
        holding = self.holdings.get(symbol)
        if holding is None:
            holding = self.holdings[symbol] = Holding(maintenance, self._leverage, mark=mark)
        return holding

    def fill(self, symbol: str, qty: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Book a fill and return the profit it realised, before the fee.

        Args:
            qty: signed base units.
            fee: positive when paid.
        """
        holding = self.holdings[symbol]
        realised = ZERO
        held = holding.qty
        if held and (held > 0) != (qty > 0):
            closing = qty if abs(qty) <= abs(held) else -held
            # Cost leaves in proportion; the last part takes all of it, so nothing is left behind.
            freed = -holding.cost if closing == -held else holding.cost * closing / held
            realised = -closing * price + freed
            holding.qty = held + closing
            holding.cost += freed
            if closing != qty:
                rest = qty - closing
                holding.qty = rest
                holding.cost = rest * price
        else:
            holding.qty = held + qty
            holding.cost += qty * price
        holding.realised = holding.realised + realised if holding.qty else ZERO
        self.realised += realised
        self.fees += fee
        self.balance += realised - fee
        return realised

    def fund(self, symbol: str, rate: Decimal) -> Decimal:
        """Settle funding at the mark and return the payment: negative when paid.

        Args:
            rate: fraction of value; longs pay when positive.
        """
        holding = self.holdings[symbol]
        payment = -holding.qty * holding.mark * rate
        self.funding += payment
        self.balance += payment
        return payment

    @property
    def unrealised(self) -> Decimal:
        """Profit of all positions at their marks."""
        return sum((holding.unrealised for holding in self.holdings.values()), ZERO)

    @property
    def equity(self) -> Decimal:
        """Cash and unrealised profit."""
        return self.balance + self.unrealised

    @property
    def margin(self) -> Decimal:
        """Initial margin of all positions and orders."""
        return sum((holding.margin for holding in self.holdings.values()), ZERO)

    @property
    def position_margin(self) -> Decimal:
        """Initial margin of all positions."""
        return sum((holding.position_margin for holding in self.holdings.values()), ZERO)

    @property
    def maintenance(self) -> Decimal:
        """Equity below which the account is liquidated."""
        return sum((h.value * h.maintenance for h in self.holdings.values()), ZERO)

    @property
    def available(self) -> Decimal:
        """What is left for new margin; never negative."""
        return max(self.equity - self.margin, ZERO)

    @property
    def doomed(self) -> bool:
        """Whether positions must be liquidated now."""
        needed = self.maintenance
        return needed > 0 and self.equity < needed

    def affords(self, symbol: str, sign: int, value: Decimal, cost: Decimal) -> bool:
        """Tell whether an order fits the margin.

        Args:
            sign: +1 to buy.
            value: of the order, at its worst price.
            cost: what it would lose at once: taker fee, and distance from the mark.
        """
        holding = self.holdings[symbol]
        before = holding.margin
        # Put back, not subtracted again: a value from an average price has digits that would stay.
        orders = holding.buying, holding.selling
        if sign > 0:
            holding.buying += value
        else:
            holding.selling += value
        after = holding.margin
        holding.buying, holding.selling = orders
        if after == before:  # reduces, or hides behind orders of the other side
            return True
        return after - before + cost <= self.equity - self.margin

    def liquidation_price(self, symbol: str) -> Decimal:
        """Return the mark of this instrument at which the account is liquidated, others unmoved.

        Returns:
            0 when no price above zero does it.
        """
        holding = self.holdings[symbol]
        qty = holding.qty
        if not qty:
            return ZERO
        others = self.equity - holding.unrealised - self.maintenance
        others += holding.value * holding.maintenance
        # others + qty * p - cost = |qty| * p * maintenance
        slope = qty - abs(qty) * holding.maintenance
        if not slope:
            return ZERO
        return max((holding.cost - others) / slope, ZERO)
