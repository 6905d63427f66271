"""The loopback model server, asked by plain HTTP. That the real claude program can use it is shown elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from ropeteam.testing.model_server import (
    Broken,
    Call,
    EditFile,
    ModelServer,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)

TOOLS = [{"name": name} for name in ("Write", "Edit", "Read", "Bash", "StructuredOutput")]
KEY = {"x-api-key": "very-secret", "authorization": "Bearer very-secret"}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def a_body(**more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Primary working directory: /work/tree\nDo it."}]
    return {"model": "m", "messages": messages, "tools": TOOLS, **more}


def ask(
    server: ModelServer, name: str, body: object, path: str = "/v1/messages?beta=true"
) -> tuple[int, dict[str, str], bytes]:
    url = urlsplit(server.base_url(name))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    try:
        connection.request("POST", url.path + path, json.dumps(body), {"content-type": "application/json", **KEY})
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def answer(server: ModelServer, name: str = "r", **more: Any) -> dict[str, Any]:
    status, _, data = ask(server, name, a_body(**more))
    assert status == 200, data
    return json.loads(data)


def events_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]


def test_turns_come_in_order_and_then_it_is_done(server: ModelServer) -> None:
    server.script("r", [Turn(text="One."), Turn(text="Two.")])

    texts = [answer(server)["content"][0]["text"] for _ in range(4)]

    assert texts == ["One.", "Two.", "Done.", "Done."]
    assert server.served("r") == 4


def test_work_is_asked_for_by_the_agents_own_tools(server: ModelServer) -> None:
    calls = (
        WriteFile(path="a.txt", content="x"),
        EditFile(path="/abs/b.txt", find="1", replace="2"),
        Shell(command="ls"),
        StructuredReport(content={"files": []}),
        Call(name="Other", input={"k": 1}),
    )
    server.script("r", [Turn(text="Now.", calls=calls)])

    message = answer(server)

    assert message["stop_reason"] == "tool_use"
    assert [(block["name"], block["input"]) for block in message["content"][1:]] == [
        ("Write", {"file_path": "/work/tree/a.txt", "content": "x"}),
        ("Read", {"file_path": "/abs/b.txt"}),
        ("Edit", {"file_path": "/abs/b.txt", "old_string": "1", "new_string": "2"}),
        ("Bash", {"command": "ls", "description": "As the script says"}),
        ("StructuredOutput", {"files": []}),
        ("Other", {"k": 1}),
    ]
    assert len({block["id"] for block in message["content"][1:]}) == 6


def test_the_directory_can_be_given(server: ModelServer) -> None:
    server.script("r", [Turn(calls=(WriteFile(path="a", content=""),))], directory="/given")

    assert answer(server)["content"][0]["input"]["file_path"] == "/given/a"


def test_a_tool_that_is_not_offered_is_said_so(server: ModelServer) -> None:
    server.script("r", [Turn(calls=(Shell(command="ls"),))])

    status, _, data = ask(server, "r", a_body(tools=[{"name": "Write"}]))

    assert status == 400
    assert "no tool Bash, only Write" in json.loads(data)["error"]["message"]


def test_a_stream_says_the_same_as_a_document(server: ModelServer) -> None:
    turn = Turn(text="Hällo.", calls=(Shell(command="ls"),))
    server.script("r", [turn, turn])
    whole = answer(server)

    status, headers, data = ask(server, "r", a_body(stream=True))

    assert (status, headers["content-type"]) == (200, "text/event-stream")
    events = events_of(data)
    assert [event["type"] for event in events] == [
        "message_start",
        *["content_block_start", "content_block_delta", "content_block_stop"] * 2,
        "message_delta",
        "message_stop",
    ]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas[0]["text"] == whole["content"][0]["text"] == "Hällo."
    assert json.loads(deltas[1]["partial_json"]) == whole["content"][1]["input"]
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"]
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"] > 1


def test_side_requests_use_up_no_turn_and_no_fault(server: ModelServer) -> None:
    server.script("r", [Turn(text="Main.")], [Status(status=500)])

    assert answer(server, tools=[])["content"][0]["text"] == "ok"
    assert ask(server, "r", a_body())[0] == 500
    assert answer(server)["content"][0]["text"] == "Main."
    assert [request.main for request in server.requests("r")] == [False, True, True]


def test_usage_with_a_simulated_cache(server: ModelServer) -> None:
    server.script("r")
    system = [{"type": "text", "text": "s" * 8000, "cache_control": {"type": "ephemeral"}}]
    first = answer(server, system=system)["usage"]
    second = answer(server, system=system)["usage"]
    other_model = answer(server, system=system, model="n")["usage"]
    changed = answer(server, system=[{**system[0], "text": "t" * 8000}])["usage"]

    assert first["cache_read_input_tokens"] == 0
    assert first["cache_creation_input_tokens"] > 2000
    assert first["input_tokens"] > 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] == 0
    assert second["input_tokens"] == first["input_tokens"]
    assert other_model["cache_read_input_tokens"] == changed["cache_read_input_tokens"] == 0


def test_short_prefixes_are_not_cached(server: ModelServer) -> None:
    server.script("r")
    system = [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]

    for _ in range(2):
        usage = answer(server, system=system)["usage"]
        assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


def test_tokens_are_counted(server: ModelServer) -> None:
    server.script("r")
    counts = [
        json.loads(
            ask(server, "r", {"messages": [{"role": "user", "content": "x" * size}]}, "/v1/messages/count_tokens")[2]
        )
        for size in (400, 4000)
    ]

    assert counts[1]["input_tokens"] - counts[0]["input_tokens"] == 900


# ---- faults


def test_a_status_has_its_headers_and_its_body(server: ModelServer) -> None:
    faults = [Status(status=429, headers={"retry-after": "7"}), None, Status(status=400, body={"mine": 1})]
    server.script("r", [Turn(text="One.")], faults)

    status, headers, data = ask(server, "r", a_body())
    assert (status, headers["retry-after"], json.loads(data)["error"]["type"]) == (429, "7", "rate_limit_error")
    assert answer(server)["content"][0]["text"] == "One."
    assert ask(server, "r", a_body())[2] == b'{"mine": 1}'
    assert answer(server)["content"][0]["text"] == "Done."


def test_the_last_fault_can_be_repeated_without_end(server: ModelServer) -> None:
    server.script("r", [], [Status(status=500), Status(status=529)], forever=True)

    assert [ask(server, "r", a_body())[0] for _ in range(4)] == [500, 529, 529, 529]


def test_broken_streams(server: ModelServer) -> None:
    kinds = ("garbage", "empty", "sse_error", "cut")
    server.script("r", [Turn(text="Whole.")], [Broken(kind=kind) for kind in kinds])

    assert b"{not json" in ask(server, "r", a_body(stream=True))[2]
    assert ask(server, "r", a_body(stream=True))[2] == b""
    assert events_of(ask(server, "r", a_body(stream=True))[2])[0]["error"]["type"] == "overloaded_error"
    with pytest.raises(http.client.IncompleteRead):
        ask(server, "r", a_body(stream=True))
    assert "Whole." in ask(server, "r", a_body(stream=True))[2].decode(), "what was cut is asked for again"


def test_a_reset_connection(server: ModelServer) -> None:
    server.script("r", faults=[Broken(kind="reset")])

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        ask(server, "r", a_body())


def test_a_hang_ends_with_the_server() -> None:
    problems: list[BaseException] = []

    def client() -> None:
        try:
            ask(server, "r", a_body())
        except OSError as problem:
            problems.append(problem)

    with ModelServer() as server:
        server.script("r", faults=[Broken(kind="hang")])
        thread = threading.Thread(target=client)
        thread.start()
        server.wait_for_request("r")
        assert thread.is_alive()
    thread.join(10)

    assert not thread.is_alive()
    assert len(problems) == 1


# ---- what is remembered


def test_requests_are_remembered_without_credentials(server: ModelServer) -> None:
    server.script("r")
    answer(server, system="You are it.")
    (request,) = server.requests("r")

    assert (request.method, request.path) == ("POST", "/v1/messages")
    assert request.system == "You are it."
    assert request.text.endswith("Do it.")
    assert "very-secret" not in repr(request)
    assert request.headers["x-api-key"] == "(given)"


def test_runs_know_nothing_of_each_other(server: ModelServer) -> None:
    server.script("a", [Turn(text="A.")])
    server.script("b", [Turn(text="B.")])

    assert answer(server, "b")["content"][0]["text"] == "B."
    assert server.requests("a") == []
    assert ask(server, "c", a_body())[0] == 404
    assert ask(server, "a", a_body(), "/v1/other")[0] == 404


def test_waiting_for_a_request_that_never_comes_ends(server: ModelServer) -> None:
    server.script("r")

    with pytest.raises(TimeoutError, match="0 of 1"):
        server.wait_for_request("r", seconds=0.01)


def test_without_being_started_it_has_no_address() -> None:
    with pytest.raises(RuntimeError):
        ModelServer().base_url("r")


def test_it_ends_with_its_owner() -> None:
    """A program that forgets to leave the `with` statement ends all the same, with a request still hanging."""
    program = """
import sys, urllib.request, threading
from ropeteam.testing.model_server import *
server = ModelServer().__enter__()
server.script("r", faults=[Broken(kind="hang")])
body = b'{"tools": [{"name": "x"}]}'
ask = lambda: urllib.request.urlopen(server.base_url("r") + "/v1/messages", body)
threading.Thread(target=ask, daemon=True).start()
server.wait_for_request("r")
print("ends now")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=30
    )

    assert (done.returncode, done.stdout) == (0, b"ends now\n"), done.stderr
