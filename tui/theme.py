"""Colours, and what each tone looks like.

The default pair for up and down is Okabe-Ito sky blue and vermillion: apart for normal sight and
for all three kinds of colour blindness (CIE76 distance 89 to 114), where green and red fall to 10.
Colour is never the only carrier: numbers keep their sign, directions an arrow, states a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style
from textual.theme import Theme

if TYPE_CHECKING:
    from tui.views.table import Tone

DEFAULT = "sky"


class Palette(NamedTuple):
    """The colours of one theme, as hex."""

    ground: str
    raised: str
    """Title lines, dialogs, the cursor's row."""
    text: str
    faint: str
    up: str
    down: str
    warn: str
    alarm: str
    """Background of what must be seen at once."""
    on_alarm: str
    key: str
    """Keys and the focused pane."""
    dark: bool = True


_NIGHT = Palette(
    ground="#0e1116",
    raised="#1a2029",
    text="#d5dbe3",
    faint="#76818f",
    up="#56b4e9",
    down="#ec7a2c",
    warn="#f0e442",
    alarm="#d55e00",
    on_alarm="#ffffff",
    key="#c8b6ff",
)

PALETTES: dict[str, Palette] = {
    "sky": _NIGHT,
    "classic": _NIGHT._replace(up="#2fbf71", down="#ff4d5e", alarm="#c81e34", warn="#ffb020"),
    "east": _NIGHT._replace(up="#ff4d5e", down="#2fbf71", alarm="#c81e34", warn="#ffb020"),
    "contrast": _NIGHT._replace(
        ground="#000000", raised="#262626", text="#ffffff", faint="#b8b8b8", up="#7cc8ff"
    ),
    "light": Palette(
        ground="#fbfaf7",
        raised="#ebe8e0",
        text="#1d2329",
        faint="#6b7480",
        up="#0065a3",
        down="#b34700",
        warn="#7a5d00",
        alarm="#b34700",
        on_alarm="#ffffff",
        key="#5b3fa8",
        dark=False,
    ),
}


def themes() -> list[Theme]:
    """Return the themes for Textual, with our own variables for the stylesheet."""
    return [
        Theme(
            name=name,
            primary=palette.key,
            accent=palette.key,
            warning=palette.warn,
            error=palette.alarm,
            success=palette.up,
            foreground=palette.text,
            background=palette.ground,
            surface=palette.raised,
            panel=palette.raised,
            dark=palette.dark,
            variables={
                "up": palette.up,
                "down": palette.down,
                "faint": palette.faint,
                "key": palette.key,
                "alarm": palette.alarm,
                "block-cursor-background": palette.key,
                "block-cursor-foreground": palette.ground,
                "input-selection-background": f"{palette.key} 35%",
            },
        )
        for name, palette in PALETTES.items()
    ]


class Inks(NamedTuple):
    """Rich styles of a theme, made once a theme and not once a line."""

    tones: dict[Tone, Style]
    cursor: dict[Tone, Style]
    """The same on the row under the cursor."""
    loud: frozenset[Tone]
    """Tones that reach beyond the letters (background, underline): blanks must not join them."""
    ground: Style
    title: Style
    title_focus: Style
    rule: Style


def inks(name: str, colour: bool = True) -> Inks:
    """Return the styles of a theme.

    Args:
        name: a key of ``PALETTES``; anything else is the default.
        colour: False when ``NO_COLOR`` is set: weight, underline and reverse carry the meaning.
    """
    palette = PALETTES.get(name, PALETTES[DEFAULT])
    base = _tones(palette, palette.ground, colour)
    loud = {"alarm": palette.alarm, "good": palette.up}  # they keep their own ground
    return Inks(
        tones=base,
        cursor={
            tone: style + Style(reverse=True)
            if not colour
            else style + Style(bgcolor=loud.get(tone, palette.raised))
            for tone, style in _tones(palette, palette.raised, colour).items()
        },
        loud=frozenset(("alarm", "good") if colour else ("alarm", "down", "warn")),
        ground=Style(color=palette.text, bgcolor=palette.ground),
        title=Style(color=palette.faint, bgcolor=palette.ground, bold=True),
        title_focus=Style(color=palette.key, bgcolor=palette.ground, bold=True),
        rule=Style(color=palette.raised, bgcolor=palette.ground),
    )


def _tones(palette: Palette, ground: str, colour: bool) -> dict[Tone, Style]:
    plain = Style(color=palette.text, bgcolor=ground)
    if not colour:
        bold = plain + Style(bold=True)
        return {
            "": plain,
            "dim": plain + Style(dim=True),
            "strong": bold,
            "up": plain,
            "down": plain + Style(underline=True),
            "warn": bold + Style(underline=True),
            "alarm": bold + Style(reverse=True),
            "good": bold,
            "key": bold,
        }
    return {
        "": plain,
        "dim": Style(color=palette.faint, bgcolor=ground),
        "strong": plain + Style(bold=True),
        "up": Style(color=palette.up, bgcolor=ground),
        "down": Style(color=palette.down, bgcolor=ground),
        "warn": Style(color=palette.warn, bgcolor=ground),
        "alarm": Style(color=palette.on_alarm, bgcolor=palette.alarm, bold=True),
        "good": Style(color=palette.ground, bgcolor=palette.up, bold=True),
        "key": Style(color=palette.key, bgcolor=ground, bold=True),
    }
