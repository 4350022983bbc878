"""The instruments of the practice venues, and the rules in which the three venues differ."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from core.model.instrument import Instrument, unified_symbol


class Rules(Struct, frozen=True):
    """What one venue does differently from the others."""

    venue: str
    client_id: re.Pattern[str]
    client_id_once: bool
    """A client id may never be used again (Bybit, OKX); else it is free once its order is done."""
    post_only_refused: bool
    """Crossing post-only is refused in the reply (Binance); else accepted, then cancelled."""
    stop_spawns: bool
    """A fired conditional order makes a new one (Binance, OKX); else it goes on itself (Bybit)."""
    stop_checked: bool
    """A stop that would fire at once is refused (Binance, Bybit) rather than fired (OKX)."""
    uuid_ids: bool
    taker_fee: Decimal
    maker_fee: Decimal
    price_band: Decimal
    """Largest distance of a limit price from the mark, to the bad side, as a fraction."""
    max_orders: int
    """Most open orders of an account and symbol."""
    max_stops: int
    funding_hours: int = 8


RULES = {
    "bybit": Rules(
        "bybit", re.compile(r"[A-Za-z0-9_-]{1,36}"), True, False, False, True, True,
        Decimal("0.00055"), Decimal("0.0002"), Decimal("0.05"), 500, 10,
    ),
    "binance": Rules(
        "binance", re.compile(r"[.A-Z:/a-z0-9_-]{1,36}"), False, True, True, True, False,
        Decimal("0.0005"), Decimal("0.0002"), Decimal("0.05"), 200, 200,
    ),
    "okx": Rules(
        "okx", re.compile(r"[A-Za-z0-9]{1,32}"), True, False, True, False, False,
        Decimal("0.0005"), Decimal("0.0002"), Decimal("0.05"), 500, 100,
    ),
}  # fmt: skip


class Contract:
    """An instrument with its integer grid: text for the wire, ticks and lots for the book.

    ``instrument`` says what is asked of orders, ``tick`` and ``lot`` what the book counts in.
    """

    def __init__(self, instrument: Instrument, maintenance: Decimal) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.venue_symbol = instrument.venue_symbol
        self.tick = instrument.tick
        self.lot = instrument.lot
        self.maintenance = maintenance
        """Maintenance margin as a fraction of the position's value."""
        self.tick_size = float(instrument.tick)
        self.lot_size = float(instrument.lot)
        self.native_lot = instrument.lot / instrument.contract_size
        """One lot in the venue's own unit: contracts on OKX."""
        self._price_texts: dict[int, str] = {}
        self._qty_texts: dict[int, str] = {}

    def change_rules(self, times: int, least: int) -> None:
        """Ask of orders from now on: steps ``times`` those of the grid, a value of ``least``.

        The grid stays: what rests and is held already was made by the rules before.

        Args:
            least: USDT; 0 leaves the smallest value as it is.
        """
        lot, most = self.lot * times, self.instrument.max_market_qty
        self.instrument = replace(
            self.instrument,
            tick=self.tick * times,
            lot=lot,
            min_qty=lot,
            min_notional=Decimal(least) if least else self.instrument.min_notional,
            max_market_qty=None if most is None else most // lot * lot,
        )

    def price_text(self, tick: int) -> str:
        """Return the venue's text of a price given in ticks."""
        text = self._price_texts.get(tick)
        if text is None:
            if len(self._price_texts) > 50_000:
                self._price_texts.clear()
            text = self._price_texts[tick] = format(self.tick * tick, "f")
        return text

    def qty_text(self, lots: int) -> str:
        """Return the venue's text of a quantity given in lots; contracts on OKX."""
        text = self._qty_texts.get(lots)
        if text is None:
            if len(self._qty_texts) > 50_000:
                self._qty_texts.clear()
            text = self._qty_texts[lots] = format(self.native_lot * lots, "f")
        return text

    def native(self, qty: Decimal) -> Decimal:
        """Turn base units into the venue's own unit: contracts on OKX, else the same."""
        return qty / self.instrument.contract_size

    def base(self, native: Decimal) -> Decimal:
        """Turn the venue's own unit into base units."""
        return native * self.instrument.contract_size

    def price(self, tick: int) -> Decimal:
        """Return the price of a tick."""
        return self.tick * tick

    def qty(self, lots: int) -> Decimal:
        """Return base units of some lots."""
        return self.lot * lots

    def ticks(self, price: Decimal) -> int | None:
        """Return the tick of a price; None when it is off the grid."""
        ticks = price / self.tick
        whole = int(ticks)
        return whole if whole == ticks else None


class Listing(Struct, frozen=True):
    """One base asset: where its price starts, how it moves, and its grid at each venue."""

    base: str
    price: float
    beta: float
    """Loading on the common factor."""
    volatility: float
    """Own daily volatility, fraction, beside the factor."""
    trade_rate: float
    """Public trades a second at the largest venue."""
    touch: float
    """Typical value at the best level, USDT."""
    maintenance: str
    tick: tuple[str, str, str]
    """At Bybit, Binance, OKX."""
    lot: tuple[str, str, str]
    """Base units."""
    contract: str
    """Base units of one OKX contract."""
    leverage: int = 75


