"""The articles that were read, with what was made of them: they must outlive a restart.

A feed answers "unchanged" after a restart, so what it said before has to be remembered here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from core.files import write_whole
from sentiment.articles import Article
from sentiment.entities import Link
from sentiment.scorer import Score


class Kept(Struct, frozen=True):
    """One article as it counts. ``score`` is None where there was no text to judge."""

    article: Article
    links: tuple[Link, ...]
    score: Score | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Kept).decode


class Archive:
    """A file of one JSON line an article, oldest first.

    Args:
        path: the file; its folder is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, oldest: int) -> list[Kept]:
        """Return what was published at or after ``oldest`` (nanoseconds UTC).

        Lines that do not read are left out: a crash may cut the last one.
        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        kept = []
        for line in lines:
            try:
                entry = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if entry.article.published >= oldest:
                kept.append(entry)
        return kept

    def add(self, entries: list[Kept]) -> None:
        """Append articles."""
        if entries:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(b"".join(_encode(entry) + b"\n" for entry in entries))

    def replace(self, entries: list[Kept]) -> None:
        """Write the file anew, with these alone; a crash leaves the old one or the new one."""
        write_whole(self._path, b"".join(_encode(entry) + b"\n" for entry in entries))
