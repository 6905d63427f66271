"""What is made of codex's events and of its record, beyond the recordings that all adapters are held against."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.agents import codex_verdict
from ropeteam.agents.codex_record import RecordReader, find
from ropeteam.agents.codex_stream import CodexConversation, command_words
from ropeteam.agents.codex_verdict import NOT_RENEWED
from ropeteam.core.model import Kind, Usage
from ropeteam.ports import Exit, Finish, Fork, Said, Task

SESSION = "019b796d-d600-7000-8000-000000000001"
BEGAN = 0x019B796DD600 / 1000
NOW = 1_800_000_000.0
DONE = Exit(code=0, seconds=2.0)
FAILED = Exit(code=1, seconds=2.0)
STARTED = {"type": "thread.started", "thread_id": SESSION}


def a_task(folder: Path, kind: Kind = "unit", fork: Fork | None = None) -> Task:
    return Task(
        run="r",
        unit="single",
        attempt=1,
        kind=kind,
        goal="",
        feature="x",
        tree=Path("/attempt/tree"),
        folder=folder,
        shared_prompt="",
        own_prompt="",
        prompt_file=folder / "prompt.md",
        report_file=folder / "report.json",
        slot=0,
        deadline=0.0,
        fork=fork,
    )


def message(text: str) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": text}}


def completed(total: int = 100, cached: int = 40, output: int = 5) -> dict[str, Any]:
    usage = {"input_tokens": total, "cached_input_tokens": cached, "output_tokens": output}
    return {"type": "turn.completed", "usage": usage}


def failed(words: str) -> dict[str, Any]:
    return {"type": "turn.failed", "error": {"message": words}}


def heard(
    task: Task, *events: dict[str, Any], exit: Exit = DONE, sessions: tuple[Path, ...] = ()
) -> tuple[Finish, list[Said]]:
    conversation = CodexConversation(task, sessions)
    said = [one for event in events for one in conversation.parse(json.dumps(event).encode())]
    return conversation.finish(exit, NOW), said


def recorded(folder: Path, *lines: tuple[str, dict[str, Any]], session: str = SESSION) -> Path:
    """A record of a conversation as codex writes it; gives the folder of all of them."""
    path = folder / datetime.fromtimestamp(BEGAN).strftime("%Y/%m/%d") / f"rollout-2026-01-01T12-00-00-{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps({"type": kind, "payload": payload}) + "\n" for kind, payload in lines)
    path.write_text(text)
    return folder


def tokens(total: int, cached: int, output: int) -> tuple[str, dict[str, Any]]:
    usage = {"input_tokens": total, "cached_input_tokens": cached, "output_tokens": output}
    return "token_usage_record", {"usage": usage}


def answered(words: Any) -> tuple[str, dict[str, Any]]:
    return "response_item", {"type": "function_call_output", "call_id": "c", "output": words}


# ---- outcomes


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("unexpected status 401 Unauthorized: no, url: http://x", "auth"),
        ("Missing environment variable: `MINE`.", "auth"),
        ("Your access token could not be refreshed. Please log out and sign in again.", "auth"),
        (f"error sending request for url (http://127.0.0.1:9/{NOT_RENEWED})", "auth"),
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate"),
        ("You’ve hit your usage limit. Try again later.", "rate"),
        ("Quota exceeded. Check your plan and billing details.", "rate"),
        ("You hit your spend cap set in your workspace. Increase your spend cap to continue.", "rate"),
        ("unexpected status 402 Payment Required: no", "rate"),
        ("Codex ran out of room in the model's context window. Start a new thread", "context"),
        ("unexpected status 413 Payload Too Large: no", "context"),
        ("Selected model is at capacity. Please try a different model.", "overload"),
        ("unexpected status 503 Service Unavailable: no", "overload"),
        ("stream disconnected before completion: stream closed before response.completed", "overload"),
        ("Connection failed: error sending request", "overload"),
        ('{"type": "error", "error": {"message": "Invalid value: x"}}', "crashed"),
        ("unexpected status 422 Unprocessable Entity: stream disconnected", "crashed"),
        ("", "crashed"),
    ],
)
def test_why_a_turn_failed(tmp_path: Path, words: str, outcome: str) -> None:
    finish, _ = heard(a_task(tmp_path), STARTED, failed(words), exit=FAILED)

    assert finish.outcome == outcome, finish.evidence
    assert finish.session == SESSION


def test_a_refused_log_in_shows_at_the_first_try(tmp_path: Path) -> None:
    renewal = f"Reconnecting... 1/5 (error sending request for url (http://127.0.0.1:9/{NOT_RENEWED}))"
    finish, said = heard(a_task(tmp_path), STARTED, {"type": "error", "message": renewal}, exit=Exit(stopped="auth"))

    assert [one.status for one in said if one.kind == "retry"] == [401]
    assert finish.outcome == "auth"
    assert any("Start `codex` once" in notice for notice in finish.notices)


def test_an_interrupted_turn_was_killed_and_a_program_that_never_began_was_not(tmp_path: Path) -> None:
    assert heard(a_task(tmp_path), STARTED, exit=FAILED)[0].outcome == "killed"
    assert heard(a_task(tmp_path), exit=FAILED)[0].outcome == "crashed"
    assert heard(a_task(tmp_path), STARTED)[0].outcome == "crashed", "exit code 0 without an end"
    assert heard(a_task(tmp_path), STARTED, completed(), exit=FAILED)[0].outcome == "crashed"


def test_no_conversation_to_go_on_from(tmp_path: Path) -> None:
    fork = Fork(session=SESSION, tree=Path("/other/tree"), folder=tmp_path)

    assert heard(a_task(tmp_path, fork=fork), exit=FAILED)[0].unforked
    assert not heard(a_task(tmp_path, fork=fork), STARTED, failed("no"), exit=FAILED)[0].unforked
    assert not heard(a_task(tmp_path), exit=FAILED)[0].unforked


# ---- when it can go on


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("or try again at Nov 28th, 2026 11:57 AM.", datetime(2026, 11, 28, 11, 57)),
        ("Try again at Jan 1st, 2027 12:05 AM.", datetime(2027, 1, 1, 0, 5)),
        ("try again at Feb 30th, 2027 1:05 PM.", None),
        ("Try again later.", None),
    ],
)
def test_the_moment_to_go_on_is_of_the_machines_zone(words: str, expected: datetime | None) -> None:
    found = codex_verdict.retry_at(words, NOW)

    assert found == (expected.timestamp() if expected else None)


def test_a_time_without_a_day_is_todays_or_the_next_nights() -> None:
    noon = datetime(2026, 11, 26, 12, 0).timestamp()

    assert codex_verdict.retry_at("try again at 6:23 PM.", noon) == datetime(2026, 11, 26, 18, 23).timestamp()
    late = datetime(2026, 11, 26, 23, 59, 30).timestamp()
    assert codex_verdict.retry_at("try again at 12:10 AM.", late) == datetime(2026, 11, 27, 0, 10).timestamp()


def test_a_used_up_window_says_when_it_is_over(tmp_path: Path) -> None:
    words = (
        "You’ve hit your usage limit. Visit https://x to purchase more credits or try again at Jan 20th, 2027 1:00 AM."
    )
    finish, _ = heard(a_task(tmp_path), STARTED, failed(words), exit=FAILED)

    assert (finish.outcome, finish.retry_at) == ("rate", datetime(2027, 1, 20, 1, 0).timestamp())


# ---- the report


@pytest.mark.parametrize(
    "text",
    [
        '{"files": [{"path": "/attempt/tree/a.py", "purpose": "x"}], "requests": null, "plan": null}',
        'Done.\n```json\n{"files": [{"path": "a.py", "purpose": "x"}]}\n```\n',
    ],
)
def test_the_report_is_the_last_message_or_a_block_in_it(tmp_path: Path, text: str) -> None:
    finish, _ = heard(a_task(tmp_path), STARTED, message("First."), message(text), completed())

    assert finish.outcome == "ok"
    assert [note.path for note in finish.report.files] == ["a.py"]
    assert finish.report.plan == ""


def test_the_report_may_lie_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"files": [{"path": "a.py", "purpose": "x"}], "plan": "no"}')
    finish, _ = heard(a_task(tmp_path), STARTED, message("Done."), completed())

    assert [note.path for note in finish.report.files] == ["a.py"]
    assert finish.report.plan == ""
    assert finish.report.usage is None


@pytest.mark.parametrize("text", ["Done.", '{"files": 3}', "[1]", '{"files": [' * 1000])
def test_no_report_is_said(tmp_path: Path, text: str) -> None:
    finish, _ = heard(a_task(tmp_path), STARTED, message(text), completed())

    assert finish.outcome == "ok", "the tree decides"
    assert finish.report.files == ()
    assert len(finish.notices) == 1


def test_a_plan_is_what_was_given_as_one(tmp_path: Path) -> None:
    task = a_task(tmp_path, "plan")
    given, _ = heard(task, STARTED, message('{"plan": {"units": [], "contract": null}, "files": null}'), completed())
    words, _ = heard(task, STARTED, message("Two units."), completed())

    assert given.report.plan == '{"units":[]}'
    assert words.report.plan == "Two units."


# ---- the record


def test_tokens_come_request_by_request_from_the_record(tmp_path: Path) -> None:
    window = ("event_msg", {"type": "token_count", "info": {"model_context_window": 258_400}})
    model = ("turn_context", {"model": "gpt-5.5"})
    sessions = recorded(tmp_path / "s", model, tokens(100, 40, 5), window, tokens(200, 150, 7), ("world_state", {}))
    finish, said = heard(a_task(tmp_path), STARTED, failed("no"), exit=FAILED, sessions=(tmp_path / "none", sessions))

    assert finish.usage == Usage(input=110, cached=190, output=12, context_used=207, context_limit=258_400)
    assert finish.model == "gpt-5.5"
    assert [one.usage for one in said if one.kind == "usage"] == [finish.usage], "told while it runs, once"


def test_of_a_fork_only_its_own_tokens_count(tmp_path: Path) -> None:
    before = Usage(input=1000, cached=500, output=50)
    task = a_task(tmp_path, fork=Fork(session=SESSION, tree=Path("/t"), folder=tmp_path, usage=before))
    whole = completed(total=1700, cached=600, output=60)
    known, _ = heard(task, STARTED, whole, sessions=(recorded(tmp_path / "s", tokens(210, 110, 11)),))
    unknown, _ = heard(task, STARTED, whole)

    assert (known.usage.input, known.usage.cached, known.usage.output) == (100, 110, 11)
    assert (unknown.usage.input, unknown.usage.cached, unknown.usage.output) == (100, 100, 10)


def test_what_its_sandbox_refuses_is_heard_from_the_record(tmp_path: Path) -> None:
    no = "Process exited with code 1\nOutput:\ntouch: cannot touch '/x': Read-only file system\n"
    fine = "Process exited with code 0\nOutput:\nRead-only file system\n"
    blocks = [{"type": "input_text", "text": "patch rejected: writing outside of the project"}]
    task = a_task(tmp_path)
    all_of_it = recorded(tmp_path / "all", answered(no), answered(blocks))
    some = recorded(
        tmp_path / "some", answered(no), answered("Wall time: 1\nProcess exited with code 0\nOutput:\n"), answered(fine)
    )

    denied, said = heard(task, STARTED, completed(), sessions=(all_of_it,))
    assert denied.outcome == "denied"
    assert "2 of 2" in denied.evidence
    assert [one.kind for one in said].count("denied") == 2
    ok, _ = heard(task, STARTED, completed(), sessions=(some,))
    assert ok.outcome == "ok"
    assert any(notice.startswith("It was not allowed 1 of the things it tried") for notice in ok.notices)
    plan, _ = heard(a_task(tmp_path, "plan"), STARTED, message("P."), completed(), sessions=(all_of_it,))
    assert plan.outcome == "ok", "who plans is to be refused"


def test_a_shortened_conversation_is_not_relied_on(tmp_path: Path) -> None:
    sessions = recorded(tmp_path / "s", ("compacted", {"message": "x"}))
    unit, said = heard(a_task(tmp_path), STARTED, completed(), sessions=(sessions,))
    single, _ = heard(a_task(tmp_path, "single"), STARTED, completed(), sessions=(sessions,))

    assert (unit.outcome, unit.compacted) == ("corrupted", True)
    assert (single.outcome, single.compacted) == ("ok", True)
    assert "compacted" in [one.kind for one in said]


def test_the_record_is_read_as_it_grows(tmp_path: Path) -> None:
    reader = RecordReader((tmp_path,), SESSION)
    reader.read()
    assert reader.record.usage is None
    recorded(tmp_path, tokens(100, 0, 1))
    path = find((tmp_path,), SESSION)
    assert path is not None
    with path.open("a") as file:
        file.write('{"type": "token_usage_record", "payload": {"usage": {"input_')
    reader.read()
    assert reader.record.usage == Usage(input=100, output=1)
    with path.open("a") as file:
        file.write('tokens": 10}}}\n')
    reader.read()
    assert reader.record.usage == Usage(input=110, output=1)


def test_only_a_plain_file_is_a_record(tmp_path: Path) -> None:
    path = find((recorded(tmp_path, tokens(1, 0, 1)),), SESSION)
    assert path is not None
    path.unlink()
    os.mkfifo(path)
    reader = RecordReader((tmp_path,), SESSION)
    reader.read()  # a pipe that nobody writes to would hold us for ever

    assert reader.record.usage is None
    assert find((tmp_path,), "../../etc/passwd") is None
    assert find((tmp_path,), "") is None


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
KINDS = st.sampled_from(["turn_context", "token_usage_record", "compacted", "event_msg", "response_item"])
KEYS = st.sampled_from(["type", "info", "usage", "output", "input_tokens", "model", "text", "model_context_window"])
JSON = st.recursive(
    LEAVES | st.sampled_from(["function_call_output", "bwrap: no", "token_count"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(st.tuples(KINDS, JSON) | st.binary(max_size=60), max_size=8))
def test_no_record_makes_it_raise(tmp_path_factory: pytest.TempPathFactory, lines: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("records")
    path = find((recorded(folder),), SESSION)
    assert path is not None
    path.write_bytes(
        b"\n".join(
            line if isinstance(line, bytes) else json.dumps({"type": line[0], "payload": line[1]}).encode()
            for line in lines
        )
        + b"\n"
    )
    finish, _ = heard(a_task(folder), STARTED, completed(), sessions=(folder,))

    assert finish.outcome in ("ok", "denied", "corrupted")
    assert min(finish.usage.input, finish.usage.cached, finish.usage.output) >= 0


# ---- for people


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/bin/bash -lc 'pytest -q'", "pytest -q"),
        ("/usr/bin/zsh -c ls", "ls"),
        ("/bin/bash -lc 'it''s half", "'it''s half"),
        ("git status", "git status"),
    ],
)
def test_a_command_is_shown_as_the_model_gave_it(command: str, words: str) -> None:
    assert command_words(command) == words


def test_what_it_does_is_shown(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"type": "command_execution", "command": "/bin/bash -lc 'pytest -q'", "status": "in_progress"},
        {"type": "file_change", "changes": [{"path": "/attempt/tree/app/a.py", "kind": "add"}]},
        {"type": "mcp_tool_call", "tool": "sequentialthinking", "arguments": {"thought": "First the models."}},
        {"type": "web_search", "query": "how"},
        {"type": "todo_list", "items": [{"text": "read", "completed": True}, {"text": "write", "completed": False}]},
        {"type": "something_new"},
    ]
    _, said = heard(a_task(tmp_path), STARTED, *({"type": "item.started", "item": item} for item in items))

    assert [one.text for one in said if one.kind in ("tool", "text")] == [
        "Shell pytest -q",
        "Edit app/a.py",
        "sequentialthinking First the models.",
        "Search how",
        "write",
    ]
