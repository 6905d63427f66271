"""A client of the Agent Client Protocol for one attempt, a program of its own: `python -m ropeteam.agents.acp_client
ORDER`, the prompt on standard input.

It starts the agent that ORDER (a JSON file, `acp_talk.Order`) names, has one turn with it (more, where the agent ends
its turn because something was refused: then it is told to go on without), and prints the lines of
`ropeteam.agents.program`. No file system and no terminal is offered: the agent works in the tree by itself, and what it
starts is its own child, so that the wrapper finds it. Ends with 0 when the agent says it is done; otherwise the last
line says why, and the exit code is the agent's own or 1. SIGTERM cancels the turn, then ends the agent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ropeteam import __version__, process
from ropeteam.agents import acp_talk
from ropeteam.agents.acp_talk import Done, Line, Narrator, Order
from ropeteam.core.agent_files import DeniedLine, EndLine, ProgressLine, SessionLine

if TYPE_CHECKING:
    from acp import schema
    from acp.client.connection import ClientSideConnection

LIMIT: Final = 50 * 1024 * 1024
"""Bytes of one message; a diff of a large file comes in one."""

TURNS: Final = 6
"""How often it is told to go on after it ended its turn because of a refusal, and once more."""

CANCEL_SECONDS: Final = 2.0
"""How long a cancelled turn is waited for. The engine's own grace time is 5 s unless it is set otherwise."""

LIFE_SECONDS: Final = 5.0
"""The least time between two empty lines, which say that it lives while it thinks."""

MISSING: Final = "The library agent-client-protocol is not installed. Install it with: pip install 'ropeteam[acp]'"


class Printer:
    """Standard output, line by line."""

    def __init__(self) -> None:
        self._last = 0.0

    def say(self, *lines: Line) -> None:
        for line in lines:
            self._write(msgspec.json.encode(line))

    def alive(self) -> None:
        if time.monotonic() - self._last > LIFE_SECONDS:
            self._write(b"")

    def _write(self, line: bytes) -> None:
        self._last = time.monotonic()
        with suppress(BrokenPipeError):
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()


class Client:
    """Our side of the connection: what the agent may ask of us."""

    def __init__(self, order: Order, narrator: Narrator, printer: Printer) -> None:
        self._order = order
        self._narrator = narrator
        self._printer = printer

    def on_connect(self, conn: object) -> None:
        """Nothing to do."""

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:  # noqa: ARG002 - the protocol's
        lines = self._narrator.update(_plain(update))
        self._printer.say(*lines)
        if not lines:
            self._printer.alive()

    async def request_permission(
        self,
        session_id: str,  # noqa: ARG002
        tool_call: Any,
        options: list[schema.PermissionOption],
        **_: Any,
    ) -> schema.RequestPermissionResponse:
        from acp import schema

        asked = _plain(tool_call)
        self._printer.say(*self._narrator.update({**asked, "sessionUpdate": "tool_call_update"}))
        allow = acp_talk.may(self._order, asked)
        chosen = acp_talk.chosen([(option.option_id, option.kind) for option in options], allow=allow)
        if not allow or chosen is None:
            self._narrator.refused = acp_talk.asked_for(asked)
            self._printer.say(DeniedLine(text=self._narrator.refused))
        if chosen is None:
            return schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
        return schema.RequestPermissionResponse(outcome=schema.AllowedOutcome(outcome="selected", option_id=chosen))

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        from acp import RequestError

        raise RequestError.method_not_found(method)

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """Not understood, and not needed."""


