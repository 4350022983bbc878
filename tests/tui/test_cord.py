"""The cord's shortest way: what it imports, and what it makes of a desk that dies on it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import NoDesk
from core.model import instrument
from tui import cord
from tui.cli import main
from tui.control import ask

_LOADED = """
import sys
from tui import cord
from tui.cli import main
main(["kill", "--mode", "halt"])
print(*sorted(sys.modules))
"""


def test_the_cord_knows_the_venues() -> None:
    assert cord.VENUES == instrument.VENUES


def test_pulling_the_cord_imports_next_to_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED],
        env={"KILLCORD_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"tui.cord", "tui.control"} <= loaded
    heavy = {"msgspec", "asyncio", "http.client", "decimal", "pydantic", "platformdirs", "uuid"}
    assert not heavy & loaded
    assert "no desk is running" in done.stderr


@pytest.mark.parametrize("words", [["--mode", "gently"], ["now"]])
def test_a_mistyped_kill_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kill", *words])
    assert ended.value.code == 2


def test_a_kill_of_an_unknown_venue_names_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["kill", "--venue", "kraken"]) == 2
    assert "choose one of bybit, binance, okx" in capsys.readouterr().err


@pytest.mark.parametrize(
    "reply", [b"", b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"venues":']
)
def test_a_desk_that_goes_away_while_it_answers_is_no_answer(tmp_path: Path, reply: bytes) -> None:
    path = tmp_path / "desk.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoDesk, match="went away"):
            ask(path, "POST", "/v1/commands", {"type": "Kill"})
        thread.join()
