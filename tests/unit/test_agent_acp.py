"""What is said in the Agent Client Protocol, from messages that real programs sent (`tests/golden/acp`), and the rest
of the adapter that needs neither the protocol's library nor a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.agents import acp_known
from ropeteam.agents.acp import AcpAgent
from ropeteam.agents.acp_talk import Narrator, Order, asked_for, chosen, failed, may, touched
from ropeteam.core.agent_files import DeniedLine, EndLine, ProgressLine, UsageLine
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.ports import Exit, Task

GOLDEN = Path(__file__).parents[1] / "golden" / "acp"
ORDER = Order(argv=("x",), tree="/attempt/tree", report_file="/attempt/io/report.json", kind="unit")
PLAN = msgspec.structs.replace(ORDER, kind="plan")
BOUNDED = msgspec.structs.replace(ORDER, bounded=True)
THINKS = msgspec.structs.replace(PLAN, thinking=("mcp-server-sequential-thinking",))
AROUND = [{"path": "/attempt/tree/../outside.txt"}, {"path": "/attempt/tree/.."}]
REPORT = [{"path": "/attempt/io/report.json"}, {"path": "/attempt/io"}]
THOUGHT = {"kind": "other", "title": "mcp__sequential-thinking__sequentialthinking"}


def heard(case: str) -> tuple[list[object], EndLine | None, Narrator]:
    """A recorded turn, as the client takes it in: lines, how it ended, and what was remembered."""
    narrator, lines, ending = Narrator(), [], None
    for text in (GOLDEN / f"{case}.jsonl").read_text(encoding="utf-8").splitlines():
        message = json.loads(text)
        if message.get("method") == "session/update":
            lines += narrator.update(message["params"]["update"])
        elif "result" in message:
            lines += narrator.finished(message["result"])
            ending = narrator.ended(message["result"]["stopReason"])
        elif "error" in message:
            error = message["error"]
            ending = failed(error["code"], error["message"], error.get("data"))
    return lines, ending, narrator


@pytest.mark.parametrize("program", ["claude", "codex", "gemini", "opencode"])
def test_a_good_turn(program: str) -> None:
    lines, ending, narrator = heard(f"{program}-ok")
    usage = [line for line in lines if isinstance(line, UsageLine)][-1]
    texts = [line.text for line in lines if isinstance(line, ProgressLine)]

    assert ending is None
    assert narrator.last_text.strip() == "All done, it works."
    assert texts[-1] == "All done, it works."
    assert "echo hi > by_shell.txt" in texts
    assert len(texts) == len(dict.fromkeys(texts)), "nothing is said twice"
    wanted = {
        "claude": (1541 + 20638, 39440, 93),  # what was written to the cache is read in full
        "codex": (11928, 11927, 187),
        "gemini": (37560, 0, 74),
        "opencode": (3925, 3925, 5),  # of its last step only
    }
    assert (usage.input, usage.cached, usage.output) == wanted[program]
    assert (usage.cost_usd > 0) == (program in ("claude", "opencode"))


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("claude-401", "auth"),
        ("claude-429", "rate"),
        ("claude-500", "overload"),
        ("codex-401", "auth"),
        ("codex-429", "rate"),  # told as a message, and the turn ends in peace
        ("codex-500", "overload"),
        ("gemini-401", "auth"),
        ("opencode-401", "auth"),
    ],
)
def test_a_provider_that_refuses(case: str, outcome: str) -> None:
    _, ending, _ = heard(case)

    assert ending is not None
    assert ending.outcome == outcome
    assert ending.text


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("max_tokens", "context"), ("max_turn_requests", "turns"), ("refusal", "crashed"), ("news", "crashed")],
)
def test_other_ends_of_a_turn(reason: str, outcome: str) -> None:
    ending = Narrator().ended(reason)
    assert ending is not None
    assert ending.outcome == outcome


def said(text: str) -> Narrator:
    narrator = Narrator()
    narrator.update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})
    return narrator


def test_an_error_told_as_the_only_message_is_one_and_a_word_about_errors_is_none() -> None:
    ending = said("Error: 429 Too Many Requests").ended("end_turn")
    assert ending is not None
    assert ending.outcome == "rate"
    assert said("I now answer 429 Too Many Requests where the limit is reached.").ended("end_turn") is None
    worked = said("")
    worked.update({"sessionUpdate": "tool_call", "toolCallId": "1", "title": "edit"})
    worked.update({"sessionUpdate": "agent_message_chunk", "content": {"text": "Error 429 is handled now."}})
    assert worked.ended("end_turn") is None, "it did something"


def test_an_agent_that_ends_its_turn_when_it_is_refused_is_told_to_go_on() -> None:
    narrator = Narrator()
    narrator.refused = "Edit files (/etc/x)"
    first = narrator.finished({"usage": {"inputTokens": 10, "outputTokens": 1, "totalTokens": 11}})

    told = narrator.go_on("cancelled", ORDER)

    assert "not allowed: Edit files (/etc/x)" in told
    assert ORDER.tree in told
    assert ORDER.report_file in told
    second = narrator.finished({"usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}})
    assert [(line.input, line.output) for line in (*first, *second) if isinstance(line, UsageLine)] == [
        (10, 1),
        (15, 3),
    ]
    assert narrator.go_on("cancelled", ORDER) == "", "nothing was refused in this turn"
    assert narrator.ended("end_turn", given=True) is None


def test_one_that_ends_without_a_word_when_it_is_refused_is_told_to_go_on_too() -> None:
    narrator = Narrator()
    narrator.refused = "Write"

    assert "not allowed: Write" in narrator.go_on("end_turn", ORDER)


def test_an_agent_that_is_refused_and_goes_on_is_not_told_to() -> None:
    narrator = Narrator()
    narrator.refused = "Write"

    assert narrator.go_on("end_turn", ORDER, given=True) == ""
    assert said("Done without.").go_on("end_turn", ORDER) == ""
    ending = narrator.ended("cancelled")
    assert ending is not None
    assert ending.outcome == "denied"
    assert "Write" in ending.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Path not in workspace: Attempted path", True),
        ("Status: Denied\nAction: apply_patch touching /x", True),
        ("cat: /etc/shadow: Permission denied", False),
        ("1 test failed", False),
    ],
)
def test_what_an_agent_refuses_by_itself_is_told(text: str, told: bool) -> None:
    content = [{"type": "content", "content": {"type": "text", "text": text}}]
    update = {"sessionUpdate": "tool_call_update", "toolCallId": "1", "content": content}

    assert any(isinstance(line, DeniedLine) for line in Narrator().update({**update, "status": "failed"})) is told
    assert not any(isinstance(line, DeniedLine) for line in Narrator().update({**update, "status": "completed"}))


def test_what_is_asked_for_is_told_with_its_path() -> None:
    assert asked_for({"title": "Edit files", "locations": [{"path": "/x/y.txt"}]}) == "Edit files (/x/y.txt)"
    assert asked_for({"title": "Write  y.txt", "locations": [{"path": "/x/y.txt"}]}) == "Write y.txt"
    assert asked_for({"kind": "edit"}) == "edit"


def test_an_end_without_a_word_and_without_a_report_is_no_success() -> None:
    ending = Narrator().ended("end_turn")

    assert ending is not None
    assert ending.outcome == "overload"
    assert Narrator().ended("end_turn", given=True) is None
    cut = said("Writing the module.")
    cut.update({"sessionUpdate": "tool_call", "toolCallId": "1", "title": "write"})
    assert cut.ended("end_turn") is not None, "nothing came after its last tool call"


def kind_of_error(kind: str) -> dict[str, str]:
    return {"errorKind": kind}


@pytest.mark.parametrize(
    ("outcome", "code", "message", "data"),
    [
        ("auth", -32603, "Internal error: Failed to authenticate. API Error: 403 Your account …", kind_of_error("x")),
        ("auth", 400, "API key not valid. Please pass a valid API key.", None),
        ("auth", 403, '{"error":{"code":403,"message":"The caller does not have permission"}}', None),
        ("rate", -32603, "Internal error: Credit balance is too low", kind_of_error("billing_error")),
        ("rate", -32603, "Internal error: Quota exceeded. Check your plan and billing details.", None),
        ("rate", -32603, "Internal error: You’ve hit your usage limit. Upgrade to Pro", None),
        ("rate", 429, "You have exhausted your daily quota on this model.", None),
        ("overload", -32603, "Internal error: API Error: 500 Internal server error. …", kind_of_error("unknown")),
        ("overload", -32603, "Internal error: API Error: Failed to parse JSON", kind_of_error("unknown")),
        ("overload", -32603, "Internal error: API Error: API returned an empty or malformed response (HTTP 200)", None),
        ("overload", -32603, "Internal error: API Error: Unable to connect to API (ECONNRESET)", None),
        ("overload", -32603, "Internal error: The server had an error while processing your request.", None),
        ("auth", -32603, "Internal error: You have insufficient permissions.", None),
        ("rate", -32603, "Internal error: The usage limit has been reached", None),
        ("overload", 500, "Incomplete JSON segment at the end", None),
        ("overload", 500, "terminated", None),
        ("overload", 500, "exception TypeError: fetch failed sending request", None),
        ("overload", 503, "The model is overloaded. Please try again later.", None),
        (
            "context",
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            None,
        ),
        ("crashed", 500, "models/no-such-model is not found for API version v1beta, or is not supported.", None),
        ("crashed", 400, "Request contains an invalid argument.", None),
        ("crashed", -32603, "Internal error: API Error: 400 messages: at least one message is required", None),
    ],
)
def test_errors_that_claude_codex_and_gemini_were_seen_to_give(
    outcome: str, code: int, message: str, data: object
) -> None:
    assert failed(code, message, data).outcome == outcome


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("auth", "unexpected status 403 Forbidden: You have insufficient permissions., url: http://127.0.0.1:1/v1"),
        ("rate", "exceeded retry limit, last status: 429 Too Many Requests"),
        ("overload", "Selected model is at capacity. Please try a different model."),
        ("overload", "We’re currently experiencing high demand, which may cause temporary errors."),
        ("overload", "stream disconnected before completion: stream closed before response.completed"),
        ("overload", "stream disconnected before completion: error sending request"),
        ("overload", "stream disconnected before completion: Transport error: network error: error decoding"),
        ("overload", "Connection failed: error sending request"),
        ("context", "Codex ran out of room in the model's context window. Start a new thread"),
        ("crashed", '{"error": {"message": "Invalid value: \'x\'.", "type": "invalid_request_error"}}'),
        ("crashed", "The model `no-such-model` does not exist."),
    ],
)
def test_errors_that_codex_tells_as_a_message(outcome: str, text: str) -> None:
    narrator = Narrator()
    narrator.update(
        {"sessionUpdate": "session_info_update", "_meta": {"codex": {"threadStatus": {"type": "systemError"}}}}
    )
    narrator.update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})

    ending = narrator.ended("end_turn")

    assert ending is not None
    assert ending.outcome == outcome


def test_an_error_without_known_words_is_a_crash_with_its_numbers() -> None:
    ending = failed(-32603, "Internal error", {"details": "a bolt is loose"})

    assert ending.outcome == "crashed"
    assert ending.text == "Internal error: a bolt is loose (-32603)"
    assert failed(-32000, "Authentication required", None).outcome == "auth"


@pytest.mark.parametrize(
    ("order", "call", "allowed"),
    [
        (ORDER, {"kind": "edit", "locations": [{"path": "/attempt/tree/a.py"}]}, True),
        (ORDER, {"kind": "edit", "locations": [{"path": "a.py"}]}, True),
        (ORDER, {"kind": "edit", "locations": [{"path": "/attempt/other/a.py"}]}, False),
        (ORDER, {"kind": "edit", "rawInput": {"file_path": "/attempt/tree/../a.py"}}, False),
        (ORDER, {"kind": "delete", "content": [{"type": "diff", "path": "/etc/passwd"}]}, False),
        (ORDER, {"kind": "edit", "rawInput": {"filePath": "/attempt/io/report.json"}}, True),
        (ORDER, {"kind": "execute", "title": "make"}, True),
        (ORDER, {"kind": "edit"}, True),
        (PLAN, {"kind": "edit"}, False),
        (PLAN, {"kind": "edit", "locations": [{"path": "/attempt/tree/a.py"}]}, False),
        (PLAN, {"kind": "edit", "locations": [{"path": "/attempt/io/report.json"}]}, True),
        (PLAN, {"kind": "execute"}, False),
        (PLAN, {"kind": "switch_mode"}, False),
        (PLAN, {"kind": "read"}, True),
        (PLAN, {}, False),
        (PLAN, THOUGHT, False),
        (THINKS, THOUGHT, True),
        (THINKS, {"kind": "execute", "title": "echo sequential-thinking"}, False),
        (ORDER, {"kind": "other", "title": "/attempt/tree/..", "locations": AROUND}, False),
        (ORDER, {"kind": "other", "title": "/attempt/io", "locations": REPORT}, True),
        (PLAN, {"kind": "other", "title": "/attempt/io", "locations": REPORT}, True),
        (ORDER, {"kind": "other", "title": "/attempt/io", "locations": REPORT[1:]}, False),
        (ORDER, {"kind": "other", "title": "mcp__docs__look"}, True),
        (BOUNDED, {"kind": "edit", "locations": [{"path": "/attempt/tree/a.py"}]}, True),
        (BOUNDED, {"kind": "edit", "locations": [{"path": "/attempt/io/report.json"}]}, True),
        (BOUNDED, {"kind": "edit"}, False),
        (BOUNDED, {"kind": "execute", "title": "make"}, False),
        (BOUNDED, {"kind": "other", "title": "Additional sandbox permissions"}, False),
        (BOUNDED, {"kind": "read"}, True),
    ],
)
def test_what_it_may(order: Order, call: dict[str, Any], allowed: bool) -> None:
    assert may(order, call) is allowed


def test_once_is_chosen_before_always() -> None:
    options = [("a", "allow_always"), ("o", "allow_once"), ("r", "reject_once")]

    assert chosen(options, allow=True) == "o"
    assert chosen(options[:1], allow=True) == "a"
    assert chosen(options, allow=False) == "r"
    assert chosen(options[:2], allow=False) is None


FIELDS = """
    sessionUpdate content text title toolCallId entries status cost amount used size rawInput path locations kind _meta
    codex threadStatus usage inputTokens
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(FIELDS.split()),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
KINDS = st.sampled_from(["agent_message_chunk", "tool_call", "tool_call_update", "plan", "usage_update", "news"])


