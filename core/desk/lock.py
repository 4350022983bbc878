"""One desk a home, one desk an account. The kernel frees a lock however its holder ends."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import AlreadyRunning, SafetyRefusal, StateError


class Lock:
    """An exclusive lock on a file, held until ``release`` or the end of the process.

    Args:
        path: created when missing, never removed: removing a locked file would let a second
            process lock a new one of the same name.
        what: says to a person what is held, ``the home /x`` or ``account 7 on bybit``.
        who: what kind of process holds it.
        advice: what a person can do about it.
        note: written beside the number of the process, for ``living_holder``.

    Raises:
        AlreadyRunning: another process holds it.
        StateError: the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        who: str = "desk",
        advice: str = "`killcord attach` to it, or `killcord stop` it",
        note: str = "",
    ) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"{path}: cannot be opened ({error.strerror}); see whose file it is"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            pid = holder(path)
            by = "" if pid is None else f" (process {pid})"
            raise AlreadyRunning(f"another {who}{by} holds {what}; {advice}") from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {note}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def holder(path: Path) -> int | None:
    """Return the process that took a lock last; None where nobody did."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def living_holder(path: Path) -> tuple[int, str] | None:
    """Return the process that holds a lock now, and its note; None where nobody does."""
    with suppress(OSError, ValueError), open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, note = file.read().decode().strip().partition(" ")
            return int(pid), note
    return None


def meeting_folder(environment: str) -> Path:
    """Return the folder in which all desks of this user meet, whatever their home.

    It is the same for a service, a job and a login of one user, and stays when they end; but for
    practice, where the accounts end as well.

    Raises:
        SafetyRefusal: the folder is not this user's own.
        StateError: it cannot be made.
    """
    session = os.environ.get("XDG_RUNTIME_DIR")
    if environment != "practice":
        import platformdirs  # 8 ms that pulling the cord has no use for

        folder = Path(platformdirs.user_state_dir("killcord")) / "accounts"
    elif session and os.path.isdir(session):
        folder = Path(session) / "killcord"
    else:
        folder = Path(tempfile.gettempdir()) / f"killcord-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{folder}: cannot be made ({error.strerror}); see who owns it") from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SafetyRefusal(f"{folder}: belongs to someone else; see who made it")
    return folder


def lock_account(environment: str, venue: str, account: str) -> Lock:
    """Take the one desk's place on a venue account.

    The lock is named by the account that the venue reports, not by configuration, so two homes
    with the same key exclude each other.

    Raises:
        AlreadyRunning: another desk of this user trades the account.
    """
    digest = hashlib.sha256(f"{environment}/{venue}/{account}".encode()).hexdigest()[:20]
    return Lock(
        meeting_folder(environment) / f"account-{venue}-{digest}.lock",
        f"account {account} on {venue}",
        advice="it may have another KILLCORD_HOME: `killcord stop` it there",
    )
