"""Work that is finished once begun, in threads and out of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from ropeteam.finishing import in_thread, to_the_end


async def begun(work: asyncio.Task[object], running: threading.Event) -> None:
    while not running.is_set():
        assert not work.done()
        await asyncio.sleep(0.001)


def test_a_thread_hears_that_nobody_waits_any_more_and_is_waited_for() -> None:
    running, ended = threading.Event(), threading.Event()

    def work(stopped: Callable[[], bool]) -> str:
        running.set()
        while not stopped():
            pass
        ended.set()
        return "half"

    async def main() -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(in_thread(work))
        await begun(task, running)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


def test_what_is_begun_is_finished_however_often_it_is_cancelled() -> None:
    """As a program that is started: it lives, and somebody must know of it."""
    running, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        assert go.wait(20)
        ended.set()

    async def main() -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(to_the_end(asyncio.to_thread(work)))
        await begun(task, running)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


def test_results_and_errors_pass() -> None:
    def fails(_stopped: Callable[[], bool]) -> None:
        raise ValueError("no")

    assert asyncio.run(in_thread(lambda stopped: (stopped(), 3))) == (False, 3)
    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_thread(fails))


def test_an_error_of_cancelled_work_is_the_cancelling() -> None:
    running = threading.Event()

    def work(stopped: Callable[[], bool]) -> None:
        running.set()
        while not stopped():
            pass
        raise ValueError("cut off")

    async def main() -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(in_thread(work))
        await begun(task, running)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
