import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.text import LIMIT, clean

HOSTILE = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "clear screen": ("\x1b[2J\x1b[Hgone", "gone"),
    "window title": ("a\x1b]0;owned\x07b", "ab"),
    "link": ("\x1b]8;;http://x\x1b\\click\x1b]8;;\x1b\\", "click"),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07ok", "ok"),
    "unterminated title": ("a\x1b]0;everything after is swallowed", "a"),
    "device string": ("a\x1bPq#0\x1b\\b", "ab"),
    "eight-bit colour": ("\x9b31mred", "red"),
    "eight-bit title": ("a\x9d0;x\x9cb", "ab"),
    "lone escape": ("a\x1b", "a"),
    "backspace": ("safe\x08\x08\x08\x08evil", "safeevil"),
    "carriage return": ("filled\rcancelled", "filled cancelled"),
    "lines": ("one\ntwo\u2028three", "one two three"),
    "right to left": ("buy \u202etrohs\u202c", "buy trohs"),
    "isolate": ("\u2066x\u2069", "x"),
    "zero width": ("B\u200bT\u200dC\ufeff", "BTC"),
    "soft hyphen": ("BT\u00adC", "BTC"),
    "pile of marks": ("e" + "\u0301" * 50 + "x", "é\u0301\u0301x"),
    "enclosing": ("a\u20ddb", "ab"),
    "unassigned": ("a\u0378b", "ab"),
    "private use": ("a\ue000b", "ab"),
    "surrogate": ("a\ud800b", "ab"),
    "delete": ("a\x7fb", "ab"),
    "markup is only text": (
        "[red]x[/red] [@click=app.quit]y[/]",
        "[red]x[/red] [@click=app.quit]y[/]",
    ),
    "a message": ("Insufficient margin (code -2019)", "Insufficient margin (code -2019)"),
    "other scripts": ("注文拒否 отказ", "注文拒否 отказ"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_made_plain(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(alphabet=st.characters(), max_size=1000))
def test_nothing_that_moves_the_cursor_survives(text: str) -> None:
    result = clean(text)
    assert len(result) <= LIMIT
    assert not [c for c in result if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]
    assert clean(result) == result
    assert cell_len(result) >= 0


def test_long_text_is_cut_with_a_sign() -> None:
    assert clean("x" * 1000, 10) == "x" * 9 + "…"
    assert clean("ж" * 1000, 10) == "ж" * 9 + "…"


def test_other_things_become_text() -> None:
    assert clean(ValueError("\x1b[31mno")) == "no"
