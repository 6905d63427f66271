"""The values that everything speaks: what is wanted, what was tried, what came of it.

All are frozen. Times are seconds since the epoch (`at`, `deadline`) or lengths in seconds; commits are full object
names; paths are relative to the repository's root with `/` between their parts, except where a docstring says
"absolute"; a path whose name is not valid UTF-8 is held with surrogate escapes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

UnitState = Literal["pending", "running", "ended", "validated", "ejected", "failed", "superseded"]
Kind = Literal["contract", "unit", "single", "rest", "belay", "plan"]
Outcome = Literal[
    "ok",
    "auth",
    "rate",
    "overload",
    "context",
    "turns",
    "budget",
    "denied",
    "killed",
    "unknown",
    "empty",
    "stalled",
    "timeout",
    "corrupted",
    "crashed",
]
CheckState = Literal["passed", "failed", "flaky", "not_run", "no_gate", "removed"]
Action = Literal["single", "salvage", "strict", "retry", "notice", "park", "stop"]
RunOutcome = Literal["delivered_parallel", "delivered_after_fallback", "delivered_single", "not_delivered", "cancelled"]
Phase = Literal["planning", "running", "draining", "parked", "interrupted", "ended"]
LandedReason = Literal["asked", "include_dirty", "moved", "dirty", "in_the_way", "other_branch", "unsupported"]
TriggerId = Literal[
    "confidence_below_minimum",
    "batch_validation_failed",
    "agent_crashed",
    "context_corrupted",
    "token_budget_exceeded",
    "syntax_error",
    "file_conflict",
    "speedup_below_minimum",
    "sequential_time_below_minimum",
    "unexpected_problem",
    "checkout_changed",
    "undeclared_write",
    "plan_refused",
    "disk_nearly_full",
    "unit_failed_twice",
    "quota_exhausted",
    "agent_not_usable",
    "cancelled",
]


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every value: frozen, named fields, defaults left out when written."""


# ---- what is wanted


class Document(Value, frozen=True, kw_only=True):
    """One file of the feature, as it was when the run began. path: relative to the repository, or a name.

    context: what belongs to the design and is neither the intent nor the plan (data model, contracts).
    """

    kind: Literal[
        "intent", "research", "architecture", "overview", "implementation", "tests", "tasks", "log", "context"
    ]
    path: str
    text: str


class Requirement(Value, frozen=True, kw_only=True):
    """A testable requirement as the intent states it. line: where, 1-based."""

    id: str
    text: str
    category: str = ""
    test_type: str = ""
    status: str = ""
    line: int = 0


class NamedFile(Value, frozen=True, kw_only=True):
    """A file that the feature's documents name: to be created (`A`), changed (`M`) or deleted (`D`), `?` where they do
    not say. task: id of the task that names it, empty where none does. source, line: the document, 1-based.

    path: as it is written there, cleaned: `/` at its end for a folder; with `*` where it stands for several files or
    its name is known only in part. mentioned: named in passing, not as something to be done (with `A`: drawn in a tree
    of files, so it is to be created unless it is there). requirements: ids that stand beside it. needs: paths that it
    builds on, where the documents say it of this file (an empty list: on none of them); None where they do not.
    """

    path: str
    status: Literal["A", "M", "D", "?"] = "?"
    purpose: str = ""
    task: str = ""
    requirements: tuple[str, ...] = ()
    needs: tuple[str, ...] | None = None
    mentioned: bool = False
    source: str = ""
    line: int = 0


class Step(Value, frozen=True, kw_only=True):
    """A step of the documents' own sequence, or a task. number: its place, 1-based; steps of equal number may be done
    side by side. parallel: the documents say that it may run beside others. needs: ids of steps before it, where the
    documents name them; files: paths it names. phase: heading of the phase or story it is in; stories may be done side
    by side."""

    id: str
    number: int
    text: str = ""
    parallel: bool = False
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    phase: str = ""
    source: str = ""
    line: int = 0


class Section(Value, frozen=True, kw_only=True):
    """A part, an extension or a change, as the intent has them, in their order. name: as it is selected (`01-cart`).

    needs: names of sections it depends on. requirements: ids in it. text: its own Markdown. line: of its heading.
    """

    kind: Literal["part", "extend", "change"]
    name: str
    status: Literal["pending", "in progress", "done", "blocked"] = "pending"
    needs: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    text: str = ""
    line: int = 0


