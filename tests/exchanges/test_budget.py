"""The request budget: order of service, floors, penalties."""

from __future__ import annotations

import asyncio

import pytest

from exchanges.budget import FLOOR, Budget, Exhausted, Pool, Urgency


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


COST = (("ip", 1.0),)


def budget(capacity: float = 10, seconds: float = 1000.0) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget({"ip": Pool(capacity, seconds)}, clock=clock), clock


async def spend(pool: Budget, urgency: Urgency) -> int:
    """Take until the class has to wait; return how often it did not."""
    count = 0
    while True:
        task = asyncio.create_task(pool.take(urgency, COST))
        await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return count
        task.result()
        count += 1


async def test_reads_and_orders_leave_the_reserve() -> None:
    pool, _ = budget(100)
    assert await spend(pool, Urgency.READ) == 60
    assert await spend(pool, Urgency.ORDER) == 10
    assert await spend(pool, Urgency.REDUCE) == 25
    assert await spend(pool, Urgency.CANCEL) == 5
    assert FLOOR[Urgency.ORDER] >= 0.3


async def test_a_cancel_passes_waiting_reads() -> None:
    pool, _ = budget(100)
    await spend(pool, Urgency.READ)
    reads = [asyncio.create_task(pool.take(Urgency.READ, COST)) for _ in range(400)]
    await asyncio.sleep(0)
    await pool.take(Urgency.CANCEL, COST)
    assert not any(task.done() for task in reads)
    for task in reads:
        task.cancel()
    await asyncio.gather(*reads, return_exceptions=True)


async def test_waiters_are_served_by_urgency_then_age() -> None:
    pool, clock = budget(10, 0.1)
    while True:  # to the last token
        try:
            async with asyncio.timeout(0.01):
                await pool.take(Urgency.KILL, COST)
        except TimeoutError:
            break
    served: list[str] = []

    async def ask(name: str, urgency: Urgency) -> None:
        await pool.take(urgency, COST)
        served.append(name)

    tasks = [
        asyncio.create_task(ask(name, urgency))
        for name, urgency in (
            ("read", Urgency.READ), ("cancel 1", Urgency.CANCEL), ("order", Urgency.ORDER),
            ("cancel 2", Urgency.CANCEL), ("kill", Urgency.KILL),
        )
    ]  # fmt: skip
    await asyncio.sleep(0)
    for _ in range(400):
        if len(served) == 5:
            break
        clock.now += 0.01  # a token
        await asyncio.sleep(0.003)
    assert served == ["kill", "cancel 1", "cancel 2", "order", "read"]
    await asyncio.gather(*tasks)


async def test_a_pause_holds_orders_but_not_cancels() -> None:
    pool, clock = budget()
    pool.pause(5.0)
    await pool.take(Urgency.CANCEL, COST)
    order = asyncio.create_task(pool.take(Urgency.ORDER, COST))
    await asyncio.sleep(0.01)  # time in which it would have gone; a slow machine changes nothing
    assert not order.done()
    clock.now += 5.1
    async with asyncio.timeout(2):
        await order


async def test_a_ban_stops_everything_at_once() -> None:
    pool, clock = budget()
    pool.ban(60.0)
    for urgency in Urgency:
        with pytest.raises(Exhausted) as refused:
            await pool.take(urgency, COST)
        assert refused.value.seconds == pytest.approx(60.0)
    clock.now += 61
    await pool.take(Urgency.ORDER, COST)


async def test_the_venue_knows_better_what_is_left() -> None:
    pool, _ = budget(100)
    pool.observe("ip", 31.0)
    assert await spend(pool, Urgency.ORDER) == 1
    assert pool.used == pytest.approx(0.7)


async def test_a_request_dearer_than_the_pool_goes_when_it_is_full_and_is_paid_off() -> None:
    pool, clock = budget(10, 10.0)
    async with asyncio.timeout(1):
        await pool.take(Urgency.KILL, (("ip", 25.0),))
    late = asyncio.create_task(pool.take(Urgency.KILL, COST))
    clock.now += 15.0
    await asyncio.sleep(0.01)
    assert not late.done()
    clock.now += 2.0
    async with asyncio.timeout(3):
        await late


async def test_hundreds_that_wait_cost_the_loop_one_look_at_a_time() -> None:
    pool, _ = budget(10)
    await spend(pool, Urgency.READ)
    looks = 0
    serve = pool._serve

    def count() -> None:
        nonlocal looks
        looks += 1
        serve()

    pool._serve = count  # type: ignore[method-assign]
    reads = [asyncio.create_task(pool.take(Urgency.READ, COST)) for _ in range(400)]
    await asyncio.sleep(0.05)
    assert looks <= 2  # one for the first in line, and its timer; each look was 400 once
    for read in reads:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
