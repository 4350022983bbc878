"""The control socket for commands: one request, one answer, no event loop.

``killcord kill`` from a second shell must reach the gate in 100 ms. An HTTP client costs more than
that to import, the standard library's 20 ms; one request and one answer need none.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from core.errors import KillcordError, NoDesk, SafetyRefusal, UsageError

SHUT_LIMIT = 0.5
"""Seconds for the thread behind the cord to answer; a stopped desk is its guard's after 0.9."""


def shut(path: Path, kill: object) -> dict[str, Any] | None:
    """Close the gate by the kill cord's own way in, which no loop can delay.

    Args:
        path: the control socket.
        kill: the command, as ``ask`` takes it; a desk is to be asked as well, for the verdicts.

    Returns:
        Who did it, ``by`` the desk or, where that does not answer, the guard; when the gate was
        ``closed``, nanoseconds UTC; the ``folder`` with latch and reports. None: nobody answers.
    """
    for by, name in (("desk", "cord.sock"), ("guard", "guard-cord.sock")):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(SHUT_LIMIT)
                connection.connect(str(path.with_name(name)))
                connection.sendall(json.dumps(kill).encode() + b"\n")
                answer = json.loads(connection.recv(4096))
                return {"by": by, "closed": answer["closed"], "folder": answer["folder"]}
        except (OSError, ValueError, KeyError):
            continue
    return None


def ask(path: Path, method: str, target: str, body: object = None, timeout: float = 10.0) -> Any:
    """Send one request to the desk and return the decoded JSON answer.

    Args:
        path: the control socket.
        target: path and query, such as ``/v1/snapshot``.
        body: sent as JSON when given.
        timeout: seconds to wait for each step.

    Raises:
        NoDesk: nobody listens, or the desk went away before it answered.
        UsageError: the desk could not read the request (400).
        SafetyRefusal: the desk refused it (403, 409).
        KillcordError: any other failure, with the desk's words.
    """
    payload = b"" if body is None else json.dumps(body).encode()
    # HTTP/1.0: the answer comes whole, and its end is the end of the connection.
    head = (
        f"{method} {target} HTTP/1.0\r\nHost: desk\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(head.encode() + payload)
            data = b"".join(iter(lambda: connection.recv(65536), b""))
    except TimeoutError:
        raise NoDesk(f"the desk did not answer in {timeout:g} s: see `killcord status`") from None
    except PermissionError:
        raise NoDesk(f"{path}: the desk there is another user's") from None
    except OSError:
        raise NoDesk("no desk is running here: start one with `killcord`") from None
    if not data:
        raise NoDesk("the desk went away before it answered: see `killcord status`")
    head, _, text = data.decode(errors="replace").partition("\r\n\r\n")
    status = int(head.split(" ", 2)[1])
    try:
        answer = json.loads(text)
    except ValueError:
        if status < 400:
            raise NoDesk("the desk went away while it answered: see `killcord status`") from None
        answer = {"detail": text.strip()}
    if status < 400:
        return answer
    detail = str(answer.get("detail") or answer.get("reason") or text)
    kind = {400: UsageError, 403: SafetyRefusal, 409: SafetyRefusal}.get(status, KillcordError)
    raise kind(detail)
