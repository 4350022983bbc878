"""Desk's end and guard over a real socket: when it acts, when it must not, and who goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.desk import guardpost, latch
from core.desk.guard import FILE_PATIENCE, Guard
from core.desk.guardpost import GuardPost
from core.desk.identity import identity
from core.desk.latch import Latched
from core.desk.lines import Lines
from core.desk.lock import Lock
from core.desk.rescue import FIRST_SEQ
from core.desk.triggers import KillFile
from core.desk.watchwords import Hello
from core.errors import AlreadyRunning, NoDesk
from core.home import Home
from core.model.event import KillMode
from core.model.market import Side
from core.model.order import Order, OrderKind, Purpose, TimeInForce
from core.orders.ids import ClientIds, sequence
from tests.core.desk.loopback import BTC, LoopKillGateway, LoopVenue
from tests.waiting import until
from tui.control import shut

VENUES = ("bybit", "okx")


class Scene:
    """A desk's end of the guard, and a guard, with venues between them."""

    def __init__(self, root: Path, mode: KillMode = KillMode.CANCEL) -> None:
        self.home = Home(root)
        self.home.make("practice")
        self.lock = Lock(self.home.lock, "the home")
        self.venues = {name: LoopVenue(name) for name in VENUES}
        self.lines = Lines(SystemClock())
        self.told: list[str] = []
        hello = Hello(os.getpid(), "practice", VENUES, mode, 0.3, Decimal("0.03"), 7)
        self.post = GuardPost(self.home.guard_socket, hello, None, lambda: None, self.lines)
        self.latch = self.home.latch("practice")
        self.who = identity(self.home.state("practice"))
        self.ids = ClientIds(self.who.instance, 7, self.who.key)
        self.beats: asyncio.Task[None] | None = None

    def guard(self, patience: float | None = None, build: str = "") -> Guard:
        def reach(hello: Hello) -> list[LoopKillGateway]:
            return [LoopKillGateway(self.venues[name]) for name in hello.venues]

        return Guard(self.home, reach, self.told.append, patience, 0.05, build)

    async def watched(self) -> asyncio.Task[bool]:
        """Open the post and begin to beat; return when a guard watches."""
        await self.post.open()
        guard = asyncio.create_task(self.guard().run())
        self.beats = asyncio.create_task(self.post.run())
        await until(lambda: self.post.view.state == "watching")
        return guard

    async def fall_silent(self) -> None:
        assert self.beats
        self.beats.cancel()
        await asyncio.wait([self.beats])

    def trade(self, name: str) -> None:
        """Open a position with a stop, and rest an entry."""
        for side, kind, more in (
            (Side.BUY, OrderKind.MARKET, {}),
            (Side.SELL, OrderKind.STOP, {"trigger": Decimal(58_000), "reduce_only": True}),
            (Side.BUY, OrderKind.LIMIT, {"price": Decimal(59_000), "tif": TimeInForce.GTC}),
        ):
            order = Order(
                self.ids.next(Purpose.MANUAL), name, BTC, side, kind, Decimal("0.5"), 1, **more
            )
            self.venues[name].place(order)

    def kinds(self, name: str) -> list[OrderKind]:
        return [report.kind for report in self.venues[name].reports()]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    await close(scene)


async def close(scene: Scene) -> None:
    if scene.beats:
        scene.beats.cancel()
    await scene.post.close()
    scene.lock.release()


async def test_silence_latches_and_cancels_entries_and_keeps_stops(scene: Scene) -> None:
    for name in VENUES:
        scene.trade(name)
    guard = await scene.watched()
    await scene.fall_silent()
    assert await guard
    for name in VENUES:
        assert scene.kinds(name) == [OrderKind.STOP]
        assert len(scene.venues[name].positions()) == 1
    found = latch.read(scene.latch)
    assert found is not None
    assert (found.actor, found.mode, found.pending) == ("guard", KillMode.CANCEL, ())
    assert "silent" in found.cause


async def test_a_desk_that_vanishes_is_flattened_where_that_is_asked_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path, KillMode.FLATTEN)
    scene.trade("okx")
    guard = await scene.watched()
    await scene.post.close()
    assert await guard
    assert scene.venues["okx"].reports() == ()
    assert scene.venues["okx"].positions() == ()
    # Its ids are the desk's own, from numbers that the desk never uses, and noted beforehand.
    notes = (scene.home.state("practice") / "guard.jsonl").read_text()
    fills = scene.venues["okx"].core.fills(scene.venues["okx"].account)
    own = scene.ids.read(fills[-1].client_id)
    assert own is not None
    assert own.purpose is Purpose.KILL
    assert own.seq == sequence(fills[-1].client_id) >= FIRST_SEQ
    assert fills[-1].client_id in notes
    await close(scene)


