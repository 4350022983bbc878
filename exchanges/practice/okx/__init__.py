"""The OKX v5 dialect of the practice exchange: USDT swaps, net positions, cross margin.

REST under ``/okx/api/v5``, WebSocket under ``/okx/ws/ws/v5/public|private|business``. Sizes are
contracts on the wire; a reply to an order says accepted, the streams say the rest.
"""

from __future__ import annotations

from aiohttp import web

from exchanges.practice.exchange import PracticeVenue
from exchanges.practice.okx.rest import OkxRest
from exchanges.practice.okx.stream import OkxStream
from exchanges.practice.wire import Limits

__all__ = ["mount"]


def mount(app: web.Application, venue: PracticeVenue, limits: Limits | None = None) -> None:
    """Mount the dialect on an application."""
    rest = OkxRest(venue, limits or Limits())
    stream = OkxStream(rest)
    app.router.add_get("/okx/ws/ws/v5/{access:public|private|business}", stream.serve)
    app.router.add_route("*", "/okx/{tail:.*}", rest.handle)
