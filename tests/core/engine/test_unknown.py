"""Orders whose outcome is not known: frozen, asked about, never assumed, never sent again."""

from __future__ import annotations

from decimal import Decimal

from core.clock import SECOND
from core.model.effect import (
    Answer,
    CancelOrder,
    Notify,
    QueryOrder,
    Record,
    RequestSweep,
    RiskEvent,
)
from core.model.event import ResolveOrder, VenueState
from core.model.order import Order, OrderAbsent, OrderStatus, Outcome
from core.model.record import Resolved
from core.portfolio.ledger import Ledger
from core.risk.codes import Code
from tests.core.engine.scene import BTC, Scene

RISE = [p * 500 for p in (100.0, 99.0, 98.0, 97.0, 96.0, 99.0)]


def lost() -> tuple[Scene, Order]:
    """An entry whose request timed out."""
    scene = Scene()
    scene.open()
    (entry,) = scene.orders(scene.closes(*RISE))
    scene.give(scene.sent(entry, Outcome.UNKNOWN, code="timeout"))
    return scene, entry


def codes(scene: Scene) -> list[str]:
    return [event.code for event in scene.of(RiskEvent)]


def absent(scene: Scene, order: Order) -> OrderAbsent:
    return OrderAbsent(order.venue, order.symbol, order.client_id, scene.now)


def test_it_is_asked_about_at_once_and_with_backoff() -> None:
    scene, entry = lost()
    assert [q.client_id for q in scene.of(QueryOrder)] == [entry.client_id]
    scene.wait(120, step=0.25)
    asked = len(scene.of(QueryOrder))
    assert 8 <= asked <= 14  # 1, 2, 4, 8 s and then every 15 s
    assert scene.orders() == [entry]


def test_it_freezes_new_risk_and_counts_as_filled() -> None:
    scene, entry = lost()
    slot = scene.engine._world.slots["bybit", BTC]
    assert slot.exposure() == entry.qty * slot.value()
    scene.closes(*[p * 500 for p in (95.0, 90.0, 100.0, 110.0)])
    assert scene.orders() == [entry]


def test_a_fill_resolves_it() -> None:
    scene, entry = lost()
    out = scene.give(scene.fill_of(entry, RISE[-1]))
    assert scene.engine.ledger.working.keys() == {scene.orders(out)[0].client_id}  # its stop
    assert scene.engine.ledger.open["bybit", BTC].qty == entry.qty


def test_a_query_that_finds_it_resolves_it() -> None:
    scene, entry = lost()
    scene.give(scene.report_of(entry, OrderStatus.OPEN, source="query"))
    order = scene.engine.ledger.working[entry.client_id]
    assert order.status is OrderStatus.OPEN
    asked = len(scene.of(QueryOrder))
    scene.wait(30)
    assert len(scene.of(QueryOrder)) == asked


def test_absence_before_the_window_proves_nothing() -> None:
    scene, entry = lost()
    scene.wait(17)
    scene.give(absent(scene, entry))
    scene.wait(1)
    scene.give(scene.true_sweep(orders=()))
    assert scene.engine.ledger.working[entry.client_id].status is OrderStatus.UNKNOWN


def test_absence_needs_a_second_source_that_looked_later() -> None:
    scene, entry = lost()
    scene.wait(20)
    early = scene.true_sweep(orders=())
    scene.wait(1)
    out = scene.give(absent(scene, entry))
    assert scene.of(RequestSweep, out)
    scene.give(early)
    assert scene.engine.ledger.working[entry.client_id].status is OrderStatus.UNKNOWN
    scene.wait(1)
    out = scene.give(scene.true_sweep(orders=()))
    assert entry.client_id not in scene.engine.ledger.working
    (resolved,) = [r for r in scene.journal if isinstance(r, Resolved)]
    assert (resolved.client_id, resolved.status) == (entry.client_id, OrderStatus.EXPIRED)
    assert Code.ORDER_ABSENT in codes(scene)
    # New risk is possible again.
    assert scene.orders(scene.closes(*[p * 500 for p in (95.0, 90.0)]))


def test_one_that_comes_back_from_the_dead_is_cancelled() -> None:
    scene, entry = lost()
    scene.wait(20)
    scene.give(absent(scene, entry))
    scene.wait(1)
    scene.give(scene.true_sweep(orders=()))
    out = scene.give(scene.report_of(entry, OrderStatus.OPEN))
    assert [c.client_id for c in scene.of(CancelOrder, out)] == [entry.client_id]
    assert Code.ORDER_RETURNED in codes(scene)
    # If it filled before the cancel arrived, the position is ours and protected.
    out = scene.give(scene.fill_of(entry, RISE[-1]))
    assert scene.engine.ledger.open["bybit", BTC].qty == entry.qty
    assert [o.kind for o in scene.orders(out)] == ["stop"]


