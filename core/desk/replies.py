"""What the control socket answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from aiohttp import web


def answer_json(body: bytes, status: int = 200) -> web.Response:
    """Return JSON as a response."""
    from aiohttp import web

    return web.Response(body=body, status=status, content_type="application/json")


def refusal(status: int, code: str, detail: str) -> web.Response:
    """Return why a request is not answered."""
    body = msgspec.json.encode({"ok": False, "code": code, "detail": detail})
    return answer_json(body, status)
