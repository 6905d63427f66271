"""Whether an attempt that plans did what it should: its proposal decides, its tree does not."""

from __future__ import annotations

import pytest

from ropeteam.core.model import AgentReport, FileChange, FileNote
from ropeteam.core.verdict import Evidence, judge

PLAN = AgentReport(plan='{"units": []}')
WROTE = Evidence(changes=(FileChange(path="a.py", kind="created"),), descends=False, tampered=("prompt.md",))


def never(_: str) -> bool:
    return False


def test_a_plan_without_a_change_is_all_that_is_wanted() -> None:
    verdict = judge("ok", "", PLAN, Evidence(), never, "plan")
    assert (verdict.outcome, verdict.notices) == ("ok", ())
    assert judge("ok", "", PLAN, Evidence(), never, "unit").outcome == "empty"


@pytest.mark.parametrize("said", ["ok", "denied"])
def test_what_it_wrote_all_the_same_does_no_harm_and_is_told(said: str) -> None:
    verdict = judge(said, "", PLAN, WROTE, never, "plan")  # type: ignore[arg-type]
    assert verdict.outcome == "ok"
    assert "changed a.py" in verdict.notices[0]


def test_files_that_it_lists_are_planned_not_written() -> None:
    listed = AgentReport(plan="{}", files=(FileNote(path="new.py"),))
    assert judge("ok", "", listed, Evidence(), never, "plan").outcome == "ok"
    assert judge("ok", "", listed, Evidence(), never, "unit").outcome == "corrupted"


def test_without_a_plan_it_has_done_nothing() -> None:
    verdict = judge("ok", "", AgentReport(plan=" "), WROTE, never, "plan")
    assert (verdict.outcome, verdict.evidence) == ("empty", "It said it was done, and gave no plan.")


def test_what_ended_it_counts_whatever_it_proposed() -> None:
    assert judge("timeout", "It took too long.", PLAN, Evidence(), never, "plan").outcome == "timeout"
