"""Follows one attempt while it runs: hears its output, keeps its work now and then, ends it when it must be ended."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ropeteam import process
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import Usage
from ropeteam.engine import Emit, no_space
from ropeteam.errors import RopeteamError
from ropeteam.ports import Conversation, Exit, Finish, Said, Task

POLL_SECONDS = 0.2
READ_SECONDS = 0.5
"""How long output is read at a stretch: who writes faster than we read must not keep us from stopping it."""
LAST_SECONDS = 10.0
LAST_BYTES = 1_000_000
"""How long what it wrote is read once it has ended (what is kept of it, 64 MB, takes a program's events 2 s; as many
lines of two characters minutes), and how much of the end is read in any case: there it says how it ended."""
TELL_SECONDS = 1.0
USAGE_SECONDS = 10.0
OVERTIME_SECONDS = 30.0
"""How long the wrapper may take, past the grace time, to end what it was asked to end, before it is ended itself."""

Why = Literal["", "asked", "stalled", "timeout", "auth"]


class Keeper:
    """Takes a snapshot of an attempt's work now and then, and compares it with the work of others."""

    def __init__(
        self,
        context: RunContext,
        command: ev.RunAgent,
        emit: Emit,
        keep: Callable[[], None],
        look: Callable[[], Sequence[ev.AnyEvent]],
    ) -> None:
        """keep: take a snapshot. look: compare that with the work of others; gives what is to be told."""
        self._c = context
        self._command = command
        self._emit = emit
        self._keep = keep
        self._look = look
        limits = context.started.settings.limits
        self._several = command.kind in ("unit", "contract")
        self._seconds = min(limits.snapshot_seconds, limits.lookahead_seconds if self._several else math.inf)
        self._kept_at = context.clock.awake()

    async def sometimes(self) -> float:
        """When it is time for it. Seconds that it took."""
        now = self._c.clock.awake()
        if now - self._kept_at < self._seconds:
            return 0.0
        self._kept_at = now
        if await self.now():
            await self._look_ahead()
        return self._c.clock.awake() - now

    async def now(self) -> bool:
        """Whether it could be taken; a failed one is taken again later, but for a full disk."""
        try:
            await asyncio.to_thread(self._keep)
        except (RopeteamError, OSError) as problem:
            if no_space(problem):
                raise
            self._c.tell(self._command.attempt, f"a snapshot failed: {problem}")
            return False
        return True

    async def _look_ahead(self) -> None:
        """A look that fails costs nothing but the look."""
        if not self._several:
            return
        try:
            foreseen = await asyncio.to_thread(self._look)
        except Exception as problem:
            self._c.tell(self._command.attempt, f"its work could not be compared with the others': {problem}")
            return
        for event in foreseen:
            self._emit(event)


