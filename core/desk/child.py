"""A process that works for the desk, spoken to in lines of JSON through pipes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator


async def begin(module: str, longest: int) -> Child:
    """Start ``python -m module``.

    Args:
        module: what to run.
        longest: bytes of its longest line.

    Raises:
        OSError: the system gives no process.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=longest,
        # Ctrl-C is for the desk; the process ends with it, not before.
        start_new_session=True,
    )  # fmt: skip
    return Child(process)


class Child:
    """The desk's end of such a process; made by ``begin``, ended by ``close``."""

    def __init__(self, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._complaint = asyncio.create_task(_last_line(process.stderr))

    async def tell(self, line: bytes) -> None:
        """Write a line; a process that is gone is found out by reading, which says how it ended."""
        # uvloop raises RuntimeError on a pipe that has closed, where asyncio has ConnectionError.
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._stdin.write(line + b"\n")
            await self._stdin.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield what it says, until its end.

        Raises:
            ValueError: a line is longer than was agreed.
        """
        # A line without its end is one that a killed process did not finish.
        while (line := await self._stdout.readline()).endswith(b"\n"):
            yield line

    async def how(self) -> str:
        """Wait for its end and return in words how that was, its last complaint if there is one."""
        code = await self._process.wait()
        if complaint := await self._complaint:
            return complaint
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    async def close(self) -> None:
        """End it, if it has not ended."""
        self._complaint.cancel()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _last_line(stream: asyncio.StreamReader) -> str:
    """Read a process's complaints to their end and return the last; more would only wait."""
    kept = b""
    while block := await stream.read(65536):
        kept = (kept + block)[-4096:]
    lines = kept.decode(errors="replace").strip().splitlines()
    return f"failed: {lines[-1][:300]}" if lines else ""