@settings(deadline=None)
@given(
    updates=st.lists(st.tuples(KINDS, st.dictionaries(st.text(max_size=8), JSON, max_size=5) | JSON), max_size=6),
    data=JSON,
)
def test_nothing_that_is_said_makes_it_raise(updates: list[tuple[str, Any]], data: Any) -> None:
    narrator = Narrator()
    for kind, update in updates:
        whole = {**(update if isinstance(update, dict) else {"content": update}), "sessionUpdate": kind}
        for line in narrator.update(whole):
            assert isinstance(line, ProgressLine | UsageLine | DeniedLine)
            msgspec.json.decode(msgspec.json.encode(line))
        may(ORDER, whole)
        assert all(isinstance(path, str) for path in touched(whole))
    narrator.finished(data if isinstance(data, dict) else {})
    assert failed(-1, "x", data).outcome
    narrator.ended("end_turn")


# ---- the adapter


def a_task(tmp_path: Path, settings: AgentSettings, **more: Any) -> Task:
    tree, io = tmp_path / "tree", tmp_path / "io"
    tree.mkdir(exist_ok=True)
    io.mkdir(exist_ok=True)
    fields: dict[str, Any] = {
        "run": "20260101-000000-x-0000",
        "unit": "single",
        "attempt": 1,
        "kind": "single",
        "goal": "",
        "feature": "x",
        "tree": tree,
        "folder": io,
        "shared_prompt": "shared\n",
        "own_prompt": "own\n",
        "prompt_file": io / "prompt.md",
        "report_file": io / "report.json",
        "slot": 0,
        "deadline": 0.0,
        "settings": settings,
    }
    return Task(**{**fields, **more})


