"""What trading is: values, engine, risk, orders, journal, research. No screen, no ccxt.

What talks to a venue belongs to ``exchanges``, which fills the ports of ``core.desk.ports``.
"""
