"""Secrets: a type that does not print, and a text without what may be one."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NoReturn

_QUERY = re.compile(r"(?<=\?)[^\s'\"<>]+")
_PAIR = re.compile(
    r"(?i)\b((?:api|access)?[-_]?(?:key|sign|signature|secret|passphrase|password|token|listenkey))"
    r"(['\"]?\s*[:=]\s*['\"]?)[^\s'\",&}]+"
)


class Secret:
    """A string that shows itself to no one: not in repr, format, pickle or JSON.

    The one way to the text is ``reveal``, called where a request is signed and nowhere else.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def scrub(text: str) -> str:
    """Remove what may be secret from a text: query strings, and values named like secrets.

    ccxt puts the whole URL into its errors, which for a signed GET carries the signature.
    """
    return _PAIR.sub(r"\1\2***", _QUERY.sub("***", text))


def forbid_core_dumps() -> None:
    """Let no crash of this process write its memory to a disk; for processes that hold keys."""
    with suppress(ImportError):  # Windows writes none
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
