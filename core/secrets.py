"""Secrets: a type that does not print, and where keys are kept."""

from __future__ import annotations

from typing import NoReturn


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
