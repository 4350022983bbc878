"""What-if asks the gate itself: it says what submitting would say, and leaves no trace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.picture import ShellFacts
from core.model.effect import Answer
from core.model.event import Disarm, Pause, Submit
from core.model.market import Side
from core.model.order import OrderKind
from tests.core.engine.scene import BTC, ETH, Scene, config, instrument

D = Decimal


def ask(scene: Scene, **changes: Any) -> Submit:
    values: dict[str, Any] = {
        "request": "r",
        "actor": "me",
        "venue": "bybit",
        "symbol": BTC,
        "side": Side.BUY,
        "qty": D("0.01"),
        "received": scene.now,
    }
    return Submit(**(values | changes))


def ready(**changes: Any) -> Scene:
    scene = Scene(config(**changes))
    scene.open()
    scene.give(scene.book(50_000.0))
    return scene


CASES: dict[str, dict[str, Any]] = {
    "passes": {},
    "too large": {"qty": D(5)},
    "off the lot": {"qty": D("0.0105")},
    "no price": {"kind": OrderKind.LIMIT},
    "far from the market": {"kind": OrderKind.LIMIT, "price": D(20_000)},
    "stop on the wrong side": {"stop": D(60_000)},
    "nothing to reduce": {"reduce_only": True},
    "unknown symbol": {"symbol": "NOPE/USDT:USDT"},
    "another symbol": {"symbol": ETH},
    "unknown venue": {"venue": "okx"},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("state", ["armed", "disarmed", "paused"])
def test_it_says_what_submitting_would_say(case: str, state: str) -> None:
    scene = ready()
    if state == "disarmed":
        scene.give(Disarm("me", scene.now))
    elif state == "paused":
        scene.give(Pause("me", BTC, True, scene.now))
    order = ask(scene, **CASES[case])
    found = scene.engine.weigh(order)
    (answer,) = scene.of(Answer, scene.give(order))
    assert (found.passed, found.code) == (answer.ok, answer.code)


def test_a_question_leaves_no_trace() -> None:
    asked, silent = ready(), ready()
    for scene in (asked, silent):
        scene.serve(scene.give(ask(scene)), 50_000.0)
    for changes in CASES.values():
        asked.engine.weigh(ask(asked, **changes))
    facts = ShellFacts("practice", "", 0)
    both = [scene.engine.snapshot(scene.now, facts) for scene in (asked, silent)]
    assert msgspec.json.encode(both[0]) == msgspec.json.encode(both[1])
    orders = [scene.orders(scene.give(ask(scene)))[0].client_id for scene in (asked, silent)]
    assert orders[0] == orders[1]
    assert asked.engine.decision_hash == silent.engine.decision_hash


def test_every_limit_an_order_would_break_is_named_with_its_numbers() -> None:
    scene = ready()
    found = scene.engine.weigh(ask(scene, qty=D(1)))
    failed = {check.code: check for check in found.checks if not check.passed}
    assert {"ORDER_NOTIONAL", "POSITION_NOTIONAL", "LOSS_TO_STOP"} <= set(failed)
    assert failed["POSITION_NOTIONAL"].limit == "2000.00"
    assert failed["POSITION_NOTIONAL"].value == "50000.00"
    assert found.code == next(check.code for check in found.checks if not check.passed)


def test_what_it_would_lead_to() -> None:
    scene = ready()
    found = scene.engine.weigh(ask(scene, qty=D("0.02")))
    assert found.position == D("0.02")
    assert found.exposure == D(1000)
    assert found.leverage == D("0.01")
    assert found.stop == D(49_000)
    assert found.loss == D(20)
    assert found.fee == D("0.55")
    assert found.liquidation is None  # 100,000 behind 1,000: no price is low enough
    short = scene.engine.weigh(ask(scene, qty=D("0.02"), side=Side.SELL))
    # (1,000 + 100,000) / (0.02 * 1.005), by hand
    assert short.liquidation == D("5024875.6")


def test_a_reduction_is_weighed_as_one() -> None:
    scene = ready()
    scene.serve(scene.give(ask(scene, qty=D("0.02"))), 50_000.0)
    found = scene.engine.weigh(ask(scene, qty=D("0.01"), side=Side.SELL, reduce_only=True))
    assert (found.passed, found.position, found.exposure) == (True, D("0.01"), D(500))
    assert found.stop is None


@given(
    qty=st.decimals("0.001", "3", places=3),
    price=st.one_of(st.none(), st.decimals(40_000, 60_000, places=1)),
    stop=st.one_of(st.none(), st.decimals(40_000, 60_000, places=1)),
    side=st.sampled_from(Side),
    tight=st.booleans(),
)
def test_screen_and_gate_never_disagree(
    qty: D, price: D | None, stop: D | None, side: Side, tight: bool
) -> None:
    scene = Scene(config(limits={"open_orders": 1, "stale_data": 0.5} if tight else {}))
    scene.open(instrument(max_market_qty=D(2)))
    scene.give(scene.book(50_000.0))
    kind = OrderKind.MARKET if price is None else OrderKind.LIMIT
    order = ask(scene, qty=qty, price=price, stop=stop, side=side, kind=kind)
    found = scene.engine.weigh(order)
    (answer,) = scene.of(Answer, scene.give(order))
    assert (found.passed, found.code) == (answer.ok, answer.code)
