"""How a venue is reached: adapters over ccxt, their quirks as data, and the practice exchange.

What is the same for all venues stands in one file (``rules.py``, ``feed.py``, ``private.py``,
``asking.py``), what is one venue's in its own four. Nothing here decides about orders.
"""
