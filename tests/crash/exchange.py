"""Venues that outlive the desks: in the test's process, asked over a Unix socket.

What is tested is the desk's process and its disk, so the wire is as thin as it can be: a pickled
request, a pickled answer, and the events of a venue as they happen.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.desk.ports import GatewayStats, Sink
from core.model.account import PositionReport
from core.model.order import Order, OrderReport, OrderSent, Outcome
from tests.core.desk.loopback import LoopGateway, LoopKillGateway, LoopVenue

_SIZE = struct.Struct("<I")
RUN = "run"


def _pack(message: object) -> bytes:
    data = pickle.dumps(message)
    return _SIZE.pack(len(data)) + data


async def _read(reader: asyncio.StreamReader) -> Any:
    (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
    return pickle.loads(await reader.readexactly(size))


class Exchange:
    """Serves venues on a socket until closed."""

    def __init__(self, path: Path, venues: dict[str, LoopVenue]) -> None:
        self.venues = venues
        self._path = path
        self._gateways = {name: LoopGateway(venue) for name, venue in venues.items()}
        self._kill = {name: LoopKillGateway(venue) for name, venue in venues.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._market = [asyncio.create_task(venue.run()) for venue in self.venues.values()]

    def halt(self) -> None:
        """Stop the market, so that books can be compared."""
        for market in self._market:
            market.cancel()

    async def close(self) -> None:
        self._server.close()
        tasks = [*self._market, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one desk until it is gone."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await self._listen(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: set[asyncio.Task[None]] = set()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, kill, venue, method, arguments = await _read(reader)
                gateway: Any = (self._kill if kill else self._gateways)[venue]
                if method == RUN:
                    work = self._stream(gateway, venue, writer, *arguments)
                else:
                    work = self._answer(number, getattr(gateway, method)(*arguments), writer)
                task = asyncio.create_task(work)
                for tasks in (mine, self._tasks):
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        for task in mine:
            task.cancel()

    async def _answer(self, number: int, work: Any, writer: asyncio.StreamWriter) -> None:
        try:
            answer = (number, await work, None)
        except Exception as error:
            answer = (number, None, error)
        _send(writer, answer)

    async def _stream(
        self, gateway: LoopGateway, venue: str, writer: asyncio.StreamWriter, symbols: list[str]
    ) -> None:
        await gateway.run(symbols, lambda event: _send(writer, (0, (venue, event), None)))


def _send(writer: asyncio.StreamWriter, message: object) -> None:
    if not writer.is_closing():  # else the desk was killed
        writer.write(_pack(message))


class Line:
    """A desk's connection to the exchange."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.sinks: dict[str, Sink] = {}

    async def open(self, path: Path) -> None:
        reader, self._writer = await asyncio.open_unix_connection(path)
        self._task = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, answer, error = await _read(reader)
            if not number:
                venue, event = answer
                self.sinks[venue](event)
                continue
            future = self._waiting.pop(number)
            if future.cancelled():
                continue
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

    def write(self, kill: bool, venue: str, method: str, *arguments: Any) -> asyncio.Future[Any]:
        """Send a request; its bytes are with the kernel when this returns."""
        self._count += 1
        future = self._waiting[self._count] = asyncio.get_running_loop().create_future()
        self._writer.write(_pack((self._count, kill, venue, method, arguments)))
        return future


class FarGateway:
    """``core.desk.ports.Gateway`` on a line."""

    def __init__(self, line: Line, venue: str, point: Callable[[str], None]) -> None:
        self.venue = venue
        self.stats = GatewayStats(last_message={})
        self.misfit = asyncio.Event()
        self._line = line
        self._point = point

    def __getattr__(self, method: str) -> Any:
        async def ask(*arguments: Any) -> Any:
            return await self._line.write(False, self.venue, method, *arguments)

        return ask

    async def submit(self, order: Order, go: Callable[[], bool] | None = None) -> OrderSent:
        if go is not None and not go():
            return OrderSent(self.venue, order.symbol, order.client_id, Outcome.NOT_SENT, 0)
        self._point("before the send")
        answer = self._line.write(False, self.venue, "submit", order)
        self._point("after the send")
        sent: OrderSent = await answer
        self._point("after the acknowledgement")
        return sent

    async def run(self, symbols: Sequence[str], sink: Sink) -> None:
        self._line.sinks[self.venue] = sink
        await self._line.write(False, self.venue, RUN, list(symbols))

    @property
    def dead_man(self) -> str:
        return ""

    async def close(self) -> None:
        return None


class FarKillGateway:
    """``core.desk.ports.KillGateway`` on a line."""

    def __init__(self, line: Line, venue: str, point: Callable[[str], None]) -> None:
        self.venue = venue
        self._line = line
        self._point = point

    async def open(self) -> None:
        return None

    async def open_orders(self) -> tuple[OrderReport, ...]:
        answer: tuple[OrderReport, ...] = await self._line.write(True, self.venue, "open_orders")
        return answer

    async def positions(self) -> tuple[PositionReport, ...]:
        answer: tuple[PositionReport, ...] = await self._line.write(True, self.venue, "positions")
        return answer

    async def cancel_orders(self, orders: Sequence[OrderReport]) -> int:
        answer = self._line.write(True, self.venue, "cancel_orders", list(orders))
        self._point("after a kill's cancel")
        count: int = await answer
        return count

    async def reduce(
        self, position: PositionReport, client_id: str, slippage: Decimal
    ) -> OrderSent:
        answer = self._line.write(True, self.venue, "reduce", position, client_id, slippage)
        self._point("after a kill's reducing order")
        sent: OrderSent = await answer
        return sent

    async def close(self) -> None:
        return None
