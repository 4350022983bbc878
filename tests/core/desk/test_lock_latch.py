"""Locks exclude, latches hold."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.desk import latch
from core.desk.latch import Latched
from core.desk.lock import Lock, lock_account
from core.errors import AlreadyRunning
from core.model.event import KillMode

_HOLDER = """
import sys
from pathlib import Path
from core.desk.lock import Lock, lock_account
lock = {lock}
print("held", flush=True)
sys.stdin.read()
"""


def holder(lock: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLDER.format(lock=lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_held_home_names_its_holder_and_kill_9_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "desk.lock"
    with holder(f"Lock(Path({str(path)!r}), 'the home')") as child:
        with pytest.raises(AlreadyRunning, match=f"process {child.pid}.*the home"):
            Lock(path, "the home")
        child.kill()
        child.wait()
    lock = Lock(path, "the home")
    lock.release()
    Lock(path, "the home").release()


def test_two_homes_with_one_account_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with holder("lock_account('testnet', 'okx', '7')") as child:
        # A service has no session, a login has: they meet all the same.
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        with pytest.raises(AlreadyRunning, match="account 7 on okx"):
            lock_account("testnet", "okx", "7")
        lock_account("testnet", "okx", "8").release()
        lock_account("live", "okx", "7").release()
        child.kill()
        child.wait()
    lock_account("testnet", "okx", "7").release()


_ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from core.desk import latch
from core.desk.latch import Latched
from core.model.event import KillMode

path = Path(sys.argv[1]) / "HALTED"
latch.keep_room(path)
try:
    with open(path.with_name("ballast"), "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError as error:
    assert error.errno == 28, error
for mode, pending in ((KillMode.HALT, ()), (KillMode.FLATTEN, ("binance", "okx"))):
    wanted = Latched("killed by hand", "me", 5, mode, pending)
    latch.write(path, wanted)
    assert latch.read(path) == wanted
os.truncate(path, 10)
try:
    latch.write(path, wanted)
except OSError:
    assert latch.read(path) is not None
else:
    sys.exit("a full disk was expected to refuse")
assert sorted(os.listdir(path.parent)) == ["HALTED", "ballast"]
print("latched")
"""


def test_a_full_disk_can_be_latched(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"'
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(tmp_path)]
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets no user mount a small disk")
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [*mount, sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "latched\n"), done.stderr


def test_a_latch_holds_until_cleared_and_damage_does_not_open_it(tmp_path: Path) -> None:
    path = tmp_path / "HALTED"
    assert latch.read(path) is None
    latched = Latched("daily loss", "risk", 5, KillMode.FLATTEN, ("okx",))
    latch.write(path, latched)
    assert latch.read(path) == latched
    path.write_bytes(b"\x00garbage")
    damaged = latch.read(path)
    assert damaged is not None
    assert "cannot be read" in damaged.cause
    path.write_bytes(b"")
    assert latch.read(path) is not None
    latch.clear(path)
    latch.clear(path)
    assert latch.read(path) is None
