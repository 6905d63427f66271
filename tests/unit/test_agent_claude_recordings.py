"""The claude adapter on streams that the real program wrote (`tests/integration/claude_cases.py` records them)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ropeteam.agents.claude import ClaudeAgent
from ropeteam.core.model import Kind
from ropeteam.ports import Exit, Finish, Said, Task

GOLDEN = Path(__file__).parents[1] / "golden" / "claude"
ENDINGS: dict[str, int] = json.loads((GOLDEN / "endings.json").read_text())
NOW = 1_800_000_000.0

# Written by hand, from what the provider did: not taken from the adapter.
OUTCOMES = {
    "success": ("ok", "turns: 6"),
    "no-report": ("ok", "turns"),
    "bad-report": ("corrupted", "/files: must be array"),
    "subagent": ("ok", "turns"),
    "denied": ("ok", "turns"),
    "auth-401": ("auth", "401"),
    "auth-403": ("auth", "403"),
    "not-logged-in": ("auth", "Not logged in"),
    "rate-429": ("rate", "429"),
    "window-used-up": ("rate", "limit"),
    "no-credit": ("rate", "Credit balance"),
    "server-500": ("overload", "500"),
    "overloaded-529": ("overload", "529"),
    "overloaded-once": ("ok", "turns"),
    "cut-once": ("ok", "turns"),
    "cut": ("overload", "retries: 1"),
    "garbage": ("overload", "JSON"),
    "reset": ("overload", "ECONNRESET"),
    "refused": ("overload", "ECONNREFUSED"),
    "bad-request": ("crashed", "400"),
    "no-such-model": ("crashed", "model"),
    "too-long": ("context", "210000"),
    "turns": ("turns", "(2)"),
    "budget": ("budget", "$0.01"),
    "sigterm": ("killed", "SIGTERM"),
    "sigint": ("killed", "interrupted"),
    "sigkill": ("killed", "SIGKILL"),
}


def a_task(kind: Kind = "single") -> Task:
    io = Path("/attempt/io")
    return Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind=kind,
        goal="Do it",
        feature="x",
        tree=Path("/attempt/tree"),
        folder=io,
        shared_prompt="",
        own_prompt="",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=NOW,
    )


def lines_of(name: str) -> list[bytes]:
    return (GOLDEN / f"{name}.jsonl").read_bytes().splitlines()


def hear(
    lines: list[bytes], returncode: int = 0, kind: Kind = "single", agent: ClaudeAgent | None = None
) -> tuple[Finish, list[Said]]:
    conversation = (agent or ClaudeAgent()).listen(a_task(kind))
    said = [said for line in lines for said in conversation.parse(line)]
    exit = Exit(code=returncode if returncode >= 0 else None, signal=max(0, -returncode), seconds=12.0)
    return conversation.finish(exit, NOW), said


def replay(name: str, kind: Kind = "single") -> tuple[Finish, list[Said]]:
    return hear(lines_of(name), ENDINGS[name], kind)


def test_every_recording_is_expected_and_every_expectation_recorded() -> None:
    assert set(OUTCOMES) == set(ENDINGS) == {path.stem for path in GOLDEN.glob("*.jsonl")}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome_and_evidence(name: str) -> None:
    finish, said = replay(name)

    outcome, words = OUTCOMES[name]
    assert finish.outcome == outcome, finish.evidence
    assert words in finish.evidence
    assert not [one for one in said if one.kind == "garbled"]


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_stream_that_breaks_off_is_never_a_success(name: str) -> None:
    lines = lines_of(name)
    for length in range(len(lines)):
        finish, _ = hear(lines[:length])
        assert finish.outcome == "crashed", f"the first {length} lines, then exit code 0"
        assert finish.evidence


def test_report_usage_cost_and_model_of_a_success() -> None:
    finish, said = replay("success")

    assert [note.path for note in finish.report.files] == ["app/new.py"]
    assert [note.rationale for note in finish.report.decisions] == ["it is small"]
    assert [note.what for note in finish.report.deviations] == ["no cache"]
    assert finish.model == "claude-sonnet-4-5"
    assert finish.notices == ()
    result = json.loads(lines_of("success")[-1])
    (model,) = result["modelUsage"].values()
    assert finish.usage.input == model["inputTokens"] + model["cacheCreationInputTokens"]
    assert finish.usage.cached == model["cacheReadInputTokens"]
    assert finish.usage.output == model["outputTokens"]
    assert finish.usage.cost_usd == result["total_cost_usd"] > 0
    assert finish.usage.context_limit == 200_000
    newest = [line["message"]["usage"] for line in map(json.loads, lines_of("success")) if line["type"] == "assistant"]
    assert finish.usage.context_used == sum(value for value in newest[-1].values() if isinstance(value, int))
    assert [one.text for one in said if one.kind in ("text", "tool")] == [
        "Writing the module.",
        "Write app/new.py",
        "Read app/new.py",
        "Edit app/new.py",
        "Bash cat app/new.py",
        "Giving its report",
    ]
    assert [one.text for one in said if one.kind == "session"] == [finish.session]
    assert [one.kind for one in said][-1] == "end"


def test_each_message_is_counted_once() -> None:
    _, said = replay("success")
    ids = {e["message"]["id"] for e in map(json.loads, lines_of("success")) if e["type"] == "assistant"}

    told = [one.usage for one in said if one.usage is not None]

    assert len(told) == len(ids) + 1, "one for each message, one for the result"
    assert [usage.tokens for usage in told] == sorted(usage.tokens for usage in told)


def test_the_money_limit_keeps_its_usage() -> None:
    finish, _ = replay("budget")

    assert json.loads(lines_of("budget")[-1])["usage"]["cache_creation_input_tokens"] == 0, "claude says nothing there"
    assert finish.usage.input > 10_000
    assert finish.usage.cost_usd > 0.01


def test_a_subagent_counts_for_usage_and_not_for_context() -> None:
    finish, _ = replay("subagent")
    main = {
        e["message"]["id"]: sum(value for value in e["message"]["usage"].values() if isinstance(value, int))
        for e in map(json.loads, lines_of("subagent"))
        if e["type"] == "assistant" and not e["parent_tool_use_id"]
    }

    assert any(json.loads(line).get("parent_tool_use_id") for line in lines_of("subagent"))
    assert finish.usage.context_used == list(main.values())[-1]
    assert finish.usage.tokens > sum(main.values()) + 1000


def test_the_size_of_the_context_is_known_from_the_second_conversation_on() -> None:
    agent = ClaudeAgent()
    first, second = (hear(lines_of("success"), agent=agent)[1] for _ in range(2))

    assert next(one.usage.context_limit for one in first if one.usage) == 0
    assert next(one.usage.context_limit for one in second if one.usage) == 200_000


def test_retries_are_told_with_status_and_wait() -> None:
    _, said = replay("auth-401")
    (retry,) = [one for one in said if one.kind == "retry"]

    assert retry.status == 401
    assert 0 < retry.seconds < 10
    assert "401" in retry.text
    _, said = replay("refused")
    assert [one.status for one in said if one.kind == "retry"] == [0]


def test_denials_are_notices() -> None:
    finish, said = replay("denied")

    assert [one.kind for one in said].count("denied") == 1
    assert finish.notices == ("It was not allowed 1 things it tried (Write 1x).",)


def test_the_provider_names_the_moment_to_go_on() -> None:
    assert replay("window-used-up")[0].retry_at == 1_900_000_000.0
    assert replay("rate-429")[0].retry_at is None, "a wait of a second is claude's own"


def test_a_long_wait_asked_for_by_the_provider_is_passed_on() -> None:
    lines = [line.replace(b'"retry_delay_ms":', b'"retry_delay_ms":120000,"was":') for line in lines_of("rate-429")]

    assert hear(lines, 1)[0].retry_at == NOW + 120


def test_without_a_report_it_is_said_so() -> None:
    finish, _ = replay("no-report")

    assert finish.report.files == ()
    assert finish.notices == ("It left no report of what it did.",)


def test_a_report_in_the_last_message_is_the_second_choice() -> None:
    words = 'Done.\n```json\n{"files": [{"path": "/attempt/tree/a.py", "purpose": "p"}], "more": 1}\n```\n'
    lines = lines_of("no-report")
    result = {**json.loads(lines[-1]), "result": words}

    finish, _ = hear([*lines[:-1], json.dumps(result).encode()])

    assert [note.path for note in finish.report.files] == ["a.py"]
    assert finish.notices == ()
    broken = {**result, "result": words.replace('"a.py"', "3").replace('"/attempt/tree/a.py"', "3")}
    finish, _ = hear([*lines[:-1], json.dumps(broken).encode()])
    assert finish.outcome == "ok"
    assert "cannot be read" in finish.notices[0]


def test_the_report_survives_a_second_result() -> None:
    """A conversation that something in the background wakes again ends with a result without report."""
    lines = lines_of("success")
    second = {**json.loads(lines[-1]), "structured_output": None, "result": "Done."}

    assert hear([*lines, json.dumps(second).encode()])[0].report.files


# ---- what should not be


@pytest.mark.parametrize(
    "line",
    [b'{"type": "assistant", "message": {"usage": []}}', b"{oops", b"\xff\xfe", b"[1, 2]", b"{}", b"plain words"],
)
def test_a_line_that_is_no_event_is_corruption(line: bytes) -> None:
    lines = lines_of("success")

    finish, said = hear([*lines[:3], line, *lines[3:]])

    assert finish.outcome == "corrupted"
    assert len([one for one in said if one.kind == "garbled"]) == 1


def test_words_of_a_program_around_claude_are_no_corruption() -> None:
    finish, said = hear([b"Update available: 2.1.331", b"", *lines_of("success")])

    assert finish.outcome == "ok"
    assert said[0] == Said(kind="text", text="Update available: 2.1.331")


def test_events_and_fields_of_later_versions_are_ignored() -> None:
    new = [b'{"type": "news", "session_id": ""}', b'{"type": "system", "subtype": "news", "more": {"a": [1]}}']
    lines = [line[:-1] + b',"later":{"x":1}}' for line in lines_of("success")]

    assert hear([*new, *lines[:2], *new, *lines[2:]])[0] == replay("success")[0]


def test_another_conversation_is_corruption() -> None:
    lines = lines_of("success")
    own = json.loads(lines[0])["session_id"].encode()

    finish, said = hear([line.replace(own, b"00000000-0000-0000-0000-000000000000") for line in lines])

    assert finish.outcome == "corrupted"
    assert own.decode() in finish.evidence
    assert any(one.kind == "session" and one.text.startswith("0000") for one in said)


@pytest.mark.parametrize(
    ("kind", "outcome"), [("unit", "corrupted"), ("contract", "corrupted"), ("single", "ok"), ("rest", "ok")]
)
def test_compaction_is_a_fault_of_units_and_a_notice_elsewhere(kind: Kind, outcome: str) -> None:
    lines = lines_of("success")
    session = json.loads(lines[0])["session_id"]
    boundary = {"type": "system", "subtype": "compact_boundary", "session_id": session, "compact_metadata": {}}

    finish, said = hear([*lines[:3], json.dumps(boundary).encode(), *lines[3:]], kind=kind)

    assert finish.outcome == outcome
    assert [one.kind for one in said].count("compacted") == 1
    assert any("shortened" in notice for notice in finish.notices)


def test_success_with_another_exit_code_is_not_believed() -> None:
    assert hear(lines_of("success"), 1)[0].outcome == "crashed"
    assert hear(lines_of("success"), 143)[0].outcome == "killed"
    assert hear(lines_of("success"), -9)[0].outcome == "killed"


def test_a_program_that_did_not_begin_points_to_its_error_output() -> None:
    finish, _ = hear([], 1)

    assert finish.outcome == "crashed"
    assert "error output" in finish.evidence


def test_unknown_cost_is_said() -> None:
    finish, _ = replay("sigkill")

    assert finish.usage.cost_usd == 0
    assert finish.usage.input > 0
    assert any("cost" in notice for notice in finish.notices)
