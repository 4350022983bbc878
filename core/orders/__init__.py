"""Orders: their ids, the records that outlive a crash, the state machine and reconciliation."""
