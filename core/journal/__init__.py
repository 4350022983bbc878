"""What the desk remembers: the write-ahead log, the SQL store and the recording of events.

Only how it is kept and read. What is kept is defined in ``core.model.record`` (the log),
``core.model.event`` (the recording) and ``tables.py`` (the store).
"""
