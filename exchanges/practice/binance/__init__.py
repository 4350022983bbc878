"""The Binance USDⓈ-M dialect of the practice exchange.

REST under ``/binance/fapi`` (with the few ``sapi`` and spot answers that clients ask for), streams
under ``/bnws/f/public|market|private``, the WebSocket API under ``/bnws/ws-fapi/v1``.
"""

from __future__ import annotations

from aiohttp import web

from exchanges.practice.binance.rest import BinanceRest
from exchanges.practice.binance.stream import BinanceStream
from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.wire import Limits

__all__ = ["mount"]


def mount(app: web.Application, venue: PracticeVenue, limits: Limits | None = None) -> None:
    """Mount the dialect on an application."""
    rest = BinanceRest(venue, limits or Limits())
    stream = BinanceStream(rest)
    router = app.router
    router.add_get("/bnws/ws-fapi/v1", stream.api)
    router.add_get("/bnws/f/private/ws", stream.user)
    router.add_get("/bnws/f/private/ws/{tail:.*}", stream.user)
    for category in ("/{category:public|market}", ""):
        router.add_get(f"/bnws/f{category}/{{mode:ws|stream}}", stream.market)
        router.add_get(f"/bnws/f{category}/{{mode:ws|stream}}/{{tail:.*}}", stream.market)
    router.add_route("*", "/binance/{tail:.*}", rest.handle)
