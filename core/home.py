"""Where the program keeps its things. ``KILLCORD_HOME`` moves all of it under one folder."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import StateError


def make_folder(folder: Path) -> None:
    """Make a folder that this user alone may enter, where it is missing.

    Raises:
        StateError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        text = f"{folder}: cannot be created ({error.strerror})"
        raise StateError(f"{text}; set KILLCORD_HOME to a writable folder") from error


class Home:
    """The folders and files of one desk. Two homes share nothing: desks run side by side.

    Args:
        root: one folder for everything; None means the platform's standard folders.
    """

    def __init__(self, root: Path | None) -> None:
        if root is not None:
            self.config = self.data = root
            self.run = root / "run"
        else:
            # platformdirs costs 8 ms; the common test and container path above does without it.
            import platformdirs

            self.config = Path(platformdirs.user_config_dir("killcord"))
            self.data = Path(platformdirs.user_data_dir("killcord"))
            self.run = self.data / "run"

    @classmethod
    def find(cls) -> Home:
        """Return the home that the environment names."""
        root = os.environ.get("KILLCORD_HOME")
        return cls(Path(root).expanduser().resolve() if root else None)

    @property
    def config_file(self) -> Path:
        """The configuration, TOML."""
        return self.config / "config.toml"

    @property
    def strategies(self) -> Path:
        """Strategies of the user's own, one Python file each."""
        return self.config / "strategies"

    def models(self, environment: str) -> Path:
        """Trained models; what learnt from one market is not for another."""
        return self.state(environment) / "models"

    def history(self, environment: str) -> Path:
        """Candles and settled funding of venues."""
        return self.state(environment) / "history"

    def recordings(self, environment: str) -> Path:
        """Recorded sessions, a folder each."""
        return self.state(environment) / "recording"

    @property
    def synthetic_models(self) -> Path:
        """Models trained on made-up candles: kept apart, so that none ever trades."""
        return self.data / "models-synthetic"

    def state(self, environment: str) -> Path:
        """Journal, store, recordings, latch, candles and models of one environment."""
        return self.data / environment

    def latch(self, environment: str) -> Path:
        """The file whose presence means HALTED."""
        return self.state(environment) / "HALTED"

    @property
    def socket(self) -> Path:
        """The control socket.

        A Unix socket path holds about 100 bytes; a deep home falls back to a short name under /tmp
        derived from the home, in a folder only this user can enter.
        """
        return self._short("desk.sock")

    def replay_socket(self, pid: int) -> Path:
        """The socket on which a recording is played to the terminal of that process."""
        return self._short(f"replay-{pid}.sock")

    def _short(self, name: str) -> Path:
        path = self.run / name
        if len(os.fsencode(path)) <= 99:
            return path
        import hashlib
        import tempfile

        digest = hashlib.sha256(os.fsencode(self.run / "desk.sock")).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"killcord-{os.getuid()}-{digest}" / name

    @property
    def cord_socket(self) -> Path:
        """The kill cord's own way into the desk."""
        return self.socket.with_name("cord.sock")

    @property
    def guard_cord(self) -> Path:
        """The same into the guard."""
        return self.socket.with_name("guard-cord.sock")

    @property
    def guard_socket(self) -> Path:
        """Where the guard listens to the desk's heartbeat."""
        return self.socket.with_name("guard.sock")

    @property
    def guard_lock(self) -> Path:
        """Held by the running guard."""
        return self.run / "guard.lock"

    @property
    def guard_log(self) -> Path:
        """Log of a guard that a desk started."""
        return self.data / "guard.log"

    @property
    def lock(self) -> Path:
        """Held by the running desk; freed by the kernel however it ends."""
        return self.run / "desk.lock"

    @property
    def practice(self) -> Path:
        """Written by the practice exchange when it accepts connections."""
        return self.run / "practice.json"

    @property
    def news(self) -> Path:
        """Articles that were read, and how often each source was asked."""
        return self.data / "news"

    @property
    def welcomed(self) -> Path:
        """There once somebody has seen where to begin."""
        return self.data / "welcomed"

    @property
    def log(self) -> Path:
        """What the desk logs: JSON lines, 20 MB a file, the nine before it beside it."""
        return self.data / "killcord.log"

    @property
    def desk_log(self) -> Path:
        """What a desk in the background prints: nothing, unless something is wrong."""
        return self.data / "desk.log"

    def make(self, environment: str) -> None:
        """Create the folders, readable by this user alone.

        Raises:
            StateError: a folder cannot be created or written.
        """
        for folder in (
            self.config,
            self.data,
            self.run,
            self.state(environment),
            self.socket.parent,
        ):
            make_folder(folder)
            if not os.access(folder, os.W_OK):
                raise StateError(
                    f"{folder}: is not writable; set KILLCORD_HOME to a writable folder"
                )
