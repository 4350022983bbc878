"""Agreeing with the venues: when one may be trusted, what it has that we do not know, and back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.clock import SECOND
from core.engine.booking import Booking
from core.engine.slot import Slot
from core.engine.tracking import Tracking
from core.engine.venue import Venue
from core.engine.world import World
from core.model.account import VenueSwept
from core.model.effect import SetLeverage
from core.model.event import (
    FeedChanged,
    FeedState,
    RulesChanged,
    VenueChanged,
    VenueOpened,
    VenueState,
)
from core.model.instrument import short_symbol
from core.model.order import OrderStatus, Purpose
from core.model.record import BaselinePosition, CashAdjusted, Resolved, VenueBaseline
from core.orders.reconciliation import diff_positions, missing_orders
from core.portfolio.position import Position
from core.risk.codes import Code

_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_PART = Decimal("0.000001")
_SETTLED = SECOND
"""What changed this shortly before a sweep began may not be in it yet."""
_FRESH = 10 * SECOND
"""A first look at an account needs this long without fills: they could be in or out of it."""
_WIPED = 2
"""Sweeps in a row that must deny all we were told, until a test network counts as reset."""
_TOLD = Decimal(1)
"""Cash differences above this (USDT) are told to a person."""
_GONE = (VenueState.CONNECTING, VenueState.BLIND, VenueState.MAINTENANCE)
_CALM = (VenueState.READY, VenueState.RECONCILING)
_TOO_FAR = 2
"""``Venue.skew`` of clocks that are further apart than may open risk."""


class Reconciler:
    """Keeps each venue's state; only READY opens risk."""

    def __init__(
        self,
        world: World,
        tracking: Tracking,
        booking: Booking,
        settle: Callable[[Slot], None],
        sweep_within: float,
    ) -> None:
        self._world = world
        self._tracking = tracking
        self._booking = booking
        self._settle = settle
        self._within = sweep_within * SECOND
        self.leverage = max(Decimal(1), world.limits.leverage.to_integral_value("ROUND_CEILING"))

    # --- connectivity -------------------------------------------------------------------------

    def opened(self, event: VenueOpened) -> None:
        """Take a venue's rules. It is not READY before a sweep agrees with us."""
        world = self._world
        venue = world.venues.get(event.venue)
        if venue is None:
            return
        venue.account = event.account
        venue.offset_ms = event.clock_offset_ms
        venue.instruments = {rules.symbol: rules for rules in event.instruments}
        for symbol in world.symbols:
            if symbol in venue.instruments:
                world.slot(venue.name, symbol)
        for slot in world.slots.values():
            if slot.venue == venue.name:
                # What the venue lists no more may be held: its rules are all there is to close by.
                slot.instrument = venue.instruments.get(slot.symbol, slot.instrument)
        self._compare_clocks(venue)
        self._unsettle(venue, "waiting for the first sweep")
        self._tracking.reopen(venue)

    def rules_changed(self, event: RulesChanged) -> None:
        """Make orders by a venue's new rules from now on, and bring resting ones in line."""
        venue = self._world.venues.get(event.venue)
        if venue is None:
            return
        for rules in event.instruments:
            before = venue.instruments.get(rules.symbol)
            venue.instruments[rules.symbol] = rules
            slot = self._world.slots.get((venue.name, rules.symbol))
            if slot is None or before is None:
                continue
            slot.instrument = rules
            name = short_symbol(rules.symbol)
            text = f"{venue.name} changed the rules of {name}: {rules.changes(before)}"
            if slot.position.qty % rules.lot:
                text = f"{text}; the position of {slot.position.qty} is no multiple of its steps"
            self._world.notify("warning", text)
            self._settle(slot)

    def feed(self, event: FeedChanged) -> None:
        """Take the health of a stream. Losing the private one needs a sweep to be made good."""
        venue = self._world.venues.get(event.venue)
        if venue is None:
            return
        before = venue.feeds.get(event.channel)
        venue.feeds[event.channel] = event.state
        if event.state is before:
            return
        if event.state is FeedState.UP and event.channel == "trades":
            self._restart_signals(venue)
        if event.channel == "private":
            if event.state is FeedState.UP:
                venue.heard_from = self._world.now
                self._world.ask_sweep(venue, "private stream is up")
                self.judge(venue)
            elif venue.state in (VenueState.READY, VenueState.DEGRADED):
                self._unsettle(venue, f"private stream {event.state}")

    def changed(self, event: VenueChanged) -> None:
        """Take the adapter's word that a venue is lost, or back."""
        venue = self._world.venues.get(event.venue)
        if venue is None:
            return
        if event.state is VenueState.MAINTENANCE:
            self._set(venue, event.state, event.reason)
        elif event.state is VenueState.BLIND:
            if venue.state is not VenueState.MAINTENANCE:  # which says why
                self._set(venue, event.state, event.reason or "does not answer")
        else:
            self._unsettle(venue, event.reason or "back")
            self._tracking.reopen(venue)

    def _unsettle(self, venue: Venue, reason: str) -> None:
        venue.swept = 0
        self._set(venue, VenueState.RECONCILING, reason)
        self._world.ask_sweep(venue, reason)

    def _compare_clocks(self, venue: Venue) -> None:
        """Say when our clock and a venue's part: by what is odd, by what stops entries, no more."""
        offset = (venue.offset_ms or 0.0) / 1000
        limit = self._world.limits.clock_skew
        before, venue.skew = venue.skew, (abs(offset) > limit / 3) + (abs(offset) > limit)
        if venue.skew > before:
            stops = " and nothing is opened there" if venue.skew == _TOO_FAR else ""
            self._world.notify("warning", f"{_clock_text(venue)}{stops}: set this machine's (NTP)")
        elif before and not venue.skew:
            self._world.notify("info", f"our clock and {venue.name}'s agree again")

    def _restart_signals(self, venue: Venue) -> None:
        """Let only candles that close from now on trade: earlier ones may have holes."""
        for slot in self._world.slots.values():
            if slot.venue == venue.name and slot.live_from:
                slot.live_from = self._world.now

    # --- sweeps -------------------------------------------------------------------------------

    def swept(self, event: VenueSwept) -> None:
        """Compare everything a venue has of ours with everything we believe."""
        world = self._world
        venue = world.venues.get(event.venue)
        if venue is None:
            return
        venue.balance = event.balance.total
        if event.clock_offset_ms is not None:
            venue.offset_ms = event.clock_offset_ms
            self._compare_clocks(venue)
        account = world.ledger.accounts.get(venue.name)
        known = account is not None and account.account == event.account
        venue.denials = venue.denials + 1 if known and self._denies(venue, event) else 0
        if (not known or venue.denials >= _WIPED) and not self._adopt(venue, event):
            return
        venue.account = event.account
        for fill in event.fills:
            self._booking.filled(fill)
        for paid in event.funding:
            self._booking.paid(paid)
        self._compare_orders(venue, event)
        self._compare_positions(venue, event)
        self._compare_cash(venue, event)
        venue.swept = event.received
        self.judge(venue)

    def _denies(self, venue: Venue, event: VenueSwept) -> bool:
        """Return whether a test network seems to have been reset.

        It has neither our positions nor our orders, nor the newest fill, of which it told us.
        A live venue forgets nothing: there the same is a difference that a person must look at.
        """
        world = self._world
        if world.config.environment == "live" or event.positions:
            return False
        held = {symbol for name, symbol in world.ledger.open if name == venue.name}
        last = world.ledger.newest_fill(venue.name) if held else None
        if last is None or last.symbol not in held:
            return False
        if not world.ledger.accounts[venue.name].since < last.ts < event.started - _SETTLED:
            return False
        if any(world.ledger.find(report.client_id) for report in event.orders):
            return False
        told = {(fill.symbol, fill.trade_id) for fill in event.fills}
        return (last.symbol, last.trade_id) not in told

    def _adopt(self, venue: Venue, event: VenueSwept) -> bool:
        """Start counting on an account from what it has now; False when it is too busy to tell."""
        world = self._world
        begun = event.started + int((venue.offset_ms or 0.0) * 1_000_000) - _FRESH
        if any(fill.ts > begun for fill in event.fills):
            world.notify("info", f"{venue.name}: fills too recent for a baseline, looking again")
            world.ask_sweep(venue, "baseline")
            return False
        replaced = venue.name in world.ledger.accounts
        before = world.venue_equity(venue.name)
        if replaced:
            self._leave_account(venue)
        positions = tuple(
            BaselinePosition(report.symbol, report.qty, report.entry) for report in event.positions
        )
        open_profit = sum((report.unrealised or _ZERO for report in event.positions), _ZERO)
        balance = event.balance.total
        world.record(
            VenueBaseline(
                venue.name,
                event.account,
                balance,
                positions,
                before,
                balance + open_profit,
                begun,
            )
        )
        for slot in world.slots.values():
            if slot.venue == venue.name:
                slot.position = Position(slot.venue, slot.symbol)
        for held in positions:
            slot = world.slot(venue.name, held.symbol)
            world.active[slot.key] = slot
            world.reload(slot)
            world.notify("warning", f"{venue.name} {held.symbol}: {held.qty} was there before us")
        world.reload()
        return True

    def _leave_account(self, venue: Venue) -> None:
        """Close our books on an account that is gone: its orders and positions are history."""
        world = self._world
        what = "the venue was reset" if venue.denials else "another account answers"
        world.report(Code.ACCOUNT_REPLACED, venue.name, "", what)
        world.notify("warning", f"{venue.name}: {what}, counting starts anew")
        venue.denials = 0
        for client_id, order in list(world.ledger.working.items()):
            if order.order.venue == venue.name:
                world.record(
                    Resolved(
                        venue.name,
                        order.order.symbol,
                        client_id,
                        OrderStatus.EXPIRED,
                        "account replaced",
                        world.now,
                    )
                )
                self._tracking.forget(client_id)
        venue.foreign.clear()
        venue.suspects.clear()
        venue.differing.clear()
        venue.missing.clear()
        venue.leveraged.clear()
        venue.cash_gap = None
        for slot in world.slots.values():
            if slot.venue == venue.name:
                if slot.conflict:
                    world.freeze(slot, "")
                slot.release()
                world.active.pop(slot.key, None)

    def _compare_orders(self, venue: Venue, event: VenueSwept) -> None:
        seen = set()
        theirs = set()
        for report in event.orders:
            seen.add(report.client_id)
            theirs.add(report.venue_id)
            self._tracking.reported(report)
        for venue_id, report in list(venue.foreign.items()):
            if venue_id not in theirs and report.received < event.started:
                del venue.foreign[venue_id]
                self._tracking.count_foreign(venue, report.symbol)
        working = self._world.ledger.working.values()
        mine = [order for order in working if order.order.venue == venue.name]
        venue.missing.clear()
        # Of what was last heard of before the stream was up, nothing is on its way to us.
        told = max(event.started - _SETTLED, min(event.started, venue.heard_from))
        for order in missing_orders(mine, seen, told):
            if order.status is not OrderStatus.UNKNOWN:
                venue.missing.add(order.order.client_id)
            self._tracking.doubt(order)
        self._tracking.swept(seen, venue, event.started)

    def _compare_positions(self, venue: Venue, event: VenueSwept) -> None:
        world = self._world
        open_positions = world.ledger.open.items()
        ours = {key[1]: held.qty for key, held in open_positions if key[0] == venue.name}
        found = {
            symbol: pair
            for symbol, pair in diff_positions(ours, event.positions).items()
            if not self._moving(world.slot(venue.name, symbol), event.started)
        }
        for symbol, (mine, its) in found.items():
            if venue.suspects.get(symbol) == (mine, its) and symbol not in venue.differing:
                venue.differing[symbol] = (mine, its)
                world.discrepancies += 1
                detail = f"{symbol}: ours {mine}, venue {its}"
                world.report(Code.DISCREPANCY, venue.name, symbol, detail, str(mine), str(its))
                world.notify("alarm", f"{venue.name} {detail}: it only reduces until they agree")
        for symbol in list(venue.differing):
            if symbol not in found:
                del venue.differing[symbol]
                world.notify("info", f"{venue.name} {symbol}: positions agree again")
        venue.suspects = found
        if found.keys() - venue.differing.keys():
            world.ask_sweep(venue, "positions differ")
        for report in event.positions:
            self._booking.position(report)

    @staticmethod
    def _moving(slot: Slot, started: int) -> bool:
        """Return whether the position may have changed while the sweep looked."""
        if slot.last_fill >= started - _SETTLED:
            return True
        return any(
            order.order.purpose is not Purpose.STOP or order.filled > order.booked
            for order in slot.working.values()
        )

    def _compare_cash(self, venue: Venue, event: VenueSwept) -> None:
        world = self._world
        account = world.ledger.accounts[venue.name]
        if venue.suspects or venue.last_fill >= event.started - _SETTLED:
            return
        gap = event.balance.total - account.cash - self._basis(venue, event)
        slack = max(_CENT, abs(account.cash) * _PART)
        if abs(gap) <= slack:
            venue.cash_gap = None
        elif venue.cash_gap is None or abs(venue.cash_gap - gap) > slack:
            venue.cash_gap = gap
        else:
            venue.cash_gap = None
            world.record(CashAdjusted(venue.name, gap, world.now, "venue's balance"))
            world.reload()
            detail = f"the venue's cash is {gap:+.4f} USDT from ours without fill or funding"
            world.report(Code.CASH_ADJUSTED, venue.name, "", detail, "", f"{gap}")
            if abs(gap) > _TOLD:
                world.notify("warning", f"{venue.name}: {detail}")

    def _basis(self, venue: Venue, event: VenueSwept) -> Decimal:
        """Return the part of a difference in cash that other average entries explain.

        A fill that was learned late is averaged in another order than at the venue: more is
        realised on one side, and as much less is open. It comes to nothing when the position is
        flat, so it is no change of capital.
        """
        ours = self._world.ledger.open
        return sum(
            (
                (report.entry - held.entry) * held.qty
                for report in event.positions
                if (held := ours.get((venue.name, report.symbol))) is not None
                and held.qty == report.qty
                and report.entry
            ),
            _ZERO,
        )

    # --- the venue's state --------------------------------------------------------------------

    def judge(self, venue: Venue) -> None:
        """Decide whether a venue may open risk."""
        if venue.state in _GONE or not venue.swept:
            return
        if venue.feeds.get("private") is not FeedState.UP:
            clock = f": {_clock_text(venue)}" if venue.skew == _TOO_FAR else ""
            self._set(venue, VenueState.RECONCILING, f"waiting for the private stream{clock}")
        elif venue.differing:
            names = ", ".join(
                f"{symbol} ours {mine} venue {its}"
                for symbol, (mine, its) in venue.differing.items()
            )
            self._set(venue, VenueState.DEGRADED, f"positions differ: {names}")
        elif self._world.now - venue.swept > self._within:
            waited = (self._world.now - venue.swept) // SECOND
            self._set(venue, VenueState.DEGRADED, f"no sweep for {waited} s")
            self._world.ask_sweep(venue, "overdue")
        elif venue.state is VenueState.READY:
            return
        elif venue.suspects or venue.missing:
            self._set(venue, VenueState.RECONCILING, "resolving differences")
        else:
            self._set(venue, VenueState.READY, "")

    def _set(self, venue: Venue, state: VenueState, reason: str) -> None:
        if venue.state is state:
            venue.reason = reason
            return
        venue.state = state
        venue.reason = reason
        world = self._world
        level = "alarm" if state is VenueState.BLIND else "info" if state in _CALM else "warning"
        world.notify(level, f"{venue.name} {state}{': ' if reason else ''}{reason}")
        if state is not VenueState.READY:
            return
        for slot in list(world.slots.values()):
            if slot.venue != venue.name or slot.instrument is None:
                continue
            slot.live_from = world.now
            if slot.symbol in world.symbols and slot.symbol not in venue.leveraged:
                venue.leveraged.add(slot.symbol)
                leverage = min(self.leverage, slot.instrument.max_leverage)
                world.out.append(SetLeverage(venue.name, slot.symbol, leverage))
            if not slot.idle:
                self._settle(slot)

    def beat(self) -> None:
        """Notice venues that were not swept for too long."""
        for venue in self._world.venues.values():
            if venue.state is VenueState.READY:
                self.judge(venue)


def _clock_text(venue: Venue) -> str:
    offset = (venue.offset_ms or 0.0) / 1000
    return (
        f"our clock is {abs(offset):,.2f} s {'behind' if offset > 0 else 'ahead of'} {venue.name}'s"
    )
