"""The kill cord's hands on one venue: cancel, flatten, and ask until it is so.

A worker has its own gateway, budget and deadline, so that a venue that does not answer delays no
other; it is reported BLIND at its deadline and tried again until the latch is released.

"It is so" means two looks by query, further apart than the time a request already on the wire
stays valid (``VALIDITY``): after that nothing can surface any more.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from core.clock import Clock
from core.desk.ports import KillGateway, Sink
from core.desk.verdicts import RANK, VenueKill
from core.errors import StateError, VenueUnavailable, in_words
from core.model.account import PositionReport
from core.model.event import KillMode, KillReported
from core.model.instrument import Instrument, is_unified
from core.model.market import Side
from core.model.order import Order, OrderKind, OrderReport, Outcome, Purpose, TimeInForce
from core.model.record import Intent
from core.orders.ids import ClientIds

T = TypeVar("T")

VALIDITY = 2.0
"""Seconds between the two proving looks: an order that can open risk stays valid for 1.5 s at each
venue, and a margin of half a second for what our clock may be off."""
DEADLINE = 10.0
"""Seconds after which a venue that is not done is reported INCOMPLETE or BLIND, and goes on."""
QUERY_LIMIT = 4.0
"""Seconds for one question, however often it is asked."""
ASK_AGAIN = 1.2
"""Seconds without an answer after which it is asked once more, over another connection."""
ASK_MOST = 4
"""Times that a question is asked before the attempt counts as failed."""
CANCEL_LIMIT = 3.0
"""Seconds for cancels: several requests, spaced by the venue's limits. What they have done by then
stays done; the next look tells what is left."""
JOURNAL_LIMIT = 0.25
"""Seconds that the journal may hold up a reducing order."""
REDUCE_LIMIT = 1.5
"""Seconds for a reducing order, which is never repeated: the next look says what became of it."""
RETRY_SOON = 0.25
"""Seconds until the first new attempt; each further one waits as much longer, up to ``RETRY``."""
RETRY = 2.0
"""Seconds between attempts on a venue that does not answer or does not fill."""
SETTLE = 0.15
"""Seconds from a reducing order to the next look at the position."""
AT_ONCE = 3
"""Turns of cancel and look that follow one another at once. Then each waits longer: an order that
stays whatever is asked must not take all that may be asked of the venue."""
LADDER = (Decimal("0.003"), Decimal("0.006"), Decimal("0.012"), Decimal("0.024"))
"""Distances from the mark; then the configured worst."""


class Means(Struct, frozen=True):
    """What all workers of a desk share."""

    ids: ClientIds
    """Makes KILL ids."""
    write: Callable[[Intent], Awaitable[None]]
    """Makes an intent durable; a kill does not wait for a journal that is broken."""
    sink: Sink
    """Takes the events that tell the engine."""
    instruments: Mapping[tuple[str, str], Instrument]
    """(venue, symbol) to rules, to tell dust from a position."""
    worst: Decimal
    """Largest distance from the mark, as a fraction."""
    clock: Clock
    """Wall time."""
    validity: float
    """See ``VALIDITY``."""


class VenueWorker:
    """Works on one venue, from now until it is proved or its task is cancelled.

    Args:
        gateway: the venue, over connections of its own.
        means: what it works with.
        run: what is to be done, and how far it is; changed in place.
        told: called after each verdict.
    """

    def __init__(
        self, gateway: KillGateway, means: Means, run: VenueKill, told: Callable[[], None]
    ) -> None:
        self.run = run
        self.told = asyncio.Event()
        """Set when there is a verdict."""
        self._gateway = gateway
        self._means = means
        self._tell_others = told
        self._ladder = (*(step for step in LADDER if step < means.worst), means.worst)
        self._since = asyncio.get_running_loop().time()
        """The loop's second of the pull."""
        self._pressed: set[str] = set()
        """Ids of the orders that it was asked to cancel."""
        self._trouble = ""
        """What last stood in the way."""
        self._looked = ""
        """What the last look showed."""
        self._escalated = asyncio.Event()
        """Set when more is asked for than is being done."""
        self.task = asyncio.create_task(self._work(), name=f"kill {run.venue}")

    def escalate(self, mode: KillMode, cause: str, actor: str) -> None:
        """Go as far as ``mode`` says, if that is further than before."""
        if RANK[mode] > RANK[self.run.mode]:
            self.run.mode, self.run.cause, self.run.actor = mode, cause, actor
            self.run.verdict = ""
            self.told.clear()
            self._escalated.set()

    # --- the work -----------------------------------------------------------------------------

    async def _work(self) -> None:
        """Work until it is done as far as the mode goes."""
        run = self.run
        deadline = asyncio.create_task(self._tell_at_deadline())
        try:
            while True:
                mode = run.mode
                self._escalated.clear()
                run.attempts += 1
                try:
                    verdict = await self._go(mode)
                except Exception as error:
                    # Whatever it is, it must not end the work: VenueError and TimeoutError are
                    # expected, anything else is a fault of ours that a retry may get past.
                    self._trouble, run.blind = in_words(error)[:200], True
                    if self._age() >= DEADLINE:
                        self._tell_unproved("BLIND")
                    await asyncio.sleep(min(RETRY, RETRY_SOON * run.attempts))
                    continue
                if run.mode is mode:
                    self._tell(verdict)
                    return
        finally:
            deadline.cancel()

    async def _tell_at_deadline(self) -> None:
        """Say at the deadline how it stands, even while a request hangs."""
        await asyncio.sleep(max(DEADLINE - self._age(), 0))
        if not self.run.verdict:
            self._tell_unproved("BLIND" if self.run.blind else "INCOMPLETE")

    async def _go(self, mode: KillMode) -> str:
        """Bring the venue as far as ``mode`` says and prove it; return the verdict."""
        if mode is KillMode.HALT:
            return "HALTED_ONLY"
        run = self.run
        await self._gateway.open()
        flatten = mode is KillMode.FLATTEN
        for turn in itertools.count(1):
            if turn > AT_ONCE:
                await self._pause(min(RETRY, SETTLE * (turn - AT_ONCE)))
            # Side by side: a query that hangs holds up only its own half.
            work = [self._cancel_entries()]
            if flatten:
                work.append(self._flatten())
            await _all(*work)
            orders, positions = await self._look()
            if self._clean(mode, orders, positions):
                await asyncio.sleep(self._means.validity)
                if self._clean(mode, *await self._look()):
                    break
            elif flatten and orders and self._is_flat(positions):
                # Flat first: until then a stop is all that protects a position.
                await self._cancel([order for order in orders if not _adds_risk(order)])
            if run.mode is not mode:
                return ""
        run.detail = ""
        if mode is KillMode.CANCEL:
            return "CANCELLED_ONLY"
        run.detail = ", ".join(f"{p.symbol} {p.qty.normalize():f}" for p in positions if p.qty)
        return "FLAT_DUST" if run.detail else "FLAT_VERIFIED"

    async def _pause(self, seconds: float) -> None:
        """Wait, unless more is asked for meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._escalated.wait()

    async def _cancel_entries(self) -> None:
        orders = await _ask(self._gateway.open_orders, "open orders")
        self.run.blind, self._trouble = False, ""
        await self._cancel([order for order in orders if _adds_risk(order)])

    async def _cancel(self, orders: Sequence[OrderReport]) -> None:
        if orders:
            if self.run.first_cancel_s is None:
                self.run.first_cancel_s = self._age()
            self._pressed |= {order.venue_id for order in orders}
            try:
                async with asyncio.timeout(CANCEL_LIMIT):
                    await self._gateway.cancel_orders(orders)
            except TimeoutError:
                raise VenueUnavailable(f"no answer to a cancel within {CANCEL_LIMIT:g} s") from None

    async def _look(self) -> tuple[Sequence[OrderReport], Sequence[PositionReport]]:
        """Ask the venue for everything, and note since when it has nothing left."""
        run, gateway = self.run, self._gateway
        orders, positions = await asyncio.gather(
            _ask(gateway.open_orders, "open orders"), _ask(gateway.positions, "positions")
        )
        run.orders_cancelled = len(self._pressed - {order.venue_id for order in orders})
        if run.cancelled_s is None and not any(_adds_risk(order) for order in orders):
            run.cancelled_s = self._age()
        if run.flat_s is None and not orders and self._is_flat(positions):
            run.flat_s = self._age()
        held = sum(not self._is_dust(position) for position in positions if position.qty)
        self._looked = f"{len(orders)} orders and {held} positions at {self._age():.1f} s"
        if self._clean(run.mode, orders, positions):
            self._looked = f"nothing left to do at {self._age():.1f} s, not proved yet"
        return orders, positions

    async def _flatten(self) -> None:
        """Reduce until nothing but dust is left."""
        run = self.run
        step = 0
        seen: set[str] = set()
        while True:
            positions = [p for p in await _ask(self._gateway.positions, "positions") if p.qty]
            run.blind = False
            run.positions_closed += len(seen - {p.symbol for p in positions})
            seen = {p.symbol for p in positions}
            live = [p for p in positions if not self._is_dust(p)]
            if not live:
                return
            slippage = self._ladder[min(step, len(self._ladder) - 1)]
            ours = [position for position in live if is_unified(position.symbol)]
            replies = await asyncio.gather(*(self._reduce(position, slippage) for position in ours))
            names = ", ".join(p.symbol for p in live if p not in ours)
            strange = f"{names}: not traded here, close it by hand" if names else ""
            refused = next((reply for reply in replies if reply), strange)
            if step >= len(self._ladder):
                self._trouble = refused or f"{len(live)} positions do not fill within {slippage}"
                if self._age() >= DEADLINE:
                    self._tell_unproved("INCOMPLETE")
            await asyncio.sleep(SETTLE if step < len(self._ladder) else RETRY)
            step += 1

    async def _reduce(self, position: PositionReport, slippage: Decimal) -> str:
        """Send one reducing order, journalled like any other; return why it was refused."""
        order = self._reducing(position, slippage)
        try:
            async with asyncio.timeout(JOURNAL_LIMIT):
                await self._means.write(Intent(order))
        except (StateError, TimeoutError):
            pass  # it can only reduce: a disk that hangs must not keep a position open
        try:
            async with asyncio.timeout(REDUCE_LIMIT):
                sent = await self._gateway.reduce(position, order.client_id, slippage)
        except TimeoutError:
            return f"no answer to a reducing order within {REDUCE_LIMIT:g} s"
        self._means.sink(sent)
        return "" if sent.outcome is Outcome.ACCEPTED else f"{sent.code} {sent.reason}".strip()

    def _reducing(self, position: PositionReport, slippage: Decimal) -> Order:
        side = Side.SELL if position.qty > 0 else Side.BUY
        mark = position.mark or position.entry
        return Order(
            client_id=self._means.ids.next(Purpose.KILL),
            venue=position.venue,
            symbol=position.symbol,
            side=side,
            kind=OrderKind.LIMIT,
            qty=abs(position.qty),
            created=self._means.clock.now(),
            price=mark * (1 + side.sign * slippage),
            tif=TimeInForce.IOC,
            reduce_only=True,
            purpose=Purpose.KILL,
            strategy="kill",
        )

    # --- what a look shows --------------------------------------------------------------------

    def _clean(
        self, mode: KillMode, orders: Sequence[OrderReport], positions: Sequence[PositionReport]
    ) -> bool:
        """Whether a look shows nothing that the mode has to do something about."""
        if mode is KillMode.CANCEL:
            return not any(_adds_risk(order) for order in orders)
        return not orders and self._is_flat(positions)

    def _is_flat(self, positions: Sequence[PositionReport]) -> bool:
        return all(not p.qty or self._is_dust(p) for p in positions)

    def _is_dust(self, position: PositionReport) -> bool:
        """Whether the venue would not take an order as small as this position."""
        rules = self._means.instruments.get((position.venue, position.symbol))
        return rules is not None and abs(position.qty) < rules.min_qty

    def _age(self) -> float:
        """Return seconds since the pull."""
        return asyncio.get_running_loop().time() - self._since

    def _tell_unproved(self, verdict: str) -> None:
        """Say how far it came, and what stands in the way."""
        looked = self._looked or "no look at it succeeded"
        self.run.detail = f"{self._trouble}; {looked}" if self._trouble else looked
        self._tell(verdict)

    def _tell(self, verdict: str) -> None:
        run = self.run
        run.seconds = self._age()
        if run.verdict != verdict:
            run.verdict = verdict
            self._means.sink(
                KillReported(
                    venue=run.venue,
                    mode=run.mode,
                    verdict=verdict,
                    orders_cancelled=run.orders_cancelled,
                    positions_closed=run.positions_closed,
                    seconds=run.seconds,
                    received=self._means.clock.now(),
                    detail=run.detail,
                )
            )
        self.told.set()
        self._tell_others()


def _adds_risk(order: OrderReport) -> bool:
    return not order.reduce_only


async def _ask(make: Callable[[], Awaitable[T]], what: str) -> T:
    """Ask, and ask again where no usable answer came; while none comes, ask once more beside it.

    Raises:
        VenueUnavailable: no usable answer.
    """
    asked: set[asyncio.Future[T]] = set()
    failed: VenueUnavailable | None = None
    try:
        async with asyncio.timeout(QUERY_LIMIT):
            for _ in range(ASK_MOST):
                asked.add(asyncio.ensure_future(make()))
                done, asked = await asyncio.wait(
                    asked, timeout=ASK_AGAIN, return_when=asyncio.FIRST_COMPLETED
                )
                for answer in done:
                    try:
                        return answer.result()
                    except VenueUnavailable as error:
                        failed = error
    except TimeoutError:
        pass
    finally:
        for task in asked:
            task.cancel()
    raise failed or VenueUnavailable(f"no answer to {what} within {QUERY_LIMIT:g} s")


async def _all(*work: Awaitable[None]) -> None:
    """Run all of it to its end, then raise the first error there was."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if result is not None:
            raise result
