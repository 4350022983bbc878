"""The desk's end of the guard: beats from the desk's loop, and an eye on the guard in turn.

The beats are written by the desk's own loop, so that a loop that is blocked is silent. A guard
that is gone is told and started again; while there is none the desk says so.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from core.desk import watchwords
from core.desk.lines import Lines
from core.desk.watchwords import BEAT, Beat, Duty, End, Hello
from core.errors import in_words
from core.model.snapshot import GuardView

GONE_AFTER = 3.0
"""Seconds without a word after which a guard counts as gone."""
START_LIMIT = 20.0
"""Seconds that a guard may take from its start to its first word."""
_BACKOFF = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_BACKED_UP = 4096
"""Bytes that a guard has not read; a stopped one must not fill the desk's memory."""


class GuardPost:
    """Feeds guards, and keeps one running.

    Args:
        path: the socket.
        hello: what a guard must know.
        start: starts a guard process; None: somebody else does (``guard.start = false``).
        heed: obeys a latch that the guard set.
        lines: the log.
        changed: told when a guard that should be there is missing for too long, and when it is
            back; None: nobody minds.
    """

    def __init__(
        self,
        path: Path,
        hello: Hello,
        start: Callable[[], subprocess.Popen[bytes]] | None,
        heed: Callable[[], None],
        lines: Lines,
        changed: Callable[[bool], None] | None = None,
    ) -> None:
        self._path = path
        self._hello = hello
        self._start = start
        self._heed = heed
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._child: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        """Seconds of the loop at which the last guard was started."""
        self._tries = 0
        """Guards started since one was on duty."""
        self._guarded = False
        """Whether a guard was ever on duty."""
        self._changed = changed
        self._present = True
        self._seen = self._loop.time()
        """When a guard was last on duty, or the post began to wait for the first."""
        self._said = ""
        self._stranger = ""
        """Build of a guard that is not the desk's own."""
        self._ended = False

    @property
    def view(self) -> GuardView:
        """How the guard is; see ``GuardView``."""
        if not self._fresh():
            starting = self._child is not None and self._tries == 1 and not self._guarded
            return GuardView("starting" if starting else "gone" if self._start else "none", "")
        on_duty = [link.duty for link in self._fresh() if not link.duty.acting]
        if not on_duty:
            return GuardView(
                "acting", "it has pulled the cord; the next one starts when it is done"
            )
        best = max(on_duty, key=lambda duty: len(duty.ready))
        if set(self._hello.venues) <= set(best.ready):
            return GuardView("watching", "")
        return GuardView("partial", best.detail) if best.detail else GuardView("starting", "")

    async def open(self) -> None:
        """Begin to accept guards. The home's lock is held: a socket there is a dead desk's."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await self._loop.create_unix_server(lambda: _Link(self), str(self._path))
        finally:
            os.umask(before)

    async def run(self) -> None:
        """Beat, and mind the guard, until cancelled."""
        beat = watchwords.write(Beat())
        last = self._seen = self._loop.time()
        while True:
            now = self._loop.time()
            late = now - last > 1.0
            if late:
                self._seen += now - last
            for link in self._links:
                link.send(beat)
                if late:
                    link.heard = now  # what it said meanwhile has not been read yet
            last = now
            self._heed()
            self._mind()
            await asyncio.sleep(BEAT)

    def end(self) -> None:
        """Tell every guard that the desk ends in order."""
        self._ended = True
        for link in self._links:
            link.send(watchwords.write(End()))

    async def close(self) -> None:
        """Stop accepting; a guard of ours that was told of the end is waited for."""
        for link in list(self._links):
            link.close()
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        if self._child is not None and self._ended:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._child.wait, 3.0)

    def greet(self, link: _Link) -> None:
        """Take a guard that connected."""
        self._links.add(link)
        link.send(watchwords.write(self._hello))

    def part(self, link: _Link) -> None:
        """Take note that a guard went away."""
        self._links.discard(link)

    # --- the guard process --------------------------------------------------------------------

    def _fresh(self) -> list[_Link]:
        return [
            link
            for link in self._links
            if link.heard and self._loop.time() - link.heard < GONE_AFTER
        ]

    def _mind(self) -> None:
        """Say how the guard is when that changes, and start one where one is missing."""
        view = self.view
        if view.state != self._said:
            self._say(view)
        self._watch_presence()
        if fresh := self._fresh():
            self._tries = 1
            self._guarded = True
            self._compare_builds(fresh[-1].duty.build)
            return
        if self._start is None:
            return
        child, waited = self._child, self._loop.time() - self._begun
        if child is not None and child.poll() is None:
            if waited > START_LIMIT or any(link.heard for link in self._links):
                child.kill()  # it never came, or was there and is silent: it holds the place
            return
        if waited >= _BACKOFF[min(self._tries, len(_BACKOFF) - 1)]:
            self._begun = self._loop.time()
            self._tries += 1
            try:
                self._child = self._start()
            except OSError as error:
                self._lines.add("info", f"the guard cannot be started: {in_words(error)}", "alarm")

    def _compare_builds(self, build: str) -> None:
        """Tell when the program was exchanged under a running desk: two builds on one account."""
        mine = self._hello.build
        if build not in (mine, self._stranger):
            self._stranger = build
            text = f"the guard is of build {build or 'unknown'}, this desk of {mine}: the program"
            text += " was exchanged while it runs; end the desk and start it anew"
            self._lines.add("risk", text, "alarm")

    def _watch_presence(self) -> None:
        """Tell when a guard is missing; one that was never wanted is not."""
        now = self._loop.time()
        if self._fresh() or not (self._start or self._guarded):
            self._seen = now
        present = now - self._seen < (GONE_AFTER if self._guarded else START_LIMIT)
        if present is not self._present and self._changed is not None:
            self._present = present
            self._changed(present)
            if present:
                self._lines.add("info", "the guard is back: positions may be opened again")
            else:
                text = "nothing is opened until a guard is there (guard.required)"
                self._lines.add("risk", text, "alarm")

    def _say(self, view: GuardView) -> None:
        before, self._said = self._said, view.state
        if view.state == "watching":
            self._lines.add("info", "the guard watches this desk")
        elif view.state == "partial":
            self._lines.add("info", f"the guard cannot reach every venue: {view.detail}", "warning")
        elif view.state == "none":
            self._lines.add("info", "no guard watches this desk: guard.start is false", "warning")
        elif view.state == "gone" and before:
            text = "the guard is gone: if this desk dies, only stops and venue timers act"
            self._lines.add("risk", text, "alarm")


class _Link(asyncio.Protocol):
    """One guard's connection."""

    def __init__(self, post: GuardPost) -> None:
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None
        self.heard = 0.0
        """Seconds of the loop of its last word."""
        self.duty = Duty(0, ())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no such class
        self._post.greet(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            try:
                word = watchwords.read(line)
            except msgspec.MsgspecError:
                self.close()
                return
            if isinstance(word, Duty):
                self.duty = word
                self.heard = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._post.part(self)

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() < _BACKED_UP:
            transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
