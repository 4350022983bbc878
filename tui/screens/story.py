"""One story in full."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll

from core.model.news import NewsStory
from core.model.snapshot import Snapshot
from tui.screens.dialog import Dialog
from tui.screens.help import Page
from tui.views.story import view_story


class StoryScreen(Dialog[None]):
    """Shows a story as it was when it was opened."""

    BINDINGS: ClassVar[list[Any]] = [Binding("o,q,enter", "give_up", "Back", show=False)]

    def __init__(self, story: NewsStory, snapshot: Snapshot) -> None:
        super().__init__()
        self._lines = view_story(story, snapshot)

    def compose(self) -> ComposeResult:
        """Place the page."""
        with VerticalScroll(id="box") as box:
            box.border_title = "news"
            box.border_subtitle = "esc goes back"
            yield Page(self._lines)
