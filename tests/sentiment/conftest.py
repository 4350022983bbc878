from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sentiment.rss import RssServer


@pytest.fixture
def feed() -> Iterator[RssServer]:
    server = RssServer()
    yield server
    server.close()
