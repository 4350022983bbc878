"""Orders: their ids, the state machine, and what a sweep shows to differ.

Whether an order may be sent is ``core.risk``'s, what its fills come to ``core.portfolio``'s.
"""
