"""Trading the past: backtests through the engine that trades live."""
