"""freqtrade's part of ``tests.bench.peers``: it looks for strategies in folders."""

from freqtrade.strategy import IStrategy


class Cross(IStrategy):
    """The cross of two averages."""

    INTERFACE_VERSION = 3
    timeframe = "1m"

    def populate_indicators(self, dataframe, metadata):
        for span in (10, 30):
            dataframe[f"ema_{span}"] = dataframe["close"].ewm(span=span, adjust=False).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        above = dataframe["ema_10"] > dataframe["ema_30"]
        known = dataframe.index >= 29
        dataframe["enter_long"] = (above & ~above.shift(1, fill_value=True) & known).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        above = dataframe["ema_10"] > dataframe["ema_30"]
        dataframe["exit_long"] = (~above & above.shift(1, fill_value=False)).astype(int)
        return dataframe

    def custom_stake_amount(self, *arguments, **named):
        return self.wallets.get_total("USDT") * 0.02