def test_the_order_says_what_to_start_and_a_model_goes_where_the_program_takes_it(tmp_path: Path) -> None:
    agent = AcpAgent(env={})

    def built(*argv: str) -> tuple[Order, dict[str, str]]:
        launch = agent.build(a_task(tmp_path, AgentSettings(argv=argv, model="m")))
        return msgspec.json.decode(launch.files[launch.argv[-1]], type=Order), launch.env

    order, env = built("/opt/bin/gemini", "--acp")
    assert order.argv == ("/opt/bin/gemini", "--acp", "-m", "m", "--include-directories", str(tmp_path / "io"))
    assert order.model is None
    assert env["GEMINI_CLI_NO_RELAUNCH"] == "true"
    order, env = built("claude-agent-acp")
    assert order.argv == ("claude-agent-acp",)
    assert env["ANTHROPIC_MODEL"] == "m"
    order, env = built("my-own-agent")
    assert order.model == "m"
    assert env == {}


def test_what_a_program_needs_of_the_users_depends_on_its_name(tmp_path: Path) -> None:
    agent = AcpAgent(env={"HOME": str(tmp_path)})
    launch = agent.build(a_task(tmp_path, AgentSettings(argv=("/x/codex-acp",))))
    assert "CODEX_HOME" in launch.pass_env
    assert [folder.name for folder in launch.home_folders] == [".codex"]
    confined = agent.build(a_task(tmp_path, AgentSettings(argv=("/x/codex-acp",)), sandboxed=True))
    orders = [msgspec.json.decode(one.files[one.argv[-1]], type=Order) for one in (launch, confined)]
    assert [(order.mode, order.bounded) for order in orders] == [
        ("workspace-write", True),
        ("agent-full-access", False),
    ]
    assert "unbounded_connection_retries" in launch.env["CODEX_CONFIG"]
    launch = agent.build(a_task(tmp_path, AgentSettings(argv=("my-own-agent",))))
    assert launch.pass_env == ()
    assert launch.home_folders == ()