def test_no_answer_to_a_request_at_all_is_unknown() -> None:
    scene = Scene()
    scene.open()
    (entry,) = scene.orders(scene.closes(*RISE))
    scene.wait(9)
    assert scene.engine.ledger.working[entry.client_id].status is OrderStatus.JOURNALED
    scene.wait(2)
    assert scene.engine.ledger.working[entry.client_id].status is OrderStatus.UNKNOWN
    assert scene.of(QueryOrder)


def test_after_a_crash_nothing_is_sent_again_and_everything_is_asked() -> None:
    scene = Scene()
    scene.open()
    (entry,) = scene.orders(scene.closes(*RISE))
    again = Scene(scene.settings, Ledger.replay(scene.journal))
    again.now = scene.now + 3 * SECOND
    again.open(sweep=False, arm=False)
    assert again.orders() == []
    assert [q.client_id for q in again.of(QueryOrder)] == [entry.client_id]
    assert again.engine.ledger.working[entry.client_id].status is OrderStatus.UNKNOWN
    # It had reached the venue and filled: position, protection, and never a second entry.
    again.now += SECOND
    fill = again.fill_of(entry, RISE[-1], source="sweep")
    out = again.give(again.true_sweep(fills=[fill], orders=(), balance="99999.1288"))
    assert [o.kind for o in again.orders(out)] == ["stop"]
    assert again.engine.ledger.open["bybit", BTC].qty == Decimal("0.032")
    ids = [o.client_id for o in again.orders()]
    assert entry.client_id not in ids


def test_an_order_missing_from_a_sweep_is_asked_about() -> None:
    scene = Scene()
    scene.open()
    scene.serve(scene.closes(*RISE), RISE[-1])
    stop = scene.orders()[-1]
    scene.wait(5)
    out = scene.give(scene.true_sweep(orders=()))
    assert [q.client_id for q in scene.of(QueryOrder, out)] == [stop.client_id]
    out = scene.give(scene.report_of(stop, OrderStatus.CANCELLED, source="query"))
    (new,) = scene.orders(out)
    assert (new.kind, new.qty, new.trigger) == (stop.kind, stop.qty, stop.trigger)
    assert scene.engine._world.venues["bybit"].state is VenueState.READY


def test_the_first_sweep_after_a_start_judges_also_what_was_heard_of_just_before() -> None:
    scene = Scene()
    scene.open()
    scene.serve(scene.closes(*RISE), RISE[-1])
    stop = scene.orders()[-1]
    again = Scene(scene.settings, Ledger.replay(scene.journal))
    again.now = scene.now + SECOND // 10
    again.open(sweep=False, arm=False)
    again.now += SECOND // 5
    again.give(again.true_sweep(orders=()))
    assert [q.client_id for q in again.of(QueryOrder)] == [stop.client_id]
    venue = again.engine._world.venues["bybit"]
    assert venue.state is VenueState.RECONCILING
    again.give(again.report_of(stop, OrderStatus.CANCELLED, source="query"))
    assert stop.client_id not in again.engine.ledger.working
    again.now += SECOND
    again.give(again.true_sweep())
    assert venue.state is VenueState.READY


def resolve(scene: Scene, client_id: str, status: OrderStatus) -> Answer:
    scene.give(ResolveOrder("r", "shell:me", scene.now, client_id, status))
    return scene.of(Answer)[-1]


def test_a_person_may_end_it_once_it_can_no_longer_arrive() -> None:
    scene, entry = lost()
    early = resolve(scene, entry.client_id, OrderStatus.CANCELLED)
    assert not early.ok
    assert "may still arrive" in early.detail
    scene.wait(20)
    assert resolve(scene, entry.client_id, OrderStatus.CANCELLED).ok
    assert scene.engine.ledger.done[entry.client_id].status is OrderStatus.CANCELLED
    (record,) = [e.record for e in scene.of(Record) if isinstance(e.record, Resolved)]
    assert record.evidence == "operator shell:me"
    replayed = Ledger()
    for effect in scene.of(Record):
        replayed.apply(effect.record)
    assert replayed.done[entry.client_id].status is OrderStatus.CANCELLED


def test_a_person_cannot_overrule_the_venue_or_invent() -> None:
    scene, entry = lost()
    assert resolve(scene, "T1NOBODY", OrderStatus.CANCELLED).code == Code.NO_SUCH_ORDER
    scene.wait(20)
    assert not resolve(scene, entry.client_id, OrderStatus.OPEN).ok
    scene.give(scene.report_of(entry, OrderStatus.OPEN))
    refused = resolve(scene, entry.client_id, OrderStatus.FILLED)
    assert not refused.ok
    assert "the venue's word stands" in refused.detail


def test_a_person_is_called_once_when_nobody_tells_the_outcome_for_ten_minutes() -> None:
    scene, entry = lost()
    out = scene.wait(590)
    assert not [e for e in scene.of(Notify, out) if e.level == "alarm" and "unknown" in e.text]
    out = scene.wait(900)
    (alarm,) = [e for e in scene.of(Notify, out) if e.level == "alarm" and "unknown" in e.text]
    assert entry.client_id in alarm.text
    assert "killcord orders resolve" in alarm.text
