"""Which agent does what, and who goes on when one cannot."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from worlds import World, started
from worlds_together import Rope, plan_of, together

from ropeteam.core import choosing
from ropeteam.core import events as ev
from ropeteam.core.choosing import Choice
from ropeteam.core.model import AttemptResult, Kind, Unit, Unusable, Usage
from ropeteam.core.settings import AgentFor, Settings
from ropeteam.core.state import RunState


def chosen(f: AgentFor, kind: Kind, unit: Unit | None = None) -> Choice:
    first = started(settings=Settings(agent_for=f))
    return choosing.chosen(RunState(started=first), kind, unit)


def test_without_a_word_it_is_the_runs_agent() -> None:
    assert chosen(AgentFor(), "single") == Choice(agent="command")


def test_a_model_stands_behind_the_first_colon() -> None:
    assert choosing.read("opencode:anthropic/x:free") == Choice(agent="opencode", model="anthropic/x:free")


@pytest.mark.parametrize(
    ("f", "kind", "agent"),
    [
        (AgentFor(unit="codex"), "unit", "codex"),
        (AgentFor(unit="codex"), "contract", "codex"),
        (AgentFor(unit="codex", contract="claude"), "contract", "claude"),
        (AgentFor(single="codex"), "rest", "codex"),
        (AgentFor(single="codex", rest="claude"), "rest", "claude"),
        (AgentFor(single="codex"), "belay", "codex"),
        (AgentFor(unit="codex"), "single", "command"),
        (AgentFor(plan="codex"), "plan", "codex"),
    ],
)
def test_by_kind(f: AgentFor, kind: Kind, agent: str) -> None:
    assert chosen(f, kind, Unit(id="a", writes=("a.py",))).agent == agent


def test_a_pattern_goes_before_a_layer_and_a_layer_before_a_kind() -> None:
    f = AgentFor(unit="command", layers={"views": "gemini"}, patterns={"web/**": "codex", "*.css": "opencode"})
    assert chosen(f, "unit", Unit(id="a", writes=("src/models/a.py",))).agent == "command"
    assert chosen(f, "unit", Unit(id="a", writes=("src/views/a.py",))).agent == "gemini"
    assert chosen(f, "unit", Unit(id="a", writes=("web/views/a.py", "web/b/*.py"))).agent == "codex"
    assert chosen(f, "unit", Unit(id="a", writes=("web/views/a.py", "src/views/a.py"))).agent == "gemini"
    assert chosen(f, "unit", Unit(id="a", writes=("x/a.css",))).agent == "opencode"
    assert chosen(f, "unit", Unit(id="a", writes=("**",))).agent == "command"  # all of it fits no pattern


def test_every_agent_of_a_run_the_runs_own_first() -> None:
    some = Settings(agent_for=AgentFor(plan="claude:opus", layers={"views": "gemini"}), instead=("codex", "command"))
    assert choosing.every(some, "command") == ("command", "claude", "gemini", "codex")


def test_units_are_done_by_those_who_are_named() -> None:
    first = together(plan_of("c a:c b:c", contract="c"))
    f = AgentFor(contract="claude:opus", patterns={"a/**": "codex"})
    w = Rope(replace(first, settings=replace(first.settings, agent_for=f)))
    assert [(c.unit, c.agent, c.model) for c in w.all(ev.RunAgent)] == [("c", "claude", "opus")]
    w.begin("c").baseline()
    w.works("c").validate()
    assert {(c.unit, c.agent) for c in w.at("").all(ev.RunAgent)} == {("a", "codex"), ("b", "")}


# ---- one that cannot go on


def alone(*instead: str) -> World:
    return World(started(settings=Settings(instead=instead)))


def test_another_goes_on_when_a_quota_is_used_up_and_nothing_is_counted() -> None:
    w = alone("codex", "gemini:flash").begin().baseline()
    back = w.now + 10_000
    w.fail("rate", retry_at=back)
    assert w.triggers() == [("quota_exhausted", "retry")]
    assert "codex goes on in its place" in w.state.triggers[0].evidence
    c = w.find(ev.RunAgent)
    assert (c.attempt, c.agent, c.not_before) == ("single/2", "codex", 0.0)
    w.begin().fail("auth")
    assert w.find(ev.RunAgent).agent == "gemini"
    assert w.find(ev.RunAgent).model == "flash"
    assert not any(a.counted for a in w.state.attempts)
    w.begin().fail("auth")
    assert w.state.phase == "parked"  # nobody is left
    assert w.state.resume_at == back, "the first who can go on again, not the last who was asked"
    w.resume()
    assert w.find(ev.RunAgent).agent == ""  # the user says that it can go on now


def test_a_rate_limit_is_waited_for_before_another_takes_over_and_its_own_is_too() -> None:
    w = alone("codex").begin().baseline().fail("rate")
    assert (w.find(ev.RunAgent).agent, w.triggers()) == ("", [("agent_crashed", "retry")])
    w.begin().fail("rate")
    assert w.find(ev.RunAgent).agent == "codex"
    w.begin().fail("rate")
    assert w.find(ev.RunAgent).agent == "codex"  # once, as for any agent
    assert w.find(ev.RunAgent).not_before > w.now
    w.begin().fail("rate")
    assert w.state.phase == "parked"


def test_of_several_the_others_go_on_and_new_ones_begin_with_another() -> None:
    first = together("a b c", workers=2)
    w = Rope(replace(first, settings=replace(first.settings, instead=("codex",))))
    w.begin("a", "b").baseline()
    w.at("a").fail("rate", retry_at=w.now + 10_000)
    assert w.fell() == [("quota_exhausted", "a", "retry")]
    assert not w.state.parking
    assert w.at("a").find(ev.RunAgent).agent == "codex"
    w.at("b").succeed()
    assert w.at("c").find(ev.RunAgent).agent == "codex"
    w.works("a", "c")
    w.bisect().finish()
    assert w.state.outcome == "delivered_parallel"


def test_a_fault_of_the_work_is_no_reason_for_another_agent() -> None:
    w = alone("codex").begin().baseline().fail("crashed")
    assert w.find(ev.RunAgent).agent == ""


# ---- one that can go on again


def test_the_first_is_taken_back_once_the_time_has_come_that_its_provider_told() -> None:
    w = alone("codex").begin().baseline()
    back = w.now + 10_000
    w.fail("rate", retry_at=back).begin().lose()
    assert w.find(ev.RunAgent).agent == "codex"
    w.begin().now = back
    w.lose()
    assert w.find(ev.RunAgent).agent == ""


def test_one_that_is_not_logged_in_is_not_taken_back() -> None:
    w = alone("codex").begin().baseline().fail("auth").begin()
    w.now += 100_000.0
    assert w.lose().find(ev.RunAgent).agent == "codex"


def test_it_goes_on_for_its_substitute_when_that_is_used_up_and_its_own_time_has_come() -> None:
    w = alone("codex").begin().baseline()
    w.fail("rate", retry_at=w.now + 10_000)
    w.begin().fail("auth", seconds=20_000.0)
    assert w.find(ev.RunAgent).agent == ""
    assert "command goes on in its place" in w.state.triggers[-1].evidence


def test_two_that_are_refused_again_and_again_end_in_a_park() -> None:
    w = alone("codex").begin().baseline()
    for _ in range(20):
        w.fail("rate", retry_at=w.now + 6.0, seconds=5.0)
        if w.state.phase == "parked":
            return
        w.begin()
    pytest.fail("it goes on for ever")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 90_000), st.none() | st.floats(-10, 90_000)), min_size=1, max_size=12))
def test_nobody_is_chosen_before_the_time_that_was_told(refused: list[tuple[float, float | None]]) -> None:
    """Whatever providers say: who is chosen was not refused, or its time has come; and nothing of it is counted."""
    w = alone("codex", "gemini").begin().baseline()
    for seconds, back in refused:
        until = None if back is None else w.now + seconds + back
        w.fail("auth" if back is None else "rate", retry_at=until, seconds=seconds)
        if w.state.phase == "parked":
            break
        name = w.find(ev.RunAgent).agent or "command"
        assert name not in w.state.used_up or 0 < w.state.used_up[name] <= w.now
        w.begin()
    assert not any(a.counted for a in w.state.attempts)


def test_units_stay_with_the_one_whose_conversation_they_go_on_from() -> None:
    """The substitute has read and written the contract: its units go on from that, although the first is back."""
    first = together(plan_of("c a:c b:c", contract="c"))
    w = Rope(replace(first, settings=replace(first.settings, instead=("codex",))))
    w.begin("c").baseline()
    w.at("c").fail("rate", retry_at=w.now + 1_000)
    w.happen(ev.AttemptStarted(attempt="c/2", tree="/t", folder="/f", start="base", agent="codex", forks=True))
    usage = Usage(input=20_000, context_used=20_000, context_limit=200_000)
    result = AttemptResult(commit="work-of-c/2", ref="refs/c", session="s-1", usage=usage)
    w.happen(ev.AttemptSucceeded(attempt="c/2", result=result), after=5_000.0)
    w.at("c").merge().validate()
    assert {(c.unit, c.agent, c.fork) for c in w.at("").all(ev.RunAgent)} == {
        ("a", "codex", "c/2"),
        ("b", "codex", "c/2"),
    }


# ---- one that is not there any more

GONE = Unusable(agent="command", why="The agent command cannot be used: it is gone. Then `ropeteam resume` goes on.")


def test_a_run_parks_before_an_attempt_whose_agent_is_gone() -> None:
    w = alone().begin().baseline().fail("auth")
    before = len(w.state.attempts)
    w.resume(unusable=(GONE,))
    assert w.state.phase == "parked"
    assert w.triggers()[-1] == ("agent_not_usable", "park")
    assert w.state.triggers[-1].evidence == GONE.why
    assert len(w.state.attempts) == before
    w.resume()
    assert w.find(ev.RunAgent).attempt == "single/2"


def test_what_was_to_begin_when_the_machine_went_down_is_thought_over() -> None:
    w = alone("codex")
    assert w.find(ev.RunAgent).agent == ""
    w.resume(unusable=(GONE,))
    assert w.find(ev.RunAgent).agent == "codex"
    assert w.triggers() == [("agent_not_usable", "notice")]
    assert w.state.triggers[0].evidence == f"{GONE.why} codex goes on in its place (agent.instead)."
    w.resume(unusable=(GONE, replace(GONE, agent="codex")))
    assert w.state.phase == "parked"


def test_those_at_work_go_on_and_what_they_make_is_merged_before_it_parks() -> None:
    w = Rope(together("a b c", workers=2))
    w.begin("a", "b").baseline().resume(unusable=(GONE,))
    assert w.state.phase == "running"
    w.works("a", "b").bisect()
    assert w.state.phase == "parked"
    assert {a.id: a.stage for a in w.state.attempts} == {"a/1": "validated", "b/1": "validated"}


def test_a_run_that_needs_no_agent_any_more_ends() -> None:
    w = alone().begin().baseline().succeed()
    w.resume(unusable=(GONE,)).merge().validate()
    assert w.state.ending == "delivered_single"
