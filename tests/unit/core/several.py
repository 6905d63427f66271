"""A world of several agents for what is shown: `World` with words for one of many attempts."""

from __future__ import annotations

from msgspec.structs import replace
from worlds import CHECKS, World, started

from ropeteam.core import events as ev
from ropeteam.core.model import (
    AgentReport,
    AttemptResult,
    CheckResult,
    Feature,
    FileChange,
    Outcome,
    Plan,
    Unit,
    UnitEstimate,
    Usage,
)
from ropeteam.core.settings import AgentSettings, Limits, Settings

HOLDS = (CheckResult(name="pytest", state="passed", baseline="passed", tests=12, added=3),)
BREAKS = (CheckResult(name="pytest", state="failed", baseline="passed", failing=("test_total",), output="3 != 4"),)


def unit(id: str, *needs: str, seconds: float | None = None, title: str = "", batch: int = 1) -> Unit:
    return Unit(
        id=id,
        title=title or f"The {id.partition('-')[2] or id}",
        goal=f"Do {id}.",
        needs=needs,
        batch=batch,
        writes=(f"app/{id}.py",),
        estimate=None if seconds is None else UnitEstimate(seconds_p50=seconds),
    )


def shop(seconds: float | None = None) -> Plan:
    """A contract, three that need it, one that needs two of these."""
    units = (
        replace(unit("01-contract", seconds=seconds), kind="contract"),
        unit("02-models", "01-contract", seconds=seconds, batch=2),
        unit("03-api", "01-contract", seconds=seconds, batch=2),
        unit("04-mails", "01-contract", seconds=seconds, batch=2),
        unit("05-views", "01-contract", "02-models", "03-api", seconds=seconds, batch=3),
    )
    batches = (("01-contract",), ("02-models", "03-api", "04-mails"), ("05-views",))
    return Plan(units=units, contract="01-contract", batches=batches)


class Several(World):
    """Agents are told apart by unit; seconds are those that go by before it happens."""

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        workers: int = 4,
        belay: bool = False,
        land: str = "yes",
        time_scale: float = 1.0,
        fallback: str = "salvage",
        budget_usd: float | None = None,
    ) -> None:
        settings = Settings(
            workers=workers,
            fallback=fallback,  # type: ignore[arg-type]
            limits=Limits(budget_usd=budget_usd),
            agents={"scripted": AgentSettings(time_scale=time_scale)},
        )
        feature = Feature(name="checkout", source="workspace", folder=".workspace/features/checkout", title="Checkout")
        first = started(settings=settings, mode="parallel", land=land, agent="scripted", feature=feature)
        answers = replace(first.answers, belay=belay)
        super().__init__(replace(first, answers=answers, plan=plan or shop()))

    def agent(self, unit: str) -> ev.RunAgent:
        return next(c for c in self.all(ev.RunAgent) if c.unit == unit)

    def begins(self, *units: str, after: float = 0.0) -> Several:
        for name in units or [c.unit for c in self.all(ev.RunAgent)]:
            c = self.agent(name)
            if any(a.id == c.attempt for a in self.state.attempts):
                continue
            begun = ev.AttemptStarted(
                attempt=c.attempt, tree=f"/t/{c.attempt}", folder="/f", start=c.start, agent="scripted", slot=c.slot
            )
            self.happen(begun, after=after)
        if self.all(ev.MeasureBaseline):
            self.happen(ev.BaselineMeasured(commit="base", checks=CHECKS), after=0.0)
        return self

    def uses(self, unit: str, tokens: int, cost: float = 0.0) -> Several:
        self.happen(
            ev.UsageReported(attempt=self.agent(unit).attempt, usage=Usage(input=tokens, cost_usd=cost)), after=0.0
        )
        return self

    def result_of(self, unit: str, report: AgentReport, *paths: str, reading: float = 0.0) -> AttemptResult:
        a = self.state.attempt(self.agent(unit).attempt)
        return AttemptResult(
            seconds=self.now - a.started_at,
            commit=f"work-of-{a.id}",
            ref=f"refs/ropeteam/run/{a.id}",
            changes=tuple(FileChange(path=p, kind="created") for p in paths or (f"app/{unit}.py",)),
            report=report,
            usage=a.usage if a.usage.tokens else Usage(input=20_000, cached=100_000, output=3_000, cost_usd=0.25),
            reading_seconds=reading,
        )

    def ends(
        self, unit: str, *paths: str, after: float = 60.0, report: AgentReport | None = None, reading: float = 0.0
    ) -> Several:
        """Its agent says that it is done."""
        self.now += after
        result = self.result_of(unit, report or AgentReport(), *paths, reading=reading)
        self.happen(ev.AttemptSucceeded(attempt=self.agent(unit).attempt, result=result), after=0.0)
        return self

    def breaks(self, unit: str, outcome: Outcome = "crashed", *, after: float = 30.0) -> Several:
        self.now += after
        result = replace(self.result_of(unit, AgentReport()), evidence="Exit code 3.")
        self.happen(ev.AttemptFailed(attempt=self.agent(unit).attempt, outcome=outcome, result=result), after=0.0)
        return self

    def merges(self, *, after: float = 1.0) -> Several:
        """Everything that waits to be merged."""
        while found := self.all(ev.Merge):
            self.happen(
                ev.Merged(attempt=found[0].attempt, onto=found[0].onto, commit=f"m-{found[0].commit}"), after=after
            )
        return self

    def conflicts(self, *paths: str, after: float = 1.0) -> Several:
        c = self.find(ev.Merge)
        self.happen(ev.MergeConflicted(attempt=c.attempt, onto=c.onto, paths=paths), after=after)
        return self

    def holds(self, *, after: float = 5.0) -> Several:
        c = self.find(ev.Validate)
        self.happen(ev.CandidatePassed(commit=c.commit, checks=HOLDS), after=after)
        return self

    def fails(self, *, after: float = 5.0) -> Several:
        c = self.find(ev.Validate)
        self.happen(ev.CandidateFailed(commit=c.commit, checks=BREAKS), after=after)
        return self

    # ---- stories

    def with_contract(self) -> Several:
        """The contract is validated, what needs it has begun."""
        return self.begins("01-contract").ends("01-contract").merges().holds().begins()

    def settles(self) -> Several:
        """Everything is merged and validated that can be."""
        while self.all(ev.Merge) or self.all(ev.Validate):
            self.merges()
            if self.all(ev.Validate):
                self.holds()
        return self

    def in_parallel(self) -> Several:
        """All of it, to the end."""
        self.with_contract().ends("02-models").ends("03-api", after=10.0).settles().begins()
        self.ends("04-mails", after=20.0).settles().ends("05-views", after=40.0).settles()
        return self.delivered()

    def after_a_fall(self) -> Several:
        """`03-api` conflicts, one agent does what is left."""
        self.with_contract().ends("02-models", "app/02-models.py", "app/routes.py").merges()
        self.ends("03-api", "app/03-api.py", "app/routes.py", after=5.0).conflicts("app/routes.py").holds()
        self.ends("04-mails", after=5.0).settles().begins("rest").ends("rest", after=80.0).settles()
        return self.delivered()

    def delivered(self) -> Several:
        self.compose()
        if self.all(ev.LeaveBranch):
            self.leave()
        else:
            self.land()
        return self
