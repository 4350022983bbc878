from pathlib import Path

import pytest

from core.config import Terminal
from core.errors import ConfigError
from core.home import Home
from tui import preferences
from tui.app import TerminalApp
from tui.theme import PALETTES


def test_it_reads_what_the_desk_would(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert preferences.read(file) == preferences.Preferences()
    file.write_text("[limits]\n")
    assert preferences.read(file) == preferences.Preferences()
    file.write_text('[terminal]\nfps = 5\ntheme = "classic"\nkeymap = { close = "f8" }\n[limits]\n')
    found = preferences.read(file)
    assert found == preferences.Preferences(5, "classic", {"close": "f8"})
    # Both readers must agree on names and defaults.
    assert Terminal().model_dump() == preferences.Preferences()._asdict()
    assert Terminal(**found._asdict()).model_dump() == found._asdict()
    assert set(preferences.THEMES) == set(PALETTES)


def test_every_mistake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[terminal]\nfps = 0\ntheme = "pink"\nkeymap = "x"\n')
    with pytest.raises(ConfigError) as caught:
        preferences.read(file)
    assert len(caught.value.problems) == 3
    file.write_text("[terminal\n")
    with pytest.raises(ConfigError, match="not closed|Expected"):
        preferences.read(file)


def test_a_file_that_takes_a_kill_key_does_not_start(home: Home) -> None:
    home.config_file.parent.mkdir(parents=True, exist_ok=True)
    home.config_file.write_text('[terminal.keymap]\nhelp = "f12"\n')
    with pytest.raises(ConfigError, match="reserved for the kill cord"):
        TerminalApp(home)
