"""Orders: their ids, the records that outlive a crash, the state machine and reconciliation.

Whether an order may be sent is ``core.risk``'s, what its fills come to ``core.portfolio``'s.
"""
