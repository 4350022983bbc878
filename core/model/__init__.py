"""Frozen values that the parts of the program exchange: instruments, events, effects, records.

A value that only one package knows belongs to that package.
"""
