"""Matching without I/O, time passed in. The practice exchange and the backtest both use it."""
