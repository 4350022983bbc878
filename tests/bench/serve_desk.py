"""A practice desk, real but for one thing: more public trades than its market makes.

python tests/bench/serve_desk.py HOME [--trades 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.desk.desk import Desk
from core.model.market import Side, Trade
from tui.launch import prepare, run_loop

STEP = 0.01
"""Seconds between two bursts."""


async def flood(desk: Desk, rate: int) -> None:
    """Give the desk ``rate`` trades a second and venue, at the prices it has."""
    await desk.ready.wait()
    found = [market for market in desk.window.snapshot().markets if market.last]
    markets = {venue: [one for one in found if one.venue == venue] for venue in desk.config.venues}
    number = 0
    owed = 0.0
    before = time.perf_counter()
    while True:
        await asyncio.sleep(STEP)
        now = time.perf_counter()
        owed += (now - before) * rate
        before = now
        count, owed = int(owed), owed % 1.0
        for venue in desk.config.venues:
            for _ in range(count):
                number += 1
                market = markets[venue][number % len(markets[venue])]
                stamp = time.time_ns()
                desk.pump.sink(
                    Trade(
                        venue,
                        market.symbol,
                        market.last or 0.0,
                        0.01,
                        Side.BUY,
                        f"f{number}",
                        stamp,
                        stamp,
                    )
                )


def main() -> None:
    """Run until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--trades", type=int, default=1000)
    options = parser.parse_args()
    os.environ["KILLCORD_HOME"] = str(options.home)
    arguments = argparse.Namespace(
        env="practice", config=None, seed=7, market=None, speed=None, faults=None
    )
    with prepare(arguments) as make:

        async def run() -> None:
            desk = make()
            load = asyncio.create_task(flood(desk, options.trades))
            try:
                await desk.run()
            finally:
                load.cancel()

        run_loop(run())


if __name__ == "__main__":
    main()
