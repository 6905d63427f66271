"""Performs what the schedule asks for, as asyncio tasks, journal first. It holds no policy.

One event at a time: append it, step the state, start what is due. An event and everything that follows from it at once
(triggers, the end of the run) go into the journal in one transaction.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import signal
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.model import Trigger
from ropeteam.core.schedule import at_once, fold, step
from ropeteam.core.state import RunState
from ropeteam.errors import OutOfSpace, RopeteamError
from ropeteam.journal import Journal
from ropeteam.ports import Clock

INBOX_SECONDS = 0.5
DISK_SECONDS = 5.0
LOOKS = 10
"""How many looks in a row may fail until the driving ends; agents go on, and `resume` takes them over."""

Emit = Callable[[ev.AnyEvent], None]
Watcher = Callable[[RunState, ev.AnyEvent], None]


class Performer(Protocol):
    """Carries out commands. A value that is returned or emitted is an event; `at` is filled in by the engine."""

    async def perform(self, command: ev.AnyCommand, state: RunState, emit: Emit) -> ev.AnyEvent:
        """Do it, once more if it was begun before a crash, and say what came of it."""
        ...

    def stop_agent(self, command: ev.RunAgent, stop: ev.Stop) -> None:
        """Ask an attempt under way to stop; `perform` then returns what came of it."""
        ...

    def free_bytes(self) -> int:
        """Free disk space where trees and journal are."""
        ...


class Engine:
    """Drives one run. The caller holds the run's lock."""

    def __init__(
        self, run: str, *, journal: Journal, performer: Performer, clock: Clock, watch: Watcher = lambda _s, _e: None
    ) -> None:
        self.run = run
        self._journal = journal
        self._performer = performer
        self._clock = clock
        self._watch = watch
        self.state: RunState = fold(journal.events(run))
        self._tasks: dict[str, asyncio.Task[ev.AnyEvent]] = {}
        self._stopping: set[tuple[str, bool]] = set()
        self._changed = asyncio.Event()
        self._broken: BaseException | None = None

    async def drive(self, *first: ev.AnyEvent) -> RunState:
        """Append `first` (`RunStarted`, `Resumed`, `LandAsked`) and go on until the run stands still.

        Raises what kept the journal from being written (OutOfSpace); agents go on, and `resume` takes them over.
        """
        looks = ((INBOX_SECONDS, self._read_inbox), (DISK_SECONDS, self._watch_disk))
        watchers = [asyncio.ensure_future(self._look_every(seconds, look)) for seconds, look in looks]
        self._on_signals()
        try:
            self.commit(*first)
            while self._tasks and self._broken is None:
                self._changed.clear()
                await self._changed.wait()
        finally:
            for task in (*watchers, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*watchers, *self._tasks.values(), return_exceptions=True)
            self._off_signals()
        if self._broken is not None:
            raise self._broken
        return self.state

    def commit(self, *events: ev.AnyEvent) -> None:
        """Journal events with all that follows from them at once, then start what is due."""
        state, batch = self.state, []
        queue = [*events, *self._left_open()]
        while queue:
            stamped = replace(queue.pop(0), at=self._clock.now())
            batch.append(stamped)
            state, commands = step(state, stamped)
            queue += [a for c in commands if (a := at_once(c, state)) is not None]
        self._journal.append(self.run, batch)
        self.state = state
        for stamped in batch:
            self._watch(state, stamped)
        self._start_due()

    def _left_open(self) -> list[ev.AnyEvent]:
        """What a journal that ended within a transaction's work still has to be answered at once."""
        return [a for c in self.state.open.values() if (a := at_once(c, self.state)) is not None]

    def _start_due(self) -> None:
        for key, command in list(self.state.open.items()):
            if isinstance(command, ev.Stop):
                self._stop(command)
            elif key not in self._tasks:
                task = asyncio.ensure_future(self._performer.perform(command, self.state, self._emit))
                self._tasks[key] = task
                task.add_done_callback(lambda done, key=key: self._done(key, done))  # type: ignore[misc]

    def _stop(self, stop: ev.Stop) -> None:
        asked = (stop.target, stop.unless_begun)
        if asked in self._stopping:
            return
        self._stopping.add(asked)
        target, task = self.state.open.get(stop.target), self._tasks.get(stop.target)
        if isinstance(target, ev.RunAgent):
            self._performer.stop_agent(target, stop)
        elif task is not None:
            task.cancel()

    def _emit(self, event: ev.AnyEvent) -> None:
        self._guard(lambda: self.commit(event))

    def _done(self, key: str, task: asyncio.Task[ev.AnyEvent]) -> None:
        self._tasks.pop(key, None)
        self._stopping -= {(key, True), (key, False)}
        self._changed.set()
        if self._broken is not None or key not in self.state.open:
            return
        self._guard(lambda: self._answer(key, task))

    def _answer(self, key: str, task: asyncio.Task[ev.AnyEvent]) -> None:
        if task.cancelled():
            if f"stop:{key}" in self.state.open:
                self.commit(ev.CommandStopped(key=key))
            return
        problem = task.exception()
        if problem is None:
            self.commit(task.result())
        elif isinstance(problem, Stopped):
            self.commit(ev.CommandStopped(key=key))
        elif no_space(problem):  # in one go: between the two the command would be due and begin again
            self.commit(*self._disk_full(str(problem)), ev.CommandStopped(key=key))
        else:
            trace = "".join(traceback.format_exception(problem))[-8000:]
            what = problem.message if isinstance(problem, RopeteamError) else f"{type(problem).__name__}: {problem}"
            self.commit(ev.CommandFailed(key=key, error=what, trace=trace))

    def _guard(self, call: Callable[[], None]) -> None:
        """A journal that cannot be written ends the driving: nothing may happen that is not in it."""
        try:
            call()
        except Exception as problem:
            self._broken = self._broken or problem
            self._changed.set()

    # ---- what comes from outside

    async def _look_every(self, seconds: float, look: Callable[[], None]) -> None:
        """A look that fails (a locked database, a folder that is gone) is made again; not many times in a row."""
        failed = 0
        while True:
            try:
                look()
                failed = 0
            except Exception as problem:
                failed += 1
                if failed >= LOOKS:
                    self._broken = self._broken or problem
                    self._changed.set()
                    return
            await asyncio.sleep(seconds)

    def _read_inbox(self) -> None:
        for number, kind in self._journal.asked(self.run):
            if kind == "cancel":
                self._emit(ev.CancelAsked())
            elif kind.startswith("late "):  # `ropeteam hand-in` of an attempt that was over
                _, attempt, ref = kind.split(" ", 2)
                self._emit(ev.HandedInLate(attempt=attempt, ref=ref))
            self._journal.take(number)

    def _watch_disk(self) -> None:
        free = self._performer.free_bytes()
        least = self.state.begun.settings.limits.free_bytes
        if free < least and not self.state.stop:
            for event in self._disk_full(f"{free / 1e6:,.0f} MB are free, the limit is {least / 1e6:,.0f} MB."):
                self._emit(event)

    def _disk_full(self, evidence: str) -> list[ev.AnyEvent]:
        if self.state.stop or self.state.outcome is not None:
            return []
        return [ev.TriggerFired(trigger=Trigger(id="disk_nearly_full", evidence=evidence, action="park"))]

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupted)

    def _off_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)

    def _interrupted(self) -> None:
        """Once: stop agents in good order. Twice: leave at once; agents go on and `resume` takes them over."""
        if self.state.stop == "interrupt":
            self._broken = self._broken or KeyboardInterrupt()
            self._changed.set()
        else:
            self._emit(ev.InterruptAsked())


class Stopped(Exception):
    """A command was told to stop before it had begun anything that needs an answer of its own."""


def no_space(problem: BaseException) -> bool:
    return isinstance(problem, OutOfSpace) or (isinstance(problem, OSError) and problem.errno == errno.ENOSPC)


def drive(engine: Engine, first: Sequence[ev.AnyEvent], beside: Iterable[Awaitable[None]] = ()) -> RunState:
    """Drive a run from synchronous code, with `beside` running next to it (a live view)."""

    async def together() -> RunState:
        extra = [asyncio.ensure_future(b) for b in beside]
        try:
            return await engine.drive(*first)
        finally:
            for task in extra:
                task.cancel()
            await asyncio.gather(*extra, return_exceptions=True)

    return asyncio.run(together())


def free_bytes(*paths: Path) -> int:
    """The least free space among the file systems of these folders, or of what is left of them."""
    there = [next(p for p in (path, *path.parents) if p.exists()) for path in paths]
    return min(shutil.disk_usage(p).free for p in there)
