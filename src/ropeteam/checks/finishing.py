"""Work that must be finished once begun: what is half done in a tree, or half stopped, is worse than late."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Finish the work however often this task is cancelled meanwhile; only then let the cancelling happen."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        task.exception()  # looked at, so that it is not reported as forgotten
        raise asyncio.CancelledError
    return task.result()
