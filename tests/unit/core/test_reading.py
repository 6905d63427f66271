"""Whose conversation an attempt goes on from, and when it rather reads for itself."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from plans import plans
from test_asking import Planning
from test_together_properties import RandomRope, go_well, numbers, over
from worlds_together import Rope, plan_of, together

from ropeteam.core import events as ev
from ropeteam.core.costs import FORK_READING, Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.model import Decision, Kind, Outcome, Plan, Usage
from ropeteam.core.plan_batches import layered
from ropeteam.core.reading import chain, costs_before, expected, reads_for_others, scout_of, told, used_by, with_planner
from ropeteam.core.settings import AgentFor, AgentSettings, Reading, Settings
from ropeteam.core.survey import PlannedFile, Survey

WITH_CONTRACT = plan_of("first c:first a:c b:a late:c", contract="c")
ROOM = Usage(input=1000, cached=5000, output=100, context_used=50_000, context_limit=200_000, cost_usd=0.5)


class Sharing(Rope):
    """Agents that can go on from each other. Every conversation that ends has a session and leaves room."""

    forks = True

    def result(self, **fields: object):  # type: ignore[no-untyped-def,override]
        return super().result(**{"session": f"session-{self.unit}", "usage": ROOM, **fields})

    def forked_from(self, unit: str) -> str:
        return self.at(unit).find(ev.RunAgent).fork

    def through(self, unit: str, **fields: object) -> Sharing:
        """That unit is done and in the checkpoint."""
        self.begin(unit).succeed(**fields)
        self.merge().validate()  # type: ignore[attr-defined]
        return self


def sharing(plan: Plan = WITH_CONTRACT, **changed: object) -> Sharing:
    first = together(plan, workers=8)
    w = Sharing(replace(first, settings=replace(first.settings, **changed)))
    w.begin(*(u.id for u in plan.units if not u.needs))
    w.baseline()
    return w


def contracted(w: Sharing | None = None, **fields: object) -> Sharing:
    """The contract is validated, after the unit that it needs."""
    w = w or sharing()
    w.at("first").succeed()
    w.merge().validate()
    w.through("c", **fields)
    return w


def test_who_builds_on_the_contract_goes_on_from_its_conversation_however_far() -> None:
    w = contracted()
    assert w.forked_from("a") == "c/1"
    assert w.forked_from("late") == "c/1"
    w.through("a")
    assert w.forked_from("b") == "c/1", "not from the one before it: that has read for its own task"


def test_without_a_conversation_before_them_all_read_for_themselves() -> None:
    w = sharing()
    assert w.all(ev.RunAgent)[0].fork == ""
    contracted(w)
    assert all(c.fork == "" for c in w.asked_for(ev.RunAgent) if c.unit in ("first", "c")), "they come before it"
    single = sharing(plan_of("a b d"))
    assert {c.fork for c in single.asked_for(ev.RunAgent)} == {""}


@pytest.mark.parametrize(("share", "expected"), [("auto", "c/1"), ("fork", "c/1"), ("pack", ""), ("none", "")])
def test_the_setting_decides(share: str, expected: str) -> None:
    w = contracted(sharing(reading=Reading(share=share)))  # type: ignore[arg-type]
    assert w.forked_from("a") == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"session": ""},
        {"compacted": True},
        {"usage": replace(ROOM, context_used=101_000)},
        {"usage": replace(ROOM, context_used=0)},
        {"usage": replace(ROOM, context_used=110_000, context_limit=0)},
    ],
    ids=["no session", "shortened", "half full", "not known", "half of what is usual"],
)
def test_a_conversation_that_would_be_no_help_is_not_gone_on_from(fields: dict[str, object]) -> None:
    assert contracted(**fields).forked_from("a") == ""


def test_one_that_leaves_room_is_gone_on_from_where_the_size_is_not_told() -> None:
    assert contracted(usage=replace(ROOM, context_used=90_000, context_limit=0)).forked_from("a") == "c/1"
    assert contracted(usage=replace(ROOM, context_used=400_000, context_limit=1_000_000)).forked_from("a") == "c/1"


def test_who_cannot_be_gone_on_from_is_not() -> None:
    w = sharing()
    w.at("first").succeed()
    w.merge().validate()
    w.forks = False
    w.through("c")
    assert w.forked_from("a") == ""


@pytest.mark.parametrize(
    ("asked", "model", "expected"),
    [
        (AgentFor(contract="command", unit="other"), None, ""),
        (AgentFor(contract="other"), None, ""),
        (AgentFor(contract="other", unit="other"), None, "c/1"),
        (AgentFor(contract="command", unit="command:small"), None, ""),
        (AgentFor(contract="command", unit="command:small"), "small", "c/1"),
        (AgentFor(unit="command:small", contract="command:large"), "small", ""),
    ],
)
def test_only_the_same_agent_with_the_same_model(asked: AgentFor, model: str | None, expected: str) -> None:
    agents = {"command": AgentSettings(model=model)}
    assert contracted(sharing(agent_for=asked, agents=agents)).forked_from("a") == expected


@pytest.mark.parametrize("outcome", ["overload", "rate"])
def test_a_second_try_goes_on_from_it_again(outcome: Outcome) -> None:
    w = contracted()
    w.begin("a").fail(outcome, usage=ROOM)
    assert w.at("a").find(ev.RunAgent).attempt == "a/2"
    assert w.forked_from("a") == "c/1"


def test_one_that_was_cut_off_goes_on_from_it_again_and_one_that_lost_the_thread_does_not() -> None:
    w = contracted()
    w.begin("a", "late")
    w.at("a").lose()
    assert w.forked_from("a") == "c/1"
    for outcome in ("corrupted", "context"):
        lost = replace(w.state.attempt("a/1"), outcome=outcome)
        assert scout_of(w.state.with_attempt(lost), "a", "unit", "", "") == ""
        assert scout_of(w.state.with_attempt(lost), "late", "unit", "", "") == "c/1", "the conversation is as it was"
        assert scout_of(w.state.with_attempt(replace(lost, fork="")), "a", "unit", "", "") == "c/1"


def test_a_conversation_that_is_not_found_costs_no_try_and_is_not_looked_for_again() -> None:
    w = contracted()
    w.begin("a", "late")
    w.at("a").fail("crashed", unforked=True, usage=Usage(), evidence="No conversation found.")
    assert w.fell() == [("agent_crashed", "a", "retry")]
    assert not w.state.fallen
    assert not w.newest("a").counted
    assert w.at("a").find(ev.RunAgent).attempt == "a/2"
    assert w.forked_from("a") == ""
    w.at("late").lose()
    assert w.forked_from("late") == "", "nor by others"


def test_rest_reads_for_itself() -> None:
    w = contracted()
    w.begin("a", "late")
    w.at("a").fail("crashed", usage=ROOM)
    w.at("late").succeed()
    w.merge().validate()
    assert w.forked_from("rest") == ""


class PlanningAndSharing(Planning, Sharing):
    pass


def test_the_contract_goes_on_from_who_planned_and_the_units_from_the_contract() -> None:
    w = PlanningAndSharing(mode="parallel")
    w.proposes()
    w.accepted(plan_of("c a:c b:c", contract="c"))
    assert w.forked_from("c") == "plan/1"
    w.begin("c")
    w.baseline()
    w.at("c").succeed()
    w.merge().validate()
    assert (w.forked_from("a"), w.forked_from("b")) == ("c/1", "c/1")
    w.begin("a")
    assert [a.id for a in chain(w.state, "c/1")] == ["c/1", "plan/1"]
    assert with_planner(w.state, "c/1")
    assert used_by(w.state, "c/1") == Usage(input=2000, cached=10_000, output=200, cost_usd=1.0)
    assert not with_planner(contracted().state, "c/1")


def test_without_a_contract_the_units_go_on_from_who_planned() -> None:
    w = PlanningAndSharing(mode="parallel")
    w.proposes()
    w.accepted(plan_of("a b"))
    assert (w.forked_from("a"), w.forked_from("b")) == ("plan/1", "plan/1")


def test_a_plan_that_is_not_used_is_no_reading_for_others() -> None:
    w = PlanningAndSharing(mode="parallel")
    w.proposes()
    w.refused()
    w.proposes()
    w.refused()
    assert w.at("").all(ev.RunAgent)
    assert {c.fork for c in w.at("").all(ev.RunAgent)} == {""}


# ---- whether it is expected, and what is told and given then

PARALLEL, SINGLE = Decision(mode="parallel"), Decision(mode="single")


@pytest.mark.parametrize(
    ("plan", "one"),
    [
        (plan_of("c a:c b:c", contract="c"), True),
        (plan_of("c a:c b:c late:a", contract="c"), True),
        (WITH_CONTRACT, True),  # one that the contract itself needs reads for itself
        (plan_of("w x c:w,x a:c b:c", contract="c"), False),
        (plan_of("c:a a", contract="c"), False),
        (plan_of("a b d"), False),
        (None, False),
    ],
)
def test_one_reading_is_expected_where_all_units_but_one_build_on_the_contract(plan: Plan | None, one: bool) -> None:
    assert expected(Settings(), PARALLEL, plan, forks=True, agent_plans=False) == one
    assert not expected(Settings(), SINGLE, plan, forks=True, agent_plans=False), "one agent reads for itself"
    assert not expected(Settings(), PARALLEL, plan, forks=False, agent_plans=False)


@pytest.mark.parametrize(
    ("set_to", "one"),
    [
        (Settings(), True),
        (Settings(reading=Reading(share="fork")), True),
        (Settings(reading=Reading(share="pack")), False),
        (Settings(reading=Reading(share="none")), False),
        (Settings(agent_for=AgentFor(unit="other")), False),
        (Settings(agent_for=AgentFor(patterns={"*.ts": "other"})), False),
        (Settings(agent_for=AgentFor(single="other", rest="other")), True),
    ],
)
def test_it_is_expected_of_one_agent_that_may_go_on_from_itself(set_to: Settings, one: bool) -> None:
    assert expected(set_to, PARALLEL, WITH_CONTRACT, forks=True, agent_plans=False) == one


def test_who_plans_reads_for_all_whatever_the_plan_will_be() -> None:
    assert expected(Settings(), SINGLE, plan_of("all"), forks=True, agent_plans=True)
    assert not expected(Settings(), SINGLE, plan_of("all"), forks=False, agent_plans=True)
    other = Settings(agent_for=AgentFor(plan="other"))
    assert not expected(other, SINGLE, plan_of("all"), forks=True, agent_plans=True)


@pytest.mark.parametrize("kind", ["plan", "contract", "unit", "single", "rest", "belay"])
def test_who_plans_and_who_declares_read_for_the_others(kind: Kind) -> None:
    state = contracted().state
    one = replace(state, started=replace(state.begun, one_reading=True))
    unit = "c" if kind == "contract" else kind
    assert reads_for_others(one, unit, kind, forks=True) == (kind in ("plan", "contract"))
    assert not reads_for_others(one, unit, kind, forks=False), "nobody can go on from it"
    assert not reads_for_others(state, unit, kind, forks=True), "nobody is expected to"


def test_one_that_had_no_room_for_what_it_read_is_helped_the_next_time() -> None:
    w = contracted()
    one = replace(w.state, started=replace(w.state.begun, one_reading=True))
    short = one.with_attempt(replace(one.attempt("c/1"), outcome="context"))
    assert not reads_for_others(short, "c", "contract", forks=True)
    limited = one.with_attempt(replace(one.attempt("c/1"), outcome="rate"))
    assert reads_for_others(limited, "c", "contract", forks=True)


@pytest.mark.parametrize("share", ["auto", "fork", "pack", "none"])
def test_how_they_read_is_one_sentence_that_fits_the_setting(share: str) -> None:
    set_to = Settings(reading=Reading(share=share))  # type: ignore[arg-type]
    packs = share in ("auto", "pack")
    each, one = (told(set_to, "parallel", one_reading=flag) for flag in (False, True))
    assert ("map of the repository" in each) == packs
    assert "one conversation" in one
    assert ("excerpts" in one) == packs
    assert ("map" in told(set_to, "single", one_reading=False)) == packs


# ---- what it saves


def estimate_of(plan: Plan, costs: Costs) -> Plan:
    files = tuple(PlannedFile(path=f"{u.id}/{n}.py", status="A", lines=150) for u in plan.units for n in range(2))
    survey = Survey(named=True, files=files, declared=tuple(f.path for f in files))
    return estimated(plan, survey, costs, workers=4, quantile=0.25, seed=1)


def test_units_behind_the_contract_are_expected_to_read_less_where_their_agent_can_fork() -> None:
    usual, forking = Costs(), Costs(fork_reading=FORK_READING)
    before, after = (estimate_of(WITH_CONTRACT, costs) for costs in (usual, forking))
    for unit, other in zip(before.units, after.units, strict=True):
        assert unit.estimate is not None
        assert other.estimate is not None
        saved = unit.estimate.seconds_p50 - other.estimate.seconds_p50
        behind = unit.id in ("a", "b", "late")
        assert saved == pytest.approx(usual.reading_seconds - FORK_READING if behind else 0.0, abs=0.11), unit.id
    assert before.estimate is not None
    assert after.estimate is not None
    assert before.estimate.single == after.estimate.single, "one agent reads as it did"
    assert (after.estimate.speedup_quantile or 0) > (before.estimate.speedup_quantile or 0)


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [
        (Settings(), FORK_READING),
        (Settings(reading=Reading(share="pack")), None),
        (Settings(agent_for=AgentFor(unit="other")), None),
        (Settings(agent_for=AgentFor(single="other")), FORK_READING),
    ],
)
def test_it_is_expected_only_where_it_will_surely_be_tried(set_to: Settings, expected: float | None) -> None:
    assert costs_before(set_to, forks=True).fork_reading == expected
    assert costs_before(set_to, forks=False) == Costs()


def test_without_a_contract_nothing_is_expected_of_it_and_slow_forks_are_no_slower_than_reading() -> None:
    plan = plan_of("a b d")
    assert estimate_of(plan, Costs(fork_reading=FORK_READING)) == estimate_of(plan, Costs())
    assert estimate_of(WITH_CONTRACT, Costs(fork_reading=500.0)) == estimate_of(WITH_CONTRACT, Costs())


# ---- whatever happens


class RandomSharing(RandomRope):
    forks = True

    def result(self, **fields: object):  # type: ignore[no-untyped-def,override]
        n = self.pick(8)
        usage = replace(ROOM, context_used=(50_000, 50_000, 150_000, 0)[n % 4])
        more = {"session": "" if n == 7 else "s", "compacted": n == 6, "usage": usage, "unforked": n == 5}
        return super().result(**{**more, **fields})

    def _check_start(self, c: ev.RunAgent) -> None:
        super()._check_start(c)
        if not c.fork:
            return
        scout = self.state.attempt(c.fork)
        assert c.unit not in ("rest", "belay", "single")
        assert (scout.stage, scout.outcome) == ("validated", "ok")
        assert scout.result.session
        assert not scout.result.compacted
        assert scout.result.commit in self.snapshots
        assert 0 < scout.usage.context_used <= 100_000
        assert self.state.plan is not None
        assert scout.unit == self.state.plan.contract
        ids = [a.id for a in chain(self.state, c.fork)]
        assert len(set(ids)) == len(ids)
        tried = [a for a in self.state.attempts if a.unit == c.unit and a.fork]
        assert not any(a.result.unforked or a.outcome in ("corrupted", "context") for a in tried)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, plan=plans(most=5))
def test_nobody_goes_on_from_what_did_not_end_well(numbers: list[int], plan: Plan) -> None:
    first = plan.units[0].id
    others = tuple(replace(u, needs=tuple({*u.needs, first})) for u in plan.units[1:])
    units = (replace(plan.units[0], needs=(), kind="contract"), *others)
    acyclic = replace(plan, units=units, contract=first, batches=(), barriers=False)
    w = RandomSharing(numbers, together(layered(acyclic, "auto")))
    while w.numbers and not over(w):
        w.move(chaos=True)
    go_well(w)
    assert over(w)
