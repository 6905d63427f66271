"""Whether an attempt did what it says: its own word, held against what its tree shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ropeteam.core.model import AgentReport, FileChange, Kind, Outcome, Value


class Evidence(Value, frozen=True, kw_only=True):
    """What was found in the tree once the attempt had ended.

    changes: between the base of the run and the snapshot. descends: HEAD of the tree still has the attempt's start
    among its ancestors. tampered: paths of what was handed to the agent (prompt, task, the feature's intent, research
    and architecture) that are not as they were.
    """

    changes: tuple[FileChange, ...] = ()
    descends: bool = True
    tampered: tuple[str, ...] = ()


class Verdict(Value, frozen=True, kw_only=True):
    outcome: Outcome
    evidence: str = ""
    notices: tuple[str, ...] = ()


def judge(
    said: Outcome,
    evidence: str,
    report: AgentReport,
    found: Evidence,
    exists: Callable[[str], bool],
    kind: Kind = "unit",
) -> Verdict:
    """The outcome of an attempt. said, evidence: what its adapter makes of its events. exists: whether a path is in the
    snapshot or was in the base (so: was deleted).

    Order matters: what the provider or we ended (auth, rate, timeout ...) is that, whatever the tree shows; a denied
    permission is only a notice as long as the tree shows work. Of a planner the proposal counts, not the tree.
    """
    if kind == "plan":
        return _planned(said, evidence, report, found)
    if said == "denied" and found.changes:
        return _ok_unless(
            report, found, exists, (evidence or "A permission was denied; the work is there all the same.",)
        )
    if said != "ok":
        return Verdict(outcome=said, evidence=evidence)
    return _ok_unless(report, found, exists, ())


def _planned(said: Outcome, evidence: str, report: AgentReport, found: Evidence) -> Verdict:
    """Of an attempt that only plans. What it wrote is never merged, so that it does no harm: it is told."""
    if said not in ("ok", "denied"):
        return Verdict(outcome=said, evidence=evidence)
    if not report.plan.strip():
        return Verdict(outcome="empty", evidence="It said it was done, and gave no plan.")
    if not found.changes:
        return Verdict(outcome="ok")
    changed = _names([change.path for change in found.changes])
    return Verdict(outcome="ok", notices=(f"It was to plan only and changed {changed}: kept under its ref, not used.",))


def _ok_unless(
    report: AgentReport, found: Evidence, exists: Callable[[str], bool], notices: tuple[str, ...]
) -> Verdict:
    if not found.descends:
        return Verdict(
            outcome="corrupted",
            evidence="HEAD of its tree no longer descends from where it began: it moved to another history.",
        )
    if found.tampered:
        names = ", ".join(found.tampered)
        return Verdict(outcome="corrupted", evidence=f"It changed what it was given to work from: {names}.")
    lies = [f.path for f in report.files if not exists(f.path)]
    if lies:
        return Verdict(
            outcome="corrupted",
            evidence=f"Its report names {_names(lies)} as written, which {_is(lies)} neither there nor deleted.",
        )
    if not found.changes:
        return Verdict(outcome="empty", evidence="It said it was done, and changed nothing.")
    return Verdict(outcome="ok", notices=notices)


def _names(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _is(paths: Sequence[str]) -> str:
    return "is" if len(paths) == 1 else "are"
