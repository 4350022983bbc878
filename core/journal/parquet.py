"""Turn spools of events into Parquet; run as ``python -m core.journal.parquet SPOOL...``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from core.errors import RecordingError
from core.journal.recording import read_spool


class _Facts(Struct):
    """What every event may say of itself, read without decoding the rest."""

    type: str = ""
    received: int | None = None
    venue: str | None = None
    symbol: str | None = None


_facts = msgspec.json.Decoder(_Facts).decode


def convert(spool: Path) -> Path:
    """Write a spool's events as Parquet beside it, then remove the spool.

    ``event`` is the event as JSON, ``decisions`` what was decided on it, null for nothing; the
    other columns are there to filter by.

    Raises:
        RecordingError: the spool is damaged.
        OSError: the disk refused.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("seq", pa.int64()),
            ("received", pa.int64()),
            ("type", pa.dictionary(pa.int32(), pa.string())),
            ("venue", pa.dictionary(pa.int32(), pa.string())),
            ("symbol", pa.dictionary(pa.int32(), pa.string())),
            ("event", pa.string()),
            ("decisions", pa.string()),
        ]
    )
    target = spool.with_suffix(".parquet")
    draft = spool.with_suffix(".new")
    with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        rows: dict[str, list[object]] = {name: [] for name in schema.names}
        for first, lines in read_spool(spool):
            for seq, (event, decisions) in enumerate(lines, first):
                _add(rows, seq, event, decisions)
            if len(rows["seq"]) >= 50_000:
                writer.write_table(pa.table(rows, schema=schema))
                rows = {name: [] for name in schema.names}
        writer.write_table(pa.table(rows, schema=schema))
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    spool.unlink()
    return target


def _add(rows: dict[str, list[object]], seq: int, event: bytes, decisions: bytes) -> None:
    facts = _facts(event)
    rows["seq"].append(seq)
    rows["received"].append(facts.received)
    rows["type"].append(facts.type)
    rows["venue"].append(facts.venue)
    rows["symbol"].append(facts.symbol)
    rows["event"].append(event.decode())
    rows["decisions"].append(decisions.decode() or None)


def main(paths: Sequence[str]) -> int:
    """Convert each; return 1 when one could not be."""
    code = 0
    for path in paths:
        try:
            convert(Path(path))
        except (RecordingError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            code = 1
    return code


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main(sys.argv[1:]))
