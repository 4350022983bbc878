"""``make bench-peers``: the same strategy on the same candles in other people's backtesters.

Each peer gets an environment of its own under a cache folder (``KILLCORD_BENCH_CACHE``, else
``~/.cache/killcord-bench``), made once by uv where it is installed, else by pip; one that does not
install, or whose script fails, is skipped with the reason. No run asks a venue for anything. Run a
few with ``make bench-peers ARGS="backtesting vectorbt"``.

The work: averages of 10 and 30 minutes, long only, in and out at the market when they cross, 2 % of
equity rounded down to a thousandth of a coin, a fixed stop 0.5 % below the entry, 4 basis points a
fill, 100,000 at the start. A bar opens where the one before it closed: those who fill at the close
and those who fill at the next open pay the same. Each script prints one line of JSON: CPU
``seconds`` of the run without loading (each is one thread, and other work on the machine costs all
of them alike), ``trades``, and ``equity`` at the end, which shows that the same was simulated.
Killcord runs again between them: each ratio is to the mean of its runs before and after.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench.backtest import LONG, write_bars
from tests.bench.engine import minute_bars

CACHE = Path(os.environ.get("KILLCORD_BENCH_CACHE", Path.home() / ".cache" / "killcord-bench"))
HERE = Path(__file__).parent / "peer_scripts"
PATIENCE = 1200
"""Seconds for an installation, and for a run."""


class Peer(NamedTuple):
    """One peer: what pip is asked for, and what it does differently."""

    name: str
    needs: tuple[str, ...]
    note: str


KERNEL = Peer("its sweep kernel", (), "arrays, not events; sizes not in lots")
PEERS = (
    Peer("freqtrade", ("freqtrade==2026.9",), "spot; signals by arrays"),
    # The last for Python 3.11.
    Peer("nautilus_trader", ("nautilus_trader==1.221.0", "pandas<3"), ""),
    Peer("backtrader", ("backtrader==1.9.78.123", "pandas"), "a stop works from the next bar on"),
    # jesse holds numpy at 1.26, which newer ones of pyarrow refuse.
    Peer("jesse", ("jesse==3.5.3", "pyarrow<20"), ""),
    Peer("backtesting", ("backtesting==0.6.6",), "one symbol at a time; signals by arrays"),
    Peer("raptorbt", ("raptorbt==0.13.4", "numpy"), "engine in Rust, strategy in Python"),
    Peer("vectorbt", ("vectorbt==1.2.0",), "arrays, not events"),
)


class Found(NamedTuple):
    """What a run measured."""

    seconds: float
    trades: int
    equity: float
    megabytes: float


def main(arguments: list[str]) -> int:
    """Measure Killcord and the named peers, or all; print a table of ratios."""
    unknown = [name for name in arguments if name not in {peer.name for peer in PEERS}]
    if unknown:
        sys.stderr.write(f"no peer {', '.join(unknown)}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = write_bars(Path(folder), minute_bars(LONG))
        ours = run(_own("killcord", path), own=True)
        if isinstance(ours, str):
            say(f"killcord: {ours}")
            return 1
        say(
            f"{'':16} {'CPU s':>8} {'bars/s':>10} {'memory MB':>10} {'trades':>7} {'equity':>10}"
            f" {'ratio':>7}"
        )
        show("killcord", ours, ours.seconds, "events, the whole order and risk path")
        own = [ours.seconds]
        for peer in (KERNEL, *PEERS):
            if arguments and peer.name not in arguments and peer is not KERNEL:
                continue
            found = measure(peer, path)
            again = run(_own("killcord", path), own=True)
            own.append(own[-1] if isinstance(again, str) else again.seconds)
            if isinstance(found, str):
                say(f"{peer.name:16} skipped: {found}")
            else:
                show(peer.name, found, (own[-2] + own[-1]) / 2, peer.note)
        say(f"killcord in between: {min(own):.2f} to {max(own):.2f} s")
    return 0


def measure(peer: Peer, path: Path) -> Found | str:
    """Install a peer where it is not, and run it; the reason where that is not possible."""
    if peer is KERNEL:
        return run(_own("killcord_kernel", path), own=True)
    home = CACHE / peer.name
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        reason = install(peer, home, python)
        if reason:
            return reason
    return run([str(python), str(HERE / f"{peer.name}.py"), str(path)])


def install(peer: Peer, home: Path, python: Path) -> str:
    """Make a peer's environment; return why it cannot be made."""
    home.parent.mkdir(parents=True, exist_ok=True)
    needs = ("pyarrow", *peer.needs)
    # jesse and freqtrade need a hundred packages each: pip takes many times as long as uv.
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    uv = shutil.which("uv", path=beside)
    if uv:
        make = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(home)]
        fill = [uv, "pip", "install", "-q", "--python", str(python), *needs]
    else:
        make = [sys.executable, "-m", "venv", "--clear", str(home)]
        fill = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *needs]
    for command in (make, fill):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return "the installation takes too long"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    (home / "ready").touch()
    return ""


def _own(script: str, path: Path) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.peer_scripts.{script}", str(path)]


def run(command: list[str], *, own: bool = False) -> Found | str:
    """Run a script that prints what it measured; the reason where it does not."""
    # Its own folder: some peers take what lies about for a project of theirs.
    with tempfile.TemporaryDirectory() as folder:
        where = Path(__file__).parents[2] if own else Path(folder)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=where
            )
        except subprocess.TimeoutExpired:
            return f"not done after {PATIENCE} s"
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:160]
    told = json.loads(lines[-1])
    return Found(told["seconds"], told["trades"], told["equity"], told["megabytes"])


def show(name: str, found: Found, ours: float, note: str) -> None:
    """Print one line; the ratio says how many times as long as Killcord's ``ours`` it takes."""
    speed = LONG / found.seconds
    longer = found.seconds / ours
    ratio = f"{longer:.1f}x" if longer >= 0.5 else f"1/{1 / longer:.0f}"
    say(
        f"{name:16} {found.seconds:8.3f} {speed:10,.0f} {found.megabytes:10,.0f} {found.trades:7,}"
        f" {found.equity:10,.0f} {ratio:>7}  {note}"
    )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
