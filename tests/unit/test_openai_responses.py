"""The OpenAI Responses format of the scripted model, where codex's models differ."""

from __future__ import annotations

from typing import Any

from ropeteam.testing.openai_responses import OpenAIResponses

SHELL = {"type": "function", "name": "exec_command", "parameters": {"type": "object", "properties": {"cmd": {}}}}
SCRIPT = {"type": "custom", "name": "exec"}


def said(text: str, identity: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "id": identity, "role": "user", "content": content}


def test_tools_may_be_the_first_item_of_the_input() -> None:
    namespace = {"type": "namespace", "name": "functions", "tools": [SCRIPT]}
    first = {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [namespace]}
    new = OpenAIResponses().read({"input": [first, said("Do it.", "msg_1")]}, "/responses")
    old = OpenAIResponses().read({"tools": [SHELL], "input": [said("Do it.", "msg_1")]}, "/responses")
    side = OpenAIResponses().read({"input": "A title?"}, "/responses")

    assert (new.main, new.tools["exec"].free, new.tools["exec"].namespace) == (True, True, "functions")
    assert (old.main, list(old.tools)) == (True, ["exec_command"])
    assert not side.main


def test_what_was_said_is_the_same_under_another_id() -> None:
    one, other = (
        OpenAIResponses().read({"input": [said("Do it.", identity)]}, "/responses").blocks for identity in "ab"
    )
    assert one == other
