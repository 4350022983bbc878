"""What must outlive a restart: how much of each quota is used, and what was fetched last.

A program that is restarted ten times must not ask ten times: 25 requests a day are soon spent,
and a service that is asked on after it said no may close the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from core.clock import DAY
from core.files import write_whole
from sentiment.sources.source import Limit


class Remembered(Struct):
    """What is known of one source; times in nanoseconds UTC."""

    asked: list[int] = []
    """When requests were sent, within the last day."""
    blocked_until: int = 0
    """Before this the source is not asked: it said so, or it failed."""
    failures: int = 0
    """Failed polls in a row."""
    etag: str = ""
    modified: str = ""
    newest: int = 0
    """Publication time of the youngest item seen."""


class Memory:
    """Keeps ``Remembered`` per source in one JSON file, written whole at every change.

    A file that does not read is set aside and everything begins anew; a service whose quota is
    used up after all says so itself.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sources: dict[str, Remembered] = {}
        try:
            self._sources = msgspec.json.decode(path.read_bytes(), type=dict[str, Remembered])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError):
            path.replace(path.with_suffix(".broken"))

    def of(self, source: str) -> Remembered:
        """Return what is known of a source, for changing in place; then ``save``."""
        return self._sources.setdefault(source, Remembered())

    def save(self) -> None:
        """Write the file; a crash leaves the old one or the new one."""
        write_whole(self._path, msgspec.json.encode(self._sources))

    def take(self, source: str, limits: Sequence[Limit], now: int) -> int:
        """Count one request at ``now`` if the limits allow it, durably, before it is sent.

        Returns:
            0 when it may be sent, else the nanosecond from which it may.
        """
        known = self.of(source)
        known.asked = [at for at in known.asked if now - DAY < at <= now]
        free = now
        for limit in limits:
            recent = [at for at in known.asked if at > now - limit.window]
            if len(recent) >= limit.requests:
                free = max(free, recent[-limit.requests] + limit.window)
        if free > now:
            return free
        known.asked.append(now)
        self.save()
        return 0
