"""A loopback control server in its own process, for the terminal's bench and for looking at it.

python tests/bench/serve_pictures.py SOCKET [--hz 10] [--picture busy]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.model.effect import Answer
from core.model.event import Command
from tests.tui import pictures
from tests.tui.loopback import Loopback


async def main() -> None:
    """Serve until killed; every frame changes something in every pane."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("--hz", type=float, default=10.0)
    parser.add_argument("--picture", default="busy", help="a function of tests.tui.pictures")
    options = parser.parse_args()
    make = getattr(pictures, options.picture)
    server = Loopback(options.socket, make())
    server.watch = pictures.watch
    await server.start()
    log = options.socket.parent.parent / "commands.log"
    accept = server.answer

    def answer(command: Command) -> Answer:
        with log.open("a") as file:
            file.write(f"{time.time()} {command}\n")
        return accept(command)

    server.answer = answer
    # Made once: making a picture costs as much as showing it, and the bench is not about that.
    made = [make(step) for step in range(60)]
    step = 0
    while True:
        await asyncio.sleep(1 / options.hz)  # the load's cadence
        step += 1
        server.show(made[step % len(made)])


if __name__ == "__main__":
    asyncio.run(main())
