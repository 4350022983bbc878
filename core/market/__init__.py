"""Market messages: whether to believe them, and the candles they make.

What is computed from candles belongs to ``core.signals``, how a venue's frames are read to
``exchanges``.
"""
