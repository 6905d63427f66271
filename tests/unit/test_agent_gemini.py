"""How gemini is started and found, and what is made of streams that no recording has: without the real program."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from given_task import a_task
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.agents import gemini
from ropeteam.agents.gemini import GeminiAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Finish, Launch, Said

NOW = 1_800_000_000.0
SESSION = "5a012251-202e-56df-a0b3-f0780c04c86f"


def option(launch: Launch, name: str) -> str | None:
    return launch.argv[launch.argv.index(name) + 1] if name in launch.argv else None


def policy_of(launch: Launch) -> list[dict[str, Any]]:
    return list(tomllib.loads(launch.files[option(launch, "--policy") or ""])["rule"])


def event(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


INIT = event(type="init", session_id=SESSION, model="gemini-2.5-pro")
SAYS = event(type="message", role="assistant", content="It is done.", delta=True)
DONE = event(type="result", status="success", stats={"total_tokens": 130, "input_tokens": 100, "cached": 40})


def hear(*lines: bytes, exit: Exit | None = None, **changes: Any) -> tuple[Finish, list[Said]]:
    conversation = GeminiAgent().listen(a_task(**changes))
    said = [said for line in lines for said in conversation.parse(line)]
    return conversation.finish(exit or Exit(code=0, seconds=12.0), NOW), said


# ---- how it is started


def test_what_all_share_is_the_system_prompt_and_what_is_particular_its_input() -> None:
    one = GeminiAgent().build(a_task(own_prompt="x" * 300_000))
    other = GeminiAgent().build(a_task(unit="other", tree=Path("/other/tree"), own_prompt="y"))

    assert one.stdin == "x" * 300_000
    assert max(len(part) for part in (*one.argv, *one.env.values())) < 10_000, "the kernel takes 128 kB for one"
    system = one.files[one.env["GEMINI_SYSTEM_MD"]]
    assert system.endswith("shared")
    assert system == other.files[other.env["GEMINI_SYSTEM_MD"]]
    assert "/attempt" not in system
    assert "GEMINI_SYSTEM_MD" not in GeminiAgent().build(a_task(shared_prompt="")).env


def test_nothing_of_the_users_is_started() -> None:
    launch = GeminiAgent().build(a_task())

    assert option(launch, "--extensions") == option(launch, "--allowed-mcp-server-names") == gemini.ALONE
    assert launch.env["GEMINI_TELEMETRY_ENABLED"] == "false"


def test_who_works_may_do_everything_but_leave_or_wait() -> None:
    launch = GeminiAgent().build(a_task())

    assert option(launch, "--approval-mode") == "yolo"
    assert option(launch, "--include-directories") == "/attempt/io"
    (rule,) = policy_of(launch)
    assert rule["decision"] == "deny"
    assert {"web_fetch", "ask_user"} <= set(rule["toolName"])
    assert not {"run_shell_command", "write_file", "replace"} & set(rule["toolName"])


def test_who_plans_may_write_its_report_and_nothing_else() -> None:
    launch = GeminiAgent().build(a_task(kind="plan"))

    assert option(launch, "--approval-mode") == "default"
    refused, allowed = policy_of(launch)
    assert {"run_shell_command", "replace"} <= set(refused["toolName"])
    assert (allowed["toolName"], allowed["decision"]) == ("write_file", "allow")
    assert allowed["argsPattern"] == r'\x00"file_path":"/attempt/io/report\.json"'


def test_model_and_settings_are_passed_on_only_when_they_are_set() -> None:
    bare = GeminiAgent().build(a_task())
    settings = AgentSettings(model="pro", argv=("/opt/gemini",), env={"NO_BROWSER": "false"})
    full = GeminiAgent().build(a_task(settings=settings))

    assert "--model" not in bare.argv
    assert option(full, "--model") == "pro"
    assert full.env["NO_BROWSER"] == "false"
    assert "/opt/gemini" in full.argv
    assert "/opt/gemini" in full.readable


def test_keys_of_a_whole_cloud_account_pass_only_where_the_settings_say_so() -> None:
    bare = GeminiAgent().build(a_task())
    cloud = GeminiAgent().build(a_task(settings=AgentSettings(env={"GOOGLE_GENAI_USE_VERTEXAI": "true"})))

    assert "GEMINI_API_KEY" in bare.pass_env
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in bare.pass_env
    assert "GOOGLE_APPLICATION_CREDENTIALS" in cloud.pass_env
    assert [folder.name for folder in cloud.home_folders] == [".gemini", ".config/gcloud"]
    assert "oauth_creds.json" in bare.home_folders[0].kept


# ---- how it is found


def test_it_is_found_with_its_version_and_without_asking_anybody(tmp_path: Path) -> None:
    program = tmp_path / "gemini"
    program.write_text("#!/bin/sh\necho 0.61.0\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}

    assert GeminiAgent().probe(AgentSettings(), env).version == "0.61.0"
    assert "not logged in" in GeminiAgent().probe(AgentSettings(), env).problem
    assert GeminiAgent().probe(AgentSettings(), {**env, "GEMINI_API_KEY": "x"}).problem == ""
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini/oauth_creds.json").write_text("{}")
    assert GeminiAgent().probe(AgentSettings(), env).problem == ""
    program.write_text("#!/bin/sh\nexit 3\n")
    assert "ended with 3" in GeminiAgent().probe(AgentSettings(), env).problem
    assert GeminiAgent().probe(AgentSettings(), env, trusted=False).version == ""


# ---- what it says


def test_thoughts_are_paid_for_as_output() -> None:
    finish, _ = hear(INIT, SAYS, DONE)

    assert finish.outcome == "ok"
    assert (finish.usage.input, finish.usage.cached, finish.usage.output) == (60, 40, 30)
    assert finish.session == SESSION
    assert finish.notices == ("It left no report of what it did.",)


def test_a_success_without_a_last_word_is_a_conversation_that_no_longer_fits() -> None:
    tool = event(type="tool_use", tool_name="read_file", tool_id="1", parameters={"file_path": "/attempt/tree/a.py"})
    finish, said = hear(INIT, SAYS, tool, event(type="tool_result", tool_id="1", status="success"), DONE)

    assert finish.outcome == "context"
    assert "read_file a.py" in [one.text for one in said]


@pytest.mark.parametrize(
    ("warning", "outcome"),
    [
        ("Loop detected, stopping execution", "crashed"),
        ("Maximum session turns exceeded", "turns"),
        ("Agent execution blocked: by a hook", "denied"),
        ("Something small", "ok"),
    ],
)
def test_success_after_a_warning_that_no_success_follows_from(warning: str, outcome: str) -> None:
    finish, _ = hear(INIT, SAYS, event(type="error", severity="warning", message=warning), DONE)

    assert finish.outcome == outcome


def test_a_wait_for_the_provider_is_heard_on_its_error_output_and_ends_as_what_it_is() -> None:
    line = b"Attempt 1 failed: Your quota will reset after 21h14m3s.. Retrying after 78422853ms..."
    finish, said = hear(INIT, line, exit=Exit(code=0, stopped="stalled", seconds=3.0))
    lines = (b"Attempt 1 failed: Quota exceeded.", b"Suggested retry after 1s.. Retrying after 5597ms...")

    (retry,) = [one for one in said if one.kind == "retry"]
    assert (retry.status, retry.seconds) == (429, 78422.853)
    assert finish.outcome == "rate"
    assert finish.retry_at == pytest.approx(NOW + 76443)
    assert hear(INIT, line, SAYS, exit=Exit(stopped="stalled"))[0].outcome == "stalled", "it had gone on"
    finish, said = hear(INIT, *lines, exit=Exit(stopped="stalled"))
    assert (finish.outcome, finish.retry_at) == ("rate", NOW + 1)
    assert [one.seconds for one in said if one.kind == "retry"] == [5.597]


def test_retries_are_told_with_their_status() -> None:
    line = b'Attempt 2 failed with status 503. Retrying with backoff... _ApiError: {"error":{"message":"Overloaded"}}'
    _, said = hear(INIT, line, b"    at async retryWithBackoff (file.js:1:2) {")

    assert [(one.kind, one.status, one.text) for one in said[1:]] == [("retry", 503, "The provider: Overloaded")]


@pytest.mark.parametrize(
    ("code", "outcome"), [(41, "auth"), (53, "turns"), (55, "denied"), (52, "crashed"), (130, "killed"), (1, "crashed")]
)
def test_an_exit_code_counts_where_nothing_else_is_said(code: int, outcome: str) -> None:
    finish, _ = hear(b"Please log in.", exit=Exit(code=code, seconds=1.0))

    assert finish.outcome == outcome
    assert code == 130 or "Please log in" in finish.evidence


def test_a_status_that_the_sandbox_took_for_a_signal_is_still_known() -> None:
    failed = event(type="result", status="error", error={"type": "unknown", "message": "[API Error: no words]"})

    assert hear(INIT, failed, exit=Exit(code=None, signal=17))[0].outcome == "auth"
    assert hear(INIT, failed, exit=Exit(code=145))[0].outcome == "auth"


def test_another_conversation_and_lines_that_cannot_be_read_are_not_believed() -> None:
    other = event(type="init", session_id="other", model="m")

    assert hear(other, SAYS, DONE)[0].outcome == "corrupted"
    finish, said = hear(INIT, SAYS, b'{"type": "message"', DONE)
    assert finish.outcome == "corrupted"
    assert [one.kind for one in said].count("garbled") == 1


def test_the_plan_is_the_last_message_where_there_is_no_file() -> None:
    assert hear(INIT, SAYS, DONE, kind="plan")[0].report.plan == "It is done."


@given(
    st.lists(
        st.binary(max_size=60)
        | st.builds(
            lambda kind, rest: json.dumps({"type": kind, **rest}).encode(),
            st.sampled_from(["init", "message", "tool_use", "tool_result", "error", "result", "new"]),
            st.dictionaries(
                st.sampled_from(["session_id", "content", "role", "error", "stats", "status", "tool_id", "message"]),
                st.none() | st.text(max_size=9) | st.integers() | st.dictionaries(st.text(max_size=3), st.integers()),
                max_size=4,
            ),
        ),
        max_size=12,
    ),
    st.integers(-1, 255),
)
def test_any_output_is_taken_in_and_only_a_whole_one_is_a_success(lines: list[bytes], code: int) -> None:
    finish, _ = hear(*lines, exit=Exit(code=code))

    assert finish.evidence
    if finish.outcome == "ok":
        assert code == 0
        assert any(b'"result"' in line for line in lines)
