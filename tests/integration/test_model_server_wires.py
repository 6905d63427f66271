"""The model server in each of its wire formats, asked by plain HTTP. That the real programs understand its answers is
shown by `make test-agents`."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from ropeteam.testing.model_server import (
    Broken,
    Call,
    EditFile,
    Fault,
    McpCall,
    ModelServer,
    Refused,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)

Body = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """How a client of one format asks, and reads what comes back. body: of a prompt and names of tools."""

    path: str
    body: Callable[[str, tuple[str, ...]], Body]
    streaming: Callable[[str, Body], tuple[str, Body]]
    text: Callable[[Answer], str]
    calls: Callable[[Answer], list[tuple[str, Any]]]
    usage: Callable[[Answer], tuple[int, int, int]]
    whole: Callable[[list[Answer]], Answer]


def anthropic_body(prompt: str, tools: tuple[str, ...]) -> Body:
    content = [{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]
    return {"model": "m", "messages": [{"role": "user", "content": content}], "tools": [{"name": t} for t in tools]}


def anthropic_whole(events: list[Answer]) -> Answer:
    """Put together from its deltas, as a client does it."""
    message = dict(events[0]["message"])
    blocks: dict[int, Any] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        if event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            else:
                block["input"] = json.loads(delta["partial_json"])
        if event["type"] == "message_delta":
            message["usage"] |= event["usage"]
    return {**message, "content": list(blocks.values())}


def responses_body(prompt: str, tools: tuple[str, ...]) -> Body:
    kinds = {"apply_patch": "custom", "exec": "custom"}
    offered = [{"type": kinds.get(tool, "function"), "name": tool} for tool in tools]
    return {"model": "m", "instructions": "Be it.", "input": prompt, "tools": offered}


def responses_calls(answer: Answer) -> list[tuple[str, Any]]:
    found = []
    for item in answer["output"]:
        if item["type"] == "function_call":
            found.append((item["name"], json.loads(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            found.append((item["name"], item["input"]))
    return found


def responses_whole(events: list[Answer]) -> Answer:
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"] == items
    return {**events[-1]["response"], "output": items}


def chat_body(prompt: str, tools: tuple[str, ...]) -> Body:
    offered = [{"type": "function", "function": {"name": tool, "parameters": {}}} for tool in tools]
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], "tools": offered}


def chat_calls(answer: Answer) -> list[tuple[str, Any]]:
    calls = answer["choices"][0]["message"].get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def chat_whole(chunks: list[Answer]) -> Answer:
    message: Answer = {"content": "", "tool_calls": []}
    for delta in (choice["delta"] for chunk in chunks for choice in chunk["choices"]):
        message["content"] += delta.get("content") or ""
        for call in delta.get("tool_calls", ()):
            if call["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({"id": call["id"], "function": dict(call["function"])})
            else:
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return {"choices": [{"message": message}], "usage": chunks[-1]["usage"]}


def gemini_body(prompt: str, tools: tuple[str, ...]) -> Body:
    declared = [{"name": tool, "parametersJsonSchema": {"type": "object"}} for tool in tools]
    contents = [{"role": "user", "parts": [{"text": prompt}]}]
    return {"contents": contents, **({"tools": [{"functionDeclarations": declared}]} if tools else {})}


def gemini_parts(answer: Answer) -> list[Answer]:
    parts: list[Answer] = answer["candidates"][0]["content"]["parts"]
    return parts


def gemini_whole(chunks: list[Answer]) -> Answer:
    parts = [part for chunk in chunks for part in gemini_parts(chunk)]
    assert [chunk["candidates"][0].get("finishReason") for chunk in chunks][-1] == "STOP"
    return {"candidates": [{"content": {"parts": parts}}], "usageMetadata": chunks[-1]["usageMetadata"]}


GEMINI = "/v1beta/models/gemini-m"
FORMATS = {
    "anthropic": Format(
        path="/v1/messages",
        body=anthropic_body,
        streaming=lambda path, body: (path, {**body, "stream": True}),
        text=lambda answer: "".join(block.get("text", "") for block in answer["content"]),
        calls=lambda answer: [(b["name"], b["input"]) for b in answer["content"] if b["type"] == "tool_use"],
        usage=lambda answer: (
            answer["usage"]["input_tokens"] + answer["usage"]["cache_creation_input_tokens"],
            answer["usage"]["cache_read_input_tokens"],
            answer["usage"]["output_tokens"],
        ),
        whole=anthropic_whole,
    ),
    "responses": Format(
        path="/v1/responses",
        body=responses_body,
        streaming=lambda path, body: (path, {**body, "stream": True}),
        text=lambda answer: "".join(i["content"][0]["text"] for i in answer["output"] if i["type"] == "message"),
        calls=responses_calls,
        usage=lambda answer: (
            answer["usage"]["input_tokens"] - answer["usage"]["input_tokens_details"]["cached_tokens"],
            answer["usage"]["input_tokens_details"]["cached_tokens"],
            answer["usage"]["output_tokens"],
        ),
        whole=responses_whole,
    ),
    "chat": Format(
        path="/v1/chat/completions",
        body=chat_body,
        streaming=lambda path, body: (path, {**body, "stream": True}),
        text=lambda answer: answer["choices"][0]["message"]["content"] or "",
        calls=chat_calls,
        usage=lambda answer: (
            answer["usage"]["prompt_tokens"] - answer["usage"]["prompt_tokens_details"]["cached_tokens"],
            answer["usage"]["prompt_tokens_details"]["cached_tokens"],
            answer["usage"]["completion_tokens"],
        ),
        whole=chat_whole,
    ),
    "gemini": Format(
        path=f"{GEMINI}:generateContent",
        body=gemini_body,
        streaming=lambda _, body: (f"{GEMINI}:streamGenerateContent?alt=sse", body),
        text=lambda answer: "".join(part.get("text", "") for part in gemini_parts(answer)),
        calls=lambda answer: [
            (part["functionCall"]["name"], part["functionCall"]["args"])
            for part in gemini_parts(answer)
            if "functionCall" in part
        ],
        usage=lambda answer: (
            answer["usageMetadata"]["promptTokenCount"] - answer["usageMetadata"]["cachedContentTokenCount"],
            answer["usageMetadata"]["cachedContentTokenCount"],
            answer["usageMetadata"]["candidatesTokenCount"],
        ),
        whole=gemini_whole,
    ),
}
SHELLS = {"anthropic": "Bash", "responses": "exec_command", "chat": "bash", "gemini": "run_shell_command"}


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


class Client:
    """Asks under a name of its own."""

    def __init__(self, server: ModelServer, name: str, format: str) -> None:
        self.server, self.name, self.format, self.how = server, name, format, FORMATS[format]

    def script(self, *turns: Turn, faults: tuple[Fault | None, ...] = (), forever: bool = False) -> None:
        self.server.script(self.name, turns, faults, forever=forever, directory="/tree")

    def post(self, path: str, body: Body) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(self.server.base_url(self.name))
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
        try:
            connection.request("POST", url.path + path, json.dumps(body), {"x-goog-api-key": "very-secret"})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def ask(self, prompt: str = "Do it.", tools: tuple[str, ...] | None = None, **more: Any) -> Answer:
        body = self.how.body(prompt, (SHELLS[self.format],) if tools is None else tools)
        status, _, data = self.post(self.how.path, {**body, **more})
        assert status == 200, data
        return dict(json.loads(data))

    @property
    def a_request(self) -> tuple[str, Body]:
        """Path and body of one that asks for a document."""
        return self.how.path, self.how.body("Do it.", (SHELLS[self.format],))

    def stream(self, prompt: str = "Do it.") -> bytes:
        path, body = self.how.streaming(self.how.path, self.how.body(prompt, (SHELLS[self.format],)))
        return self.post(path, body)[2]


@pytest.fixture(params=FORMATS)
def client(request: pytest.FixtureRequest, running: ModelServer) -> Client:
    return Client(running, request.node.name.replace("[", "-").rstrip("]"), request.param)


def a_client(running: ModelServer, request: pytest.FixtureRequest, format: str) -> Client:
    return Client(running, request.node.name.replace("[", "-").rstrip("]"), format)


def events_of(data: bytes) -> list[Answer]:
    lines = (line[6:] for line in data.decode().splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]


# ---- the same in all formats


def test_turns_come_in_order_and_then_it_is_done(client: Client) -> None:
    client.script(Turn(text="One."), Turn(text="Two."))

    assert [client.how.text(client.ask()) for _ in range(3)] == ["One.", "Two.", "Done."]


def test_a_stream_says_the_same_as_a_document(client: Client) -> None:
    turn = Turn(text="Hällo.", calls=(Shell(command="ls"), Shell(command="ls -l")))
    client.script(turn, turn)
    document, whole = client.ask(), client.how.whole(events_of(client.stream()))

    assert client.how.text(whole) == client.how.text(document) == "Hällo."
    assert client.how.calls(whole) == client.how.calls(document)
    assert len(client.how.calls(whole)) == 2
    assert client.how.usage(whole) == client.how.usage(document)


def test_side_requests_use_up_no_turn_and_no_fault(client: Client) -> None:
    client.script(Turn(text="Main."), faults=(Status(status=500),))

    assert client.how.text(client.ask(tools=())) == "ok"
    assert client.post(client.how.path, client.how.body("", (SHELLS[client.format],)))[0] == 500
    assert client.how.text(client.ask()) == "Main."
    assert [request.main for request in client.server.requests(client.name)] == [False, True, True]


def test_usage_says_what_was_read_from_the_cache(client: Client) -> None:
    client.script()
    # Of this format and test alone: the cache is the server's.
    prompt = f"{client.format} reads. " * 1000
    first, second = (client.how.usage(client.ask(prompt)) for _ in range(2))

    assert first[1] == 0
    assert first[0] > 3000
    assert second[1] > 2900
    assert first[0] == second[0] + second[1], "what is read stays the same"
    assert second[2] == 1, "Done."
    together = client.server.reading(client.name)
    assert (together.requests, together.cached, together.unread) == (2, second[1], first[0] + second[0])
    assert together.output == 2


def test_what_it_reads_is_told_without_credentials(client: Client) -> None:
    client.script()
    client.ask("The task.")
    (request,) = client.server.requests(client.name)

    assert request.text.endswith("The task.")
    assert request.asked is not None
    assert set(request.asked.tools) == {SHELLS[client.format]}
    assert "very-secret" not in repr(request)


def test_the_directory_is_found_in_what_the_agent_says(client: Client) -> None:
    client.server.script(client.name, [Turn(calls=(WriteFile(path="a.txt", content="x\n"),))])
    writers = {"anthropic": "Write", "responses": "apply_patch", "chat": "write", "gemini": "write_file"}
    said = {
        "anthropic": "Primary working directory: /tree",
        "responses": "<cwd>/tree</cwd>",
        "chat": "  Working directory: /tree",
        "gemini": "- **Workspace Directories:**\n  - /tree",
    }
    ((_, given),) = client.how.calls(client.ask(said[client.format], (writers[client.format],)))

    assert "/tree/a.txt" in json.dumps(given)


def test_broken_streams(client: Client) -> None:
    kinds = ("garbage", "empty", "sse_error", "cut")
    client.script(Turn(text="Whole.", calls=(Shell(command="ls"),)), faults=tuple(Broken(kind=kind) for kind in kinds))

    assert b"{not json" in client.stream()
    assert client.stream() == b""
    assert "error" in json.dumps(events_of(client.stream()))
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.stream()
    assert not any(word in cut.value.partial for word in (b"message_stop", b"completed", b"DONE", b"STOP"))
    assert client.how.text(client.how.whole(events_of(client.stream()))) == "Whole.", "what was cut is asked for again"


def test_broken_documents(client: Client) -> None:
    kinds = ("garbage", "empty", "sse_error", "cut")
    client.script(Turn(text="Whole."), faults=tuple(Broken(kind=kind) for kind in kinds))
    saying = {"anthropic": "content", "responses": "output", "chat": "choices", "gemini": "candidates"}

    status, _, garbage = client.post(*client.a_request)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(garbage)
    empty = client.ask()
    assert empty[saying[client.format]] == []
    assert client.how.usage(empty) == (0, 0, 0)
    refused = client.ask()
    assert refused["error"]["message"]
    assert saying[client.format] not in refused
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.ask()
    assert 0 < len(cut.value.partial) <= (cut.value.expected or 0)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.value.partial)
    assert client.how.text(client.ask()) == "Whole.", "what was cut is asked for again"


def test_a_reset_connection(client: Client) -> None:
    client.script(faults=(Broken(kind="reset"), Broken(kind="reset")))

    for ask in (client.stream, client.ask):
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask()


def test_a_tool_that_is_not_offered_is_said_so(client: Client) -> None:
    client.script(Turn(calls=(Shell(command="ls"),)))

    status, _, data = client.post(client.how.path, client.how.body("Do it.", ("Look",)))

    assert status == 400
    assert "no tool Bash, only Look" in json.loads(data)["error"]["message"]


def test_which_models_there_are(client: Client) -> None:
    client.script()
    url = urlsplit(client.server.base_url(client.name))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.request("GET", f"{url.path}/v1/models")
    answer = json.loads(connection.getresponse().read())
    connection.close()

    assert [model["id"] for model in answer["data"]] == ["scripted"]
    assert not client.server.requests(client.name)[0].main


def test_a_report_in_a_schema_that_was_asked_for_is_the_text(client: Client) -> None:
    report = StructuredReport(content={"files": []})
    client.script(Turn(text="Well.", calls=(report,)), Turn(text="Well.", calls=(report,)))
    wanted = {
        "responses": {"text": {"format": {"type": "json_schema", "schema": {}}}},
        "chat": {"response_format": {"type": "json_schema", "json_schema": {}}},
    }.get(client.format)

    if wanted is not None:
        assert json.loads(client.how.text(client.ask(**wanted))) == {"files": []}
    assert client.how.text(client.ask()) == 'Well.\n```json\n{"files": []}\n```'


# ---- refusals in the providers' own words

WORDS = {
    ("anthropic", "auth"): (401, "authentication_error"),
    ("anthropic", "rate"): (429, "rate_limit_error"),
    ("anthropic", "quota"): (400, "credit balance is too low"),
    ("anthropic", "overload"): (529, "overloaded_error"),
    ("anthropic", "context"): (400, "prompt is too long"),
    ("responses", "auth"): (401, "invalid_api_key"),
    ("responses", "rate"): (429, "rate_limit_exceeded"),
    ("responses", "quota"): (429, "insufficient_quota"),
    ("responses", "window"): (429, "usage_limit_reached"),
    ("responses", "context"): (400, "context_length_exceeded"),
    ("chat", "quota"): (429, "insufficient_quota"),
    ("chat", "overload"): (503, "server_is_overloaded"),
    ("chat", "context"): (400, "context_length_exceeded"),
    ("chat", "model"): (404, "model_not_found"),
    ("gemini", "auth"): (400, "API_KEY_INVALID"),
    ("gemini", "rate"): (429, "PerMinute"),
    ("gemini", "quota"): (429, "PerDay"),
    ("gemini", "overload"): (503, "UNAVAILABLE"),
    ("gemini", "context"): (400, "exceeds the maximum number of tokens"),
}


@pytest.mark.parametrize(("format", "kind"), WORDS)
def test_refusals(format: str, kind: str, running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, format)
    client.script(faults=(Refused(kind=kind, seconds=7.0),))  # type: ignore[arg-type]

    status, headers, data = client.post(client.how.path, client.how.body("Do it.", (SHELLS[format],)))

    wanted, words = WORDS[format, kind]
    assert status == wanted
    assert words in data.decode()
    if format == "gemini":
        assert '"retryDelay": "7s"' in data.decode()
    else:
        assert headers["retry-after"] == "7"
    assert client.how.text(client.ask()) == "Done.", "it used up no turn"


def test_a_prompt_too_long_for_codex_shows_in_the_stream(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "responses")
    client.script(faults=(Refused(kind="context"),))

    events = events_of(client.stream())

    assert [event["type"] for event in events] == ["response.created", "response.failed"]
    assert events[-1]["response"]["error"]["code"] == "context_length_exceeded"


# ---- the tools of each agent

DO = (WriteFile(path="a/b.txt", content="x\ny\n"), EditFile(path="c.txt", find="1", replace="2"), Shell(command="ls"))
SAID = {"description": "As the script says"}
PYTHON = "python3 -c"


def test_gemini_works_by_its_own_tools(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "gemini")
    client.script(Turn(calls=DO))

    calls = client.how.calls(client.ask(tools=("write_file", "replace", "run_shell_command", "read_file")))

    assert calls == [
        ("write_file", {"file_path": "/tree/a/b.txt", "content": "x\ny\n"}),
        ("replace", {"file_path": "/tree/c.txt", "old_string": "1", "new_string": "2"}),
        ("run_shell_command", {"command": "ls", **SAID}),
    ]


def test_opencode_works_by_its_own_tools(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "chat")
    client.script(Turn(calls=DO))

    calls = client.how.calls(client.ask(tools=("write", "edit", "bash", "read")))

    assert calls == [
        ("write", {"filePath": "/tree/a/b.txt", "content": "x\ny\n"}),
        ("read", {"filePath": "/tree/c.txt"}),
        ("edit", {"filePath": "/tree/c.txt", "oldString": "1", "newString": "2"}),
        ("bash", {"command": "ls", **SAID}),
    ]


def test_codex_works_by_patches_and_commands(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "responses")
    client.script(Turn(calls=DO), Turn(calls=DO), Turn(calls=DO))

    patched = client.how.calls(client.ask(tools=("apply_patch", "exec_command")))
    assert patched[0] == (
        "apply_patch",
        "*** Begin Patch\n*** Add File: /tree/a/b.txt\n+x\n+y\n*** End Patch\n",
    )
    assert [name for name, _ in patched] == ["apply_patch", "exec_command", "exec_command"]
    assert patched[2][1] == {"cmd": "ls"}
    commanded = client.how.calls(client.ask(tools=("shell",)))
    assert commanded[0][1]["command"][:2] == ["bash", "-lc"]
    assert "> /tree/a/b.txt" in commanded[0][1]["command"][2]
    assert commanded[1][1]["command"][2].startswith(PYTHON)
    scripted = client.how.calls(client.ask(tools=("exec",)))
    assert [name for name, _ in scripted] == ["exec"] * 3
    assert "tools.apply_patch(" in scripted[0][1]
    assert 'tools.exec_command({cmd: "ls"})' in scripted[2][1]


def test_an_agent_with_a_shell_alone_works_by_it(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "chat")
    client.script(Turn(calls=DO))

    calls = client.how.calls(client.ask(tools=("bash",)))

    assert [name for name, _ in calls] == ["bash"] * 3
    assert calls[0][1]["command"] == "mkdir -p /tree/a && printf %s 'x\ny\n' > /tree/a/b.txt"


def test_an_agent_without_tools_gets_its_changes_as_text(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "chat")
    client.server.script(client.name, [Turn(text="Here.", calls=DO[:2])], every=True)

    text = client.how.text(client.ask(tools=()))

    assert text.startswith("Here.\na/b.txt\n```\n<<<<<<< SEARCH\n=======\nx\ny\n>>>>>>> REPLACE\n```")
    assert "<<<<<<< SEARCH\n1\n=======\n2\n>>>>>>> REPLACE" in text
    assert client.server.requests(client.name)[0].main
    assert client.server.reading(client.name).before_edit == 0


@pytest.mark.parametrize(
    ("format", "offered"),
    [
        ("anthropic", "mcp__my-server__look"),
        ("responses", "mcp__my_server__look"),
        ("chat", "my-server_look"),
        ("gemini", "mcp_my-server_look"),
    ],
)
def test_tools_of_mcp_servers_are_called_by_each_agents_name(
    format: str, offered: str, running: ModelServer, request: pytest.FixtureRequest
) -> None:
    client = a_client(running, request, format)
    call = McpCall(server="my-server", tool="look", input={"at": "it"})
    client.script(Turn(calls=(call,)), Turn(calls=(Call(name=offered, input={"by": "name"}),)), Turn(calls=(call,)))

    assert client.how.calls(client.ask(tools=(offered,))) == [(offered, {"at": "it"})]
    assert client.how.calls(client.ask(tools=())) == []
    assert client.how.calls(client.ask(tools=(offered,))) == [(offered, {"by": "name"})]
    status, _, data = client.post(client.how.path, client.how.body("", ("other",)))
    assert (status, b"no tool look of my-server" in data) == (400, True)


def test_a_tool_in_a_namespace_is_called_in_it(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "responses")
    client.script(Turn(calls=(McpCall(server="think", tool="look"),)))
    tools = [{"type": "namespace", "name": "mcp__think__", "tools": [{"type": "function", "name": "look"}]}]

    body = {**client.how.body("Do it.", ()), "tools": tools}
    (item,) = json.loads(client.post(client.how.path, body)[2])["output"]

    assert (item["name"], item["namespace"]) == ("look", "mcp__think__")


def test_gemini_counts_tokens_and_asks_in_json_beside_its_work(
    running: ModelServer, request: pytest.FixtureRequest
) -> None:
    client = a_client(running, request, "gemini")
    client.script(Turn(text="Main."))

    counted = client.post(f"{GEMINI}:countTokens", client.how.body("x" * 4000, ()))
    beside = client.ask(generationConfig={"responseJsonSchema": {"type": "object"}})

    assert json.loads(counted[2])["totalTokens"] > 1000
    assert client.how.text(beside) == "ok"
    assert client.how.text(client.ask()) == "Main."
    assert client.server.requests(client.name)[-1].asked.model == "gemini-m"  # type: ignore[union-attr]


def test_agents_under_one_name_are_counted_apart(running: ModelServer, request: pytest.FixtureRequest) -> None:
    client = a_client(running, request, "chat")
    client.script()
    client.server.script_for(client.name, "unit one", [Turn(calls=(Shell(command="ls"),)), Turn(calls=DO[:1])])
    client.server.script_for(client.name, "unit two", [Turn(calls=DO[:1])])

    for prompt in ("unit two", "unit one", "unit one", "else"):
        client.ask(prompt, ("bash",))

    edits = [client.server.reading(client.name, part).before_edit for part in ("unit one", "unit two", "")]
    assert edits == [1, 0, None]
    assert client.server.reading(client.name).requests == 4
    assert [one.request for one in client.server.answered(client.name, "unit one")] == [1, 2]
