"""The kill cord's own way in, to desk and guard: a socket and a thread that no loop delays.

Whoever pulls the cord writes one line, a ``Kill`` as JSON without ``received``, and is answered in
one line when the gate is closed: from then on nothing that adds risk leaves, whatever waits in the
loop. The loop does the rest as at any other pull. Where it does not come round to that, because
it hangs, the thread sets the latch itself; the guard, which misses the beats, cancels. At the guard
the gate is the latch, which the desk looks for before each order; it is set before the answer.

The desk's control socket takes the same command and is asked for the verdicts.
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
from core.desk.doorway import listen, peer_uid, read_command
from core.model.event import Kill

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
        demand: sets the latch; called in the thread, when the loop does not come round to pull.
        folder: where the latch and the reports of kills are, for whoever asks.
        clock: wall time.
    """

    def __init__(
        self,
        path: Path,
        shut: Callable[[Kill], None],
        pull: Callable[[Kill], None],
        demand: Callable[[Kill], None],
        folder: Path,
        clock: Clock,
    ) -> None:
        self._path = path
        self._shut = shut
        self._pull = pull
        self._demand = demand
        self._folder = str(folder)
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
        self._shut(kill)
        closed = self._clock.now()
        taken = Event()

        def pull() -> None:
            taken.set()
            self._pull(kill)

        with suppress(RuntimeError):  # the loop is closed: the desk is over
            self._loop.call_soon_threadsafe(pull)
        with suppress(OSError):
            answer = {"ok": True, "closed": closed, "folder": self._folder}
            connection.sendall(msgspec.json.encode(answer) + b"\n")
        if not taken.wait(LOOP_LIMIT):
            self._demand(kill)


def _read_line(connection: socket.socket) -> bytes:
    """Read to the end of the first line, or of what there is."""
    data = b""
    while b"\n" not in data and len(data) < LINE_LIMIT:
        more = connection.recv(LINE_LIMIT)
        if not more:
            break
        data += more
    return data.partition(b"\n")[0]
