"""An HTTP server on the loopback interface, for as long as a test or a bench needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVERYTHING = "/{path:.*}"


@asynccontextmanager
async def serving(routes: Mapping[str, Handler | object]) -> AsyncIterator[str]:
    """Serve handlers (a coroutine function) and JSON bodies by path; yield the base URL."""
    app = web.Application()
    for path, what in routes.items():
        app.router.add_route("*", path, what if callable(what) else _json(what))
    async with serving_app(app) as url:
        yield url


@asynccontextmanager
async def serving_app(app: web.Application) -> AsyncIterator[str]:
    """Serve an application; yield its URL. At the end, who still asks is not waited for."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _json(body: object) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(body)

    return handle
