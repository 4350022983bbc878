"""The picture of the desk that terminals see, built on demand from the engine's state."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from core.engine.limits import view_limits
from core.engine.slot import Slot
from core.engine.venue import Venue
from core.engine.world import World
from core.model.event import FeedState
from core.model.learning import TrainingView
from core.model.order import OrderReport, OrderStatus
from core.model.snapshot import (
    ControlView,
    FeedView,
    FillView,
    GuardView,
    KillView,
    LogView,
    MarketView,
    OrderView,
    PositionView,
    SignalView,
    Snapshot,
    VenueView,
)
from core.orders.machine import WorkingOrder
from core.portfolio.ledger import BookedFill

if TYPE_CHECKING:
    from core.engine.control import Control
    from core.engine.equity import EquityWatch
    from core.engine.execution import Execution
    from core.engine.models import ModelRoom
    from core.engine.news import NewsRoom

_MILLISECOND = 1_000_000
_CHANNELS = ("trades", "books", "tickers", "private")
_DONE_SHOWN = 60
_FILLS_SHOWN = 60
_ZERO = Decimal(0)


class VenueFacts(Struct, frozen=True, gc=False):
    """What only the adapter of a venue knows; see ``core.desk.ports.GatewayStats``."""

    messages: int = 0
    bad_messages: int = 0
    reconnects: int = 0
    last_message: dict[str, int] = {}
    """Channel to nanoseconds UTC."""
    latency_ms: float | None = None
    dead_man: str = ""
    dead_man_s: float | None = None
    gaps: int = 0
    budget_used: float = 0.0


class ShellFacts(Struct, frozen=True, gc=False):
    """What the engine cannot know and the picture needs; given by the desk with each request."""

    environment: str
    market: str
    """Where prices come from; see ``Snapshot.market``."""
    started: int
    """When the desk started, nanoseconds UTC."""
    venues: dict[str, VenueFacts] = {}
    log: tuple[LogView, ...] = ()
    loop_lag_ms: float = 0.0
    control: ControlView | None = None
    training: TrainingView | None = None
    guard: GuardView | None = None


_NO_FACTS = VenueFacts()


class Painter:
    """Builds snapshots. Reads everything, changes nothing."""

    def __init__(
        self,
        world: World,
        control: Control,
        equity: EquityWatch,
        execution: Execution,
        news: NewsRoom,
        models: ModelRoom,
    ) -> None:
        self._world = world
        self._news = news
        self._models = models
        self._control = control
        self._equity = equity
        self._execution = execution
        self._seq = 0

    def paint(self, now: int, facts: ShellFacts, events: int) -> Snapshot:
        """Return the picture at ``now``."""
        world = self._world
        ledger = world.ledger
        self._seq += 1
        equity = world.equity()
        day_start = ledger.day_start
        unrealised = _ZERO
        for key, position in ledger.open.items():
            slot = world.slots[key]
            if slot.price:
                unrealised += position.unrealised(slot.value())
        slots = world.slots.values()
        return Snapshot(
            seq=self._seq,
            ts=now,
            started=facts.started,
            environment=facts.environment,
            market=facts.market,
            state=world.state,
            cause=world.cause,
            equity=equity,
            equity_start=self._equity.start,
            day_pnl=None if equity is None or day_start is None else equity - day_start,
            realised=ledger.realised - ledger.fees + ledger.funding,
            unrealised=unrealised,
            peak=ledger.peak,
            drawdown=None if equity is None else self._equity.breaker.fall(float(equity)),
            venues=tuple(
                _venue(world, venue, facts.venues.get(venue.name, _NO_FACTS), now)
                for venue in world.venues.values()
            ),
            markets=tuple(
                _market(slot, now, slot.symbol in world.paused)
                for slot in slots
                if slot.instrument is not None and slot.symbol in world.symbols
            ),
            signals=tuple(_signal(slot) for slot in slots if slot.signal is not None),
            positions=tuple(self._position(key) for key in ledger.open),
            orders=self._orders(),
            fills=tuple(
                _fill(booked) for booked in tuple(ledger.recent)[-1 : -_FILLS_SHOWN - 1 : -1]
            ),
            limits=view_limits(world, self._equity.breaker, self._execution, equity),
            kill=self._kills(),
            log=facts.log,
            events=events,
            refusals=world.refusals,
            unknown_orders=sum(
                1 for order in ledger.working.values() if order.status is OrderStatus.UNKNOWN
            ),
            discrepancies=world.discrepancies,
            loop_lag_ms=facts.loop_lag_ms,
            strategy=world.config.strategy.name,
            timeframe=int(world.config.strategy.timeframe),
            held=self._execution.confirmation.view(),
            news=self._news.view(),
            learning=self._models.view(facts.training),
            guard=facts.guard,
            control=facts.control,
        )

    def _position(self, key: tuple[str, str]) -> PositionView:
        world = self._world
        slot = world.slots[key]
        held = slot.position
        stop = slot.cover()
        return PositionView(
            held.venue,
            held.symbol,
            held.qty,
            held.entry,
            slot.value() if slot.price else None,
            held.unrealised(slot.value()) if slot.price else None,
            held.realised,
            held.fees,
            held.funding,
            None if stop is None else stop.order.trigger,
            slot.liquidation,
            held.opened,
            "others" if held.foreign else held.strategy,
            slot.risk_quote,
        )

    def _orders(self) -> tuple[OrderView, ...]:
        ledger = self._world.ledger
        views = [_order(order) for order in ledger.working.values()]
        views += [
            _foreign(report)
            for venue in self._world.venues.values()
            for report in venue.foreign.values()
        ]
        done = list(ledger.done.values())[-_DONE_SHOWN:]
        views += [_order(order) for order in reversed(done)]
        return tuple(views)

    def _kills(self) -> tuple[KillView, ...]:
        return tuple(
            KillView(venue, "", 0, 0, 0.0, "")
            if report is None
            else KillView(
                venue,
                report.verdict,
                report.orders_cancelled,
                report.positions_closed,
                report.seconds,
                report.detail,
            )
            for venue, report in self._control.kills.items()
        )


def _venue(world: World, venue: Venue, facts: VenueFacts, now: int) -> VenueView:
    account = world.ledger.accounts.get(venue.name)
    feeds = []
    for channel in _CHANNELS:
        last = facts.last_message.get(channel)
        age = None if last is None else (now - last) / _MILLISECOND
        feeds.append(FeedView(channel, venue.feeds.get(channel, FeedState.DOWN), age))
    return VenueView(
        venue.name,
        venue.state,
        venue.reason,
        venue.account,
        world.venue_equity(venue.name) if account is not None else None,
        account.cash if account is not None else venue.balance,
        tuple(feeds),
        venue.offset_ms,
        facts.latency_ms,
        facts.messages,
        facts.bad_messages + venue.bad,
        facts.reconnects,
        account.orders if account is not None else 0,
        account.fills if account is not None else 0,
        (now - venue.swept) / 1e9 if venue.swept else None,
        facts.dead_man,
        facts.dead_man_s,
        facts.gaps,
        facts.budget_used,
    )


def _market(slot: Slot, now: int, paused: bool) -> MarketView:
    assert slot.instrument is not None
    seen = slot.book_received
    return MarketView(
        slot.venue,
        slot.symbol,
        slot.bid or None,
        slot.bid_qty if slot.bid else None,
        slot.ask or None,
        slot.ask_qty if slot.ask else None,
        slot.last or None,
        slot.mark or None,
        slot.funding_rate,
        slot.next_funding,
        slot.change_24h,
        (now - seen) / _MILLISECOND if seen else None,
        slot.instrument.tick,
        tuple(slot.closes),
        paused,
    )


def _signal(slot: Slot) -> SignalView:
    signal = slot.signal
    assert signal is not None
    return SignalView(
        slot.venue,
        slot.symbol,
        signal.strategy,
        signal.target,
        signal.score,
        signal.reason,
        signal.ts,
        slot.outcome,
        signal.chance,
        signal.edge,
    )


def _order(order: WorkingOrder) -> OrderView:
    intent = order.order
    return OrderView(
        intent.client_id,
        order.venue_id,
        intent.venue,
        intent.symbol,
        intent.side,
        intent.kind,
        order.status,
        intent.qty,
        order.booked,
        intent.price,
        intent.trigger,
        order.average,
        intent.reduce_only,
        intent.created,
        order.updated,
        intent.strategy,
        order.reason,
    )


def _foreign(report: OrderReport) -> OrderView:
    return OrderView(
        report.client_id,
        report.venue_id,
        report.venue,
        report.symbol,
        report.side,
        report.kind,
        report.status,
        report.qty,
        report.filled,
        report.price,
        report.trigger,
        report.average,
        report.reduce_only,
        report.ts,
        report.received,
        "",
        report.reason,
        True,
    )


def _fill(booked: BookedFill) -> FillView:
    fill = booked.fill
    return FillView(
        fill.venue,
        fill.symbol,
        fill.side,
        fill.qty,
        fill.price,
        fill.fee,
        booked.realised,
        fill.maker,
        booked.strategy,
        fill.ts,
    )
