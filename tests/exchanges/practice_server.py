"""A practice exchange in its own process, and a TCP proxy in front of it that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.secrets import Secret
from exchanges.access import Access

ROOT = Path(__file__).parents[2]


class PracticeProcess:
    """``python -m exchanges.practice``, with its address and keys."""

    def __init__(self, folder: Path, seed: int = 7, *options: str) -> None:
        ready = folder / "ready.json"
        command = [
            sys.executable, "-m", "exchanges.practice", "--port", "0", "--seed", str(seed),
            "--ready-file", str(ready), "--idle-exit", "120", *options,
        ]  # fmt: skip
        self.log = (folder / "practice.log").open("w")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((folder / "practice.log").read_text()[-2000:])
            time.sleep(0.02)
        self.facts: dict[str, Any] = json.loads(ready.read_text())
        self.port = int(self.facts["port"])

    def access(self, venue: str, port: int | None = None, secret: str = "") -> Access:
        """Return the way in, by way of a proxy's port where one is given."""
        keys = self.facts["keys"][venue]
        return Access(
            "practice",
            Secret(keys["api_key"]),
            Secret(secret or keys["secret"]),
            Secret(keys.get("passphrase", "")),
            f"http://127.0.0.1:{port or self.port}",
        )

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class Proxy:
    """Forwards TCP to the practice exchange; can drop, mute and refuse."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.muted = False
        """Bytes from the venue are swallowed; the connections stay open."""
        self.cut_after: int | None = None
        """Close a connection once the venue has sent so many more bytes on it."""
        self.refusing = False
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Close every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, up_writer}
        for source, drain, back in ((reader, up_writer, False), (up_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, drain, back))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, back: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if back and self.muted:
                    continue
                if back and self.cut_after is not None:
                    data, self.cut_after = data[: self.cut_after], None
                    drain.write(data)
                    with contextlib.suppress(ConnectionError):
                        await drain.drain()
                    break
                drain.write(data)
                await drain.drain()
        drain.close()
