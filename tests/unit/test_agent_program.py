"""The protocol of "any program as an agent", line by line and file by file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from ropeteam.agents import endings
from ropeteam.agents.command import CommandAgent
from ropeteam.agents.program import REPORT_BYTES, ProgramConversation, read_report, task_json
from ropeteam.core.model import AgentReport, FileNote, RequestNote, Usage
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.ports import Exit, Task

DONE = Exit(code=0, seconds=3.0)


def a_task(tmp_path: Path, argv: tuple[str, ...] = ("./my-agent",)) -> Task:
    tree, io = tmp_path / "tree", tmp_path / "io"
    tree.mkdir()
    io.mkdir()
    return Task(
        run="20260101-000000-x-0000",
        unit="03-api",
        attempt=2,
        kind="unit",
        goal="Serve it",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt="shared\n",
        own_prompt="own\n",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=3,
        deadline=1_790_000_000.0,
        writes=("app/*.py",),
        reads=("app/db.py",),
        needs=("01-contract",),
        settings=AgentSettings(argv=argv),
    )


def test_the_task_file_holds_exactly_what_was_promised(tmp_path: Path) -> None:
    task = a_task(tmp_path)

    assert json.loads(task_json(task)) == {
        "run": "20260101-000000-x-0000",
        "unit": "03-api",
        "attempt": 2,
        "kind": "unit",
        "goal": "Serve it",
        "writes": ["app/*.py"],
        "reads": ["app/db.py"],
        "needs": ["01-contract"],
        "feature": "x",
        "prompt_file": str(task.prompt_file),
        "report_file": str(task.report_file),
        "slot": 3,
        "deadline": 1_790_000_000.0,
    }
    launch = CommandAgent().build(task)
    assert launch.files[launch.env["ROPETEAM_TASK"]] == task_json(task)


def test_the_task_file_cannot_be_led_elsewhere_by_settings(tmp_path: Path) -> None:
    task = a_task(tmp_path)
    settings = AgentSettings(argv=("x",), env={"ROPETEAM_TASK": "/elsewhere"})
    moved = Task(**{**{f: getattr(task, f) for f in task.__struct_fields__}, "settings": settings})

    assert CommandAgent().build(moved).env["ROPETEAM_TASK"] == str(task.folder / "task.json")


def test_without_a_program_nothing_can_be_built(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        CommandAgent().build(a_task(tmp_path, argv=()))
    assert caught.value.hint
    assert CommandAgent().probe(AgentSettings(), {}).problem


def test_what_the_probe_finds(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\ntouch /nowhere/started\n")
    (tmp_path / "tool").chmod(0o755)
    agent = CommandAgent()

    assert agent.probe(AgentSettings(argv=("tool",)), {"PATH": str(tmp_path)}).path == str(tmp_path / "tool")
    assert agent.probe(AgentSettings(argv=("tool",)), {"PATH": "/nowhere"}).problem
    assert agent.probe(AgentSettings(argv=("/nowhere/tool",)), {"PATH": str(tmp_path)}).problem
    assert agent.probe(AgentSettings(argv=("./in-the-tree",)), {"PATH": ""}).problem == "", "only the tree can tell"


# ---- lines


def test_usage_is_cumulative_and_the_last_line_counts(tmp_path: Path) -> None:
    conversation = ProgramConversation(a_task(tmp_path))
    for line in (b'{"event": "usage", "input": 5}', b'noise {"event"', b'{"event": "usage", "input": 9, "output": 1}'):
        conversation.parse(line)

    assert conversation.finish(DONE, 0.0).usage == Usage(input=9, output=1)


def test_the_reports_usage_counts_before_the_lines(tmp_path: Path) -> None:
    task = a_task(tmp_path)
    conversation = ProgramConversation(task)
    conversation.parse(b'{"event": "usage", "input": 5}')
    task.report_file.write_text('{"usage": {"input": 7, "cost_usd": 0.5}, "plan": null}')

    assert conversation.finish(DONE, 0.0).usage == Usage(input=7, cost_usd=0.5)


@pytest.mark.parametrize(
    "line",
    [b"", b"words", b"[1]", b'{"event": 5}', b'{"event": "news", "text": 1}', b'{"other": 1}', b"\xff", b"{" * 5000],
)
def test_any_other_output_is_just_a_sign_of_life(tmp_path: Path, line: bytes) -> None:
    conversation = ProgramConversation(a_task(tmp_path))

    assert conversation.parse(line) == ()
    assert conversation.finish(DONE, 0.0).outcome == "ok"


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "usage", "input": "many"}',
        b'{"event": "usage", "input": -1}',
        b'{"event": "progress", "text": 1}',
        b'{"event": "retry", "status": "many"}',
        b'{"event": "end", "outcome": "ok"}',
    ],
)
def test_an_event_that_cannot_be_read_is_corruption(tmp_path: Path, line: bytes) -> None:
    conversation = ProgramConversation(a_task(tmp_path))

    assert [said.kind for said in conversation.parse(line)] == ["garbled"]
    finish = conversation.finish(DONE, 0.0)
    assert finish.outcome == "corrupted"
    assert "event" in finish.evidence


# ---- a provider that refuses

GAVE_UP = Exit(code=1, seconds=3.0)


@pytest.mark.parametrize("outcome", ["rate", "overload", "auth"])
def test_giving_up_for_the_providers_sake_counts_before_the_exit_code(tmp_path: Path, outcome: str) -> None:
    conversation = ProgramConversation(a_task(tmp_path))

    said = conversation.parse(
        b'{"event": "end", "outcome": "%s", "retry_at": 50, "text": "no more"}' % outcome.encode()
    )

    assert [one.kind for one in said] == ["end"]
    for exit in (GAVE_UP, DONE):
        finish = conversation.finish(exit, 10.0)
        assert finish.outcome == outcome
        assert "(no more)" in finish.evidence
        assert finish.retry_at == (None if outcome == "auth" else 50.0)


def test_a_retry_is_shown_and_the_last_word_on_when_to_go_on_counts(tmp_path: Path) -> None:
    conversation = ProgramConversation(a_task(tmp_path))

    (said,) = conversation.parse(b'{"event": "retry", "status": 429, "retry_at": 70.5, "text": "asking again"}')
    assert (said.kind, said.status, said.text) == ("retry", 429, "asking again")
    assert conversation.finish(GAVE_UP, 10.0).outcome == "crashed", "it did not say that this was why it ended"
    assert conversation.finish(GAVE_UP, 10.0).retry_at is None

    conversation.parse(b'{"event": "end", "outcome": "rate"}')
    assert conversation.finish(GAVE_UP, 10.0).retry_at == 70.5
    conversation.parse(b'{"event": "end", "outcome": "rate", "retry_at": 90}')
    assert conversation.finish(GAVE_UP, 10.0).retry_at == 90.0


def test_what_we_stopped_ourselves_is_not_the_providers_doing(tmp_path: Path) -> None:
    conversation = ProgramConversation(a_task(tmp_path))
    conversation.parse(b'{"event": "end", "outcome": "rate"}')

    assert conversation.finish(Exit(code=1, stopped="timeout", seconds=9.0), 0.0).outcome == "timeout"


# ---- the report


def test_what_it_needs_of_others_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"requests": [{"path": "app/routes.py", "what": "a route"}]}')

    assert read_report(path)[0].requests == (RequestNote(path="app/routes.py", what="a route"),)


def test_no_report_is_fine(tmp_path: Path) -> None:
    assert read_report(tmp_path / "none.json") == (AgentReport(), "")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": {}}', '{"files": [{"purpose": "p"}]}', '{"usage": {"input": -4}}', "[" * 100_000]
)
def test_a_report_that_cannot_be_read_is_corruption(tmp_path: Path, text: str) -> None:
    task = a_task(tmp_path)
    task.report_file.write_text(text)
    finish = ProgramConversation(task).finish(DONE, 0.0)

    assert finish.outcome == "corrupted"
    assert f"({len(text)} bytes)" in finish.evidence


def test_of_a_program_that_failed_the_report_is_only_a_notice(tmp_path: Path) -> None:
    task = a_task(tmp_path)
    task.report_file.write_text("{")
    finish = ProgramConversation(task).finish(Exit(code=1), 0.0)

    assert finish.outcome == "crashed"
    assert "report" in finish.notices[0]


def test_fields_that_a_later_version_adds_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"files": [{"path": "a", "purpose": "p", "lines": 3}], "mood": "good"}')

    assert read_report(path) == (AgentReport(files=(FileNote(path="a", purpose="p"),)), "")


def test_what_is_not_a_plain_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"files": [{"path": "stolen"}]}')
    link, pipe, folder, large = (tmp_path / name for name in ("link", "pipe", "folder", "large"))
    link.symlink_to(secret)
    os.mkfifo(pipe)
    folder.mkdir()
    with large.open("wb") as file:
        file.truncate(REPORT_BYTES + 1)

    for path in (link, pipe, folder, large):
        report, problem = read_report(path)
        assert report == AgentReport()
        assert problem, path.name


def test_paths_in_the_report_are_relative_to_the_tree(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    tree = tmp_path / "link"
    tree.symlink_to(real)
    paths = (f"{tree}/a.py", f"{real}/b.py", "./c.py", "/etc/passwd", "../d.py")
    report = AgentReport(files=tuple(FileNote(path=path) for path in paths))

    found = [note.path for note in endings.inside(report, tree).files]

    assert found == ["a.py", "b.py", "c.py", "/etc/passwd", "../d.py"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("app/routes.py", "app/routes.py"),
        (" ./app//routes.py ", "app/routes.py"),
        ("TREE/app/routes.py", "app/routes.py"),
        ("app/größe.py", "app/größe.py"),
        (".github/workflows/ci.yml", ".github/workflows/ci.yml"),
        ("TREE", None),
        ("", None),
        (".", None),
        ("/etc/passwd", None),
        ("../other/a.py", None),
        ("app/../../a.py", None),
        (".git/config", None),
        ("vendor/.GIT/hooks/x", None),
        ("two\nlines.py", None),
        ("nul\0.py", None),
    ],
)
def test_a_request_names_a_file_of_the_repository_or_is_shown_to_people(
    tmp_path: Path, path: str, found: str | None
) -> None:
    asked = RequestNote(path=path.replace("TREE", str(tmp_path)), what=" a line ")

    report = endings.inside(AgentReport(requests=(asked,)), tmp_path)

    if found is None:
        assert report.requests == ()
        assert "a line" in report.deviations[0].what
    else:
        assert report.requests == (RequestNote(path=found, what="a line"),)
        assert report.deviations == ()


def test_requests_for_nothing_and_repeated_ones_are_left_out(tmp_path: Path) -> None:
    asked = [RequestNote(path=path, what=what) for path, what in (("a", "x"), ("./a", "x"), ("a", "y"), ("b", " "))]

    report = endings.inside(AgentReport(requests=tuple(asked)), tmp_path)

    assert report.requests == (RequestNote(path="a", what="x"), RequestNote(path="a", what="y"))
    assert report.deviations == ()


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, "ok"), (1, "crashed"), (127, "crashed"), (137, "killed"), (143, "killed")]
)
def test_an_exit_code_that_stands_for_a_signal_is_one(code: int, outcome: str) -> None:
    found, evidence = endings.exit_code(Exit(code=code, seconds=2.0))

    assert found == outcome
    assert str(code) in evidence


def test_a_signal_without_a_name_is_named_by_its_number() -> None:
    assert "signal 77" in endings.exit_code(Exit(signal=77))[1]


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ('{"units": [], "units": [1]}', '{"units": [], "units": [1]}'),
        ('"Words, and {\\"units\\": []}"', 'Words, and {"units": []}'),
        ("[1, 2]", "[1, 2]"),
        ("null", ""),
    ],
    ids=["as it was written", "a text", "a list", "none"],
)
def test_a_proposed_plan_is_taken_over_as_text(tmp_path: Path, plan: str, text: str) -> None:
    task = a_task(tmp_path)
    task.report_file.write_text(f'{{"plan": {plan}}}')
    report, problem = read_report(task.report_file)
    assert (report.plan, problem) == (text, "")


@pytest.mark.parametrize(("kind", "plan"), [("plan", '{"units": []}'), ("unit", "")])
def test_a_plan_is_taken_from_who_is_to_plan(tmp_path: Path, kind: str, plan: str) -> None:
    task = msgspec.structs.replace(a_task(tmp_path), kind=kind)
    task.report_file.write_text('{"plan": {"units": []}}')
    assert ProgramConversation(task).finish(DONE, 0.0).report.plan == plan
