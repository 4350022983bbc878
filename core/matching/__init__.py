"""Matching without I/O: one book, one account, time passed in. Exchange and backtest use the same."""
