"""Work that must be finished once begun: what is half done in a tree, or half stopped, is worse than late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


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


async def in_thread(work: Callable[[Callable[[], bool]], Result]) -> Result:
    """Run it in a thread, to its end. It is given a function that says whether it is to end early: when this task is
    cancelled nobody waits for its result, and what is done next must not meet it still at work."""
    cancelled = threading.Event()
    return await to_the_end(asyncio.to_thread(work, cancelled.is_set), cancelled)
