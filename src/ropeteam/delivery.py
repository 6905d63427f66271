"""The way of a validated result to the user: documents on top, the branch moved or one left, and landing later."""

from __future__ import annotations

import asyncio
import re

from msgspec.structs import replace

from ropeteam import documents, git
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import RunOutcome
from ropeteam.core.report import Report, report
from ropeteam.core.state import RunState
from ropeteam.engine import Emit
from ropeteam.errors import LandingStopped, RopeteamError
from ropeteam.validation import Validation

LOG = "02-implementation.md"


class Delivery:
    """Carries out what comes after validation. Every method may be repeated after a crash."""

    def __init__(self, context: RunContext, validation: Validation) -> None:
        self._c = context
        self._validation = validation

    # ---- documents

    async def compose(self, command: ev.Compose, state: RunState) -> ev.AnyEvent:
        return await asyncio.to_thread(self._compose, command, state)

    def _compose(self, command: ev.Compose, state: RunState) -> ev.AnyEvent:
        c = self._c
        texts = self._texts(state, command.outcome, lambda path: git.read_file(c.repo, command.tip, path))
        committed = {path: text.encode() for path, text in texts.items() if self._belongs_into_commit(path)}
        head = command.tip
        if committed:
            name = c.started.feature.subject
            head = git.commit_files(
                c.store,
                parent=command.tip,
                files=committed,
                message=f"Log the implementation of {name}\n\nRopeteam-Run: {c.run}\n",
                at=command.at,
                facts=c.started.repo,
            )
        git.keep(c.store, head, c.ref("result"))
        return ev.Composed(tip=command.tip, head=head, documents=tuple(committed))

    def _texts(self, state: RunState, outcome: RunOutcome, read: documents.Read) -> dict[str, str]:
        """The documents as they should be, by path relative to the repository; only those that change."""
        feature = self._c.started.feature
        if not feature.folder:
            return {}
        said = report(replace(state, outcome=outcome, phase="ended"))
        log, intent = f"{feature.folder}/{LOG}", self._intent
        before, wanted = documents.text(read(log)), documents.text(read(intent))
        section = documents.section(said, feature.chosen)
        texts = {log: documents.with_section(before, feature, said.run, section)}
        left = _named(said)
        if wanted is not None:
            reason = next((t.evidence for t in reversed(state.triggers) if t.action != "notice"), "")
            marked = documents.with_mark(
                wanted, outcome, reason, said.started_at[:10], sections=feature.selected, left=left
            )
            if marked != wanted:
                texts[intent] = marked
        for tasks in (d.path for d in feature.documents if d.kind == "tasks" and outcome.startswith("delivered")):
            listed = documents.text(read(tasks))
            if listed is not None and (ticked := documents.with_boxes(listed, left)) != listed:
                texts[tasks] = ticked
        return texts

    def _belongs_into_commit(self, path: str) -> bool:
        """Tracked and as it was in the base commit, or new beside a tracked intent."""
        c = self._c
        base = c.started.repo.base
        on_disk = c.repo.top / path
        was = git.read_file(c.repo, base, path)
        if was is not None:
            return on_disk.is_file() and _same_text(on_disk.read_bytes(), was)
        return not on_disk.exists() and git.is_tracked(c.repo, base, self._intent)

    @property
    def _intent(self) -> str:
        feature = self._c.started.feature
        return next((d.path for d in feature.documents if d.kind == "intent"), f"{feature.folder}/01-intent.md")

    async def write_documents(self, command: ev.WriteDocuments, state: RunState) -> ev.AnyEvent:
        return await asyncio.to_thread(self._write_documents, command, state)

    def _write_documents(self, command: ev.WriteDocuments, state: RunState) -> ev.AnyEvent:
        top = self._c.repo.top

        def read(path: str) -> bytes | None:
            try:
                return (top / path).read_bytes()
            except FileNotFoundError:
                return None  # any other error must not make us write over what is there

        written = []
        try:
            for path, text in self._texts(state, command.outcome, read).items():
                if path not in (state.documents or ()):
                    documents.write(top / path, text, inside=top)
                    written.append(path)
        except (OSError, RopeteamError) as problem:
            return ev.DocumentsWritten(paths=tuple(written), problem=str(problem))
        return ev.DocumentsWritten(paths=tuple(written))

    # ---- landing

    async def ask(self, state: RunState) -> ev.AnyEvent:
        yes = await self._c.ask(state) if self._c.ask is not None else False
        return ev.Answered(question="land", yes=yes)

    async def land(self, command: ev.Land, state: RunState, emit: Emit) -> ev.AnyEvent:
        interrupted = state.landing_started
        if not interrupted:
            emit(ev.LandingStarted(head=command.head, onto=command.onto, branch=command.branch))
        result = await asyncio.to_thread(self._land, command, interrupted)
        if result.reason is not None:
            return ev.LandRefused(head=command.head, reason=result.reason, detail=result.detail)
        if command.left:
            await asyncio.to_thread(self._remove_left, command.left, state.head)
        return ev.Landed(head=command.head, branch=command.branch)

    def _land(self, command: ev.Land, interrupted: bool) -> git.LandResult:
        c = self._c
        go = git.repair_landing if interrupted else git.land
        try:
            return go(
                c.store,
                head=command.head,
                onto=command.onto,
                branch=command.branch,
                facts=c.started.repo,
                feature=c.started.feature.folder,
            )
        except LandingStopped as problem:
            return git.LandResult(reason="dirty", detail=f"{problem.message} {problem.hint}".strip())

    def _remove_left(self, name: str, head: str) -> None:
        """The branch that was left for this result, unless someone has gone on with it."""
        ref = f"refs/heads/{name}"
        if git.refs(self._c.repo, ref).get(ref) == head and git.branch(self._c.repo) != name:
            git.delete_refs(self._c.repo, [ref])

    async def leave_branch(self, command: ev.LeaveBranch) -> ev.AnyEvent:
        name = await asyncio.to_thread(git.leave_branch, self._c.store, command.branch, command.head)
        return ev.BranchLeft(branch=name, head=command.head, reason=command.reason)

    async def rebase(self, command: ev.Rebase) -> ev.AnyEvent:
        return await asyncio.to_thread(self._rebase, command)

    def _rebase(self, command: ev.Rebase) -> ev.AnyEvent:
        c = self._c
        merged = git.rebase(c.store, head=command.head, base=command.base, onto=command.onto, facts=c.started.repo)
        if merged.commit is None:
            return ev.RebaseConflicted(onto=command.onto, paths=merged.conflicts)
        git.keep(c.store, merged.commit, c.ref("landing", command.onto[:12]))
        findings = self._validation.inspect(command.onto, merged.commit)
        return ev.Rebased(onto=command.onto, commit=merged.commit, findings=findings)


def _named(said: Report) -> frozenset[str]:
    """Ids of requirements and tasks that the agents say they left the plan at: they are not marked as done for them."""
    words = " ".join(f"{deviation.what} {deviation.why}" for deviation in said.deviations)
    return frozenset(re.findall(r"\b[A-Z][A-Z0-9-]*\d[\w.]*\b", words))


def _same_text(one: bytes, other: bytes) -> bool:
    """The same but for line ends, which a checkout may have its own way with."""
    return one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")
