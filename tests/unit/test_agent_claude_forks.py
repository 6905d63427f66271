"""claude that goes on from another conversation: how it is started, and what it says (recorded from the real program).

`python tests/integration/claude_cases.py forks` records anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import given_task
import pytest
from msgspec.structs import replace

from ropeteam.agents.claude import NOT_OFFERED, WRITING, ClaudeAgent
from ropeteam.agents.endings import conversation_id
from ropeteam.agents.report_schema import report_schema
from ropeteam.core.model import AgentReport, Kind, Usage
from ropeteam.ports import Exit, Finish, Fork, Task

GOLDEN = Path(__file__).parents[1] / "golden" / "claude_forks"
NO_SESSION = "00000000-0000-4000-8000-000000000000"


def a_task(attempt: int = 1, fork: Fork | None = None, kind: Kind = "single", *, as_planner: bool = False) -> Task:
    return given_task.a_task(attempt=attempt, fork=fork, kind=kind, as_planner=as_planner)


NOTHING = Usage()


def a_fork(session: str = "", usage: Usage = NOTHING) -> Fork:
    given = session or conversation_id(a_task())
    return Fork(session=given, tree=Path("/attempt/tree"), folder=Path("/other"), usage=usage)


def events(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]


def hear(task: Task, told: list[dict[str, Any]], code: int = 0) -> Finish:
    conversation = ClaudeAgent().listen(task)
    for event in told:
        conversation.parse(json.dumps(event).encode())
    return conversation.finish(Exit(code=code, seconds=1.0), 0.0)


def scout() -> Finish:
    return hear(a_task(), events("scout"))


# ---- started


def option(argv: tuple[str, ...], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_it_goes_on_from_a_copy_under_an_id_of_its_own() -> None:
    launch = ClaudeAgent().build(a_task(2, a_fork("abc")))
    assert option(launch.argv, "--resume") == "abc"
    assert "--fork-session" in launch.argv
    assert option(launch.argv, "--session-id") == conversation_id(a_task(2))
    assert launch.carried == ("home/projects/*/abc.jsonl", "home/projects/*/abc/*")
    assert launch.stdin == "own"
    plain = ClaudeAgent().build(a_task())
    assert not {"--resume", "--fork-session"} & set(plain.argv)
    assert plain.carried == ()


def test_who_is_gone_on_from_by_others_is_offered_what_they_need() -> None:
    """Tools that edit are offered to who plans, and not allowed: in its mode what is not allowed is refused."""
    agent, kinds = ClaudeAgent(), ("plan", "contract", "unit")
    shared = [agent.build(a_task(kind=kind, as_planner=True)).argv for kind in kinds]
    assert len({option(argv, "--disallowedTools") for argv in shared}) == 1
    assert len({option(argv, "--json-schema") for argv in shared}) == 1
    assert {option(argv, "--permission-mode") for argv in shared[:1]} == {"default"}
    assert not {"Bash", *WRITING} & set(option(shared[0], "--allowedTools").split(","))
    assert set(option(shared[0], "--allowedTools").split(",")) < set(option(shared[1], "--allowedTools").split(","))
    alone = agent.build(a_task(kind="plan")).argv
    assert option(alone, "--disallowedTools") == ",".join((*NOT_OFFERED, *WRITING))
    assert option(alone, "--json-schema") != option(shared[0], "--json-schema")


def test_the_report_of_all_kinds_asks_for_the_fields_of_each_and_demands_none() -> None:
    schema = report_schema("unit", as_planner=True)
    assert schema == report_schema("plan", as_planner=True)
    assert set(schema["properties"]) == {"plan", *report_schema("unit")["properties"]}
    assert set(schema["properties"]) <= set(AgentReport.__struct_fields__)
    assert "required" not in schema
    assert not {"anyOf", "oneOf", "allOf"} & set(schema), "refused at the top of a tool's input"


# ---- heard


def test_only_what_came_on_top_is_its_own() -> None:
    before = scout()
    found = hear(a_task(2, a_fork(usage=before.usage)), events("fork"))
    result = events("fork")[-1]
    (whole,) = result["modelUsage"].values()
    assert found.outcome == "ok", found.evidence
    assert found.session == conversation_id(a_task(2))
    assert 0 < found.usage.cost_usd < result["total_cost_usd"]
    assert found.usage.cost_usd == pytest.approx(result["total_cost_usd"] - before.usage.cost_usd)
    assert found.usage.cached == whole["cacheReadInputTokens"] - before.usage.cached
    assert found.usage.output == whole["outputTokens"] - before.usage.output
    assert found.usage.context_used > before.usage.context_used, "all of the conversation fills the context"


def test_a_version_that_tells_the_whole_only_is_subtracted_from() -> None:
    before = scout()
    told = [{k: v for k, v in event.items() if k != "model_usage_since_last_result"} for event in events("fork")]
    fork = a_fork(usage=before.usage)
    assert hear(a_task(2, fork), told).usage == hear(a_task(2, fork), events("fork")).usage


def test_what_is_told_by_several_results_is_added_up() -> None:
    told = events("fork")
    twice = hear(a_task(2, a_fork()), [*told, told[-1]]).usage
    assert twice.output == 2 * hear(a_task(2, a_fork()), told).usage.output


def test_one_that_is_cut_off_says_what_its_own_messages_used() -> None:
    found = hear(a_task(2, a_fork(usage=Usage(input=10**6, cost_usd=9.0))), events("fork")[:-1], code=143)
    assert found.usage.input + found.usage.cached > 10_000
    assert found.usage.input < 10_000, "what the other read is in the cache"


def test_a_conversation_that_is_not_there_is_no_failure_of_the_work() -> None:
    found = hear(a_task(3, a_fork(NO_SESSION)), events("lost"), code=1)
    assert found.unforked
    assert found.outcome != "ok"
    assert "No conversation found" in found.evidence
    assert not hear(a_task(3), events("lost"), code=1).unforked, "who goes on from nothing"
    assert not scout().unforked


def test_a_version_that_does_not_know_how_is_no_failure_of_the_work_either() -> None:
    assert hear(a_task(2, a_fork()), [], code=1).unforked
    assert not hear(a_task(2), [], code=1).unforked
    assert not hear(a_task(2, a_fork()), events("fork")[:3], code=1).unforked, "it had begun"
    assert not hear(a_task(2, a_fork()), [], code=143).unforked, "it was ended from outside"


def test_another_id_is_its_own_and_that_of_the_other_is_not() -> None:
    """A copy that was not given our id is used by the id that it has; one that writes on in the other's is not relied
    upon."""
    told = events("fork")
    renamed = [{**event, "session_id": "11111111-0000-4000-8000-000000000000"} for event in told]
    found = hear(a_task(2, a_fork()), renamed)
    assert (found.outcome, found.session) == ("ok", "11111111-0000-4000-8000-000000000000")
    assert hear(a_task(2), renamed).outcome == "corrupted", "who began by itself has the id we gave"
    fork = a_fork()
    intruding = [{**event, "session_id": fork.session} for event in told]
    assert hear(a_task(2, fork), intruding).outcome == "corrupted"
    changed = [*renamed[:2], *told[2:]]
    assert hear(a_task(2, fork), changed).outcome == "corrupted", "one conversation, not two"


def test_a_conversation_that_was_shortened_says_so() -> None:
    told = events("scout")
    shortened = {"type": "system", "subtype": "compact_boundary", "session_id": told[0]["session_id"]}
    task = replace(a_task(), kind="plan")
    assert hear(task, [*told[:2], shortened, *told[2:]]).compacted
    assert not hear(task, told).compacted
