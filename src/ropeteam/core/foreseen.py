"""What is foreseen of a feature: how it is planned, what both ways would take, and what was decided. What is shown of
planning is shown from this, before a run and during it."""

from __future__ import annotations

from ropeteam.core.decide import sentence
from ropeteam.core.model import Decision, Plan, Value
from ropeteam.core.reading import told
from ropeteam.core.settings import Gate
from ropeteam.core.state import RunState
from ropeteam.core.survey import Explanation, Outlook


class Foreseen(Value, frozen=True, kw_only=True):
    """feature: its name; parts: what was selected of it. base: the commit it was planned at. workers: how many agents
    at once, at most. explanation: of this plan, else that of `outlook`. run: whose agent made the plan; empty where
    none did. reading: how its agents are expected to read themselves in, a sentence."""

    feature: str
    parts: tuple[str, ...] = ()
    base: str = ""
    plan: Plan | None = None
    decision: Decision
    outlook: Outlook = Outlook()
    explanation: Explanation | None = None
    gate: Gate = Gate()
    workers: int = 4
    agent: str = ""
    run: str = ""
    reading: str = ""

    @property
    def why(self) -> Explanation:
        """Why the plan is as it is."""
        return self.explanation if self.explanation is not None else self.outlook.explanation

    @property
    def sentence(self) -> str:
        """The decision in one sentence."""
        return sentence(self.decision, self.plan)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Of the decision, without those that only say again what was decided."""
        said = (r for r in self.decision.reasons if r != "One agent does it.")
        return tuple(r for r in said if not r.startswith("Several agents: "))


def of_state(state: RunState) -> Foreseen | None:
    """What a run was begun with, or what its agent planned; None until it is decided."""
    if state.decision is None:
        return None
    begun = state.begun
    return Foreseen(
        feature=begun.feature.name,
        parts=begun.feature.selected,
        base=begun.repo.base,
        plan=state.planned or state.plan,
        decision=state.decision,
        outlook=begun.outlook or Outlook(),
        explanation=state.explanation,
        gate=begun.settings.gate,
        workers=begun.settings.workers,
        agent=begun.answers.agent,
        run=begun.run,
        reading=told(begun.settings, state.decision.mode, one_reading=begun.one_reading),
    )
