"""The kill cord's hands: on every venue at once, cancel, flatten, and ask until it is so.

The gate is closed before this runs. Each venue has a worker with its own gateway, budget and
deadline, so that a venue that does not answer delays no other; it is reported BLIND at its
deadline and tried again until the latch is released. Modes:

* ``halt``: the gate alone; nothing is sent.
* ``cancel``: orders that could add risk are cancelled; protective stops stay.
* ``flatten``: also close every position with reduce-only IOC orders at a growing distance from the
  mark; stops are cancelled only when the venue is flat, so that no position is ever left naked.

"It is so" means two sweeps by query, further apart than the time a request already on the wire
stays valid (``VALIDITY``): after that nothing can surface any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from core.clock import Clock
from core.desk.ports import KillGateway, Sink
from core.errors import StateError, VenueUnavailable
from core.model.account import PositionReport
from core.model.event import KillMode, KillReported
from core.model.instrument import Instrument
from core.model.market import Side
from core.model.order import (
    Order,
    OrderKind,
    OrderReport,
    Outcome,
    Purpose,
    TimeInForce,
)
from core.orders.ids import ClientIds
from core.orders.records import Intent

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
REDUCE_LIMIT = 1.5
"""Seconds for a reducing order, which is never repeated: the next look says what became of it."""
RETRY_SOON = 0.25
"""Seconds until the first new attempt; each further one waits as much longer, up to ``RETRY``."""
RETRY = 2.0
"""Seconds between attempts on a venue that does not answer or does not fill."""
SETTLE = 0.15
"""Seconds from a reducing order to the next look at the position."""
LADDER = (Decimal("0.003"), Decimal("0.006"), Decimal("0.012"), Decimal("0.024"))
"""Distances from the mark; then the configured worst."""
RANK = {KillMode.HALT: 0, KillMode.CANCEL: 1, KillMode.FLATTEN: 2}
"""How far a mode goes."""
PROVED = frozenset({"FLAT_VERIFIED", "FLAT_DUST", "CANCELLED_ONLY", "HALTED_ONLY"})
"""Verdicts after which nothing is left to do."""


class VenueKill(Struct):
    """How far a venue is; changed in place."""

    venue: str
    mode: KillMode
    cause: str
    actor: str
    verdict: str = ""
    """Empty while running; see ``KillReported``."""
    orders_cancelled: int = 0
    """Of those it was asked to cancel, how many it no longer lists."""
    positions_closed: int = 0
    seconds: float = 0.0
    first_cancel_s: float | None = None
    """When the first cancel went out; seconds since the pull, like those below."""
    cancelled_s: float | None = None
    """When a look first showed no order that could add risk."""
    flat_s: float | None = None
    """When a look first showed no order and no position."""
    attempts: int = 0
    detail: str = ""
    blind: bool = False
    """Whether the last attempt ended because the venue did not answer."""


class KillReport(Struct, frozen=True):
    """What is written to disk and answered to who pulled the cord."""

    mode: KillMode
    cause: str
    actor: str
    started: int
    """Nanoseconds UTC."""
    seconds: float
    venues: dict[str, VenueKill]


class KillExecutor:
    """Runs kills. Idempotent: a second pull joins the first, or makes it go further.

    Args:
        gateways: one for each venue, with connections of its own.
        ids: makes KILL ids.
        write: makes an intent durable; a kill does not wait for a journal that is broken.
        sink: takes the events that tell the engine.
        instruments: (venue, symbol) to rules, to tell dust from a position.
        worst: largest distance from the mark, as a fraction.
        folder: where reports are written.
        clock: wall time.
        validity: see ``VALIDITY``.
    """

    def __init__(
        self,
        gateways: Sequence[KillGateway],
        ids: ClientIds,
        write: Callable[[Intent], Awaitable[None]],
        sink: Sink,
        instruments: Mapping[tuple[str, str], Instrument],
        worst: Decimal,
        folder: Path,
        clock: Clock,
        validity: float = VALIDITY,
    ) -> None:
        self._gateways = {gateway.venue: gateway for gateway in gateways}
        self._ids = ids
        self._write = write
        self._sink = sink
        self._instruments = instruments
        self._ladder = (*(step for step in LADDER if step < worst), worst)
        self._folder = folder
        self._clock = clock
        self._validity = validity
        self._runs: dict[str, VenueKill] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, asyncio.Event] = {}
        self._since: dict[str, float] = {}
        """Venue to the loop's second of the pull."""
        self._pressed: dict[str, set[str]] = {}
        """Venue to the ids of the orders that it was asked to cancel."""
        self._began = 0

    @property
    def active(self) -> bool:
        """Whether a venue is still being worked on."""
        return any(not task.done() for task in self._tasks.values())

    @property
    def runs(self) -> Mapping[str, VenueKill]:
        """How far each venue is."""
        return self._runs

    def pull(self, mode: KillMode, cause: str, actor: str, venue: str = "") -> None:
        """Start, join or escalate; returns at once. ``venue`` empty means all."""
        if not self.active:
            self._began = self._clock.now()
            for name in [name for name, run in self._runs.items() if run.verdict]:
                del self._runs[name]
        for name in [venue] if venue else list(self._gateways):
            run = self._runs.get(name)
            task = self._tasks.get(name)
            if run is not None and task is not None and not task.done():
                if RANK[mode] > RANK[run.mode]:
                    run.mode, run.cause, run.actor = mode, cause, actor
                    run.verdict = ""
                    self._told[name].clear()
                continue
            run = self._runs[name] = VenueKill(name, mode, cause, actor)
            self._since[name] = asyncio.get_running_loop().time()
            self._pressed[name] = set()
            self._told[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._work(run), name=f"kill {name}")

    async def report(self) -> KillReport:
        """Wait until every venue of this kill has a verdict, and return them."""
        for told in list(self._told.values()):
            await told.wait()
        return self._report()

    def release(self) -> None:
        """Stop working: the latch was released by hand."""
        for task in self._tasks.values():
            task.cancel()

    async def close(self) -> None:
        """Stop and wait for the workers to end."""
        self.release()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # --- one venue ----------------------------------------------------------------------------

    async def _work(self, run: VenueKill) -> None:
        """Work on a venue until it is done as far as its mode goes."""
        deadline = asyncio.create_task(self._tell_at_deadline(run))
        try:
            while True:
                mode = run.mode
                run.attempts += 1
                try:
                    verdict = await self._go(run, mode)
                except Exception as error:
                    # Whatever it is, it must not end the work: VenueError and TimeoutError are
                    # expected, anything else is a fault of ours that a retry may get past.
                    run.detail, run.blind = _one_line(error), True
                    if self._age(run) >= DEADLINE:
                        self._tell(run, "BLIND")
                    await asyncio.sleep(min(RETRY, RETRY_SOON * run.attempts))
                    continue
                if run.mode is mode:
                    self._tell(run, verdict)
                    return
        finally:
            deadline.cancel()

    async def _tell_at_deadline(self, run: VenueKill) -> None:
        """Say at the deadline how it stands, even while a request hangs."""
        await asyncio.sleep(max(DEADLINE - self._age(run), 0))
        if not run.verdict:
            self._tell(run, "BLIND" if run.blind else "INCOMPLETE")

    async def _go(self, run: VenueKill, mode: KillMode) -> str:
        """Bring a venue as far as ``mode`` says and prove it; return the verdict."""
        if mode is KillMode.HALT:
            return "HALTED_ONLY"
        gateway = self._gateways[run.venue]
        await gateway.open()
        flatten = mode is KillMode.FLATTEN
        while True:
            # Side by side: a query that hangs holds up only its own half.
            work = [self._cancel_entries(run, gateway)]
            if flatten:
                work.append(self._flatten(run, gateway))
            await _all(*work)
            orders, positions = await self._look(run, gateway)
            if self._clean(mode, orders, positions):
                await asyncio.sleep(self._validity)
                if self._clean(mode, *await self._look(run, gateway)):
                    break
            elif flatten and orders and self._is_flat(positions):
                # Flat first: until then a stop is all that protects a position.
                await self._cancel(run, gateway, [o for o in orders if not _adds_risk(o)])
            if run.mode is not mode:
                return ""
        if mode is KillMode.CANCEL:
            return "CANCELLED_ONLY"
        run.detail = ", ".join(f"{p.symbol} {p.qty}" for p in positions if p.qty)
        return "FLAT_DUST" if run.detail else "FLAT_VERIFIED"

    async def _cancel_entries(self, run: VenueKill, gateway: KillGateway) -> None:
        orders = await _ask(gateway.open_orders, "open orders")
        run.blind = False
        await self._cancel(run, gateway, [order for order in orders if _adds_risk(order)])

    async def _cancel(
        self, run: VenueKill, gateway: KillGateway, orders: Sequence[OrderReport]
    ) -> None:
        if orders:
            if run.first_cancel_s is None:
                run.first_cancel_s = self._age(run)
            self._pressed[run.venue] |= {order.venue_id for order in orders}
            try:
                async with asyncio.timeout(CANCEL_LIMIT):
                    await gateway.cancel_orders(orders)
            except TimeoutError:
                raise VenueUnavailable(f"no answer to a cancel within {CANCEL_LIMIT:g} s") from None

    async def _look(
        self, run: VenueKill, gateway: KillGateway
    ) -> tuple[Sequence[OrderReport], Sequence[PositionReport]]:
        """Ask the venue for everything, and note since when it has nothing left."""
        orders, positions = await asyncio.gather(
            _ask(gateway.open_orders, "open orders"), _ask(gateway.positions, "positions")
        )
        run.orders_cancelled = len(self._pressed[run.venue] - {o.venue_id for o in orders})
        if run.cancelled_s is None and not any(_adds_risk(order) for order in orders):
            run.cancelled_s = self._age(run)
        if run.flat_s is None and not orders and self._is_flat(positions):
            run.flat_s = self._age(run)
        return orders, positions

    async def _flatten(self, run: VenueKill, gateway: KillGateway) -> None:
        """Reduce until nothing but dust is left."""
        step = 0
        seen: set[str] = set()
        while True:
            positions = [p for p in await _ask(gateway.positions, "positions") if p.qty]
            run.blind = False
            run.positions_closed += len(seen - {p.symbol for p in positions})
            seen = {p.symbol for p in positions}
            live = [p for p in positions if not self._is_dust(p)]
            if not live:
                return
            slippage = self._ladder[min(step, len(self._ladder) - 1)]
            replies = await asyncio.gather(
                *(self._reduce(gateway, position, slippage) for position in live)
            )
            refused = next((reply for reply in replies if reply), "")
            if step >= len(self._ladder):
                run.detail = refused or f"{len(live)} positions do not fill within {slippage}"
                if self._age(run) >= DEADLINE:
                    self._tell(run, "INCOMPLETE")
            await asyncio.sleep(SETTLE if step < len(self._ladder) else RETRY)
            step += 1

    async def _reduce(
        self, gateway: KillGateway, position: PositionReport, slippage: Decimal
    ) -> str:
        """Send one reducing order, journalled like any other; return why it was refused."""
        client_id = self._ids.next(Purpose.KILL)
        side = Side.SELL if position.qty > 0 else Side.BUY
        mark = position.mark or position.entry
        intent = Intent(
            Order(
                client_id=client_id,
                venue=position.venue,
                symbol=position.symbol,
                side=side,
                kind=OrderKind.LIMIT,
                qty=abs(position.qty),
                created=self._clock.now(),
                price=mark * (1 + side.sign * slippage),
                tif=TimeInForce.IOC,
                reduce_only=True,
                purpose=Purpose.KILL,
                strategy="kill",
            )
        )
        try:
            async with asyncio.timeout(0.25):
                await self._write(intent)
        except (StateError, TimeoutError):
            pass  # it can only reduce: a disk that hangs must not keep a position open
        try:
            async with asyncio.timeout(REDUCE_LIMIT):
                sent = await gateway.reduce(position, client_id, slippage)
        except TimeoutError:
            return f"no answer to a reducing order within {REDUCE_LIMIT:g} s"
        self._sink(sent)
        return "" if sent.outcome is Outcome.ACCEPTED else f"{sent.code} {sent.reason}".strip()

    def _clean(
        self, mode: KillMode, orders: Sequence[OrderReport], positions: Sequence[PositionReport]
    ) -> bool:
        """Whether a look shows nothing that the mode has to do something about."""
        if mode is KillMode.CANCEL:
            return not any(_adds_risk(order) for order in orders)
        return not orders and self._is_flat(positions)

    def _is_flat(self, positions: Sequence[PositionReport]) -> bool:
        return all(not p.qty or self._is_dust(p) for p in positions)

    def _age(self, run: VenueKill) -> float:
        """Return seconds since the pull."""
        return asyncio.get_running_loop().time() - self._since[run.venue]

    def _is_dust(self, position: PositionReport) -> bool:
        """Whether the venue would not take an order as small as this position."""
        rules = self._instruments.get((position.venue, position.symbol))
        return rules is not None and abs(position.qty) < rules.min_qty

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, run: VenueKill, verdict: str) -> None:
        run.seconds = self._age(run)
        if run.verdict != verdict:
            run.verdict = verdict
            self._sink(
                KillReported(
                    venue=run.venue,
                    mode=run.mode,
                    verdict=verdict,
                    orders_cancelled=run.orders_cancelled,
                    positions_closed=run.positions_closed,
                    seconds=run.seconds,
                    received=self._clock.now(),
                    detail=run.detail,
                )
            )
        self._told[run.venue].set()
        if all(told.is_set() for told in self._told.values()):
            self._save()

    def _report(self) -> KillReport:
        runs = self._runs
        first = next(iter(runs.values()))
        return KillReport(
            mode=max((run.mode for run in runs.values()), key=RANK.__getitem__),
            cause=first.cause,
            actor=first.actor,
            started=self._began,
            seconds=max(run.seconds for run in runs.values()),
            venues=dict(runs),
        )

    def _save(self) -> None:
        """Write the report; a disk that refuses does not stop a kill."""
        data = msgspec.json.format(msgspec.json.encode(self._report()))
        path = self._folder / f"kill-{self._began}.json"
        try:
            path.write_bytes(data)
        except OSError:
            return


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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
