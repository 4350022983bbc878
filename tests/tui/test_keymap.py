import pytest

from core.errors import ConfigError
from tui.bindings import display, rebind
from tui.keymap import KEYS, PANES, RESERVED
from tui.screens.help import view_help


def test_the_keymap_itself_has_no_clash() -> None:
    assert rebind({}) == KEYS


@pytest.mark.parametrize(
    "key", ["f12", "F12", "ctrl+k", "ctrl+K", "control+k", "x, ctrl+f", " f12 "]
)
@pytest.mark.parametrize("owner", ["close", "help"])
def test_no_key_moves_onto_the_kill_cord(owner: str, key: str) -> None:
    with pytest.raises(ConfigError, match="reserved for the kill cord"):
        rebind({owner: key})


@pytest.mark.parametrize("name", ["kill", "flatten"])
def test_the_kill_keys_do_not_move(name: str) -> None:
    with pytest.raises(ConfigError, match="is fixed"):
        rebind({name: "f9"})


def test_one_key_may_mean_two_things_only_in_views_that_are_never_on_show_together() -> None:
    with pytest.raises(ConfigError, match="already means"):
        rebind({"story": "x"})
    with pytest.raises(ConfigError, match="already means"):
        rebind({"only": "o"})
    rebind({"venue": "f"})  # as the news filter, which has another view


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        rebind({"nonsense": "x", "close": "f12", "arm": "b", "help": ""})
    assert len(caught.value.problems) == 4


def test_a_rebind_is_shown_in_the_help() -> None:
    keys = rebind({"close": "f8"})
    lines = ["".join(cell.text for cell in line) for line in view_help(keys, "markets")]
    close = [line for line in lines if "Close the position" in line]
    assert close[0].split()[0] == "F8"
    assert all(any(key.help in line for line in lines) for key in keys)


def test_reserved_keys_are_not_printable() -> None:
    # A printable key would not reach the app while a field has the focus.
    assert all("+" in key or (key.startswith("f") and key[1:].isdigit()) for key in RESERVED)


def test_help_fits_80_columns() -> None:
    for pane in PANES:
        for line in view_help(KEYS, pane):
            assert len("".join(cell.text for cell in line)) <= 69, line


def test_keys_are_written_as_people_read_them() -> None:
    assert display("f12,ctrl+k") == "F12 ^k"
    assert display("question_mark") == "?"


def test_the_keys_of_the_pane_in_use_come_first() -> None:
    for pane in PANES:
        lines = ["".join(cell.text for cell in line) for line in view_help(KEYS, pane)]
        mine = [key for key in KEYS if pane in key.panes]
        assert lines[0].startswith(f" {pane}")
        assert all(key.help in line for key, line in zip(mine, lines[1:], strict=False))


def test_every_key_has_something_to_do() -> None:
    from tui.app import TerminalApp

    names = {key.action.partition("(")[0] for key in KEYS}
    assert not [name for name in names if not hasattr(TerminalApp, f"action_{name}")]
