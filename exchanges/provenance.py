"""What signs our requests is ccxt as it was pinned, and nothing that took its place.

Packages were published that bear ccxt's name in theirs and replace the three methods that see a key
(``describe``, ``sign``, ``prepare_request_headers``). Installed over it, found before it on the
path, or patched into it, such a thing would be asked for every signature. So before ccxt is
imported and a key handed over, it is held against the wheel that ``requirements.lock`` names.

That does not help against somebody who may write where this program lies.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import SafetyRefusal
from exchanges.lean import CLASSES, NEEDED, exchange_class

VERSION = "4.5.90"
"""As ``pyproject.toml`` pins it."""
WHEEL = "98a58172a5d2e03b64437b4fe47cfeecbee42a14b72957639ca92d19a090f43f"
"""Hash of all the code in that wheel: of those lines of its RECORD that name a Python file. The
refusal of another version tells what it has to be."""
_USED = (
    "ccxt/base/",
    "ccxt/async_support/base/",
    *(f"ccxt/{room}/{name}.py" for room in ("abstract", "async_support", "pro") for name in NEEDED),
)
"""What of it runs here."""


@cache
def check_ccxt() -> None:
    """Make sure of it before ccxt is imported, and of what the import brought; once a process.

    Raises:
        SafetyRefusal: ccxt is not what was pinned; the text says what differs.
    """
    spec = importlib.util.find_spec("ccxt")
    site = Path(spec.origin).parents[1] if spec and spec.origin else Path("/nowhere")
    check_files(site, VERSION, WHEEL)
    check_classes(site, [exchange_class(venue) for venue in CLASSES])


def check_files(site: Path, version: str, wheel: str) -> None:
    """Hold the files of ccxt that are used against the wheel they should come from.

    Args:
        site: the folder with the package that would be imported.
        version: which should be installed there.
        wheel: see ``WHEEL``.

    Raises:
        SafetyRefusal: as ``check_ccxt``.
    """
    record = site / f"ccxt-{version}.dist-info" / "RECORD"
    try:
        rows = [line.rsplit(",", 2) for line in record.read_text().splitlines()]
    except OSError:
        raise _refusal(f"the ccxt in {site} is not the installed {version}") from None
    listed = {row[0]: row[1] for row in rows if row[0].startswith("ccxt/") and row[0][-3:] == ".py"}
    lines = sorted(f"{path},{digest}" for path, digest in listed.items())
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    if found != wheel:
        raise _refusal(f"{record} is not that of ccxt {version} (its code's hash is {found})")
    for path, expected in listed.items():
        if path.startswith(_USED):
            digest = hashlib.sha256((site / path).read_bytes()).digest()
            if expected != f"sha256={urlsafe_b64encode(digest).rstrip(b'=').decode()}":
                raise _refusal(f"{site / path} was changed after it was installed")


def check_classes(site: Path, classes: Iterable[type[Any]]) -> None:
    """Make sure that classes, and each method they have or inherit, are of those files.

    Raises:
        SafetyRefusal: as ``check_ccxt``.
    """
    used = tuple(str(site / part) for part in _USED)
    for kind in {kind for each in classes for kind in each.__mro__ if kind is not object}:
        own = sys.modules[kind.__module__].__file__ or ""
        if not own.startswith(used):
            raise _refusal(f"{kind.__module__} comes from {own}, not from the ccxt in {site}")
        for name, value in vars(kind).items():
            code = getattr(getattr(value, "__func__", value), "__code__", None)
            # ccxt itself adds methods to its classes, from its own files.
            if code is not None and not code.co_filename.startswith(used):
                raise _refusal(f"{kind.__name__}.{name} was replaced by {code.co_filename}")


def _refusal(text: str) -> SafetyRefusal:
    return SafetyRefusal(
        f"{text}: no key is handed to it. Install what is pinned, in an environment of its own:"
        " `pip install --require-hashes -r requirements.lock`"
    )
