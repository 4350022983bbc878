"""The kill cord's own way into the desk: a socket and a thread that nothing in the loop delays.

Whoever pulls the cord writes one line, a ``Kill`` as JSON without ``received``, and is answered in
one line when the gate is closed: from then on nothing that adds risk leaves, whatever waits in the
loop. The loop does the rest as at any other pull. Where it does not come round to that, because
it hangs, the thread sets the latch itself; the guard, which misses the beats, cancels.

The control socket takes the same command and is asked for the verdicts.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import msgspec

from core.clock import Clock
from core.desk import latch
from core.desk.control import listen, peer_uid, read_command
from core.desk.latch import Latched
from core.desk.verdicts import RANK
from core.model.event import Kill, KillMode

LINE_LIMIT = 4096
"""Bytes of a command."""
READ_LIMIT = 0.2
"""Seconds for which a client that connects and says nothing may keep others waiting."""
LOOP_LIMIT = 0.1
"""Seconds after which a loop that has not taken the command counts as hanging."""


class Cord:
    """Serves the socket.

    Args:
        path: the socket.
        shut: closes the gate at once; called in the thread.
        pull: pulls the cord; called in the loop.
        latch_path: the file that means HALTED.
        venues: all there are.
        clock: wall time.
    """

    def __init__(
        self,
        path: Path,
        shut: Callable[[], None],
        pull: Callable[[Kill], None],
        latch_path: Path,
        venues: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._path = path
        self._shut = shut
        self._pull = pull
        self._latch_path = latch_path
        self._venues = venues
        self._clock = clock
        self._closing = False
        self._thread = Thread(target=self._serve, name="cord", daemon=True)

    def start(self) -> None:
        """Begin to listen. The home's lock is held, so a socket found there is a dead desk's."""
        self._loop = asyncio.get_running_loop()
        self._listener = listen(self._path)
        self._listener.listen(16)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waker:
            waker.settimeout(READ_LIMIT)
            waker.connect(str(self._path))
        self._thread.join(1.0)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # No descriptor is left, say: the next one may find one.
                if self._closing:
                    return
                time.sleep(READ_LIMIT)
                continue
            # Whatever it was, it must not end the thread: most likely a client that went away.
            with connection, suppress(Exception):
                if self._closing:
                    return
                connection.settimeout(READ_LIMIT)
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if peer_uid(connection) not in (None, os.getuid()):
            return
        try:
            kill = read_command(_read_line(connection), self._clock.now())
        except msgspec.MsgspecError as error:
            connection.sendall(b'{"ok":false,"detail":%s}\n' % msgspec.json.encode(str(error)))
            return
        if not isinstance(kill, Kill):
            connection.sendall(b'{"ok":false,"detail":"only the kill cord comes in here"}\n')
            return
        self._shut()
        closed = self._clock.now()
        taken = Event()

        def pull() -> None:
            taken.set()
            self._pull(kill)

        with suppress(RuntimeError):  # the loop is closed: the desk is over
            self._loop.call_soon_threadsafe(pull)
        with suppress(OSError):
            connection.sendall(b'{"ok":true,"closed":%d}\n' % closed)
        if not taken.wait(LOOP_LIMIT):
            self._set_latch(kill)

    def _set_latch(self, kill: Kill) -> None:
        """Make durable what the loop does not come round to."""
        pending = (kill.venue,) if kill.venue else self._venues
        if kill.mode is KillMode.HALT:
            pending = ()
        found = latch.find(self._latch_path)
        if found is None or RANK[kill.mode] > RANK[found.mode]:
            if found is not None:
                pending = tuple(sorted({*pending, *found.pending}))
            latched = Latched(kill.cause, kill.actor, kill.received, kill.mode, pending)
            latch.write(self._latch_path, latched)


def _read_line(connection: socket.socket) -> bytes:
    """Read to the end of the first line, or of what there is."""
    data = b""
    while b"\n" not in data and len(data) < LINE_LIMIT:
        more = connection.recv(LINE_LIMIT)
        if not more:
            break
        data += more
    return data.partition(b"\n")[0]
