"""Fills into positions, profit and loss, and equity: the ledger that boot rebuilds.

It takes journal records and asks nobody; limits on what it holds belong to ``core.risk``.
"""
