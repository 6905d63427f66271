"""What an agent proposed as a plan: checked, held against what is known without it, and predicted."""

from __future__ import annotations

from ropeteam import git
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.decide import decide_made
from ropeteam.core.planning import proposed
from ropeteam.core.proposal import Refused
from ropeteam.core.state import RunState
from ropeteam.core.survey import Outlook


def assess(c: RunContext, command: ev.Assess, state: RunState) -> ev.Planned | ev.PlanRefused:
    """Everything it is held against is of the base commit."""
    begun, a = state.begun, state.attempt(command.attempt)
    known = frozenset(git.list_files(c.repo, state.base))
    found = proposed(
        a.result.report.plan or "",
        begun.feature,
        begun.outlook or Outlook(),
        begun.settings,
        known,
        tree=a.at_path or a.tree,
    )
    if isinstance(found, Refused):
        return ev.PlanRefused(attempt=a.id, faults=found.faults)
    plan, explanation = found
    decision = decide_made(begun.answers, plan, begun.settings.gate)
    return ev.Planned(decision=decision, plan=plan, explanation=explanation, attempt=a.id)
