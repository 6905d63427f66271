"""What `ropeteam mcp` answers: short, and never an exception. With a real repository, and no agent."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from repositories import make_repo
from ropeteam import app
from ropeteam.cli import mcp_answers, mcp_server, outline
from ropeteam.cli.mcp_answers import Answer, Call, answer, schema
from ropeteam.core.report import CheckLine, DecisionLine, FileLine, Files, TriggerLine
from ropeteam.core.settings import Ask
from ropeteam.demo import repository
from ropeteam.errors import BadInput

MOST_SCHEMA = 3200
"""Characters of all tools as a client's model is told of them: about 800 tokens, where they are not looked up."""
EVERY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@pytest.fixture
def call_in(users_home: Path, tmp_path: Path) -> Call:
    own = users_home / ".config/ropeteam/ropeteam.toml"
    own.parent.mkdir(parents=True)
    script = tmp_path / "play.json"
    script.write_text('{"units": {}}')
    own.write_text(
        f'agent.name = "scripted"\nagent.scripted.script = "{script}"\ntrees.folder = "{tmp_path / "trees"}"\n'
    )
    return Call(repo=repository.make(tmp_path / "library"))


def tokens(said: Answer) -> int:
    return len(msgspec.json.encode(said)) // 4


def test_tools_are_told_in_few_words() -> None:
    told = {name: (tool.description, schema(tool)) for name, tool in mcp_answers.TOOLS.items()}
    assert len(json.dumps(told)) < MOST_SCHEMA
    assert list(told) == ["plan", "start", "wait", "status", "report", "take_unit", "hand_in_unit", "cancel"]
    assert all(tool.description.count(" ") < 25 for tool in mcp_answers.TOOLS.values())


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> app.Prepared:
    """A run of eight units that could begin. Planning it takes a moment, so it is done once."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "play.json").write_text('{"units": {}}')
    flags = {
        "agent": "scripted",
        "agent.scripted.script": str(folder / "play.json"),
        "trees.folder": str(folder / "trees"),
    }
    request = app.Request(repo=repository.make(folder / "library"), feature="house", flags=flags, own_settings=False)
    return app.prepare(request)


def test_what_is_to_be_known_before_a_run_of_eight_units(several: app.Prepared) -> None:
    lines = outline.before(several, agreed=False)
    text = "\n".join(lines)
    assert lines[0] == "Ask the user first: first run here with this agent and these settings."
    for what in ("Several agents: ", "08-gift", "Agent: scripted", "Sandbox: ", "Checks that will run: unittest", "$"):
        assert what in text
    assert len(text) // 4 < 500
    known = outline.before(several, agreed=True)
    assert known == (*outline.foreseen(several), *outline.units(several))


@pytest.mark.parametrize(
    ("usd", "seconds", "says"),
    [(1000.0, 1e6, ""), (0.5, 1e6, "it may cost $"), (1000.0, 60.0, "it takes about "), (0.0, 0.0, "cost")],
)
def test_it_asks_when_money_or_time_is_large(several: app.Prepared, usd: float, seconds: float, says: str) -> None:
    limits = msgspec.structs.replace(several.settings, ask=Ask(cost_usd=usd, seconds=seconds))
    asked = "; ".join(outline.to_ask(dataclasses.replace(several, settings=limits), agreed=True))
    assert says in asked if says else asked == ""


def test_another_program_to_think_with_is_asked_about_again(several: app.Prepared) -> None:
    """It is started for who plans, and a repository's settings may name it."""
    plan = msgspec.structs.replace(several.settings.plan, thinking_argv=("./think",))
    other = dataclasses.replace(several, settings=msgspec.structs.replace(several.settings, plan=plan))
    assert other.consent != several.consent


def test_no_limit_of_money_is_promised_of_an_agent_that_does_not_tell_it(several: app.Prepared) -> None:
    said = "\n".join(outline.terms(dataclasses.replace(several, agent="codex")))
    assert "the money of codex: not told, so no limit of money bounds it" in said
    assert "not counted" not in "\n".join(outline.terms(dataclasses.replace(several, agent="claude")))


def test_nothing_begins_without_a_yes(call_in: Call) -> None:
    planned = answer("plan", call_in, {"feature": "opening-hours"})
    assert not (call_in.repo / ".git/ropeteam").exists(), "nothing was changed"
    said = answer("start", call_in, {"feature": "opening-hours", "land": "yes"})

    assert planned.ask == said.ask == ("first run here with this agent and these settings",)
    assert (said.started, said.mode) == (False, "single")
    assert said.text.startswith("Not started. Ask the user first: first run here")
    assert "It lands on your branch once it is validated" in said.text
    assert f'confirm="{said.confirm}"' in said.text
    assert len(said.confirm) == 6
    assert said.confirm.startswith("c"), "digits alone, or 1e5, would be given back as a number"
    assert tokens(said) < 520
    assert answer("status", call_in, {}).problem == "no_such_run"


