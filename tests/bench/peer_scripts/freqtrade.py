"""freqtrade: the work described in ``tests.bench.peers``, on its spot market.

Its backtest asks the exchange which markets there are. Here a description of the one market, ours,
answers in its place; nothing else of freqtrade is changed.
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path

sys.path.pop(0)  # this file's own name is the package's

import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.exchange import Bybit
from freqtrade.optimize.backtesting import Backtesting

PAIR = "BTC/USDT"
MARKET = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "baseId": "BTC",
    "quoteId": "USDT", "type": "spot", "spot": True, "active": True, "taker": 0.0004,
    "maker": 0.0004, "precision": {"amount": 0.001, "price": 0.1},
    "limits": {"amount": {"min": 0.001}, "cost": {"min": 5.0}},
}  # fmt: skip


class Described(Bybit):
    """Bybit with the market described above instead of those it would be asked for."""

    def _load_async_markets(self, reload=False):
        self._api_async.set_markets([self._api_async.safe_market_structure(MARKET)])


def main(path: str) -> None:
    logging.disable(logging.WARNING)
    table = pd.read_parquet(path)
    table.insert(0, "date", pd.to_datetime(table.pop("ts_ms"), unit="ms", utc=True))
    folder = Path.cwd()
    settings = {
        "runmode": RunMode.BACKTEST, "dry_run": True, "trading_mode": "spot", "margin_mode": "",
        "exchange": {"name": "bybit", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}], "stake_currency": "USDT",
        "stake_amount": "unlimited", "tradable_balance_ratio": 1.0, "dry_run_wallet": 100_000,
        "max_open_trades": 1, "timeframe": "1m", "fee": 0.0004, "datadir": folder,
        "user_data_dir": folder, "dataformat_ohlcv": "feather", "strategy": "Cross",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategies"),
        "stoploss": -0.005, "minimal_roi": {"0": 100},
        "order_types": {
            "entry": "market", "exit": "market", "stoploss": "market",
            "stoploss_on_exchange": False,
        },
        "entry_pricing": {"price_side": "other"}, "exit_pricing": {"price_side": "other"},
    }  # fmt: skip
    test = Backtesting(settings, Described(settings))
    test._set_strategy(test.strategylist[0])
    test.required_startup = 0
    begun = time.process_time()
    told = test.strategy.advise_all_indicators({PAIR: table})
    found = test.backtest(told, table["date"].iloc[0], table["date"].iloc[-1])
    seconds = time.process_time() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    done = {"trades": len(found["results"]), "equity": found["final_balance"]}
    print(json.dumps({"seconds": seconds, "megabytes": most, **done}))


main(sys.argv[1])
