"""The Bybit v5 dialect of the practice exchange: linear USDT perpetuals of a unified account.

REST under ``/bybit/v5``, WebSocket under ``/bybit/ws/v5``. Shapes follow the venue's public
documentation and recorded frames; a reply to an order says accepted, the streams say the rest.
"""

from __future__ import annotations

from aiohttp import web

from exchanges.practice.bybit.rest import BybitRest
from exchanges.practice.bybit.stream import BybitStream
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.wire import Limits

__all__ = ["mount"]


def mount(app: web.Application, venue: PracticeVenue, limits: Limits | None = None) -> None:
    """Mount the dialect on an application."""
    rest = BybitRest(venue, limits or Limits())
    stream = BybitStream(rest)
    for category in ("spot", "linear", "inverse", "option"):
        app.router.add_get(f"/bybit/ws/v5/public/{category}", stream.public)
    app.router.add_get("/bybit/ws/v5/private", stream.private)
    app.router.add_get("/bybit/ws/v5/trade", stream.trade)
    app.router.add_route("*", "/bybit/{tail:.*}", rest.handle)
