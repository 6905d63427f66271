"""How opencode is started and found, and what is made of streams that no recording has: without the real program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import given_task
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.agents import opencode
from ropeteam.agents.opencode import OpencodeAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Finish, Fork, Launch, Said, Task

NOW = 1_800_000_000.0


def a_task(**changes: Any) -> Task:
    return given_task.a_task(**{"tree": Path("/attempt/tree/repo"), **changes})


def config_of(launch: Launch) -> dict[str, Any]:
    return dict(json.loads(launch.env["OPENCODE_CONFIG_CONTENT"]))


def agent_of(launch: Launch) -> dict[str, Any]:
    return dict(config_of(launch)["agent"][opencode.NAME])


def event(kind: str, **part: Any) -> bytes:
    return json.dumps({"type": kind, "sessionID": "ses_1", "part": part}).encode()


def step(reason: str, **tokens: Any) -> bytes:
    return event("step_finish", reason=reason, cost=0.25, tokens=tokens)


def failed(name: str, **data: Any) -> bytes:
    return json.dumps({"type": "error", "sessionID": "ses_1", "error": {"name": name, "data": data}}).encode()


START = event("step_start")
SAYS = event("text", text="It is done.")
DONE = step("stop", input=10, output=2, reasoning=1, cache={"read": 30, "write": 5})
REFUSED = (
    b'timestamp=2026-01-01T00:00:00.000Z level=ERROR run=1 message="stream error" session.id=ses_1 '
    b'error.error="AI_APICallError: 5-hour usage limit reached. It will reset in 21 hours 14 minutes."'
)


def hear(*lines: bytes, exit: Exit | None = None, **changes: Any) -> tuple[Finish, list[Said]]:
    conversation = OpencodeAgent().listen(a_task(**changes))
    said = [said for line in lines for said in conversation.parse(line)]
    return conversation.finish(exit or Exit(code=0, seconds=12.0), NOW), said


# ---- how it is started


def test_what_all_share_is_the_agents_prompt_and_what_is_particular_its_input() -> None:
    one = OpencodeAgent().build(a_task(own_prompt="x" * 300_000))
    other = OpencodeAgent().build(a_task(unit="other", tree=Path("/other/tree"), own_prompt="y"))

    assert one.stdin == "x" * 300_000
    assert max(len(part) for part in (*one.argv, *one.env.values())) < 10_000, "the kernel takes 128 kB for one"
    assert agent_of(one)["prompt"] == "{file:/attempt/io/system.md}"
    system = one.files["/attempt/io/system.md"]
    assert system.endswith("shared")
    assert system == other.files["/attempt/io/system.md"]
    assert "/attempt" not in system


def test_nothing_of_the_users_is_written_and_nothing_calls_home() -> None:
    launch = OpencodeAgent().build(a_task())

    assert launch.env["OPENCODE_DB"] == "/attempt/io/opencode.db"
    assert {"OPENCODE_PURE", "OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_MODELS_FETCH"} <= launch.env.keys()
    assert config_of(launch)["share"] == "disabled"
    assert "provider" not in config_of(launch), "providers and log-ins are the user's"


def test_who_works_may_edit_its_tree_and_its_report() -> None:
    permission = agent_of(OpencodeAgent().build(a_task()))["permission"]

    assert next(iter(permission)) == "*", "of two rules the later one holds"
    assert permission["*"] == "deny"
    assert permission["bash"] == "allow"
    assert "webfetch" not in permission
    assert list(permission["edit"].items()) == [
        ("*", "allow"),
        ("../*", "deny"),
        ("/*", "deny"),
        ("../../io/report.json", "allow"),
        ("/attempt/io/report.json", "allow"),
    ]


def test_who_plans_may_write_its_report_and_nothing_else() -> None:
    launch = OpencodeAgent().build(a_task(kind="plan", thinking=("/opt/think", "--quiet")))
    permission = agent_of(launch)["permission"]

    assert "bash" not in permission
    assert permission["read"] == "allow"
    assert permission["edit"]["*"] == "deny"
    assert permission["edit"]["../../io/report.json"] == "allow"
    assert permission["sequential-thinking_*"] == "allow"
    assert config_of(launch)["mcp"][opencode.THINKING]["command"] == ["/opt/think", "--quiet"]


def test_who_plans_for_others_is_offered_what_they_have_and_may_use_no_more_of_it() -> None:
    alone, shared, unit = (
        agent_of(OpencodeAgent().build(a_task(kind=kind, as_planner=as_planner)))["permission"]
        for kind, as_planner in (("plan", False), ("plan", True), ("unit", True))
    )

    assert "bash" not in alone
    assert next(iter(shared["bash"].items())) == ("*", "deny")
    assert list(shared["bash"].items())[-1][0] != "*", "else it would not be offered"
    assert shared.keys() == unit.keys()
    assert shared["skill"] == unit["skill"], "they are listed in the system prompt"
    assert shared["skill"]["2-code"] == "deny"
    assert "skill" not in alone
    assert "task" not in unit, "its description would tell the two apart"
    assert "task" in agent_of(OpencodeAgent().build(a_task()))["permission"]
    assert shared["edit"] == alone["edit"]


FORK = Fork(session="ses_0", tree=Path("/attempt/tree/repo"), folder=Path("/other"))


def test_a_fork_goes_on_in_a_copy_of_the_database_and_only_in_the_sandbox() -> None:
    launch = OpencodeAgent().build(a_task(fork=FORK, sandboxed=True))

    assert launch.argv[-3:] == ("--session", "ses_0", "--fork")
    assert launch.carried == ("io/opencode.db*",)
    assert OpencodeAgent().build(a_task()).carried == ()
    abilities = OpencodeAgent.abilities
    assert [abilities.goes_on(sandboxed=sandboxed) for sandboxed in (True, False)] == [True, False]


def test_of_keys_only_those_that_its_model_needs_are_passed_on() -> None:
    def passed(model: str | None) -> set[str]:
        return set(OpencodeAgent().build(a_task(settings=AgentSettings(model=model))).pass_env)

    assert passed(None) == set(opencode.PASSED)
    assert passed("anthropic/claude-sonnet-4-5") - set(opencode.PASSED) == {"ANTHROPIC_API_KEY"}
    assert passed("google/gemini-2.5-pro") >= {"GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"}
    assert passed("my-own/x") - set(opencode.PASSED) == {"MY_OWN_API_KEY"}
    assert passed("no-provider") == set(opencode.PASSED)


def test_limits_model_and_settings_are_passed_on_only_when_they_are_set() -> None:
    bare = OpencodeAgent().build(a_task())
    settings = AgentSettings(model="a/b", argv=("/opt/opencode",), env={"OPENCODE_PURE": "0"})
    full = OpencodeAgent().build(a_task(turns=7, settings=settings))

    assert "--model" not in bare.argv
    assert "steps" not in agent_of(bare)
    assert full.argv[full.argv.index("--model") + 1] == "a/b"
    assert agent_of(full)["steps"] == 8
    assert full.env["OPENCODE_PURE"] == "0"
    assert "/opt/opencode" in full.readable


# ---- how it is found


def test_it_is_found_with_its_version_and_without_asking_anybody(tmp_path: Path) -> None:
    program = tmp_path / "opencode"
    program.write_text("#!/bin/sh\necho 1.18.33\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def problem(model: str | None = None, **more: str) -> str:
        return OpencodeAgent().probe(AgentSettings(model=model), {**env, **more}).problem

    assert OpencodeAgent().probe(AgentSettings(), env).version == "1.18.33"
    assert "not logged in" in problem()
    assert "not logged in" in problem(ANTHROPIC_API_KEY="x"), "which it is not given without a model that needs it"
    assert problem("anthropic/claude-sonnet-4-5", ANTHROPIC_API_KEY="x") == ""
    data = tmp_path / ".local/share/opencode"
    data.mkdir(parents=True)
    (data / "auth.json").write_text("{}")
    assert problem() == ""
    program.write_text("#!/bin/sh\nexit 3\n")
    assert "ended with 3" in problem()


# ---- what it says


def test_usage_and_cost_of_all_steps_are_added_up() -> None:
    finish, said = hear(START, step("tool-calls", input=100, output=20), START, SAYS, DONE)

    assert finish.outcome == "ok"
    assert (finish.usage.input, finish.usage.cached, finish.usage.output) == (115, 30, 23)
    assert finish.usage.cost_usd == 0.5
    assert finish.usage.context_used == 48, "of the last request"
    assert [one.usage.tokens for one in said if one.usage] == [120, 168]
    assert finish.session == "ses_1"


@pytest.mark.parametrize("last", [step("tool-calls"), step("length"), step("unknown"), START, SAYS])
def test_what_does_not_end_in_a_last_word_is_no_success(last: bytes) -> None:
    assert hear(START, SAYS, last)[0].outcome == "crashed"


@pytest.mark.parametrize(
    ("name", "data", "outcome"),
    [
        ("APIError", {"message": "no", "statusCode": 401}, "auth"),
        ("APIError", {"message": "no", "statusCode": 429}, "rate"),
        ("APIError", {"message": "no", "statusCode": 502}, "overload"),
        ("APIError", {"message": "no", "statusCode": 400}, "crashed"),
        ("APIError", {"message": "no", "statusCode": 400, "responseBody": '{"code":"insufficient_quota"}'}, "rate"),
        ("ProviderAuthError", {"message": "no"}, "auth"),
        ("ContextOverflowError", {"message": "no"}, "context"),
        ("MessageAbortedError", {"message": "no"}, "killed"),
        ("UnknownError", {"message": "no"}, "crashed"),
    ],
)
def test_an_error_is_what_its_status_and_name_say(name: str, data: dict[str, Any], outcome: str) -> None:
    assert hear(START, failed(name, **data), exit=Exit(code=1))[0].outcome == outcome
    assert hear(START, failed(name, **data))[0].outcome == outcome, "whatever its exit code"


def test_an_error_that_a_step_follows_was_not_the_end() -> None:
    assert hear(START, failed("ContextOverflowError", message="no"), START, SAYS, DONE)[0].outcome == "ok"


def test_a_model_whose_provider_has_no_key_is_a_missing_log_in() -> None:
    log = b'level=ERROR message=failed error="ProviderModelNotFoundError: Model not found: a/m-4. Did you mean: %s?"'
    end = failed("UnknownError", message="Unexpected server error. Check server logs for details.")

    finish, _ = hear(log % b"m-4, m-4-mini", end)
    assert finish.outcome == "auth"
    assert "Model not found: a/m-4" in finish.evidence
    assert hear(log % b"m-41", end)[0].outcome == "crashed"


def test_when_it_can_go_on_is_in_the_headers_or_the_words() -> None:
    header = failed("APIError", message="no", statusCode=429, responseHeaders={"retry-after": "90"})

    assert hear(header)[0].retry_at == NOW + 90
    assert hear(failed("APIError", message="Please retry in 60s", statusCode=429))[0].retry_at == NOW + 60
    assert hear(failed("APIError", message="no", statusCode=429))[0].retry_at is None


def test_a_wait_for_the_provider_is_heard_in_its_log_and_ends_as_what_it_is() -> None:
    finish, said = hear(START, REFUSED, exit=Exit(code=0, stopped="stalled", seconds=3.0))

    (retry,) = [one for one in said if one.kind == "retry"]
    assert (retry.status, retry.seconds) == (429, 76440.0)
    assert finish.outcome == "rate"
    assert finish.retry_at == NOW + 76440
    assert hear(REFUSED, START, exit=Exit(stopped="stalled"))[0].outcome == "stalled", "it had gone on"


def test_empty_answers_without_an_end_are_a_wait_that_is_too_long() -> None:
    empty = (START, step("unknown", input=0, output=0))
    stopped = Exit(code=143, stopped="stalled", seconds=3.0)
    finish, said = hear(*empty * 5, exit=stopped)

    assert [one.seconds > 600 for one in said if one.kind == "retry"] == [True]
    assert not [one for one in said if one.kind == "end"]
    assert (finish.outcome, finish.retry_at) == ("overload", None)
    assert "answers with nothing" in finish.evidence
    finish, said = hear(*empty * 4, SAYS, step("tool-calls", output=1), *empty * 4, exit=stopped)
    assert not [one for one in said if one.kind == "retry"], "not one after the other"
    assert finish.outcome == "stalled"


def test_its_log_beside_an_event_is_no_fault_of_the_event() -> None:
    both = event("text", text="half")[:20] + REFUSED

    assert hear(START, both, START, SAYS, DONE)[0].outcome == "ok"
    assert hear(START, event("text", text="half")[:20], SAYS, DONE)[0].outcome == "corrupted"


def test_a_fork_that_finds_no_conversation_never_began() -> None:
    failed_at_once = Exit(code=1, seconds=1.0)

    assert hear(b"Session not found", exit=failed_at_once, fork=FORK)[0].unforked
    assert not hear(b"Session not found", exit=failed_at_once)[0].unforked, "it goes on from nobody"
    assert not hear(START, exit=failed_at_once, fork=FORK)[0].unforked, "it had begun"
    assert not hear(exit=Exit(code=143, seconds=1.0), fork=FORK)[0].unforked, "it was ended from outside"


def test_a_denied_permission_is_told() -> None:
    state = {"status": "error", "input": {"filePath": "/x"}, "error": "The user has specified a rule which prevents it"}
    finish, said = hear(START, event("tool_use", tool="write", state=state), START, SAYS, DONE)

    assert finish.outcome == "denied"
    assert "write 1x" in finish.evidence
    assert [one.kind for one in said if one.kind in ("tool", "denied")] == ["tool", "denied"]


def test_more_steps_than_allowed_are_the_limit_of_turns() -> None:
    lines = (START, step("tool-calls"), START, step("tool-calls"), START, SAYS, DONE)

    assert hear(*lines, turns=2)[0].outcome == "turns"
    assert hear(*lines, turns=3)[0].outcome == "ok"


def test_another_conversation_is_not_believed() -> None:
    other = json.dumps({"type": "text", "sessionID": "ses_2", "part": {"text": "x"}}).encode()

    assert hear(START, other, SAYS, DONE)[0].outcome == "corrupted"


@given(
    st.lists(
        st.binary(max_size=60)
        | st.builds(
            lambda kind, part, error: json.dumps({"type": kind, "part": part, "error": error}).encode(),
            st.sampled_from(["step_start", "text", "tool_use", "step_finish", "error", "new"]),
            st.none()
            | st.dictionaries(
                st.sampled_from(["text", "tool", "state", "reason", "tokens", "cost"]),
                st.none()
                | st.text(max_size=9)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.dictionaries(st.sampled_from(["input", "output", "status"]), st.floats(-1e300, 1e300)),
                max_size=4,
            ),
            st.none() | st.dictionaries(st.sampled_from(["name", "data"]), st.text(max_size=5)),
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
        assert any(b"step_finish" in line for line in lines)
