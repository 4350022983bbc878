"""A loopback control server in its own process, for the terminal's bench and for looking at it.

    python tests/bench/serve_pictures.py SOCKET [--hz 10] [--still] [--halted]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.loopback import Loopback  # noqa: E402
from tests.tui.pictures import busy, halted  # noqa: E402


async def main() -> None:
    """Serve until killed; every frame changes something in every pane."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("--hz", type=float, default=10.0)
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--halted", action="store_true")
    options = parser.parse_args()
    make = halted if options.halted else busy
    server = Loopback(options.socket, make())
    await server.start()
    step = 0
    while True:
        await asyncio.sleep(1 / options.hz)
        if not options.still:
            step += 1
            server.show(make(step))


if __name__ == "__main__":
    asyncio.run(main())
