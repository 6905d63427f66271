from __future__ import annotations

import asyncio

import pytest

from ropeteam.ports import Clock
from ropeteam.testing.clock import ManualClock


def test_time_stands_still_until_it_is_moved() -> None:
    async def scene() -> None:
        clock: Clock = ManualClock(now=100.0)
        assert clock.now() == 100.0
        await asyncio.wait_for(clock.sleep(0.0), 5)
        await asyncio.wait_for(clock.sleep(-3.0), 5)
        assert clock.now() == 100.0

    asyncio.run(scene())


def test_sleepers_wake_in_order_each_at_its_own_moment() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(clock: ManualClock, name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    async def scene() -> None:
        clock = ManualClock(now=0.0)
        jobs = [asyncio.create_task(sleeper(clock, name, s)) for name, s in (("b", 20.0), ("a", 10.0), ("c", 30.0))]
        await clock.until_waiting(3)
        await clock.advance(20.0)
        assert woken == [("a", 10.0), ("b", 20.0)]
        assert clock.waiting == 1
        assert clock.now() == 20.0
        await clock.advance(9.9)
        assert clock.waiting == 1
        await clock.advance(0.1)
        await asyncio.gather(*jobs)
        assert woken[-1] == ("c", 30.0)

    asyncio.run(scene())


def test_a_sleeper_that_sleeps_again_is_served_within_one_advance() -> None:
    async def scene() -> None:
        clock = ManualClock(now=0.0)
        seen: list[float] = []

        async def watch() -> None:
            while True:
                await clock.sleep(1.0)
                seen.append(clock.now())

        job = asyncio.create_task(watch())
        await clock.until_waiting()
        await clock.advance(5.0)
        assert seen == [1.0, 2.0, 3.0, 4.0, 5.0]
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert clock.waiting == 0, "a cancelled sleeper waits no more"
        await clock.advance(5.0)
        assert seen[-1] == 5.0

    asyncio.run(scene())


def test_waiting_for_a_sleeper_that_never_comes_ends() -> None:
    async def scene() -> None:
        with pytest.raises(TimeoutError):
            await ManualClock().until_waiting(seconds=0.01)

    asyncio.run(scene())
