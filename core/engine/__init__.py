"""The synchronous engine: one event in, effects out, sole owner of what is traded.

No clock, no randomness, no I/O: a recording played again gives the same decisions. What a limit
or an order is belongs to ``core.risk`` and ``core.orders``, what becomes of an effect to
``core.desk``.
"""
