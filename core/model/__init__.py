"""Frozen values that the parts of the program exchange."""
