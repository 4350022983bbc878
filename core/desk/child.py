"""A process that works for the desk: how it ended, and that it has."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process


async def last_line(stream: asyncio.StreamReader) -> str:
    """Read a process's complaints to their end and return the last; more would only wait."""
    kept = b""
    while block := await stream.read(65536):
        kept = (kept + block)[-4096:]
    lines = kept.decode(errors="replace").strip().splitlines()
    return f"failed: {lines[-1][:300]}" if lines else ""


async def end(process: Process) -> None:
    """End a process, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def ended(code: int) -> str:
    """Return in words how a process ended."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
