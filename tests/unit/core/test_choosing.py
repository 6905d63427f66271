"""Which agent does what, and who goes on when one cannot."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from worlds import World, started
from worlds_together import Rope, plan_of, together

from ropeteam.core import choosing
from ropeteam.core import events as ev
from ropeteam.core.choosing import Choice
from ropeteam.core.model import Kind, Unit
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
    settings = Settings(
        agent_for=AgentFor(plan="claude:opus", layers={"views": "gemini"}), instead=("codex", "command")
    )
    assert choosing.every(settings, "command") == ("command", "claude", "gemini", "codex")


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
