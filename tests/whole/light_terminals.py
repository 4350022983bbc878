"""Terminals without a screen, one after the other: each follows the desk in a pty that is closed.

python tests/whole/light_terminals.py SOCKET COUNT
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import sys

HELLO = (
    "GET /v1/stream?hz=10&terminal=light-{n}&name=light&claim=free HTTP/1.1\r\nHost: desk\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def follow(path: str, number: int) -> None:
    """Read the stream for ever; say so once a picture has come."""
    near = socket.socket(socket.AF_UNIX)
    near.connect(path)
    near.sendall(HELLO.format(n=number).encode())
    read = 0
    while True:
        read += len(near.recv(65536))
        if read > 10_000:
            os.write(1, b"seen")
            read = -(1 << 60)


def main() -> None:
    """Open and close them."""
    path, count = sys.argv[1], int(sys.argv[2])
    for number in range(count):
        pid, fd = pty.fork()
        if pid == 0:
            follow(path, number)
        if not os.read(fd, 100).startswith(b"seen"):
            raise SystemExit(f"terminal {number} saw nothing")
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGHUP:
            raise SystemExit(f"terminal {number} ended with {status}")


if __name__ == "__main__":
    main()
