"""``python -m exchanges.practice``: run the practice exchange as its own process."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from core.errors import KillcordError
from exchanges.practice.server import Options, run
from exchanges.practice.wire import Limits


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line; argparse ends the process with code 2 on a bad one."""
    parser = argparse.ArgumentParser(prog="python -m exchanges.practice", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--market", default="synthetic", help="synthetic, or a recording's path")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per second")
    parser.add_argument("--balance", type=_money, default=Decimal(100_000), help="USDT a venue")
    parser.add_argument("--ready-file", type=Path, help="written when connections are accepted")
    parser.add_argument("--idle-exit", type=float, help="end after so many seconds without clients")
    parser.add_argument("--limit-scale", type=float, help="factor on the venues' request limits")
    parser.add_argument("--fixed-keys", action="store_true", help="derive keys from the seed")
    parser.add_argument("--faults", default="", metavar="NAME|FILE", help="what goes wrong")
    given = vars(parser.parse_args(arguments))
    scale = given.pop("limit_scale")
    return Options(**given, limits=None if scale is None else Limits(scale))


def _money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount") from None


def main() -> None:
    """Run until told to stop."""
    options = parse_options(sys.argv[1:])
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    try:
        with runner:
            runner.run(run(options))
    except KillcordError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
