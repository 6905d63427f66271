"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
import heapq
import itertools

SETTLE_ROUNDS = 20
"""How often the event loop goes round after a sleeper was woken: long enough for a chain of awaits without I/O."""


class ManualClock:
    """A `ropeteam.ports.Clock` for tests. Belongs to one event loop.

    ::

        clock = ManualClock()
        job = asyncio.create_task(something(clock))
        await clock.until_waiting()       # it sleeps now
        await clock.advance(30.0)
        assert clock.waiting == 0
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._watchers: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def awake(self) -> float:
        """The same: this clock is never asleep."""
        return self._now

    @property
    def waiting(self) -> int:
        """How many sleepers there are."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the clock so far; at once for 0 or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        self._tell_watchers()
        await future

    async def until_waiting(self, count: int = 1, *, seconds: float = 10.0) -> None:
        """Wait until at least `count` sleepers are there. Raises TimeoutError after so many real seconds."""
        if self.waiting < count:
            future = asyncio.get_running_loop().create_future()
            self._watchers.append((count, future))
            await asyncio.wait_for(future, seconds)

    async def advance(self, seconds: float) -> None:
        """Move on, waking each sleeper at its own moment and letting it run, new sleepers included."""
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done():  # cancelled
                continue
            self._now = max(self._now, due)
            future.set_result(None)
            await self._settle()
        self._now = end
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(0)

    def _tell_watchers(self) -> None:
        waiting = self.waiting
        for count, future in self._watchers:
            if count <= waiting and not future.done():
                future.set_result(None)
        self._watchers = [watcher for watcher in self._watchers if not watcher[1].done()]
