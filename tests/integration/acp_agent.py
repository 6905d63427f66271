"""An agent that speaks the Agent Client Protocol, with the library, and behaves as its argument says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import acp
from acp import schema

WHAT = sys.argv[1]


class Agent:
    def on_connect(self, conn: Any) -> None:
        self.client = conn
        self.cancelled = asyncio.Event()

    async def initialize(self, protocol_version: int, client_capabilities: Any = None, **_: Any) -> Any:
        offered = client_capabilities
        assert not offered.terminal, "no terminal is offered"
        assert not offered.fs.write_text_file, "no files are offered"
        return acp.InitializeResponse(protocol_version=protocol_version)

    async def new_session(self, cwd: str, mcp_servers: Any = None, **_: Any) -> Any:
        if WHAT == "login":
            raise acp.RequestError.auth_required()
        self.cwd = Path(cwd)
        self.servers = mcp_servers
        options = schema.SessionConfigSelectOption(value="big", name="Big")
        select = schema.SessionConfigOptionSelect(
            id="model", name="Model", category="model", type="select", current_value="small", options=[options]
        )
        return acp.NewSessionResponse(session_id="s-1", config_options=[select])

    async def set_config_option(self, config_id: str, session_id: str, value: str, **_: Any) -> Any:
        (self.cwd / "model.txt").write_text(value)
        return acp.SetSessionConfigOptionResponse(config_options=[])

    async def cancel(self, session_id: str, **_: Any) -> None:
        (self.cwd / "cancelled.txt").write_text(session_id)
        self.cancelled.set()

    async def prompt(self, session_id: str, prompt: Any, **_: Any) -> Any:
        match WHAT:
            case "rate":
                raise acp.RequestError(429, "slow down")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                sys.stderr.write("no more\n")
                os._exit(4)
            case "garbage":
                sys.stdout.write("this is no JSON\n{}\n")
                sys.stdout.flush()
                os._exit(0)
            case "refuse":
                return acp.PromptResponse(stop_reason="refusal")
            case "hang":
                child = subprocess.Popen(["sleep", "600"], start_new_session=True)
                (self.cwd / "child.txt").write_text(str(child.pid))
                await self._say(session_id, "Waiting.\n\n")
                await self.cancelled.wait()
                return acp.PromptResponse(stop_reason="cancelled")
            case "ends when refused" if "not allowed" not in prompt[0].text:
                await self._may(session_id, self.cwd.parent / "outside.py")
                return acp.PromptResponse(stop_reason="cancelled")
            case "ends when refused":
                (self.cwd / "told.txt").write_text(prompt[0].text)
                await self._say(session_id, "Done without it.")
                return acp.PromptResponse(stop_reason="end_turn")
            case "always wants more":
                await self._may(session_id, self.cwd.parent / "outside.py")
                return acp.PromptResponse(stop_reason="cancelled")
        await self._say(session_id, "Writing.")
        for path in (self.cwd / "new.py", self.cwd.parent / "outside.py"):
            if await self._may(session_id, path):
                path.write_text(prompt[0].text)
        if (self.cwd / "new.py").exists():  # who plans has said it all before
            await self._say(session_id, "Written.")
        usage = schema.Usage(input_tokens=7, output_tokens=3, cached_read_tokens=5, total_tokens=15)
        return acp.PromptResponse(stop_reason="end_turn", usage=usage)

    async def _say(self, session_id: str, text: str) -> None:
        await self.client.session_update(session_id, acp.update_agent_message_text(text))

    async def _may(self, session_id: str, path: Path) -> bool:
        call = schema.ToolCallUpdate(
            tool_call_id=path.name,
            title=f"Write {path.name}",
            kind="edit",
            locations=[schema.ToolCallLocation(path=str(path))],
        )
        options = [
            schema.PermissionOption(option_id=kind, name=kind, kind=kind)
            for kind in ("allow_always", "allow_once", "reject_once")
        ]
        answer = await self.client.request_permission(session_id, call, options)
        assert answer.outcome.option_id in ("allow_once", "reject_once")
        return bool(answer.outcome.option_id == "allow_once")


asyncio.run(acp.run_agent(Agent()))  # type: ignore[arg-type]
