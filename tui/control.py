"""The control socket for commands: one request, one answer, no event loop.

``killcord kill`` from a second shell must reach the gate in 100 ms, and importing an asynchronous
HTTP client costs more than that; the standard library's does the same in 15 ms.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from core.errors import KillcordError, NoDesk, SafetyRefusal, UsageError


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


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
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(
            method,
            target,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        reply = connection.getresponse()
        text = reply.read().decode()
    except (FileNotFoundError, ConnectionError, http.client.HTTPException):
        raise NoDesk("no desk is running here: start one with `killcord`") from None
    except TimeoutError:
        raise NoDesk(f"the desk did not answer in {timeout:g} s: see `killcord status`") from None
    finally:
        connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {"detail": text.strip()}
    if reply.status < 400:
        return answer
    detail = str(answer.get("detail") or answer.get("reason") or text)
    kind = {400: UsageError, 403: SafetyRefusal, 409: SafetyRefusal}.get(
        reply.status, KillcordError
    )
    raise kind(detail)