class Follower:
    """Reads one attempt's output until it ends, and ends it when it must be ended."""

    def __init__(
        self,
        context: RunContext,
        command: ev.RunAgent,
        task: Task,
        child: process.Child | None,
        emit: Emit,
        began: float,
        *,
        asked: Callable[[], str],
        keep: Callable[[], None],
        look: Callable[[], Sequence[ev.AnyEvent]] = lambda: (),
        tree: Path,
    ) -> None:
        """asked: why it is to stop, empty when it is not. keep: take a snapshot. look: compare that with the work of
        others, where there are others; gives what is to be told. tree: where its work tree lies."""
        self._c = context
        self._command = command
        self._child = child
        self._emit = emit
        self._asked = asked
        self._keeper = Keeper(context, command, emit, keep, look)
        self._log = context.attempt_folder(command.attempt) / "log"
        self._conversation: Conversation = context.agent_of(command).listen(task)
        self._tail = process.Tail(self._log)
        now = context.clock.awake()
        self._began = now - max(0.0, context.clock.now() - began)
        self._tree = tree
        self._sign = now
        self._written: frozenset[tuple[str, int]] = frozenset()
        self._why: Why = ""
        self._told = 0.0
        self._reported = now
        self.usage = Usage()
        self._usage_sent = Usage()

    async def until_it_ends(self) -> tuple[Exit, Finish]:
        """The end of the program, and what its adapter makes of it."""
        child = self._child
        stopped_at = 0.0
        while child is not None:
            await self._read(last=False)
            ended = await process.wait(child, POLL_SECONDS)
            if ended is not None or not child.alive():
                break
            self._sign += await self._keeper.sometimes()  # while it stood still it could give no sign
            now = self._c.clock.awake()
            self._why = self._why or self._reason_to_stop(now)
            if self._why and not stopped_at:
                stopped_at = now
                child.stop()
            elif stopped_at and now - stopped_at > self._c.started.settings.limits.grace_seconds + OVERTIME_SECONDS:
                await asyncio.to_thread(child.kill)
        await self._read(last=True)
        record = process.ended(self._log)
        if record is None:  # the wrapper was killed: what it answered for may be left
            await asyncio.to_thread(process.sweep_after, self._tree, self._log)
        now = self._c.clock.awake()
        code, number = _how(record, sandboxed=self._c.has_sandbox)
        exit = Exit(
            code=code,
            signal=number,
            stopped=self._why,
            seconds=record.seconds if record else max(0.0, now - self._began),
        )
        return exit, self._conversation.finish(exit, self._c.clock.now())

    def _reason_to_stop(self, now: float) -> Why:
        limits = self._c.started.settings.limits
        if self._asked():
            return "asked"
        if now - self._began > self._command.seconds:
            return "timeout"
        if now - self._sign > limits.stall_seconds:
            return "stalled"
        return ""

    async def _read(self, *, last: bool) -> None:
        """Hear what it has written since; all of it with `last`, else as much as can be read in a moment."""
        until = time.monotonic() + (LAST_SECONDS if last else READ_SECONDS)
        while lines := self._tail.read(last=last):
            now = self._c.clock.awake()
            for line in lines:
                for said in self._conversation.parse(line):
                    self._hear(said, now)
            if time.monotonic() > until:
                if not last:
                    break
                self._tail.skip_to(LAST_BYTES)
                until = math.inf
            await asyncio.sleep(0)
        now = self._c.clock.awake()
        written = self._sizes()
        if written != self._written:  # half a line and an error message are signs of life too
            self._written, self._sign = written, now
        due = now - self._reported > USAGE_SECONDS or self._twentieths(self.usage) != self._twentieths(self._usage_sent)
        if self.usage != self._usage_sent and due:
            self._reported, self._usage_sent = now, self.usage
            self._emit(ev.UsageReported(attempt=self._command.attempt, usage=self.usage))

    def _twentieths(self, usage: Usage) -> tuple[int, ...]:
        """How much of its budget and of its model's context it has used, as coarse as it matters: nothing is told
        twice once that is gone."""
        limits = (
            (usage.cost_usd, self._command.budget_usd),
            (usage.tokens, self._command.budget_tokens),
            (usage.context_used, usage.context_limit),
        )
        return tuple(int(min(20.0, 20 * used / limit)) if limit else 0 for used, limit in limits)

    def _sizes(self) -> frozenset[tuple[str, int]]:
        """Of the files that hold its output; the wrapper may delete one while we look."""
        found = set()
        for path in (*self._log.glob("out.*"), *self._log.glob("err.*")):
            with suppress(FileNotFoundError):
                found.add((path.name, path.stat().st_size))
        return frozenset(found)

    def _hear(self, said: Said, now: float) -> None:
        if said.usage is not None:
            self.usage = said.usage
        if said.kind == "retry" and said.status in (401, 403):
            self._why = self._why or "auth"
        if said.kind == "retry" and said.seconds > self._c.started.settings.limits.stall_seconds:
            self._why = self._why or "stalled"  # it would be, in the middle of a wait that is known already
        text = said.text or (f"the provider answers {said.status}, trying again" if said.kind == "retry" else "")
        if text and said.kind in ("text", "tool", "retry") and now - self._told >= TELL_SECONDS:
            self._told = now
            self._c.tell(self._command.attempt, " ".join(text.split())[:200])


def _how(record: process.Ended | None, *, sandboxed: bool) -> tuple[int | None, int]:
    """Exit code and signal. A sandbox tells a signal that ended its program as an exit code of 128 and more."""
    if record is None:
        return None, int(signal.SIGKILL)
    if sandboxed and record.code is not None and 128 < record.code < 160:
        return None, record.code - 128
    return record.code, record.signal
