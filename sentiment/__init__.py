"""What the news says: sources, entity linking, scoring, aggregation, in a process of its own.

Nothing here decides about orders: readings reach the engine as events, through ``companion.py``.
"""
