"""What can be traded, and the venue's rules for prices and quantities."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

VENUES = ("bybit", "binance", "okx")
"""The venues this program speaks to, in the order they are shown."""
LARGEST = Decimal("1e15")
"""What a person may ask for is below this: more is a slip of the keyboard, and past what Decimal
divides exactly."""


def is_unified(symbol: str) -> bool:
    """Whether a symbol is ours (``BTC/USDT:USDT``), not a venue's name of what is not traded."""
    return ":" in symbol


class Instrument(Struct, frozen=True, gc=False):
    """One USDT-settled linear perpetual on one venue.

    Quantities everywhere in the program are in base units (BTC, not contracts); an adapter whose
    venue counts contracts multiplies by ``contract_size`` on the way in and divides on the way out.
    """

    venue: str
    symbol: str
    """Unified symbol, ``BTC/USDT:USDT``; equal on all venues."""
    venue_symbol: str
    """The venue's own name: ``BTCUSDT`` on Bybit and Binance, ``BTC-USDT-SWAP`` on OKX."""
    base: str
    tick: Decimal
    """Smallest price step, quote per base."""
    lot: Decimal
    """Smallest quantity step, base units."""
    min_qty: Decimal
    min_notional: Decimal
    """Smallest order value in quote; 0 where the venue has no such rule."""
    contract_size: Decimal = Decimal(1)
    """Base units per contract; 1 where the venue counts in coins."""
    max_leverage: Decimal = Decimal(100)
    taker_fee: Decimal = Decimal("0.00055")
    """Fraction of notional, positive when paid."""
    maker_fee: Decimal = Decimal("0.0002")
    max_market_qty: Decimal | None = None
    """Largest market order, base units; None where the venue states none."""
    max_limit_qty: Decimal | None = None
    """The same of limit orders: a larger position takes a kill several."""

    def changes(self, before: Instrument) -> str:
        """Return in words what differs from the rules before, empty when nothing does."""
        return ", ".join(
            f"{name.replace('_', ' ')} {getattr(before, name)} → {getattr(self, name)}"
            for name in self.__struct_fields__
            if getattr(before, name) != getattr(self, name)
        )

    def round_price(self, price: Decimal) -> Decimal:
        """Round to the nearest tick; a price between two ticks goes to the even one."""
        return (price / self.tick).to_integral_value(ROUND_HALF_EVEN) * self.tick

    def floor_qty(self, qty: Decimal) -> Decimal:
        """Round a quantity toward zero to the lot: never up in risk."""
        return qty // self.lot * self.lot


def exact(value: float) -> Decimal:
    """Return the digits the venue sent for a market price or quantity held as float64.

    Market data is carried as float because features are floats. A venue's number has at most 15
    significant digits, which float64 keeps, and ``repr`` gives the shortest text that reads back
    to the same float: the venue's own digits.
    """
    return Decimal(repr(value))


def short_symbol(symbol: str) -> str:
    """Return the base asset of a unified symbol: ``BTC`` for ``BTC/USDT:USDT``."""
    return symbol.partition("/")[0]


def unified_symbol(text: str) -> str:
    """Read what a person types as a USDT perpetual.

    ``btc``, ``BTCUSDT``, ``BTC-USDT-SWAP`` and ``BTC/USDT:USDT`` all mean ``BTC/USDT:USDT``.
    """
    name = text.strip().upper().removesuffix(":USDT").removesuffix("-SWAP")
    for tail in ("/USDT", "-USDT", "USDT"):
        if name.endswith(tail) and len(name) > len(tail):
            name = name.removesuffix(tail)
            break
    return f"{name}/USDT:USDT"
