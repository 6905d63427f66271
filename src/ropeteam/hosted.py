"""One attempt that the host's subagent does: offered, followed by what happens in its tree, ended by the hand-in.

No process of it is ours: none is frozen, stopped or killed. So a tree is looked at until nothing is written into it any
more, and what is written later is kept all the same, before the tree is removed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from ropeteam import git
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.hosting import LATE, REPORT, HostUnit, Offer, Step, next_step, of_overdue, overdue, why_over
from ropeteam.core.model import Usage
from ropeteam.core.state import AttemptState, RunState
from ropeteam.engine import Emit, Stopped
from ropeteam.following import Keeper
from ropeteam.journal import Journal
from ropeteam.offers import Offers
from ropeteam.ports import Exit, Finish, Task

POLL_SECONDS = 0.2
LOOK_SECONDS = 5.0
LOOK_SHARE = 20
"""How often a tree is looked at: after so many seconds, and so many times what the last look at its files took."""
QUIET_SECONDS = 0.5
LONGEST_UNQUIET = 30.0
"""A tree that was handed in is quiet when nothing changed in it for so long; it is waited for at most so long."""


def newest_change(tree: Path) -> int:
    """When something in the tree was changed, made or deleted last, in nanoseconds of the file system's clock; 0 where
    there is no tree. By change times, which nobody sets by hand; without `.git`, which looking at it changes."""
    newest = 0
    folders = [os.fspath(tree)]
    while folders:
        folder = folders.pop()
        try:
            newest = max(newest, os.lstat(folder).st_ctime_ns)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == ".git" and folder == os.fspath(tree):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        newest = max(newest, entry.stat(follow_symlinks=False).st_ctime_ns)
        except OSError:  # it is being written at this moment
            continue
    return newest


async def until_taken(
    c: RunContext, command: ev.RunAgent, unit: HostUnit, emit: Emit, stopped: Callable[[], bool], *, told: bool
) -> Offer:
    """Offer it, and wait until somebody has taken it. What was offered or taken before is gone on with. told: the run
    knows of the offer already. Stopped: nobody has taken it, and nobody can any more."""
    if not told:
        emit(ev.AttemptOffered(attempt=command.attempt, tree=unit.tree, agent=c.agent_of(command).name))
        await asyncio.sleep(0)  # where that could not be journalled, the engine ends this task here
    offers = offers_of(c)
    offers.put(unit, c.started.settings.limits.host_seconds, c.clock.now())
    c.tell(command.attempt, "waits to be taken: ropeteam take")
    while True:
        offer = offers.find(command.attempt)
        if offer is not None and offer.state not in ("offered", "withdrawn"):
            return offer
        if stopped() and (offer is None or offer.state == "withdrawn" or offers.withdraw(command.attempt)):
            raise Stopped
        await asyncio.sleep(POLL_SECONDS)


def is_out(c: RunContext, command: ev.RunAgent) -> bool:
    """Somebody has taken it already: it has begun, whether the run has heard of it or not."""
    offer = offers_of(c).find(command.attempt)
    return offer is not None and offer.out


def fence(c: RunContext, command: ev.RunAgent, why: str) -> None:
    """Nobody can take it or hand it in any more."""
    offers = offers_of(c)
    offers.withdraw(command.attempt)
    offers.close(command.attempt, why)


def offers_of(c: RunContext) -> Offers:
    if c.offers is None:
        raise RuntimeError("this run was made without offers")
    return c.offers


class HostFollower:
    """Follows an attempt that was taken until it is handed in, or ended. In place of `following.Follower`."""

    usage = Usage()

    def __init__(
        self,
        context: RunContext,
        command: ev.RunAgent,
        task: Task,
        emit: Emit,
        *,
        asked: Callable[[], str],
        keep: Callable[[], None],
        look: Callable[[], Sequence[ev.AnyEvent]] = lambda: (),
    ) -> None:
        """As `Follower`: asked: why it is to stop, empty when it is not. keep: take a snapshot. look: compare that with
        the work of others."""
        self._c = context
        self._command = command
        self._task = task
        self._asked = asked
        self._offers = offers_of(context)
        self._keeper = Keeper(context, command, emit, keep, look)
        self._look_at = 0.0
        self._overdue = False

    async def until_it_ends(self) -> tuple[Exit, Finish]:
        offer = self._offer()
        self._c.tell(self._command.attempt, f"with {offer.by or 'a subagent'}")
        while True:
            offer = await self._looked(self._offer())
            step = next_step(offer, asked=self._asked(), now=self._c.clock.now())
            if step == "overdue":
                offer = await self._looked(offer, now=True)  # the last look may be minutes old
                step = next_step(offer, asked=self._asked(), now=self._c.clock.now())
            if step == "handed" or (step != "wait" and self._closed(offer, step)):
                break
            await self._keeper.sometimes()
            await asyncio.sleep(POLL_SECONDS)
        return await self._end(offer, step)

    def _offer(self) -> Offer:
        offer = self._offers.find(self._command.attempt)
        if offer is None:
            raise RuntimeError(f"the offer of {self._command.attempt} is gone")
        return offer

    def _closed(self, offer: Offer, step: Step) -> bool:
        """From now on a hand-in comes too late. False: one came in this moment, and counts."""
        return offer.state == "over" or self._offers.close(offer.attempt, why_over(step, self._asked()))

    async def _looked(self, offer: Offer, *, now: bool = False) -> Offer:
        """The offer, with its deadline moved on where its tree has changed. now: look, however short ago the last look
        was."""
        c, began = self._c, time.monotonic()
        if offer.state != "taken" or (began < self._look_at and not now):
            return offer
        seen = await asyncio.to_thread(newest_change, self._task.tree)
        took = time.monotonic() - began
        self._look_at = time.monotonic() + max(LOOK_SECONDS, LOOK_SHARE * took)
        if seen > offer.seen:
            self._offers.saw(offer.attempt, seen, c.clock.now())
            offer = self._offer()
        late = overdue(offer, c.clock.now())
        if late != self._overdue:
            self._overdue = late
            told = "overdue; it may still be handed in" if late else f"with {offer.by or 'a subagent'}"
            c.tell(offer.attempt, told)
        return offer

    async def _end(self, offer: Offer, step: Step) -> tuple[Exit, Finish]:
        """Once its tree is quiet. Its time is that of its work: until the hand-in, or the last change of one that
        nobody handed in."""
        c = self._c
        if offer.report is not None:
            (self._task.folder.parent / REPORT).write_text(offer.report, encoding="utf-8")
        now = c.clock.now()
        until = {"handed": offer.handed_at, "overdue": offer.changed_at}.get(step, now)
        await self._until_quiet()
        why: Literal["", "asked", "timeout"] = ""
        if step != "handed":
            why = "timeout" if step == "overdue" else "asked"
        exit = Exit(code=0 if not why else None, stopped=why, seconds=max(0.0, until - offer.taken_at))
        finish = c.agent_of(self._command).listen(self._task).finish(exit, now)
        return exit, replace(finish, evidence=of_overdue(offer, now)) if step == "overdue" else finish

    async def _until_quiet(self) -> None:
        """Nothing of it is ours to stop: a snapshot at once, and another one as long as there is something new."""
        until = time.monotonic() + LONGEST_UNQUIET
        seen = await asyncio.to_thread(newest_change, self._task.tree)
        while True:
            await self._keeper.now()
            await asyncio.sleep(QUIET_SECONDS)
            later = await asyncio.to_thread(newest_change, self._task.tree)
            if later == seen or time.monotonic() > until:
                return
            seen = later


def keep_late(repo: git.Repo, store: git.Store, begun: ev.RunStarted, a: AttemptState, at: float) -> str:
    """Keep the tree of an attempt that is over as it is now, under the attempt's ref with `-late` behind it. Empty: it
    has nothing that is not kept already. Through an index of its own: the orchestrator may be at work with the other.
    """
    folder = Path(a.folder)
    instead = git.is_displaced(_tree(a))  # what stands there is no overlay, and none must be mounted over it
    for file in folder.glob("index*"):
        if instead and file.name == "index.overlay":
            continue
        with suppress(FileNotFoundError):
            shutil.copy2(file, folder / f"{LATE}-{file.name}")
    tree = git.open_tree(Path(a.tree), folder / f"{LATE}-index")
    ref = f"refs/ropeteam/{begun.run}/{a.id}-{LATE}"
    before = git.refs(repo, ref).get(ref)
    message = f"{a.id} after it was over\n\nRopeteam-Run: {begun.run}\n"
    taken = git.snapshot(store, tree, start=a.start, ref=ref, message=message, at=at, facts=begun.repo)
    known = before or a.result.commit
    if known is None or git.changes(store, known, taken.commit):
        return ref
    if before is None:
        git.delete_refs(repo, [ref])
    return ""


def keep_what_came_later(repo: git.Repo, run: RunState, at: float, journal: Path) -> None:
    """Before the trees of a run are removed: a subagent may have written into one after its attempt was over, and an
    agent where the tree of another was taken away. journal: its database."""
    late = [a for a in (*run.attempts, *never_heard(journal, run)) if Path(a.tree).is_dir()]
    late = [a for a in late if (a.hosted and a.stage != "running") or git.is_displaced(_tree(a))]
    if late:
        store = git.open_store(repo)
        for a in late:
            keep_late(repo, store, run.begun, a, at)


def _tree(a: AttemptState) -> git.Tree:
    return git.Tree(Path(a.tree), Path(a.folder) / "index")


def never_heard(journal: Path, run: RunState) -> list[AttemptState]:
    """Attempts that were taken, and over before the run heard of them: something failed in between."""
    opened = Journal(journal)
    try:
        known = {a.id for a in run.attempts}
        offers = [o for o in opened.offers(run.begun.run).all() if o.taken_at and not o.out and o.attempt not in known]
    finally:
        opened.close()
    return [_of_offer(offer, run.begun.repo.base) for offer in offers]


def _of_offer(offer: Offer, base: str) -> AttemptState:
    unit = offer.unit
    return AttemptState(
        id=offer.attempt,
        unit=unit.id,
        kind=unit.kind,
        n=int(offer.attempt.rpartition("/")[2]),
        start=base,
        base=base,
        tree=unit.tree,
        folder=str(Path(unit.tree).parents[1]),
        stage="lost",
        offered_at=offer.at,
    )


def taken_unheard(journal: Path, run: RunState, *, withdraw: bool = False) -> bool:
    """Somebody took a unit while nobody drove the run: there is work in a tree that the run knows nothing of yet.
    withdraw: from now on nobody can take one, because the trees are to be removed."""
    opened = Journal(journal)
    try:
        offers, known = opened.offers(run.begun.run), {a.id for a in run.attempts}
        for offer in offers.all() if withdraw else ():
            offers.withdraw(offer.attempt)
        return any(o.out and o.attempt not in known for o in offers.all())
    finally:
        opened.close()