def test_without_a_program_nothing_can_be_built(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        AcpAgent(env={}).build(a_task(tmp_path, AgentSettings()))
    assert "gemini" in caught.value.hint
    assert "agent.acp.argv" in AcpAgent().probe(AgentSettings(), {}).problem


@pytest.mark.parametrize("name", acp_known.PROGRAMS)
def test_a_program_that_nobody_logged_in_is_said_so(name: str, tmp_path: Path) -> None:
    assert acp_known.not_logged_in(acp_known.known((f"/opt/{name}",)), AgentSettings(), {"HOME": str(tmp_path)})


def test_until_when_a_limit_holds_is_read_from_the_words(tmp_path: Path) -> None:
    conversation = AcpAgent(env={}).listen(a_task(tmp_path, AgentSettings(argv=("x",))))
    conversation.parse(b'{"event":"end","outcome":"rate","text":"You are out of requests. Retry after 90s. (429)"}')

    finish = conversation.finish(Exit(code=1, seconds=1.0), 1_800_000_000.0)

    assert finish.outcome == "rate"
    assert finish.retry_at == 1_800_000_090.0


def test_a_client_that_does_not_say_it_is_done_is_not_believed(tmp_path: Path) -> None:
    task = a_task(tmp_path, AgentSettings(argv=("x",)))
    for lines, outcome in (
        ([b'{"event":"done"}'], "ok"),
        ([], "unknown"),
        ([b'{"event":"session","id":"1"}'], "unknown"),
    ):
        conversation = AcpAgent(env={}).listen(task)
        for line in lines:
            conversation.parse(line)
        assert conversation.finish(Exit(code=0, seconds=1.0), 0.0).outcome == outcome
