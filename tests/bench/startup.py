"""How long a person waits, and how much memory is held, before anything happens."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

TARGETS = {
    "killcord --help, s": "<= 0.10",
    "practice desk ready from a cold start, s": "<= 5",
    "desk resident, 3 venues x 10 symbols, MB": "<= 250",
    "desk share of a core while trading": "",
    "practice exchange share of a core": "",
    "practice exchange resident, MB": "",
}


def help_text() -> dict[str, float | str]:
    """Time ``killcord --help``, median of 15."""
    times = []
    for _ in range(15):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tui.cli", "--help"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times.append(time.perf_counter() - started)
    return {"killcord --help, s": statistics.median(times)}


def desk() -> dict[str, float | str]:
    """Start a practice desk, wait until it is ready, let it trade for 30 s, read its size."""
    with tempfile.TemporaryDirectory() as home:
        environ = os.environ | {"KILLCORD_HOME": home}
        started = time.perf_counter()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tui.cli",
                "--no-ui",
                "--json",
                "--env",
                "practice",
                "--seed",
                "7",
            ],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if json.loads(line).get("text", "").startswith("ready in"):
                break
        ready = time.perf_counter() - started
        practice = json.loads((Path(home) / "run" / "practice.json").read_text())["pid"]
        before = {pid: _cpu(pid) for pid in (process.pid, practice)}
        window = time.perf_counter()
        for _ in process.stdout:
            if time.perf_counter() - window > 30:
                break
        seconds = time.perf_counter() - window
        share = {pid: (_cpu(pid) - cpu) / seconds for pid, cpu in before.items()}
        memory = {pid: _resident_mb(pid) for pid in before}
        process.terminate()
        process.stdout.read()
        process.wait(30)
    return {
        "practice desk ready from a cold start, s": ready,
        "desk resident, 3 venues x 10 symbols, MB": memory[process.pid],
        "desk share of a core while trading": share[process.pid],
        "practice exchange share of a core": share[practice],
        "practice exchange resident, MB": memory[practice],
    }


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


BENCHES = (help_text, desk)
