"""What the desk remembers: the write-ahead log, the SQL store and the recording of events."""
