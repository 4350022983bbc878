"""``killcord attach --ssh``: the terminal runs where the desk is, and only its picture travels.

A terminal sends 5 to 20 kB a frame and takes keys; the snapshots behind it are ten times that, and
both ends would have to be of one version. So ssh runs ``killcord attach`` over there, in a
terminal of its own. What ends with the connection is that terminal: not the desk.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys

from core.errors import UsageError, VenueUnavailable

LOST = 255
"""What ssh itself ends with."""
NOT_FOUND = 127
"""What a shell ends with when there is no such program."""
OPTIONS = ("-t", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5")
"""A terminal for the other side; a dead line is noticed after three unanswered questions."""
_GIVE_BACK = "\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[0m"
"""Leaves the other screen, the mouse and what else a terminal that broke off had asked for."""
_CARRIED = ("COLORTERM", "NO_COLOR")


def attach(arguments: argparse.Namespace) -> int:
    """Open a terminal on a desk of another machine; return its exit code.

    Raises:
        UsageError: there is no ssh here, or no killcord there.
        VenueUnavailable: the connection failed, or broke.
    """
    if shutil.which("ssh") is None:
        raise UsageError("ssh is not installed here: --ssh needs it")
    host = arguments.ssh
    code = subprocess.run(["ssh", *OPTIONS, "--", host, command(arguments)], check=False).returncode
    if code == NOT_FOUND:
        raise UsageError(
            f"{host}: {arguments.remote} was not found there: say where it is with --remote PROGRAM"
        )
    if code == LOST:
        sys.stderr.write(_GIVE_BACK)
        raise VenueUnavailable(
            f"{host}: no connection, or it broke; a desk there goes on without it."
            f" Stop everything: ssh {host} {arguments.remote} kill"
        )
    return code


def command(arguments: argparse.Namespace) -> str:
    """Return what the shell over there runs."""
    carried = {name: os.environ[name] for name in _CARRIED if name in os.environ}
    if arguments.remote_home:
        carried["KILLCORD_HOME"] = arguments.remote_home
    words = ["env", *(f"{name}={value}" for name, value in carried.items())]
    words += [arguments.remote, "attach"]
    words += ["--control"] if arguments.control else []
    words += ["--fps", str(arguments.fps)] if arguments.fps else []
    return "exec " + shlex.join(words)
