"""`ropeteam mcp`: the tools of `mcp_answers` over the Model Context Protocol, on standard input and output.

A run is driven by a process of its own from its first event, so it goes on when the client goes away, and when a call
is cancelled.
"""

from __future__ import annotations

import functools
import time
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlparse

import click

from ropeteam import __version__
from ropeteam.cli import options
from ropeteam.errors import BadInput, BadRepository, UserError

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

    from ropeteam.cli.mcp_answers import Answer

TELL_SECONDS: Final = 2.0
"""Between two notifications of progress, at least."""
SIGN_SECONDS: Final = 15.0
"""After so long without news one is sent all the same: some clients give up a call that is silent."""
ROOTS_SECONDS: Final = 5.0


@click.command(short_help="Serve hosts over MCP, on standard input and output.")
@options.repo
def mcp(repo: Path) -> int:
    """Serve plan, start, wait, status, report, cancel, and for host mode take_unit and hand_in_unit, as tools of the
    Model Context Protocol, on standard input and output, for an agent's host to start: `claude mcp add ropeteam --
    ropeteam mcp`. Runs go on when the host goes away. Needs the extra: `pip install 'ropeteam[mcp]'`.

    It is about the repository it is started in, or the first root that the host names."""
    if find_spec("mcp") is None or find_spec("mcp_types") is None:
        raise UserError(
            "`ropeteam mcp` needs the package mcp, which is not installed.",
            hint="pip install 'ropeteam[mcp]'. Without it everything can be done on the command line.",
            code="mcp_missing",
        )
    if not repo.is_dir():
        raise BadInput(
            "There is no such folder.", where=f"--repo {repo}", hint="Leave it out to serve where it is started."
        )
    import anyio

    anyio.run(_serve, repo.absolute())
    return 0


async def _serve(repo: Path) -> None:
    from mcp.server.stdio import stdio_server

    server = server_of(repo)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def server_of(repo: Path) -> Server[Any]:
    """The server, without a transport. repo: where it was started."""
    import mcp_types as types
    from mcp.server.lowlevel import Server as LowLevel

    from ropeteam.cli import mcp_answers

    async def list_tools(
        _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=tool.description,
                    input_schema=mcp_answers.schema(tool),
                    annotations=types.ToolAnnotations(read_only_hint=tool.reads_only, destructive_hint=False),
                )
                for name, tool in mcp_answers.TOOLS.items()
            ]
        )

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        place = await _place(repo, context)
        answer = await _answered(place, context, params)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)],
            structured_content=_facts(answer),
            is_error=bool(answer.problem),
        )

    return LowLevel("ropeteam", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)


def _facts(answer: Answer) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(answer)
    return facts


async def _answered(repo: Path, context: ServerRequestContext[Any], params: CallToolRequestParams) -> Answer:
    """Call the tool in a thread; pass on what happens; when the call is cancelled, let the thread end."""
    import anyio
    from anyio import to_thread

    from ropeteam.cli import mcp_answers

    news: list[str] = []
    stop, over = Event(), anyio.Event()
    token = context.meta.get("progress_token") if context.meta else None
    call = mcp_answers.Call(repo=repo, tell=news.append, stop=stop)
    found: list[Answer] = []

    async def work() -> None:
        try:
            does = functools.partial(mcp_answers.answer, params.name, call, params.arguments or {})
            found.append(await to_thread.run_sync(does, abandon_on_cancel=True))
        finally:
            over.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            if token is not None:
                await _pass_on(context, token, news, over)
        call.held.pass_on()  # before the answer is written: two subagents on one unit would be worse than none
    finally:
        stop.set()
        call.held.let_go()
    return found[0]


async def _pass_on(context: ServerRequestContext[Any], token: str | int, news: list[str], over: Any) -> None:
    """The newest of the news, now and then, until it is over."""
    import anyio

    begun = told = time.monotonic()
    while not over.is_set():
        with anyio.move_on_after(0.1):
            await over.wait()
        now = time.monotonic()
        if now - told < (TELL_SECONDS if news else SIGN_SECONDS):
            continue
        text, told = (news[-1] if news else None), now
        news.clear()
        await context.session.send_progress_notification(
            token, round(now - begun, 1), message=text, related_request_id=str(context.request_id)
        )


async def _place(repo: Path, context: ServerRequestContext[Any]) -> Path:
    """Where the host works: where it started us; where that is no repository, the first root it names."""
    import anyio

    from ropeteam import app

    def here() -> bool:
        try:
            app.open_repository(repo)
        except BadRepository:
            return False
        return True

    capabilities = context.session.client_capabilities
    if await anyio.to_thread.run_sync(here) or capabilities is None or capabilities.roots is None:
        return repo
    return await _root(context, repo)


async def _root(context: ServerRequestContext[Any], otherwise: Path) -> Path:
    import warnings

    import anyio

    with anyio.move_on_after(ROOTS_SECONDS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a newer protocol has no roots is no news for a user
        try:
            roots = (await context.session.list_roots()).roots
        except Exception:  # a host of another version of the protocol: nothing is lost but the guess
            return otherwise
        for root in roots:
            parts = urlparse(str(root.uri))
            if parts.scheme == "file":
                return Path(unquote(parts.path))
    return otherwise
