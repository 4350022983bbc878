from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from core.config_file import load, render
from core.errors import ConfigError
from core.home import Home
from core.terminal import Terminal
from tui import preferences
from tui.app import TerminalApp
from tui.theme import PALETTES


def test_one_check_serves_the_desk_and_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert preferences.read(file) == Terminal()
    file.write_text("[limits]\n")
    assert preferences.read(file) == Terminal()
    file.write_text('[terminal]\nfps = 5\ntheme = "classic"\nkeymap = { close = "f8" }\n[limits]\n')
    found = preferences.read(file)
    assert found == Terminal(fps=5, theme="classic", keymap={"close": "f8"})
    config = load(file, {}, {})
    assert config.terminal == found
    assert config.model_dump(mode="json")["terminal"]["fps"] == 5
    file.write_text('[terminal]\nfps = 99\nbell = "loud"\nfsp = 3\n[limits]\n')
    with pytest.raises(ConfigError) as mine:
        preferences.read(file)
    with pytest.raises(ConfigError) as desks:
        load(file, {}, {})
    assert len(mine.value.problems) == 3
    for problem in mine.value.problems:
        assert problem.partition("terminal.")[2] in desks.value.problems[0]
    assert set(get_args(get_type_hints(Terminal)["theme"])) == set(PALETTES)


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(render())
    assert preferences.read(file) == Terminal()
    assert "# Frames a second." in render()


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