async def test_a_disk_that_takes_nothing_does_not_keep_a_position_open(tmp_path: Path) -> None:
    scene = Scene(tmp_path, KillMode.FLATTEN)
    scene.trade("okx")
    (scene.home.state("practice") / "guard.jsonl").mkdir()  # nothing can be appended to it
    guard = await scene.watched()
    await scene.post.close()
    assert await guard
    assert scene.venues["okx"].positions() == ()
    await close(scene)


@pytest.mark.parametrize("way", ["socket", "file", "SIGUSR1", "SIGUSR2"])
async def test_the_cord_is_pulled_at_the_guard_where_the_desk_does_not_hear(
    scene: Scene, way: str
) -> None:
    for name in VENUES:
        scene.trade(name)
    guard = await scene.watched()
    flatten = {"type": "Kill", "mode": "flatten", "cause": "by hand", "actor": "me"}
    if way == "socket":
        done = await asyncio.to_thread(shut, scene.home.socket, flatten)
        assert done is not None
        assert done["by"] == "guard"
        assert latch.read(scene.latch) is not None, "the answer says that the gate is closed"
    elif way == "file":
        (scene.home.state("practice") / "KILL").write_text("flatten")
    else:
        os.kill(os.getpid(), signal.Signals[way])
    assert await guard
    found = latch.read(scene.latch)
    assert found is not None
    assert found.pending == ()
    assert {"socket": "by hand", "file": "kill file"}.get(way, way) in found.cause
    for name in VENUES:
        assert scene.kinds(name) == ([OrderKind.STOP] if way.startswith("SIG") else [])
        assert len(scene.venues[name].positions()) == way.startswith("SIG")


async def test_a_kill_file_is_the_desks_while_it_takes_it(scene: Scene) -> None:
    file = scene.home.state("practice") / "KILL"
    guard = await scene.watched()
    pulled: list[KillMode] = []
    desk = KillFile(file, lambda mode, cause, actor: pulled.append(mode))
    watch = asyncio.create_task(desk.watch())
    file.write_text("halt")
    await until(lambda: not file.exists())
    await asyncio.sleep(1.5 * FILE_PATIENCE)  # it would have taken it by then
    assert (pulled, guard.done()) == ([KillMode.HALT], False)
    watch.cancel()
    scene.post.end()
    assert not await guard


async def test_a_person_goes_further_at_a_guard_that_acts_for_a_dead_desk(scene: Scene) -> None:
    for name in VENUES:
        scene.trade(name)
    guard = await scene.watched()
    scene.venues["okx"].down = True
    await scene.post.close()
    await until(lambda: (found := latch.read(scene.latch)) and found.pending == ("okx",))
    flatten = {"type": "Kill", "mode": "flatten", "cause": "by hand", "actor": "me"}
    assert await asyncio.to_thread(shut, scene.home.socket, flatten)
    await until(lambda: not scene.venues["bybit"].positions())
    scene.venues["okx"].down = False
    assert await guard
    assert scene.venues["okx"].positions() == ()


async def test_an_orderly_end_is_no_reason_to_act(scene: Scene) -> None:
    scene.trade("okx")
    guard = await scene.watched()
    scene.post.end()
    await scene.post.close()
    assert not await guard
    assert len(scene.kinds("okx")) == 2
    assert latch.read(scene.latch) is None


async def test_a_desk_that_never_got_ready_is_no_reason_to_act(scene: Scene) -> None:
    scene.trade("okx")
    await scene.post.open()
    guard = asyncio.create_task(scene.guard().run())
    await until(lambda: "guarding" in " ".join(scene.told))
    await scene.post.close()
    assert not await guard
    assert latch.read(scene.latch) is None


async def test_it_finishes_a_kill_that_was_to_go_further(scene: Scene) -> None:
    scene.trade("okx")
    latch.write(scene.latch, Latched("daily loss", "limits", 1, KillMode.FLATTEN, ("okx",)))
    guard = await scene.watched()
    await scene.fall_silent()
    assert await guard
    assert scene.venues["okx"].positions() == ()
    found = latch.read(scene.latch)
    assert found is not None
    assert (found.cause, found.actor) == ("daily loss", "limits")