class Feature(Value, frozen=True, kw_only=True):
    """What the user wants. folder: of a workspace or spec-kit feature, relative to the repository; empty for a file or
    stdin.

    sections: all there are; selected: names of those that this run is about, empty for the whole feature. Then
    `requirements`, `files` and `steps` are those of the selected sections. files, steps: what the documents say of the
    work itself. unresolved: what they name as a file and no path could be made of, a sentence each with its line.
    notices: what was understood leniently or could not be, one sentence each, shown to the user.
    """

    name: str
    source: Literal["workspace", "file", "stdin", "speckit"]
    folder: str = ""
    title: str = ""
    task_type: str = "FEATURE"
    summary: str = ""
    documents: tuple[Document, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    sections: tuple[Section, ...] = ()
    selected: tuple[str, ...] = ()
    files: tuple[NamedFile, ...] = ()
    steps: tuple[Step, ...] = ()
    unresolved: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """What this run is about, in words: the title, with the sections that were selected."""
        title = self.title or self.name
        if len(self.selected) > 3:
            return f"{title}: {len(self.selected)} parts"
        return f"{title}: {', '.join(self.selected)}" if self.selected else title

    @property
    def chosen(self) -> tuple[Section, ...]:
        """The selected sections, in the order in which they are done."""
        named = {section.name: section for section in self.sections}
        return tuple(named[name] for name in self.selected if name in named)


class RepoFacts(Value, frozen=True, kw_only=True):
    """The user's repository when the run began. top, common_dir: absolute. branch: short name, None when HEAD is
    detached. base: the commit the run starts from (with `include_dirty` the snapshot of the changed checkout, whose
    parent is `head`). checkout_config: the few settings that decide how files look in a checkout."""

    top: str
    common_dir: str
    branch: str | None
    head: str
    base: str
    user_name: str
    user_email: str
    checkout_config: dict[str, str] = {}


class Answers(Value, frozen=True, kw_only=True):
    """What the user asked for or answered, which holds for `resume` too. land: `ask` only where someone can answer.
    sandboxed: the user was told that agents and checks are confined. belay: one more agent on the whole feature.
    until: `plan`: the run stands still once it is planned."""

    mode: Literal["auto", "single", "parallel"] = "auto"
    land: Literal["ask", "yes", "no"] = "no"
    agent: str
    include_dirty: bool = False
    sandboxed: bool = False
    belay: bool = False
    until: Literal["end", "plan"] = "end"


# ---- what is planned


class UnitEstimate(Value, frozen=True, kw_only=True):
    """How long one attempt of a unit takes, in seconds of wall time, and its tokens; p50: half of them take less."""

    seconds_p50: float
    seconds_p90: float = 0.0
    tokens_p50: float = 0.0


class Unit(Value, frozen=True, kw_only=True):
    """A piece of work for one agent. needs: units whose validated work it builds on. writes: gitignore-style patterns
    of the paths it owns; reads: of what it should look at. batch: 1-based; units of one batch need none of each other.
    provides: what new it makes available to others: names or paths, in the words of who made the plan.
    """

    id: str
    title: str = ""
    goal: str = ""
    kind: Literal["contract", "unit"] = "unit"
    layer: str = ""
    batch: int = 1
    needs: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    estimate: UnitEstimate | None = None


class Confidence(Value, frozen=True, kw_only=True):
    """P(the parallel run takes no longer than one agent), 0 to 1."""

    value: float
    reasons: tuple[str, ...] = ()


class SideEstimate(Value, frozen=True, kw_only=True):
    """One way of doing the whole feature: wall time in seconds, tokens, US dollars."""

    seconds_p50: float | None = None
    seconds_p90: float | None = None
    tokens_p50: float | None = None
    cost_usd_p50: float | None = None
    cost_usd_p90: float | None = None


class PlanEstimate(Value, frozen=True, kw_only=True):
    """Both ways predicted. speedup_quantile: the lower quantile `gate_quantile` of the simulated speed-up."""

    workers: int | None = None
    gate_quantile: float | None = None
    speedup_quantile: float | None = None
    speedup_p50: float | None = None
    single: SideEstimate = SideEstimate()
    parallel: SideEstimate = SideEstimate()
    critical_path: tuple[str, ...] = ()


class Plan(Value, frozen=True, kw_only=True):
    """A valid plan: no cycle, every need known, no two units that could run at once own the same path.

    Every unit needs the contract, where there is one, but for those that the contract itself needs. batches: unit ids,
    ordered. barriers: a unit waits for all units of earlier batches (`plan.grouping = "layers"`).
    """

    units: tuple[Unit, ...]
    contract: str | None = None
    batches: tuple[tuple[str, ...], ...] = ()
    barriers: bool = False
    confidence: Confidence | None = None
    estimate: PlanEstimate | None = None

    def unit(self, id: str) -> Unit:
        """The unit of that id; KeyError when there is none."""
        for u in self.units:
            if u.id == id:
                return u
        raise KeyError(id)


# ---- what was decided


class Decision(Value, frozen=True, kw_only=True):
    mode: Literal["parallel", "single"]
    triggers: tuple[TriggerId, ...] = ()
    overridden: tuple[TriggerId, ...] = ()
    reasons: tuple[str, ...] = ()


# ---- what an agent said and did


class Usage(Value, frozen=True, kw_only=True):
    """Tokens and money of one attempt, cumulative. cached: input read from the provider's cache (not in `input`)."""

    input: int = 0
    cached: int = 0
    output: int = 0
    context_used: int = 0
    context_limit: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens, cached reading included."""
        return self.input + self.cached + self.output


class FileNote(Value, frozen=True, kw_only=True):
    path: str
    purpose: str = ""


class DecisionNote(Value, frozen=True, kw_only=True):
    decision: str
    rationale: str = ""


class DeviationNote(Value, frozen=True, kw_only=True):
    what: str
    why: str = ""


class RequestNote(Value, frozen=True, kw_only=True):
    """What a unit needs in a file that another unit owns, or nobody. path: relative to the repository."""

    path: str
    what: str = ""


class Asked(Value, frozen=True, kw_only=True):
    """A request that a unit is given: who needs `what` in the file `path`."""

    unit: str
    path: str
    what: str = ""


class AgentReport(Value, frozen=True, kw_only=True):
    """What the agent says it did: shown, and checked against the tree, never believed. plan: of an attempt of kind
    `plan`, the text of what it proposes, as it gave it (`core.proposal` reads it); empty where it gave none."""

    files: tuple[FileNote, ...] = ()
    decisions: tuple[DecisionNote, ...] = ()
    deviations: tuple[DeviationNote, ...] = ()
    requests: tuple[RequestNote, ...] = ()
    plan: str = ""
    usage: Usage | None = None


class FileChange(Value, frozen=True, kw_only=True):
    path: str
    kind: Literal["created", "modified", "deleted"]


class AttemptResult(Value, frozen=True, kw_only=True):
    """What came of one attempt, whatever its outcome.

    commit: the snapshot of its tree, kept under `ref`; None when there was no tree to snapshot. changes: between the
    attempt's base and the snapshot. evidence: one sentence on why it ended so, with its numbers. notices: what the
    user should know though it decides nothing. kept: further refs that hold work (the tree's own branches and
    stashes). ignored: paths that the agent wrote and the repository ignores (in the tree, in no snapshot).
    retry_at: when the provider says it can go on. log: absolute path of the attempt's folder. checkout: what changed in
    the user's own checkout while it ran, a sentence each. reading_seconds: from its start to the first
    change of a file that is in the snapshot (0: not known). compacted: its conversation was shortened, so that it no
    longer holds what was read. unforked: it could not begin, because there was no conversation to go on from.
    """

    seconds: float = 0.0
    commit: str | None = None
    ref: str = ""
    changes: tuple[FileChange, ...] = ()
    report: AgentReport = AgentReport()
    usage: Usage = Usage()
    session: str = ""
    model: str = ""
    reading_seconds: float = 0.0
    evidence: str = ""
    notices: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    retry_at: float | None = None
    log: str = ""
    checkout: tuple[str, ...] = ()
    compacted: bool = False
    unforked: bool = False


# ---- what the checks said


class TestResult(Value, frozen=True, kw_only=True):
    """One test. file: the file it is in, where the runner tells."""

    name: str
    state: Literal["passed", "failed", "skipped"]
    file: str = ""


class CheckRun(Value, frozen=True, kw_only=True):
    """One run of one check on one tree, as it was measured.

    tests: empty when only the exit code tells. exit_code: None when it could not be run (`problem` says why) or was
    stopped at its time limit. output: its last lines.
    """

    name: str
    exit_code: int | None = None
    tests: tuple[TestResult, ...] = ()
    seconds: float = 0.0
    output: str = ""
    problem: str = ""

    @property
    def ran(self) -> bool:
        return self.exit_code is not None


class Baseline(Value, frozen=True, kw_only=True):
    """A check on the base commit, and what its canary said.

    gate: whether this check can tell broken code from whole code; `why_not` says why it cannot.
    """

    run: CheckRun
    gate: bool = True
    why_not: str = ""


class CheckResult(Value, frozen=True, kw_only=True):
    """A check on a candidate beside its baseline. failing: names of tests that count against it."""

    name: str
    state: CheckState
    baseline: CheckState
    failing: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    added: int = 0
    tests: int = 0
    seconds: float = 0.0
    why: str = ""
    output: str = ""


class Finding(Value, frozen=True, kw_only=True):
    """A fault in one file after a merge: a syntax error, a leftover conflict marker, or (in the contract) an import
    that leads nowhere. line: 1-based, 0 unknown."""

    path: str
    line: int = 0
    message: str
    check: Literal["syntax", "markers", "imports"] = "syntax"


class Unusable(Value, frozen=True, kw_only=True):
    """An agent that cannot be used where a run is gone on with. why: what is missing and what to do, in sentences."""

    agent: str
    why: str


class Trigger(Value, frozen=True, kw_only=True):
    """A reason to fall back, or a notice of one. evidence: a sentence with the numbers. at: when it fired."""

    id: TriggerId
    unit: str = ""
    attempt: str = ""
    at: float = 0.0
    evidence: str = ""
    action: Action = "notice"