def _plain(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


class Gone(Exception):
    """The agent's program ended, or what it said cannot be understood."""


async def have_turn(
    connection: ClientSideConnection, order: Order, prompt: str, narrator: Narrator, printer: Printer
) -> EndLine | None:
    """Everything from the first message to the answer to the prompt. None: the agent says it is done.

    Cancelling the task cancels the turn.
    """
    from acp import PROTOCOL_VERSION, RequestError, schema, text_block

    try:
        offered = schema.ClientCapabilities(
            fs=schema.FileSystemCapabilities(read_text_file=False, write_text_file=False), terminal=False
        )
        who = schema.Implementation(name="ropeteam", title="ropeteam", version=__version__)
        welcome = await connection.initialize(PROTOCOL_VERSION, offered, who)
        servers = _servers(order)
        try:
            session = await connection.new_session(cwd=order.tree, mcp_servers=servers)
        except RequestError as error:
            method = _log_in(welcome, os.environ) if error.code == acp_talk.AUTH_REQUIRED else None
            if method is None:
                raise
            await connection.authenticate(method)
            session = await connection.new_session(cwd=order.tree, mcp_servers=servers)
        printer.say(SessionLine(id=session.session_id))
        await _choose_model(connection, session, order.model)
        if order.mode and session.modes and order.mode in [mode.id for mode in session.modes.available_modes]:
            await connection.set_session_mode(session_id=session.session_id, mode_id=order.mode)
        reason = ""
        for turn in range(TURNS):
            told = prompt if turn == 0 else narrator.go_on(reason, order, given=_given(order, narrator))
            if not told:
                break
            asking = connection.prompt(session_id=session.session_id, prompt=[text_block(told)])
            answer = await _answer(connection, session.session_id, asking)
            printer.say(*narrator.finished(_plain(answer)))
            reason = answer.stop_reason
    except RequestError as error:
        printer.say(*narrator.finished({}))
        return acp_talk.failed(error.code, str(error), error.data)
    except ConnectionError as error:
        raise Gone("it ended without an answer") from error
    except ValueError as error:  # pydantic's: an answer that is none
        raise Gone(f"its answer cannot be read: {' '.join(str(error).split())[:300]}") from error
    return narrator.ended(reason, given=_given(order, narrator))


def _given(order: Order, narrator: Narrator) -> bool:
    return Path(order.report_file).exists() or (order.kind == "plan" and bool(narrator.before.strip()))


async def _answer(
    connection: ClientSideConnection, session: str, asking: Coroutine[Any, Any, schema.PromptResponse]
) -> schema.PromptResponse:
    """The answer to the prompt. When we are cancelled, so is the turn, and its end is waited for, but not for long."""
    asked = asyncio.create_task(asking)
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        with suppress(Exception):
            await connection.cancel(session)
            await asyncio.wait((asked,), timeout=CANCEL_SECONDS)
        raise


def _servers(order: Order) -> list[Any]:
    from acp import schema

    if not order.thinking:
        return []
    program, *arguments = order.thinking
    quiet = [schema.EnvVariable(name="DISABLE_THOUGHT_LOGGING", value="true")]
    return [schema.McpServerStdio(name=acp_talk.THINKING, command=program, args=arguments, env=quiet)]


def _log_in(welcome: schema.InitializeResponse, env: Mapping[str, str]) -> str | None:
    """The way to log in that needs nobody: by variables that are all there."""
    for method in welcome.auth_methods or ():
        names = [var.name for var in getattr(method, "vars", None) or ()]
        if names and all(env.get(name) for name in names):
            return method.id
    return None


async def _choose_model(
    connection: ClientSideConnection, session: schema.NewSessionResponse, model: str | None
) -> None:
    """Raises RequestError where the agent has no such model to choose."""
    from acp import RequestError, schema

    if not model:
        return
    known: list[str] = []
    for option in session.config_options or ():
        if isinstance(option, schema.SessionConfigOptionSelect) and option.category == "model":
            for choice in option.options:
                known += [one.value for one in getattr(choice, "options", [choice])]
            if model in known:
                await connection.set_config_option(option.id, session.session_id, model)
                return
    there = f"It has {', '.join(known)}." if known else "It offers no choice of model."
    raise RequestError(-32602, f"There is no model {model!r} (agent.acp.model). {there}")


async def converse(order: Order, prompt: str, talker: process.Talker, printer: Printer) -> EndLine | None:
    """A turn with the agent at the other end of the pipes. SIGTERM cancels it: then CancelledError."""
    from acp.client.connection import ClientSideConnection

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), talker.output)
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.streams.FlowControlMixin(), talker.input)
    narrator = Narrator()
    client: Any = Client(order, narrator, printer)  # what is not offered is not there
    connection = ClientSideConnection(client, asyncio.StreamWriter(transport, protocol, None, loop), reader)
    turn = loop.create_task(have_turn(connection, order, prompt, narrator, printer))
    loop.add_signal_handler(signal.SIGTERM, turn.cancel)
    try:
        ending = await turn
    finally:
        with suppress(Exception):
            await connection.close()
    if ending is None and order.kind == "plan":
        keep_plan(order, narrator.last_text if narrator.last_text.strip() else narrator.before)
    return ending


def keep_plan(order: Order, text: str) -> None:
    """A plan that came as the last message only, where the agent wrote no file (who plans may be refused to)."""
    path = Path(order.report_file)
    if not path.exists() and text.strip():
        path.write_bytes(msgspec.json.encode({"plan": text}))


def main(argv: list[str]) -> int:
    order = msgspec.json.decode(Path(argv[0]).read_bytes(), type=Order)
    prompt = sys.stdin.buffer.read().decode(errors="replace")
    printer = Printer()
    try:
        import acp  # noqa: F401
    except ImportError:
        printer.say(EndLine(outcome="crashed", text=MISSING))
        return 1
    try:
        with process.talking(order.argv, cwd=Path(order.tree)) as talker:
            try:
                ending = asyncio.run(converse(order, prompt, talker, printer))
            except Gone as gone:
                return _gone(str(gone), talker.wait(1.0), printer)
            except (asyncio.CancelledError, KeyboardInterrupt) as end:
                printer.say(ProgressLine(text="cancelled"))
                return 128 + (signal.SIGINT if isinstance(end, KeyboardInterrupt) else signal.SIGTERM)
    except OSError as error:
        printer.say(EndLine(outcome="crashed", text=f"{order.argv[0]} cannot be started: {error.strerror or error}"))
        return 127
    if ending is None:
        printer.say(Done())
        return 0
    printer.say(ending)
    return 1


def _gone(why: str, code: int | None, printer: Printer) -> int:
    """The exit code for an agent that is gone: a signal that ended it is told as shells do."""
    if code is not None and code < 0:
        return 128 - code
    printer.say(EndLine(outcome="crashed", text=why if code is None else f"{why} (exit code {code})"))
    return code or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
