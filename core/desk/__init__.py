"""The asynchronous shell around the engine: venues, journal, timers, control socket, kill, guard.

What takes time belongs here: it becomes an event or follows an effect. What decides belongs to
``core.engine``, what a venue is like to ``exchanges``.
"""
