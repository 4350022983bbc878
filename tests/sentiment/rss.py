"""An RSS server on the loopback interface that publishes what a test tells it to."""

from __future__ import annotations

import hashlib
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from xml.sax.saxutils import escape


class RssServer:
    """Serves one feed; answers 304 to those who have it already."""

    def __init__(self, outlet: str = "Loopback Times") -> None:
        self._outlet = outlet
        self._items: list[str] = []
        self.requests = 0
        self.paths: list[str] = []
        self.answer: bytes | None = None
        """Sent instead of the feed."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests += 1
                owner.paths.append(self.path)
                body = owner.answer if owner.answer is not None else owner.body()
                tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                if self.headers.get("If-None-Match") == tag:
                    self.send_response(304)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/rss+xml")
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/rss"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def publish(self, title: str, at: float = 0.0) -> None:
        """Put a headline into the feed, dated ``at`` seconds from now."""
        number = len(self._items)
        self._items.append(
            f"<item><title>{escape(title)}</title><link>{self.url}/{number}</link>"
            f"<pubDate>{formatdate(time.time() + at)}</pubDate></item>"
        )

    def body(self) -> bytes:
        """Return the feed as it is now."""
        items = "".join(reversed(self._items))
        return (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>'
            f"<title>{escape(self._outlet)}</title><language>en</language>{items}</channel></rss>"
        ).encode()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
