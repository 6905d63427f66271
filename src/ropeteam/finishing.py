"""Work that must be finished once begun: what is half done in a tree, or half stopped, is worse than late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")
Other = TypeVar("Other")


async def to_the_end(work: Coroutine[Any, Any, Result], cancelled: threading.Event | None = None) -> Result:
    """Finish the work however often this task is cancelled meanwhile; only then let the cancelling happen.

    cancelled: set when that happens, for work that can be told to end early.
    """
    task = asyncio.ensure_future(work)
    told = cancelled or threading.Event()
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            told.set()
    if told.is_set():
        task.exception()  # looked at, so that it is not reported as forgotten
        raise asyncio.CancelledError
    return task.result()


async def side_by_side(one: Awaitable[Result], other: Awaitable[Other]) -> tuple[Result, Other]:
    """The results of both. When one fails the other one is waited for all the same: what is done next must not meet it
    still at work in the same tree."""
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        await asyncio.wait([first, second])
    except asyncio.CancelledError:
        for task in (first, second):
            task.cancel()
        await to_the_end(_all([first, second]))
        raise
    problems = [task.exception() for task in (first, second)]  # both are looked at, so that neither counts as forgotten
    for problem in problems:
        if problem is not None:
            raise problem
    return first.result(), second.result()


async def _all(tasks: Sequence[asyncio.Future[Any]]) -> None:
    await asyncio.wait(tasks)


async def in_thread(work: Callable[[Callable[[], bool]], Result]) -> Result:
    """Run it in a thread, to its end. It is given a function that says whether it is to end early: when this task is
    cancelled nobody waits for its result, and what is done next must not meet it still at work."""
    cancelled = threading.Event()
    return await to_the_end(asyncio.to_thread(work, cancelled.is_set), cancelled)