@pytest.mark.parametrize("made_up", [True, "true", "yes", "abcdef", 1])
def test_a_confirmation_that_nobody_was_shown_anything_for_begins_nothing(call_in: Call, made_up: object) -> None:
    said = answer("start", call_in, {"feature": "opening-hours", "land": "yes", "confirm": made_up})
    assert (said.started, said.problem) == (False, "")
    assert "does not stand for this" in said.text
    assert f'confirm="{said.confirm}"' in said.text
    assert answer("status", call_in, {}).problem == "no_such_run"


def test_a_code_stands_for_what_was_shown_and_for_nothing_else(call_in: Call) -> None:
    asked = {"feature": "opening-hours", "land": "yes"}
    code = answer("start", call_in, asked).confirm
    assert answer("start", call_in, asked).confirm == code
    others = [{**asked, "land": "no"}, {**asked, "settings": ["workers=2"]}, {**asked, "feature": "reservations"}]
    for other in others:
        said = answer("start", call_in, {**other, "confirm": code})
        assert (said.started, said.confirm != code) == (False, True), other
        assert "does not stand for this" in said.text


@pytest.mark.parametrize(
    ("tool", "arguments", "problem", "says"),
    [
        ("plan", {"feature": "nothing"}, "bad_input", "Features that exist: house"),
        ("plan", {}, "usage", "feature"),
        ("plan", {"feature": "house", "mode": "fast"}, "usage", "fast"),
        ("plan", {"feature": "house", "wings": 2}, "bad_input", "wings"),
        ("start", {}, "bad_input", "Name a feature"),
        ("start", {"feature": "house", "settings": ["workers=none"]}, "bad_input", "workers"),
        ("wait", {}, "no_such_run", "no run"),
        ("cancel", {"run": "x"}, "no_such_run", "no run"),
        ("take_unit", {}, "no_such_run", "no run"),
        ("hand_in_unit", {"attempts": []}, "bad_input", "attempts"),
        ("fly", {}, "usage", "no tool"),
    ],
)
def test_what_cannot_be_done_is_an_answer(
    call_in: Call, tool: str, arguments: dict[str, object], problem: str, says: str
) -> None:
    said = answer(tool, call_in, arguments)
    assert said.problem == problem, said
    assert says in said.text
    assert tokens(said) < 150


def test_an_agent_that_cannot_be_used_leads_to_host_mode(users_home: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", {"wish.md": "# A wish\n\nSay hello.\n"})
    said = answer("start", Call(repo=repo), {"feature": str(repo / "wish.md"), "agent": "command"})
    assert said.problem == "agent_not_usable"
    assert 'agent="host"' in said.text


# ---- the short report of anything is short


@settings(max_examples=30)
@given(
    files=st.lists(EVERY_TEXT, max_size=200),
    words=st.lists(st.tuples(EVERY_TEXT, EVERY_TEXT), max_size=50),
    failing=st.lists(EVERY_TEXT, max_size=20),
)
def test_each_part_of_a_report_stays_short(files: list[str], words: list[tuple[str, str]], failing: list[str]) -> None:
    lines = tuple(FileLine(path=f"src/{path[:80]}", purpose=path) for path in files)
    listed = outline.files(Files(created=lines))
    assert len(listed) < 12 * 700
    assert listed.count("\n") == 0
    said = outline.said("Decisions", [(d.decision, d.rationale) for d in _decisions(words)])
    assert len(said) <= 4 * 182 + 60
    checks = outline.checks((CheckLine(name="unittest", state="failed", baseline="passed", failing=tuple(failing)),))
    assert checks.startswith("Checks: unittest failed")
    told = outline.differently(tuple(_trigger(evidence) for evidence, _ in words))
    assert len(told) <= 5
    assert all(len(line) < 400 for line in told)


def test_a_fall_that_is_told_already_is_only_named() -> None:
    fall = _trigger("It changed files of 02-models")
    told = "Unit 03-api changed files of 02-models. 5 of 9 units were kept."
    (short,) = outline.differently((fall,), told)
    (whole,) = outline.differently((fall,))
    assert short == "file_conflict (03-api): What is validated was kept; what was left went to one agent."
    assert "02-models" in whole


def _decisions(words: list[tuple[str, str]]) -> list[DecisionLine]:
    return [DecisionLine(decision=what, rationale=why, unit="01-x") for what, why in words]


def _trigger(evidence: str) -> TriggerLine:
    return TriggerLine(id="file_conflict", unit="03-api", at="", evidence=evidence, action="salvage")


def test_no_server_is_begun_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    done = CliRunner().invoke(mcp_server.mcp, ["--repo", str(tmp_path / "nowhere")])
    assert isinstance(done.exception, BadInput)
