"""Looks for secrets in whatever a run of the program wrote, in every form they may have taken."""

from __future__ import annotations

import base64
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import RecordingError
from core.journal.recording import read_spool

PART = 12
"""Characters at either end of a secret that may not appear either."""


def forms(secret: str) -> dict[str, bytes]:
    """Return what a secret may look like: name of the form to the bytes."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "its beginning": raw[:PART],
        "its end": raw[-PART:],
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "upper hex": raw.hex().upper().encode(),
        "percent": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "escapes": "".join(f"\\u{ord(letter):04x}" for letter in secret).encode(),
        "utf-16": secret.encode("utf-16-le"),
        "utf-32": secret.encode("utf-32-le"),
    }
    for shift in range(3):
        # Where it stands in a longer text: only the groups that are all its own.
        whole = base64.b64encode(b"." * shift + raw)[(0, 2, 3)[shift] :]
        kept = whole[: len(raw) * 4 // 3 - 4]
        found[f"base64, {shift}"] = kept
        found[f"url base64, {shift}"] = kept.translate(bytes.maketrans(b"+/", b"-_"))
    return found


class Scan:
    """A scan for some secrets; ``hits`` says where which was found, and in what form."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.hits: list[str] = []
        self.bytes = 0
        self._needles = [
            (f"{number}, {name}", needle)
            for number, secret in enumerate(secrets)
            for name, needle in forms(secret).items()
        ]

    def look(self, where: str, data: bytes) -> None:
        """Look through some bytes."""
        self.bytes += len(data)
        self.hits += [f"{where}: secret {name}" for name, needle in self._needles if needle in data]

    def look_into(self, folder: Path, *leave: Path) -> None:
        """Look through every file of a folder but some, and into those that are compressed."""
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path in leave:
                continue
            data = path.read_bytes()
            self.look(str(path), data)
            for part in _unpacked(path, data):
                self.look(f"{path} (unpacked)", part)


def _unpacked(path: Path, data: bytes) -> Iterator[bytes]:
    if data[:2] == b"\x1f\x8b":
        yield zlib.decompress(data, 31)
    elif data[:4] == b"PAR1":
        import pyarrow.parquet as pq

        yield from (str(row).encode() for row in pq.read_table(path).to_pylist())
    elif data[:15] == b"SQLite format 3":
        # Long values are spread over pages.
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            yield "\n".join(database.iterdump()).encode()
    elif path.suffix == ".spool":
        try:
            for _, lines in read_spool(path):
                yield b"\n".join(part for line in lines for part in line)
        except RecordingError:
            pass  # its end is what a crash left
