"""``killcord web``: the attached terminal in a browser on this machine.

textual-serve starts one ``killcord attach`` for each tab. It checks nobody, so this does: it
listens on loopback alone, and every request needs the token of this start, once in the address and
then as a cookie. From another machine: ``ssh -L``.
"""

from __future__ import annotations

import argparse
import ipaddress
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web
from textual_serve.server import Server

from core.errors import NoDesk, SafetyRefusal, UsageError
from core.home import Home
from tui.launch import listens
from tui.output import reply

COOKIE = "killcord"
MOST = 8
"""Tabs at once; each is a terminal of 60 MB."""
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    # The page asks for a font elsewhere; nothing of a trading terminal leaves this machine.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; frame-ancestors 'none'"
    ),
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """textual-serve for those who know the token.

    Args:
        command: run for each tab.
        near: listens already, on loopback.
    """

    def __init__(self, command: str, near: socket.socket) -> None:
        host, port = near.getsockname()[:2]
        self.place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.token = secrets.token_urlsafe(24)
        self.tabs = 0
        super().__init__(command, host, port, title="killcord", public_url=f"http://{self.place}")

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return f"{self.public_url}/?token={self.token}"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._check(request, handler)

        app.middlewares.append(check)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the command says where it is."""

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Open a terminal, unless there are too many."""
        if self.tabs >= MOST:
            raise web.HTTPTooManyRequests(text=f"{MOST} terminals are open already\n")
        self.tabs += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self.tabs -= 1

    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        # Other names of this address, and pages of others, are how a browser is turned against it.
        if request.host != self.place or origin not in (None, self.public_url):
            raise web.HTTPForbidden(text="not from here\n")
        given = request.query.get("token", "")
        if request.path == "/" and given:
            self._expect(given)
            response: web.StreamResponse = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict")
        else:
            self._expect(request.cookies.get(COOKIE, ""))
            response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _expect(self, token: str) -> None:
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise web.HTTPForbidden(text="open the address that `killcord web` printed\n")


def run(arguments: argparse.Namespace) -> int:
    """Run ``killcord web`` until interrupted.

    Raises:
        NoDesk: no desk is running.
        SafetyRefusal: an address that others can reach.
        UsageError: the address or port cannot be had.
    """
    near = listen(arguments.address, arguments.port)
    with near:
        if not listens(Home.find().socket):
            raise NoDesk("no desk is running here: start one with `killcord`")
        command = [sys.executable, "-m", "tui.cli", "attach"]
        command += ["--control"] if arguments.control else []
        server = GuardedServer(shlex.join(command), near)
        facts = {"type": "web", "url": server.address, "control": arguments.control}
        does = "with control" if arguments.control else "looks on, and has the kill cord"
        hint = f"the terminal there {does}; ctrl+c here ends it"
        reply(arguments, facts, [server.address, hint])
        web.run_app(server._make_app(), sock=near, print=None, access_log=None, shutdown_timeout=2)
    return 0


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens on a loopback address.

    Raises:
        SafetyRefusal: it is not one.
        UsageError: it is no address, or the port is taken.
    """
    try:
        place = ipaddress.ip_address("127.0.0.1" if address == "localhost" else address)
    except ValueError:
        raise UsageError(f"--address: {address!r} is no address; leave it out") from None
    if not place.is_loopback:
        raise SafetyRefusal(
            f"{address} can be reached by others: the terminal is served on 127.0.0.1 alone;"
            " from another machine use ssh -L, or `killcord attach --ssh`"
        )
    family = socket.AF_INET6 if place.version == 6 else socket.AF_INET
    near = socket.socket(family, socket.SOCK_STREAM)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        near.bind((str(place), port))
    except (OSError, OverflowError) as error:
        near.close()
        raise UsageError(f"{address}:{port}: {error}; choose another --port") from None
    near.listen(16)
    return near