async def test_it_goes_further_when_a_person_asks_for_more_while_it_works(scene: Scene) -> None:
    for name in VENUES:
        scene.trade(name)
    guard = await scene.watched()
    scene.venues["okx"].down = True
    await scene.fall_silent()
    await until(lambda: (found := latch.read(scene.latch)) and found.pending == ("okx",))
    latch.write(scene.latch, Latched("by hand", "me", 1, KillMode.FLATTEN, VENUES))
    await until(lambda: not scene.venues["bybit"].positions())
    scene.venues["okx"].down = False
    assert await guard
    for name in VENUES:
        assert scene.venues[name].positions() == ()
        assert scene.venues[name].reports() == ()
    found = latch.read(scene.latch)
    assert found is not None
    assert (found.mode, found.pending) == (KillMode.FLATTEN, ())


async def test_it_leaves_the_rest_to_a_desk_that_is_started_anew(scene: Scene) -> None:
    scene.trade("okx")
    scene.trade("bybit")
    guard = await scene.watched()
    scene.venues["okx"].down = True
    await scene.fall_silent()
    await until(lambda: (found := latch.read(scene.latch)) and found.pending == ("okx",))
    scene.lock.release()
    scene.home.lock.write_text("1\n")  # as the new desk's lock does
    assert await guard
    found = latch.read(scene.latch)
    assert found is not None
    assert found.pending == ("okx",)
    assert "took over" in scene.told[-1]


async def test_a_person_who_releases_the_latch_ends_the_work(scene: Scene) -> None:
    scene.trade("okx")
    guard = await scene.watched()
    scene.venues["okx"].down = True
    await scene.fall_silent()
    await until(lambda: (found := latch.read(scene.latch)) and found.pending == ("okx",))
    assert scene.post.view.state == "acting"  # not watching: it would see no second end
    latch.clear(scene.latch)
    assert await guard
    assert latch.read(scene.latch) is None
    assert scene.venues["okx"].down


async def test_one_home_has_one_guard_and_a_guard_waits_no_longer_than_told(scene: Scene) -> None:
    with pytest.raises(NoDesk, match="no desk to guard"):
        await scene.guard(patience=0.0).run()
    guard = await scene.watched()
    with pytest.raises(AlreadyRunning, match="another guard"):
        await scene.guard().run()
    scene.post.end()
    assert not await guard


async def test_a_guard_that_goes_is_told_and_one_that_cannot_reach_a_venue_says_so(
    scene: Scene,
) -> None:
    guard = await scene.watched()
    guard.cancel()
    await asyncio.wait([guard])
    await until(lambda: scene.post.view.state == "none")
    scene.venues["okx"].down = True
    again = asyncio.create_task(scene.guard().run())
    await until(lambda: scene.post.view.state == "partial")
    assert "okx" in scene.post.view.detail
    scene.post.end()
    assert not await again


async def test_a_guard_that_is_missing_for_long_is_told_and_that_it_is_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardpost, "GONE_AFTER", 1.0)
    told: list[bool] = []
    scene.post._changed = told.append
    guard = await scene.watched()
    guard.cancel()
    await asyncio.wait([guard])
    assert told == []
    await until(lambda: told == [False])
    again = asyncio.create_task(scene.guard().run())
    await until(lambda: told == [False, True])
    scene.post.end()
    assert not await again


async def test_a_guard_of_another_build_watches_and_is_an_alarm(scene: Scene) -> None:
    await scene.post.open()
    guard = asyncio.create_task(scene.guard(build="0.2.0+newer").run())
    scene.beats = asyncio.create_task(scene.post.run())
    await until(lambda: scene.post.view.state == "watching")
    (alarm,) = [line.text for line in scene.lines.last(20) if line.level == "alarm"]
    assert "build 0.2.0+newer" in alarm
    scene.post.end()
    assert not await guard


async def test_a_guard_that_dies_is_an_alarm_and_started_again(scene: Scene) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    scene.post._start = start
    guard = await scene.watched()
    assert scene.post.view.state == "watching"
    guard.cancel()
    await asyncio.wait([guard])
    await until(lambda: scene.post.view.state == "gone")
    await until(lambda: any(line.level == "alarm" for line in scene.lines.last(10)))
    if not started:  # the one on duty was nobody's child
        await until(lambda: started)
    started[0].kill()
    started[0].wait()
    await until(lambda: len(started) > 1)
    for child in started:
        child.kill()
        child.wait()
