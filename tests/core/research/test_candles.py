"""Files of candles and funding: good ones read, bad ones refused by row."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import RecordingError
from core.research.candles import find_files, read_candles, read_funding, read_settlements
from tests.core.research.files import START_MS, Columns, columns, write


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    data = columns(50)
    data["volume"][7] = 0.0
    file = read_candles(write(tmp_path / "okx_perp_1m" / f"ETHUSDT.{suffix}", data))
    assert (file.venue, file.symbol, file.timeframe, file.silent) == (
        "okx",
        "ETH/USDT:USDT",
        60,
        1,
    )
    np.testing.assert_array_equal(file.close, data["close"])
    np.testing.assert_array_equal(file.ts, data["ts_ms"])


def put(name: str, row: int, value: Any) -> Any:
    def change(data: Columns) -> None:
        data[name][row - 1] = value

    return change


def without(row: int) -> Any:
    return lambda data: {name: np.delete(column, row - 1) for name, column in data.items()}


def swapped(row: int) -> Any:
    def change(data: Columns) -> Columns:
        order = np.arange(len(data["ts_ms"]))
        order[[row - 2, row - 1]] = order[[row - 1, row - 2]]
        return {name: column[order] for name, column in data.items()}

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without(9), "row 9: a candle is missing before it"),
        (put("ts_ms", 9, START_MS + 7 * 60_000), "row 9: repeats the time"),
        (swapped(9), "row 9: lies before"),
        (put("close", 9, np.nan), "row 9: not a candle: .*close nan"),
        (put("volume", 9, np.nan), "row 9: not a candle: .*volume nan"),
        (put("volume", 9, -1.0), "row 9: not a candle"),
        (put("high", 9, 1.0), "row 9: not a candle: .*high 1"),
        (put("low", 9, 0.0), "row 9: not a candle"),
        (lambda data: {n: c for n, c in data.items() if n != "low"}, "has no column low"),
        (lambda data: {n: c[:1] for n, c in data.items()}, "at least two"),
    ],
)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_bad_row_is_named(tmp_path: Path, change: Any, text: str, suffix: str) -> None:
    path = write(tmp_path / f"BTCUSDT.{suffix}", columns(20), change)
    with pytest.raises(RecordingError, match=f"BTCUSDT.{suffix}: .*{text}"):
        read_candles(path)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.parquet"
    path.write_text("not parquet")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_candles(path)
    (tmp_path / "ETHUSDT.csv").write_text("ts_ms,open,high,low,close,volume\n1,a,b,c,d,e\n2,,,,,\n")
    with pytest.raises(RecordingError, match="ETHUSDT"):
        read_candles(tmp_path / "ETHUSDT.csv")
    with pytest.raises(RecordingError, match="no such file"):
        find_files(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"no \.parquet"):
        find_files(tmp_path / "empty")


def test_funding_is_rounded_to_the_second_and_checked(tmp_path: Path) -> None:
    head = "symbol,ts_ms,funding_rate\n"
    good = tmp_path / "funding.csv.gz"
    rows = "BTCUSDT,28800003,0.0002\nETHUSDT,0,-0.0001\nBTCUSDT,0,0.0001\n"
    good.write_bytes(gzip.compress((head + rows).encode()))
    assert read_funding(good) == {
        "BTC/USDT:USDT": ((0, 0.0001), (28_800_000, 0.0002)),
        "ETH/USDT:USDT": ((0, -0.0001),),
    }
    for rows, text in (
        ("BTCUSDT,0,0.1\nBTCUSDT,2,0.1\n", "row 2: a second settlement"),
        ("BTCUSDT,0,0.1\nBTCUSDT,28800000,nan\n", "row 2: funding_rate is not a number"),
        ("BTCUSDT,0,0.1\nBTCUSDT,,0.1\n", "row 2: ts_ms is empty"),
    ):
        bad = tmp_path / "bad.csv"
        bad.write_text(head + rows)
        with pytest.raises(RecordingError, match=text):
            read_funding(bad)


@pytest.mark.parametrize(
    ("step", "zone", "said"), [(8, 0, ""), (8, 1, "1 h off"), (4, -2, "2 h"), (1, 5, "")]
)
def test_settlements_in_local_time_are_refused(
    tmp_path: Path, step: int, zone: int, said: str
) -> None:
    hour = 3_600_000
    first = 1_735_689_600_000 + zone * hour  # 2025-01-01 00:00 UTC
    rows = "".join(f"BTCUSDT,{first + k * step * hour + 7},0.0001\n" for k in range(40))
    path = tmp_path / "okx_swap.csv"
    path.write_text("symbol,ts_ms,funding_rate\n" + rows)
    key = ("okx", "BTC/USDT:USDT")
    if not said:
        assert len(read_settlements(tmp_path, [key])[key]) == 40
        return
    with pytest.raises(RecordingError, match=f"okx_swap.csv: BTC.* every {step} h, but {said}"):
        read_settlements(tmp_path, [key])
