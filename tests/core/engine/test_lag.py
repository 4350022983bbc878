"""A desk that stood still opens nothing until it has kept time for a while; it goes on reducing."""

from __future__ import annotations

from decimal import Decimal

from core.model.effect import Notify, RiskEvent
from core.model.event import Close, DeskLagged, GuardChanged, Submit
from core.model.market import Side
from core.model.order import OrderKind, Purpose
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene
from tests.core.engine.test_protection import answers, entered, held
from tests.core.engine.test_unknown import RISE


def lag(scene: Scene, seconds: float) -> list[str]:
    """Let the desk stand still; return what it says of it."""
    out = scene.give(DeskLagged(seconds, scene.now))
    return [effect.text for effect in scene.of(Notify, out)]


def opens(scene: Scene) -> bool:
    """Whether a person's order that adds risk is taken."""
    scene.give(scene.book(50_000))
    wish = Submit("r", "me", "bybit", BTC, Side.BUY, Decimal("0.001"), scene.now)
    (answer,) = answers(scene, wish)
    assert answer.ok or answer.code == Code.LOOP_LAG, answer
    return answer.ok


def test_a_lag_above_the_limit_refuses_entries_by_name_and_says_so_once() -> None:
    scene = Scene()
    scene.open()
    scene.closes(*RISE[:-1])
    assert lag(scene, 0.24) == []
    assert scene.engine.opens
    (said,) = lag(scene, 0.31)
    assert "stood still for 0.31 s" in said
    assert lag(scene, 0.9) == []
    assert not scene.engine.opens
    out = scene.closes(RISE[-1])
    assert scene.orders(out) == []
    assert [event.code for event in scene.of(RiskEvent, out)] == [Code.LOOP_LAG]


def test_it_ends_after_five_seconds_of_keeping_time_within_half_the_limit() -> None:
    scene = Scene()
    scene.open()
    lag(scene, 0.4)
    scene.wait(4)
    lag(scene, 0.2)  # would not begin it, but keeps it up
    scene.wait(4)
    lag(scene, 0.1)  # is no lag to speak of
    assert not opens(scene)
    out = scene.wait(1)
    assert [effect.text for effect in scene.of(Notify, out)] == ["the desk keeps time again"]
    assert opens(scene)


def test_protecting_and_closing_go_on() -> None:
    scene, entry = entered()
    lag(scene, 3.0)
    (stop,) = scene.orders(scene.give(scene.fill_of(entry, 49_500, str(entry.qty))))
    assert (stop.kind, stop.purpose) == (OrderKind.STOP, Purpose.STOP)

    scene, _ = held()
    lag(scene, 3.0)
    (exit_,) = scene.orders(scene.give(Close("r", "me", scene.now)))
    assert exit_.reduce_only


def test_a_desk_without_its_guard_opens_nothing_and_closes_what_it_holds() -> None:
    scene, entry = entered()
    scene.give(scene.fill_of(entry, 49_500))
    scene.give(GuardChanged(False, scene.now))
    assert not scene.engine.opens
    scene.give(scene.book(50_000))
    wish = Submit("r", "me", "bybit", BTC, Side.BUY, Decimal("0.001"), scene.now)
    (refused,) = answers(scene, wish)
    assert refused.code == Code.UNGUARDED
    (close,) = scene.orders(scene.give(Close("c", "me", scene.now)))
    assert close.reduce_only
    scene.give(GuardChanged(True, scene.now))
    assert scene.engine.opens
    (taken,) = answers(scene, wish)
    assert taken.code != Code.UNGUARDED
