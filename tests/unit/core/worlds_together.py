"""A world of several agents around `schedule.step`, and a git in which a commit's name is its history.

`base>a/1>c/2` is the base with the work of `a/1` on it and that of `c/2` on top: what a checkpoint or a result holds
can be read from its name.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace
from worlds import BASE, CHECKS, FAILED, PASSED, World, started

from ropeteam.core import events as ev
from ropeteam.core.model import AttemptResult, CheckResult, FileChange, Finding, Plan, RequestNote, Unit, UnitEstimate
from ropeteam.core.plan_batches import layered
from ropeteam.core.settings import Limits, Settings
from ropeteam.core.state import AttemptState

C = TypeVar("C", bound=ev.Command)

NEW_TEST_FAILS = (
    CheckResult(name="pytest", state="failed", baseline="passed", failing=("test_new",), added=1, why="1 test fails"),
)


def plan_of(text: str, *, contract: str | None = None, layers: bool = False, **seconds: float) -> Plan:
    """`"a b c:a,b"`: three units, the last needs the others. Each owns the folder of its name. seconds: estimates."""
    units = []
    for word in text.split():
        id, _, needs = word.partition(":")
        estimate = UnitEstimate(seconds_p50=seconds[id]) if id in seconds else None
        named = tuple(n for n in needs.split(",") if n)
        kind = "contract" if id == contract else "unit"
        units.append(
            Unit(id=id, title=f"Part {id}", kind=kind, needs=named, writes=(f"/{id}/",), estimate=estimate)  # type: ignore[arg-type]
        )
    plan = layered(Plan(units=tuple(units), contract=contract), "auto")
    return replace(plan, barriers=layers)


def together(
    plan: str | Plan = "a b",
    *,
    workers: int = 4,
    fallback: str = "salvage",
    belay: bool = False,
    limits: Limits | None = None,
    land: str = "yes",
    mode: str = "parallel",
) -> ev.RunStarted:
    settings = Settings(workers=workers, fallback=fallback, limits=limits or Limits())  # type: ignore[arg-type]
    first = started(mode=mode, settings=settings, land=land)
    given = plan_of(plan) if isinstance(plan, str) else plan
    return replace(first, plan=given, answers=replace(first.answers, belay=belay))


def parts(commit: str) -> tuple[str, ...]:
    """Attempts whose work is in this commit, in order."""
    first, *rest = commit.partition("+")[0].split(">")
    assert first == BASE
    return tuple(rest)


class Rope(World):
    """Several agents. `at` says whose turn it is; the words of `World` for an attempt then hold for that unit."""

    unit = ""

    def __init__(self, first: ev.RunStarted | str | None = None, *, plan_at_once: bool = True) -> None:
        super().__init__(together(first or "a b") if not isinstance(first, ev.RunStarted) else first)

    def at(self, unit: str) -> Rope:
        self.unit = unit
        return self

    def all(self, kind: type[C]) -> list[C]:
        found = super().all(kind)
        if kind is ev.RunAgent and self.unit:
            return [c for c in found if isinstance(c, ev.RunAgent) and c.unit == self.unit]
        return found

    # ---- what is under way

    def agents(self) -> list[str]:
        """Attempts under way, in the order in which they were asked for."""
        return [c.attempt for c in self.state.open.values() if isinstance(c, ev.RunAgent)]

    def stops(self) -> list[str]:
        return [c.target for c in self.state.open.values() if isinstance(c, ev.Stop)]

    def stage(self, attempt: str) -> str:
        return self.state.attempt(attempt).stage

    def newest(self, unit: str) -> AttemptState:
        found = self.state.newest(unit)
        assert found is not None
        return found

    def checkpoint(self) -> tuple[str, ...]:
        """Attempts whose work is validated in the integration, in order."""
        return parts(self.state.ground)

    def line(self) -> tuple[str, ...]:
        return self.state.line

    def fell(self) -> list[tuple[str, str, str]]:
        """Every trigger: id, unit, action."""
        return [(t.id, t.unit, t.action) for t in self.state.triggers]

    # ---- answers

    def begin(self, *units: str, **usage: float) -> Rope:  # type: ignore[override]
        """Those agents start; without names the one whose turn it is."""
        for unit in units or (self.unit,):
            self.at(unit)
            super().begin(**usage)
        return self

    def result(self, **fields: object) -> AttemptResult:  # type: ignore[override]
        attempt = self.find(ev.RunAgent).attempt
        change = FileChange(path=f"{self.folder(attempt.partition('/')[0])}x.py", kind="created")
        return super().result(**{"changes": (change,), **fields})  # type: ignore[arg-type]

    def folder(self, unit: str) -> str:
        """Where it may write: the folder of its name, or of the unit it was joined from."""
        known = self.state.plan is not None and any(u.id == unit for u in self.state.plan.units)
        writes = self.state.plan_unit(unit).writes[0] if known else "**"
        return f"{unit}/" if "**" in writes else writes.lstrip("/")

    def asks(self, path: str, what: str) -> Rope:
        """It succeeds, and needs something in a file of another."""
        report = replace(AttemptResult().report, requests=(RequestNote(path=path, what=what),))
        self.succeed(report=report)
        return self

    def merge(self, *, empty: bool = False, findings: tuple[Finding, ...] = ()) -> Rope:  # type: ignore[override]
        c = self.find(ev.Merge)
        commit = c.onto if empty else f"{c.onto}>{c.attempt}"
        self.happen(ev.Merged(attempt=c.attempt, onto=c.onto, commit=commit, findings=findings))
        return self

    def conflict(self, *paths: str) -> Rope:
        c = self.find(ev.Merge)
        self.happen(ev.MergeConflicted(attempt=c.attempt, onto=c.onto, paths=paths or ("app/routes.py",)))
        return self

    def validate(self, passes: bool = True, *, complete: bool = True) -> Rope:  # type: ignore[override]
        c = self.find(ev.Validate)
        if passes:
            checks = PASSED if complete else NEW_TEST_FAILS
            self.happen(ev.CandidatePassed(commit=c.commit, checks=checks, complete=complete))
        else:
            self.happen(ev.CandidateFailed(commit=c.commit, checks=FAILED))
        return self

    def bisect(self, *culprits: str) -> Rope:
        """Validate as long as there is something to validate; what holds one of these attempts fails."""
        while super().all(ev.Validate):
            self.validate(not set(culprits) & set(parts(self.find(ev.Validate).commit)))
        return self

    def works(self, *units: str) -> Rope:
        """These begin where they have not, succeed and are merged, in this order."""
        for unit in units:
            self.at(unit)
            if not any(a.unit == unit and a.stage == "running" for a in self.state.attempts):
                self.begin(unit)
            self.succeed()
            if super().all(ev.Merge):
                self.merge()
        return self

    def finish(self) -> Rope:
        """From a validated result to the end of the run."""
        for _ in range(30):
            self.go_on_with(next(iter(self.state.open.values())))
            if self.state.phase == "ended":
                return self
        raise AssertionError(f"it does not end: {sorted(self.state.open)}")

    def stop_all(self) -> Rope:
        """Everything that was told to stop has stopped."""
        for target in self.stops():
            self._stopped(self.state.open[target])
        return self

    def _stopped(self, c: ev.AnyCommand) -> None:
        if isinstance(c, ev.RunAgent) and any(a.id == c.attempt for a in self.state.attempts):
            self.at(c.unit).fail("killed")
        else:
            self.happen(ev.CommandStopped(key=c.key))

    def go_on_with(self, c: ev.AnyCommand) -> None:
        """What goes well."""
        match c:
            case _ if f"stop:{c.key}" in self.state.open:
                self._stopped(c)
            case ev.RunAgent():
                begun = any(a.id == c.attempt for a in self.state.attempts)
                self.at(c.unit).succeed() if begun else self.begin(c.unit)
            case ev.MeasureBaseline():
                self.happen(ev.BaselineMeasured(commit=c.commit, checks=CHECKS))
            case ev.Keep():
                self.keep()
            case ev.Merge():
                self.merge()
            case ev.Validate():
                self.validate()
            case ev.Compose():
                self.compose("02-implementation.md")
            case ev.Land():
                self.land(write=False)
            case ev.LeaveBranch():
                self.leave(write=False)
            case ev.WriteDocuments():
                self.write()
            case _:
                raise AssertionError(c.key)
