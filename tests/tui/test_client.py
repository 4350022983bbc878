import asyncio
import threading
from decimal import Decimal

import pytest

from core.errors import KillcordError, NoDesk
from core.home import Home
from core.model.event import Kill, KillMode, Submit
from core.model.market import Side
from tests.tui import pictures
from tests.tui.loopback import Loopback
from tests.waiting import until
from tui.client import DeskClient, in_thread


async def test_the_newest_picture_arrives_and_follows(desk: Loopback) -> None:
    client = DeskClient(desk.socket, hz=10)
    task = asyncio.create_task(client.run())
    await until(lambda: client.latest == desk.picture)
    await until(lambda: desk.streams == 1)
    desk.show(pictures.busy(5))
    await until(lambda: client.latest == pictures.busy(5))
    assert client.up
    task.cancel()


async def test_it_comes_back_when_the_desk_does(desk: Loopback) -> None:
    client = DeskClient(desk.socket)
    task = asyncio.create_task(client.run())
    await until(lambda: desk.streams == 1)
    await desk.close()
    await until(lambda: client.error)
    assert not client.up
    assert client.latest is not None, "the last picture stays, marked as old"
    desk.picture = pictures.busy(9)
    await desk.start()
    await until(lambda: client.up and client.latest == pictures.busy(9))
    task.cancel()


async def test_a_desk_that_falls_silent_counts_as_gone(
    desk: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = DeskClient(desk.socket)
    task = asyncio.create_task(client.run())
    await until(lambda: client.up)
    monkeypatch.setattr("tui.client.QUIET_S", -1.0)
    assert not client.up
    task.cancel()


async def test_commands_arrive_without_a_time_of_receipt(desk: Loopback) -> None:
    client = DeskClient(desk.socket)
    answer = await client.send(Kill(KillMode.CANCEL, "t", "test", 0))
    assert answer.ok
    order = Submit("r1", "t", "okx", pictures.symbol("BTC"), Side.BUY, Decimal("0.010"), 0)
    assert (await client.send(order)).request == "r1"
    kill, submit = desk.commands
    assert isinstance(kill, Kill)
    assert kill.mode is KillMode.CANCEL
    assert isinstance(submit, Submit)
    assert (submit.qty, submit.venue) == (Decimal("0.010"), "okx")


async def test_no_desk_is_a_typed_error(home: Home) -> None:
    with pytest.raises(NoDesk):
        await DeskClient(home.socket).send(Kill(KillMode.HALT, "t", "test", 0))


async def test_a_picture_of_another_version_is_said_not_guessed(desk: Loopback) -> None:
    client = DeskClient(desk.socket)
    desk.encode = lambda picture: b'{"seq": "one"}'
    task = asyncio.create_task(client.run())
    await until(lambda: "same version" in client.error)
    desk.encode = None
    await until(lambda: client.up)
    task.cancel()


async def test_blocking_work_never_queues_behind_other_work() -> None:
    hold = threading.Event()
    stuck = [asyncio.create_task(in_thread(lambda: hold.wait(5))) for _ in range(40)]
    await asyncio.wait_for(in_thread(lambda: None), 2)
    hold.set()
    await asyncio.gather(*stuck)


async def test_errors_in_threads_come_back() -> None:
    def fail() -> None:
        raise KillcordError("no")

    with pytest.raises(KillcordError):
        await in_thread(fail)