# Grids as the venues publish them: Bybit instruments-info, Binance exchangeInfo, OKX instruments.
LISTINGS = (
    Listing("BTC", 97_000.0, 1.0, 0.008, 4.0, 90_000.0, "0.005",
            ("0.1", "0.1", "0.1"), ("0.001", "0.001", "0.0001"), "0.01", 100),
    Listing("ETH", 3_400.0, 1.15, 0.012, 3.0, 60_000.0, "0.005",
            ("0.01", "0.01", "0.01"), ("0.01", "0.001", "0.001"), "0.1", 100),
    Listing("SOL", 190.0, 1.3, 0.018, 2.0, 30_000.0, "0.01",
            ("0.01", "0.01", "0.01"), ("0.1", "0.01", "0.01"), "1"),
    Listing("XRP", 2.2, 1.1, 0.02, 1.6, 25_000.0, "0.01",
            ("0.0001", "0.0001", "0.0001"), ("0.1", "0.1", "1"), "100"),
    Listing("BNB", 690.0, 0.8, 0.010, 1.0, 20_000.0, "0.01",
            ("0.1", "0.01", "0.1"), ("0.01", "0.01", "0.001"), "0.01"),
    Listing("DOGE", 0.32, 1.4, 0.022, 1.2, 15_000.0, "0.01",
            ("0.00001", "0.00001", "0.00001"), ("1", "1", "10"), "1000"),
    Listing("ADA", 0.9, 1.2, 0.02, 0.8, 10_000.0, "0.01",
            ("0.0001", "0.0001", "0.0001"), ("1", "1", "10"), "100"),
    Listing("AVAX", 38.0, 1.3, 0.02, 0.8, 9_000.0, "0.015",
            ("0.001", "0.001", "0.01"), ("0.1", "1", "0.1"), "1", 50),
    Listing("LINK", 22.0, 1.2, 0.018, 0.8, 9_000.0, "0.015",
            ("0.001", "0.001", "0.001"), ("0.1", "0.01", "0.1"), "1", 50),
    Listing("LTC", 104.0, 0.9, 0.016, 0.7, 8_000.0, "0.015",
            ("0.01", "0.01", "0.01"), ("0.1", "0.001", "0.1"), "1", 50),
)  # fmt: skip


def make_listing(
    base: str,
    price: float,
    known: Listing | None,
    *,
    tick: Decimal | None = None,
    lot: Decimal | None = None,
) -> Listing:
    """Return the listing of a recorded asset: as we know it, or as its price suggests.

    Args:
        known: our own listing of the asset.
        tick: the recording's price step, for all venues; None for the known or a usual one.
        lot: the same of quantities.
    """
    model = known or LISTINGS[-1]
    if known is None:
        magnitude = math.floor(math.log10(price))
        tick = tick or Decimal(1).scaleb(magnitude - 4)
        lot = lot or Decimal(1).scaleb(-magnitude)
    ticks = model.tick if tick is None else (format(tick, "f"),) * 3
    lots = model.lot if lot is None else (format(lot, "f"),) * 3
    # An OKX contract is a whole number of lots; ten where the venue's own size is not known.
    contract = Decimal(model.contract) if known else Decimal(lots[2]) * 10
    if contract % Decimal(lots[2]):
        contract = Decimal(lots[2]) * 10
    return replace(
        model, base=base, price=price, tick=ticks, lot=lots, contract=format(contract, "f")
    )


VENUE_COLUMN = {"bybit": 0, "binance": 1, "okx": 2}


def list_contracts(venue: str, listings: tuple[Listing, ...] = LISTINGS) -> dict[str, Contract]:
    """Return the contracts of a venue by unified symbol."""
    rules, column = RULES[venue], VENUE_COLUMN[venue]
    contracts = {}
    for listing in listings:
        lot = Decimal(listing.lot[column])
        okx = venue == "okx"
        instrument = Instrument(
            venue=venue,
            symbol=unified_symbol(listing.base),
            venue_symbol=f"{listing.base}-USDT-SWAP" if okx else f"{listing.base}USDT",
            base=listing.base,
            tick=Decimal(listing.tick[column]),
            lot=lot,
            min_qty=lot,
            min_notional=Decimal(0 if okx else 5),
            contract_size=Decimal(listing.contract) if okx else Decimal(1),
            max_leverage=Decimal(listing.leverage),
            taker_fee=rules.taker_fee,
            maker_fee=rules.maker_fee,
            max_market_qty=lot * int(2_000_000 / listing.price / float(lot)),
        )
        contracts[instrument.symbol] = Contract(instrument, Decimal(listing.maintenance))
    return contracts
