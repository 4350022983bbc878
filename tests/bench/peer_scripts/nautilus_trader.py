"""nautilus_trader (Cython engine, Python strategy): the work described in ``tests.bench.peers``."""

import json
import resource
import sys
import time
from decimal import Decimal

sys.path.pop(0)  # this file's own name is the package's

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TriggerType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("BYBIT")
INSTRUMENT = CryptoPerpetual(
    instrument_id=InstrumentId(Symbol("BTCUSDT"), VENUE),
    raw_symbol=Symbol("BTCUSDT"),
    base_currency=BTC,
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=1,
    price_increment=Price.from_str("0.1"),
    size_precision=3,
    size_increment=Quantity.from_str("0.001"),
    margin_init=Decimal("0.05"),
    margin_maint=Decimal("0.025"),
    maker_fee=Decimal("0.0004"),
    taker_fee=Decimal("0.0004"),
    ts_event=0,
    ts_init=0,
)
BARS = BarType.from_str("BTCUSDT.BYBIT-1-MINUTE-LAST-EXTERNAL")


class Cross(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig(strategy_id="CROSS-001"))
        self.fast = self.slow = None
        self.seen = self.side = 0
        self.protection = None

    def on_start(self):
        self.subscribe_bars(BARS)

    def on_bar(self, bar):
        close = bar.close.as_double()
        self.fast = close if self.fast is None else self.fast + 2 / 11 * (close - self.fast)
        self.slow = close if self.slow is None else self.slow + 2 / 31 * (close - self.slow)
        self.seen += 1
        side = 1 if self.fast > self.slow else -1
        crossed = self.side and side != self.side and self.seen >= 30
        self.side = side
        if not crossed:
            return
        if side > 0 and self.portfolio.is_flat(INSTRUMENT.id):
            equity = self.portfolio.account(VENUE).balance_total(USDT).as_double()
            qty = INSTRUMENT.make_qty(equity * 0.02 / close, round_down=True)
            self.submit_order(self.order_factory.market(INSTRUMENT.id, OrderSide.BUY, qty))
        elif side < 0 and not self.portfolio.is_flat(INSTRUMENT.id):
            if self.protection is not None and self.protection.is_open:
                self.cancel_order(self.protection)
            self.close_all_positions(INSTRUMENT.id)

    def on_position_opened(self, event):
        self.protection = self.order_factory.stop_market(
            INSTRUMENT.id,
            OrderSide.SELL,
            event.quantity,
            INSTRUMENT.make_price(event.avg_px_open * 0.995),
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
        )
        self.submit_order(self.protection)


table = pd.read_parquet(sys.argv[1])
table.index = pd.to_datetime(table.pop("ts_ms"), unit="ms", utc=True)
bars = BarDataWrangler(BARS, INSTRUMENT).process(table)
engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
engine.add_venue(
    venue=VENUE,
    oms_type=OmsType.NETTING,
    account_type=AccountType.MARGIN,
    base_currency=USDT,
    starting_balances=[Money(100_000, USDT)],
)
engine.add_instrument(INSTRUMENT)
engine.add_data(bars)
engine.add_strategy(Cross())
begun = time.process_time()
engine.run()
seconds = time.process_time() - begun
trades = len(engine.cache.positions_closed()) + len(engine.cache.position_snapshots())
equity = engine.portfolio.account(VENUE).balance_total(USDT).as_double()
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"trades": trades, "equity": equity}
print(json.dumps({"seconds": seconds, "megabytes": most, **told}))
