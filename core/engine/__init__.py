"""The synchronous engine: one event in, effects out."""
