"""Fills into positions, profit and loss, and equity."""
