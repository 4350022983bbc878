"""What all dialogs have in common."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from textual.binding import Binding
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A box over the panes; escape leaves it with nothing done. The kill keys work through it."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "give_up", "Back")]

    def action_give_up(self) -> None:
        """Leave without doing anything."""
        self.dismiss(None)
