"""Market messages: whether to believe them, and the candles they make."""
