"""Who looks at the desk, and which terminal has control.

One terminal at a time has control; the others look on. It is taken, not asked for: whoever sits at
a terminal of this user may take it, and the one before sees that it is gone. The desk keeps to it,
whatever a terminal thinks. Two things are outside of it: the kill cord, which every terminal has
always, and commands of a shell (``killcord buy``), which say themselves what they want.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from core.desk.lines import Lines
from core.model.effect import Answer
from core.model.event import Command, Kill
from core.model.snapshot import ControlView

READ_ONLY = "READ_ONLY"


class Claim(StrEnum):
    """What a terminal wants when it comes."""

    NONE = "none"
    """To look on."""
    FREE = "free"
    """Control, if nobody has it."""
    TAKE = "take"
    """Control, whoever has it."""


class Terminals:
    """The terminals that are attached.

    Args:
        lines: told when control goes from one to another.
    """

    def __init__(self, lines: Lines) -> None:
        self.changes = 0
        """Rises when ``view`` changes."""
        self._lines = lines
        self._attached: dict[str, str] = {}
        self._streams: Counter[str] = Counter()
        self._holder = ""

    @property
    def view(self) -> ControlView:
        """What every terminal shows of this."""
        return ControlView(self._holder, self._attached.get(self._holder, ""), len(self._attached))

    def join(self, terminal: str, name: str, claim: Claim) -> None:
        """Take note of a terminal, or of another stream of one: it may be back before it left.

        Args:
            terminal: its id, made by itself.
            name: what people call it, such as ``ana pts/3``.
            claim: what it wants.
        """
        self._attached[terminal] = name
        self._streams[terminal] += 1
        if claim is Claim.TAKE or (claim is Claim.FREE and not self._holder):
            self.take(terminal)
        self.changes += 1

    def leave(self, terminal: str) -> None:
        """Take note that a stream of a terminal ended; after its last, its control is nobody's."""
        self._streams[terminal] -= 1
        if self._streams[terminal] > 0:
            return
        del self._streams[terminal]
        name = self._attached.pop(terminal, "")
        if terminal == self._holder:
            self._holder = ""
            self._lines.add("info", f"control: {name} is gone; nobody has it")
        self.changes += 1

    def take(self, terminal: str) -> bool:
        """Give control to a terminal; return whether it is attached."""
        if terminal not in self._attached:
            return False
        if terminal != self._holder:
            before = self._attached.get(self._holder, "")
            self._holder = terminal
            text = f"control: {self._attached[terminal]}" + (f", before {before}" if before else "")
            self._lines.add("info", text)
            self.changes += 1
        return True

    def release(self, terminal: str) -> bool:
        """Take control from the terminal that has it; return whether it had."""
        if terminal != self._holder:
            return False
        self._holder = ""
        self._lines.add("info", f"control: {self._attached[terminal]} gave it up")
        self.changes += 1
        return True

    def refuse(self, terminal: str, command: Command | None = None) -> Answer | None:
        """Return why a terminal may not do something; None when it may.

        Args:
            terminal: its id; empty for a shell.
            command: None: end the desk.
        """
        if not terminal or terminal == self._holder or isinstance(command, Kill):
            return None
        name = self._attached.get(self._holder)
        detail = f"control is with {name}" if name else "nobody has control; take it first"
        return Answer(getattr(command, "request", ""), False, READ_ONLY, detail)
