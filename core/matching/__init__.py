"""Matching and margin without I/O, time passed in: the practice exchange and the backtest use it.

What a venue says about it on the wire belongs to ``exchanges.practice``.
"""
