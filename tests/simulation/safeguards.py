"""What keeps money safe, and what it is like without: each substitute leaves one safeguard out.

Nothing in the program can be switched off; the simulation is composed with the substitute instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.desk.kill_worker import VenueWorker
from core.desk.pump import Pump
from core.engine.booking import Booking
from core.engine.protection import Protection
from core.engine.tracking import Tracking
from core.errors import VenueUnavailable
from core.journal import frames
from core.model.account import PositionReport, VenueSwept
from core.model.order import Fill, Order, OrderAbsent, OrderReport, OrderSent, OrderStatus, Outcome
from core.orders.ids import ClientIds
from core.risk.gate import Approved
from tests.simulation.process import SimulatedDesk, TornJournal
from tests.simulation.wire import WireGateway, WireKillGateway
from tests.simulation.world import Outcome as Result
from tests.simulation.world import World, simulate


@dataclass(frozen=True)
class Without:
    """The composition that lacks one safeguard."""

    parts: Mapping[str, Any] = field(default_factory=dict)
    gateway: type[WireGateway] = WireGateway
    kill_gateway: type[WireKillGateway] = WireKillGateway
    prepare: Callable[[World], None] = lambda world: None

    def simulate(self, seed: int) -> Result:
        """Run a seed without it."""
        return simulate(
            seed,
            without=self.parts,
            parts=(self.gateway, self.kill_gateway),
            prepare=self.prepare,
        )


# --- sending ----------------------------------------------------------------------------------


class HastyJournal(TornJournal):
    """Says that an intent is durable before it is."""

    def append_durable(self, record: Any) -> asyncio.Future[None]:
        super().append_durable(record)
        assert self._loop is not None
        done: asyncio.Future[None] = self._loop.create_future()
        done.set_result(None)
        return done


def may_always_go(self: Pump, order: Order) -> bool:
    return True


class SendsAgain(WireGateway):
    """Tries again when no answer came."""

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        sent = await super().submit(order, go)
        return await super().submit(order, go) if sent.outcome is Outcome.UNKNOWN else sent


class TakesSilenceForNo(WireGateway):
    """Calls an order without an answer refused."""

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        sent = await super().submit(order, go)
        if sent.outcome is Outcome.UNKNOWN:
            return msgspec.structs.replace(sent, outcome=Outcome.REJECTED)
        return sent


class ForgetfulIds(ClientIds):
    """Counts from one at every start."""

    def __init__(self, instance: str, epoch: int, key: bytes, seq: int = 1) -> None:
        super().__init__(instance, 1, key, 1)


# --- orders of unknown outcome ------------------------------------------------------------------


class BelievesTheFirstNo(Tracking):
    """Takes one "no such order" for the end of it, whenever it comes."""

    def absent(self, event: OrderAbsent) -> None:
        order = self._world.ledger.working.get(event.client_id)
        if order is not None and event.client_id in self.doubts and not order.settled:
            self.resolve(order, OrderStatus.EXPIRED, "the venue knows no such order")


class BelievesOneSource(Tracking):
    """Waits for the window, and asks no second source."""

    def absent(self, event: OrderAbsent) -> None:
        order = self._world.ledger.working.get(event.client_id)
        if order is not None and event.received >= order.order.created + 18_000_000_000:
            super().absent(event)
            if event.client_id in self.doubts and not order.settled:
                self.resolve(order, OrderStatus.EXPIRED, "the venue knows no such order")


def never_frozen(self: Any) -> str:
    return ""


def weather(*faults: str, kills: float = 0.08, together: bool = False) -> Callable[[World], None]:
    """Return what makes a world of these faults: a safeguard is seen where it is needed."""

    def prepare(world: World) -> None:
        world.luck.weather, world.luck.together = faults, together
        world.person.kills = kills

    return prepare


def accept_late_requests(world: World) -> None:
    weather("late request", "late order", "lost answer", kills=0.2)(world)
    for wire in world.wires.values():
        wire.enforced = False


# --- fills and reports ----------------------------------------------------------------------------


class CountsEveryDelivery(Booking):
    """Books a fill as often as it is delivered."""

    deliveries = 0

    def filled(self, event: Fill) -> bool:
        CountsEveryDelivery.deliveries += 1
        name = f"{event.trade_id}/{CountsEveryDelivery.deliveries}"
        return super().filled(msgspec.structs.replace(event, trade_id=name))


def sweep_without_fills(original: Any) -> Any:
    async def sweep(self: WireGateway, since: int) -> VenueSwept:
        return msgspec.structs.replace(await original(self, since), fills=())

    return sweep


class SweepsNoFills(WireGateway):
    """Relies on the stream for fills."""

    sweep = sweep_without_fills(WireGateway.sweep)


def believe_the_last_report(self: Any, report: OrderReport) -> bool:
    self.status, self.filled = report.status, report.filled
    self.venue_id = report.venue_id
    return True


# --- kills ----------------------------------------------------------------------------------------


class FlattensWithoutReduceOnly(WireKillGateway):
    """Closes positions with orders that may open one."""

    reduce_only = False


class TakesSilenceForFlat(WireKillGateway):
    """Takes a failed query for an empty answer."""

    async def positions(self) -> tuple[PositionReport, ...]:
        try:
            return await super().positions()
        except VenueUnavailable:
            return ()

    async def open_orders(self) -> tuple[OrderReport, ...]:
        try:
            return await super().open_orders()
        except VenueUnavailable:
            return ()


class CancelsStopsFirst(VenueWorker):
    """Cancels everything at once."""

    async def _cancel_entries(self) -> None:
        await self._cancel(await self._gateway.open_orders())


class TrustsOneSweep(VenueWorker):
    """Reports what one look says."""

    async def _go(self, mode: Any) -> str:
        self._means = msgspec.structs.replace(self._means, validity=0.0)
        return await super()._go(mode)


class ForgetsUnfinishedKills(SimulatedDesk):
    """Starts without going on with the kill of an earlier life."""

    async def _finish_kill(self, name: str, latched: Any) -> None:
        return None


def write_no_latch(*_: Any) -> None:
    return None


# --- the rest -------------------------------------------------------------------------------------


class PlacesNoStops(Protection):
    """Leaves positions without a stop at the venue."""

    def _renew_stop(self, slot: Any) -> None:
        return None


def approve_everything(self: Any, order: Order, *_: Any, **__: Any) -> Approved:
    return Approved(order, None)


def load_torn(folder: Any) -> Any:
    paths = frames.files(folder)
    return frames.read(paths[-1]) if paths else None


SAFEGUARDS: dict[str, Without] = {
    "an intent is durable before its order is sent": Without(
        {"core.journal.wal.Journal": HastyJournal}
    ),
    "the gate is looked at again after the intent is durable": Without(
        {"core.desk.pump.Pump._may_go": may_always_go},
        prepare=weather("used budget", kills=0.3),
    ),
    "an order is sent once": Without(gateway=SendsAgain),
    "no answer is no refusal": Without(
        gateway=TakesSilenceForNo, prepare=weather("reset", "lost answer")
    ),
    "client ids follow from the journal": Without({"core.desk.assembly.ClientIds": ForgetfulIds}),
    "an unknown order freezes its symbol": Without(
        {"core.engine.slot.Slot.frozen": property(never_frozen)}
    ),
    "absence counts only after the window": Without(
        {"core.engine.engine.Tracking": BelievesTheFirstNo},
        prepare=weather("reset", "late request", "lagging index"),
    ),
    "absence needs a second source": Without(
        {"core.engine.engine.Tracking": BelievesOneSource},
        prepare=weather(
            "blind query", "failing lists", "lost answer", "stalled stream", kills=0, together=True
        ),
    ),
    "requests are void after a window": Without(prepare=accept_late_requests),
    "a fill counts once": Without({"core.engine.engine.Booking": CountsEveryDelivery}),
    "fills are swept for": Without(gateway=SweepsNoFills),
    "reports merge monotonously": Without(
        {
            "core.orders.machine.WorkingOrder.reported": believe_the_last_report,
            "core.orders.machine.WorkingOrder.learns": lambda self, report: True,
        }
    ),
    "flattening only reduces": Without(kill_gateway=FlattensWithoutReduceOnly),
    "a failed query never means flat": Without(
        kill_gateway=TakesSilenceForFlat, prepare=weather("refused", kills=0.3)
    ),
    "stops stay until flat": Without({"core.desk.kill.VenueWorker": CancelsStopsFirst}),
    "two sweeps a window apart prove a kill": Without(
        {"core.desk.kill.VenueWorker": TrustsOneSweep},
        prepare=weather("late order", kills=0.3),
    ),
    "a start finishes a kill": Without(
        {"tests.simulation.world.SimulatedDesk": ForgetsUnfinishedKills},
        prepare=weather("slow", kills=0.3),
    ),
    "the latch is on disk": Without({"core.desk.latch.write": write_no_latch}),
    "a position has its stop at the venue": Without(
        {"core.engine.execution.Protection": PlacesNoStops}, prepare=weather("stalled stream")
    ),
    "every order passes the risk gate": Without({"core.risk.gate.Gate.open": approve_everything}),
    "a torn tail is cut off": Without({"core.journal.frames.load": load_torn}),
}
"""Safeguard to the composition without it."""
MOST = 200
"""Seeds within which a missing safeguard must be noticed."""


def seeds_to_catch(missing: Without, most: int = MOST) -> tuple[int, str]:
    """Return the first seed that notices, and what it says; 0 when none does."""
    for seed in range(1, most + 1):
        breaches = missing.simulate(seed).breaches
        if breaches:
            return seed, breaches[0]
    return 0, ""
