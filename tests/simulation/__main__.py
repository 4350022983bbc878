"""``python -m tests.simulation``: many seeds with a report, or one seed with its story.

python -m tests.simulation --count 5000 --jobs 2     seeds 1 to 5000
python -m tests.simulation 551                       seed 551, every line of its log
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from core.desk.lines import LogView
from tests.simulation.world import Outcome, World, simulate


class Totals:
    """What many seeds came to."""

    def __init__(self) -> None:
        self.seeds = self.lives = self.orders = self.fills = self.kills = self.steps = 0
        self.seconds = 0.0
        self.struck: Counter[str] = Counter()
        self.failed: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        for name in ("lives", "orders", "fills", "kills", "steps", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.struck.update(outcome.struck)
        if outcome.breaches:
            self.failed.append(outcome)

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        yield f"seeds run            {self.seeds:>12,}"
        yield f"simulated time       {self.seconds / 3600:>12,.1f} h"
        yield f"lives of the desk    {self.lives:>12,}"
        yield f"orders, fills, kills {self.orders:>12,} {self.fills:,} {self.kills:,}"
        yield f"faults injected      {sum(self.struck.values()):>12,}"
        for fault, count in sorted(self.struck.items()):
            yield f"  {fault:<42} {count:>9,}"
        yield f"invariant breaches   {sum(len(each.breaches) for each in self.failed):>12,}"
        for outcome in self.failed[:10]:
            yield f"seed {outcome.seed}: {outcome.breaches[0]}"
            yield f"  repeat it: python -m tests.simulation {outcome.seed}"


def run_many(first: int, count: int, jobs: int) -> Totals:
    """Run seeds in processes of their own and return what they came to."""
    totals = Totals()
    seeds = range(first, first + count)
    if jobs == 1:
        for seed in seeds:
            totals.add(simulate(seed))
        return totals
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for outcome in pool.imap_unordered(simulate, seeds, chunksize=10):
            totals.add(outcome)
    return totals


def tell(seed: int) -> Outcome:
    """Run one seed, printing what the desk logs and what befalls it."""

    def prepare(world: World) -> None:
        def line(view: LogView) -> None:
            print(f"{world.loop.time():9.3f}  {view.kind:<7}{view.level:<8} {view.text}")

        world.hear = line

    return simulate(seed, prepare=prepare)


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="run this one and tell its story")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    chosen = parser.parse_args()
    if chosen.seed is not None:
        outcome = tell(chosen.seed)
        print(*(outcome.breaches or ["no breach"]), f"trace {outcome.hash}", sep="\n")
        return 1 if outcome.breaches else 0
    started = time.monotonic()
    totals = run_many(chosen.first, chosen.count, chosen.jobs)
    print(*totals.lines(), sep="\n")
    print(f"took                 {time.monotonic() - started:>12,.0f} s")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
