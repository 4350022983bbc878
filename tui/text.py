"""The one door through which other people's text reaches the screen.

Venues, news and other processes write strings that we show. A terminal obeys what is printed on
it, so every such string passes ``clean`` first; what comes out is plain, one line, and short.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NewType

SafeText = NewType("SafeText", str)
"""Text that ``clean`` has made harmless. Only ``clean`` may create it."""

LIMIT = 400
"""Longest text kept, in characters; longer ends with an ellipsis."""

# Escape sequences are removed whole, or their bodies ("[31m", a window title) would remain as text.
# String sequences (OSC, DCS, SOS, PM, APC) run to ST or BEL; unterminated, to the end.
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x1b\\|\x07|\x9c|$)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_SPACES = re.compile(r"[\s\u2028\u2029]+")
# Variation selectors and enclosing marks change the width of what stands before them.
_WIDTH_CHANGERS = frozenset([*map(chr, range(0xFE00, 0xFE10)), "\u200d", "\u20e3"])
_MARKS_IN_A_ROW = 2


def clean(text: object, limit: int = LIMIT) -> SafeText:
    """Return text that is safe to print anywhere on the screen.

    Removes escape sequences, control characters, bidirectional controls, zero-width and unassigned
    characters and piles of combining marks; white space of every kind becomes one space. Markup is
    left alone because nothing on the screen parses markup.

    Args:
        text: anything; it is turned into ``str`` first.
        limit: longest result, characters.
    """
    raw = text if isinstance(text, str) else str(text)
    # Almost everything is already harmless; the tests below cost 60 ns on a short string.
    if raw.isascii() and raw.isprintable() and len(raw) <= limit:
        return SafeText(raw)
    raw = _SPACES.sub(" ", _ESCAPES.sub("", raw[: 16 * limit]))
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", raw):
        category = unicodedata.category(char)
        if category[0] == "M":
            marks += 1
            if category == "Me" or marks > _MARKS_IN_A_ROW or char in _WIDTH_CHANGERS or not kept:
                continue
        else:
            marks = 0
            if category[0] == "C" or char in _WIDTH_CHANGERS:
                continue
        kept.append(char)
    # What was taken out may have stood between two spaces, or a letter and its accent.
    result = _SPACES.sub(" ", unicodedata.normalize("NFC", "".join(kept))).strip()
    return SafeText(result if len(result) <= limit else result[: limit - 1] + "…")
