"""The command line. Imports late: ``--help`` costs the interpreter and argparse, no more."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from core.errors import KillcordError, StateError
from tui.grammar import kill_parser, whole_parser
from tui.late import Run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    # The cord is not kept waiting by the grammar of everything else.
    arguments = kill_parser().parse_args(words[1:]) if words[:1] == ["kill"] else None
    arguments = arguments or whole_parser().parse_args(words)
    run: Run = arguments.run
    as_json = getattr(arguments, "json", False)
    try:
        return run(arguments)
    except KillcordError as error:
        _report(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.filename is None:
            raise  # not the disk's: a fault of ours, which its traceback finds
        _report(StateError(f"{error.filename}: {error.strerror}"), as_json=as_json)
        return StateError.exit_code


def _report(error: KillcordError, *, as_json: bool) -> None:
    if as_json:
        text = {"type": "error", "error": type(error).__name__, "detail": str(error)}
        print(json.dumps(text), flush=True)  # noqa: T201 - the answer of the command
    print(f"killcord: {error}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
