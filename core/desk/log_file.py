"""The log file: JSON lines, rotated, written by a thread; what may be secret is taken out."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from core.model.snapshot import LogView
from core.secrets import scrub

LOUD = ("ccxt", "aiohttp", "asyncio", "httpx", "alembic", "sqlalchemy", "aiosqlite")
"""Libraries whose loggers are heard from warnings on: at DEBUG ccxt logs headers with keys."""


class LogFile:
    """JSON lines in a rotated file, written by a thread; takes the standard library's logs too.

    Records wait in memory until ``open``: structlog takes 0.3 s to import, which a desk that
    boots has better uses for.

    Args:
        path: at most ten files of 20 MB.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._handler = _PassingHandler(self._queue)
        self._listener: QueueListener | None = None
        self._log = logging.getLogger("killcord")

    def start(self) -> None:
        """Take over the root logger; keep loud libraries quiet."""
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(logging.INFO)
        for name in LOUD:
            logging.getLogger(name).setLevel(logging.WARNING)

    def open(self) -> None:
        """Begin to write."""
        if self._listener is None:
            file = RotatingFileHandler(self._path, maxBytes=20_000_000, backupCount=9, delay=True)
            file.setFormatter(_JsonLines())
            self._listener = QueueListener(self._queue, file)
            self._listener.start()

    def write(self, line: LogView) -> None:
        """Write a line; a reader for ``Lines.subscribe``."""
        level = logging.INFO if line.level == "info" else logging.WARNING
        facts = {"kind": line.kind, "seq": line.seq, "alarm": line.level == "alarm"}
        self._log.log(level, line.text, extra=facts)

    def close(self) -> None:
        """Write what waits and let the root logger go."""
        self.open()
        logging.getLogger().removeHandler(self._handler)
        assert self._listener is not None
        self._listener.stop()
        for handler in self._listener.handlers:
            handler.close()


class _JsonLines(logging.Formatter):
    """structlog's formatter, made in the thread that uses it."""

    def __init__(self) -> None:
        super().__init__()
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._formatter is None:
            self._formatter = _structlog_formatter()
        return self._formatter.format(record)


def _structlog_formatter() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(allow=("kind", "seq", "alarm")),
            _stamp,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _scrub_all,
            structlog.processors.JSONRenderer(default=str),
        ],
    )


class _PassingHandler(QueueHandler):
    """Hands records over as they are: formatting belongs to the thread."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def _stamp(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add when it was said, not when it is written."""
    created = fields["_record"].created
    fields["timestamp"] = datetime.fromtimestamp(created, UTC).isoformat()
    return fields


def _scrub_all(_: Any, __: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    return {
        name: scrub(value) if isinstance(value, str) else value for name, value in fields.items()
    }
