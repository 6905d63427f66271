"""What is particular to aider and mini-swe-agent; what comes of each case of the fault matrix is in
`tests/contract/test_agent_recordings.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropeteam.agents.aider import MARK, AiderAgent
from ropeteam.agents.mini_swe_agent import TASK, TRAJECTORY, MiniSweAgent, read_trajectory
from ropeteam.agents.provider_words import refusal
from ropeteam.core.model import Kind
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Exit, Finish, Said, Task

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = ("aider/0.86.2/rate.jsonl", "mini-swe-agent/2.4.6/success.jsonl")
DONE = Exit(code=0, seconds=3.0)


def a_task(tmp_path: Path, *, kind: Kind = "unit", writes: tuple[str, ...] = ("**",), **more: Any) -> Task:
    tree, io = tmp_path / "tree", tmp_path / "io"
    for path in (tree, io):
        path.mkdir(exist_ok=True)
    return Task(
        run="20260101-000000-x-0000",
        unit="02-api",
        attempt=1,
        kind=kind,
        goal="",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt="shared\n",
        own_prompt="own\n",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=0.0,
        writes=writes,
        **more,
    )


def heard(agent: Agent, task: Task, lines: Sequence[bytes], exit: Exit = DONE) -> tuple[Finish, list[Said]]:
    conversation = agent.listen(task)
    said = [one for line in lines for one in conversation.parse(line)]
    return conversation.finish(exit, 0.0), said


def recorded(name: str) -> list[bytes]:
    return (GOLDEN / name).read_bytes().splitlines()


# ---- aider


def test_that_it_tries_again_is_told(tmp_path: Path) -> None:
    _, said = heard(AiderAgent(), a_task(tmp_path), recorded("aider/0.86.2/rate.jsonl"))
    waits = [one for one in said if one.kind == "retry"]

    assert [one.seconds for one in waits[:3]] == [0.2, 0.5, 1.0]
    assert {one.status for one in waits} == {429}
    assert "Rate limit" in waits[0].text


def test_answers_are_counted_together(tmp_path: Path) -> None:
    finish, said = heard(AiderAgent(), a_task(tmp_path), recorded("aider/two-answers.txt"))

    assert finish.outcome == "ok"
    assert (finish.usage.input, finish.usage.output, finish.usage.cost_usd) == (787 + 945, 36 + 2, 0.0036)
    assert [one.kind for one in said if one.kind in ("usage", "end")] == ["usage", "end"] * 2
    assert finish.notices == ("It left no report of what it did.",)


def test_cached_reading_is_taken_out_of_what_was_sent(tmp_path: Path) -> None:
    lines = [
        b"Tokens: 12k sent, 1.5k cache write, 8.0k cache hit, 120 received.",
        b"Cost: $0.02 message, $1.32 session.",
    ]

    usage = heard(AiderAgent(), a_task(tmp_path), lines)[0].usage

    assert (usage.input, usage.cached, usage.output, usage.cost_usd) == (4000, 8000, 120, 1.32)


def test_an_error_that_passed_is_none(tmp_path: Path) -> None:
    lines = [*recorded("aider/0.86.2/rate.jsonl"), b"Tokens: 5 sent, 2 received.", b"Applied edit to a.py"]

    assert heard(AiderAgent(), a_task(tmp_path), lines)[0].outcome == "ok"


def test_a_path_outside_of_the_repository_is_the_end_of_all_edits(tmp_path: Path) -> None:
    lines = [b"Tokens: 5 sent, 2 received.", b"../x.txt", b"Cmd('git') failed due to: exit code(128)", b"cmdline: git"]

    finish, _ = heard(AiderAgent(), a_task(tmp_path), lines)

    assert finish.outcome == "crashed"
    assert "cmdline: git" in finish.evidence
    refused = heard(AiderAgent(), a_task(tmp_path), [*lines[:1], b"Unable to create ../x.txt, skipping edits."])
    assert [one.text for one in refused[1] if one.kind == "denied"] == ["create ../x.txt"]
    assert refused[0].outcome == "ok", "the tree decides"


def test_without_an_answer_nothing_was_done(tmp_path: Path) -> None:
    assert heard(AiderAgent(), a_task(tmp_path), [b"Aider v0.86.2"])[0].outcome == "unknown"


def history(task: Task, answer: str) -> None:
    text = "SYSTEM x\n\nLLM RESPONSE 2026-01-01T00:00:00\n" + "".join(
        f"ASSISTANT {line}\n" for line in answer.split("\n")
    )
    (task.folder / "aider-llm.txt").write_text(text)


def test_the_report_is_a_line_of_its_last_answer(tmp_path: Path) -> None:
    task = a_task(tmp_path)
    history(task, f'Done.\n\n{MARK} {{"files": [{{"path": "{tmp_path}/tree/a.py", "purpose": "p"}}]}}')
    lines = [b"Tokens: 5 sent, 2 received."]

    assert [note.path for note in heard(AiderAgent(), task, lines)[0].report.files] == ["a.py"]
    history(task, f"{MARK} {{no json")
    assert heard(AiderAgent(), task, lines)[0].outcome == "corrupted"


def test_who_plans_answers_with_the_plan(tmp_path: Path) -> None:
    task = a_task(tmp_path, kind="plan")
    history(task, f'So be it.\n{MARK} {{"plan": {{"units": []}}}}')

    assert "--chat-mode" in AiderAgent().build(task).argv
    assert heard(AiderAgent(), task, [b"Tokens: 5 sent, 2 received."])[0].report.plan == '{"plan": {"units": []}}'


def test_files_that_are_there_are_named_and_patterns_are_not(tmp_path: Path) -> None:
    task = a_task(tmp_path, writes=("app/a.py", "app/*.py", "app/new.py"), reads=("app/b.py",))
    (task.tree / "app").mkdir()
    for name in ("a.py", "b.py", "c.py"):
        (task.tree / "app" / name).touch()

    argv = AiderAgent().build(task).argv

    assert [argv[i + 1] for i, part in enumerate(argv) if part == "--file"] == ["app/a.py"]
    assert [argv[i + 1] for i, part in enumerate(argv) if part == "--read"] == ["app/b.py"]


# ---- mini-swe-agent


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("LimitsExceeded", "budget"), ("ContextWindowExceededError", "context"), ("RepeatedFormatError", "crashed")],
)
def test_limits(status: str, outcome: str, tmp_path: Path) -> None:
    task = a_task(tmp_path)
    (task.folder / TRAJECTORY).write_text(json.dumps({"info": {"exit_status": status}, "messages": []}))

    assert heard(MiniSweAgent(), task, recorded("mini-swe-agent/2.4.6/success.jsonl"))[0].outcome == outcome


WAITS = (
    b"Retrying <unknown> in 4 seconds as it raised APIError: litellm.APIError: APIError: OpenAIException - "
    b"You have insufficient permissions."
)


def test_that_it_waits_for_its_provider_is_told_and_a_refused_log_in_at_once(tmp_path: Path) -> None:
    _, (retry,) = heard(MiniSweAgent(), a_task(tmp_path), [WAITS])

    assert (retry.kind, retry.status, retry.seconds) == ("retry", 403, 4.0)
    assert "insufficient permissions" in retry.text
    assert "2>&1" in " ".join(MiniSweAgent().build(a_task(tmp_path)).argv), "it says so in its error output"


def test_what_a_command_of_the_model_prints_refuses_no_log_in(tmp_path: Path) -> None:
    _, said = heard(MiniSweAgent(), a_task(tmp_path), [b"mini-swe-agent (step 1, $0.00):", b"Look.", WAITS])

    assert [one.status for one in said if one.kind == "retry"] == [0]


def test_when_a_provider_can_go_on_is_told_where_it_says_so(tmp_path: Path) -> None:
    words = "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached. Please try again in 20s."
    task = a_task(tmp_path)
    left = {"info": {"exit_status": "RateLimitError"}, "messages": [{"extra": {"exception_str": words}}]}
    (task.folder / TRAJECTORY).write_text(json.dumps(left))

    for agent, lines in ((MiniSweAgent(), []), (AiderAgent(), [words.encode()])):
        finish, _ = heard(agent, task, lines, Exit(code=1, seconds=3.0))
        assert (finish.outcome, finish.retry_at) == ("rate", 20.0)


def test_without_a_trajectory_it_is_not_believed(tmp_path: Path) -> None:
    finish, _ = heard(MiniSweAgent(), a_task(tmp_path), recorded("mini-swe-agent/2.4.6/success.jsonl"))

    assert finish.outcome == "unknown"
    assert "not known" in finish.notices[0]


def test_the_prompt_is_a_file_and_a_limit_of_money_is_passed_on(tmp_path: Path) -> None:
    task = a_task(tmp_path, budget_usd=0.0, settings=AgentSettings(model="m"))
    launch = MiniSweAgent().build(task)

    assert json.loads(launch.files[str(task.folder / TASK)])["run"]["task"] == "shared\nown\n"
    assert launch.argv[launch.argv.index("-l") + 1] == "0.0001", "0 would be no limit"
    assert "OPENAI_API_KEY" in launch.pass_env


def test_no_limit_of_money_is_none_for_the_program_either_and_steps_are_limited(tmp_path: Path) -> None:
    argv = MiniSweAgent().build(a_task(tmp_path, turns=7)).argv

    assert argv[argv.index("-l") + 1] == "0", "it has one of its own otherwise"
    assert "agent.step_limit=7" in argv
    assert not any("step_limit" in part for part in MiniSweAgent().build(a_task(tmp_path)).argv)


@pytest.mark.parametrize(
    ("limits", "spent", "outcome"),
    [
        ({"step_limit": 2, "cost_limit": 0.0}, 0.5, "turns"),
        ({"step_limit": 2, "cost_limit": 1.0}, 0.5, "turns"),
        ({"step_limit": 2, "cost_limit": 0.5}, 0.5, "budget"),
        ({"step_limit": 0, "cost_limit": 0.5}, 0.6, "budget"),
        ({}, 3.1, "budget"),
    ],
)
def test_which_limit_was_reached(limits: dict[str, Any], spent: float, outcome: str, tmp_path: Path) -> None:
    task = a_task(tmp_path)
    info = {"exit_status": "LimitsExceeded", "model_stats": {"instance_cost": spent, "api_calls": 2}}
    left = {"info": {**info, "config": {"agent": limits}}, "messages": []}
    (task.folder / TRAJECTORY).write_text(json.dumps(left))

    finish, _ = heard(MiniSweAgent(), task, [])

    assert finish.outcome == outcome
    assert f"2 steps, ${spent:.2f} spent" in finish.evidence


# ---- both


@pytest.mark.parametrize("agent", [AiderAgent(), MiniSweAgent()], ids=["aider", "mini"])
def test_the_probe_says_what_is_missing(agent: Agent, tmp_path: Path) -> None:
    program = tmp_path / "venv" / "bin" / "tool"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\ntouch started\n")
    program.chmod(0o755)
    package = {"aider": "aider_chat"}.get(agent.name, "mini_swe_agent")
    (tmp_path / f"venv/lib/python3.11/site-packages/{package}-1.2.3.dist-info").mkdir(parents=True)
    argv = AgentSettings(argv=(str(program),))

    nobody = agent.probe(argv, {"HOME": str(tmp_path)})
    assert (nobody.version, nobody.log_in) == ("1.2.3", True)
    assert nobody.hint
    assert agent.probe(argv, {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"}).problem == ""
    assert "not found" in agent.probe(AgentSettings(), {"PATH": "/nowhere"}).problem


@pytest.mark.parametrize("agent", [AiderAgent(), MiniSweAgent()], ids=["aider", "mini"])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.binary(max_size=80) | st.sampled_from([line for case in RECORDED for line in recorded(case)]),
        max_size=8,
    ),
    left=st.binary(max_size=60) | st.just(b'{"info": {"exit_status": "Submitted"}}'),
    code=st.integers(0, 255),
)
def test_no_output_makes_them_raise(agent: Agent, lines: list[bytes], left: bytes, code: int, tmp_path: Path) -> None:
    task = a_task(tmp_path)
    (task.folder / TRAJECTORY).write_bytes(left)
    (task.folder / "aider-llm.txt").write_bytes(left)

    finish, _ = heard(agent, task, lines, Exit(code=code))

    assert finish.evidence
    assert (finish.outcome == "ok") <= (code == 0)
    read_trajectory(task.folder / TRAJECTORY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("litellm.RateLimitError: You exceeded your current quota, please check your plan", "rate"),
        ("Your credit balance is too low to access the API", "rate"),
        ("This model's maximum context length is 8192 tokens", "context"),
        ("Incorrect API key provided", "auth"),
        ("litellm.APIError: APIError: OpenAIException - You have insufficient permissions.", "auth"),
        ("The caller does not have permission", "auth"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", None),
        ("503 Service Unavailable", "overload"),
        ("APIError litellm.APIError: APIError: OpenAIException -", "overload"),
        ("APIError litellm.APIError: APIError: OpenAIException - Tools are unknown here", None),
        ("line 4290 of 5000", None),
        ("", None),
        ("There's an issue with the model (x). It may not exist or you may not have access to it.", None),
        ("The model `x` does not exist or you do not have access to it.", None),
        ("You do not have access to this project.", "auth"),
    ],
)
def test_words_of_providers(text: str, found: str | None) -> None:
    assert refusal(text) == found
