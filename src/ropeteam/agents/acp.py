"""`--agent acp`: any agent that speaks the Agent Client Protocol, through a client of ours (`acp_client`).

The client is a program of its own, started once an attempt, and prints the lines of `ropeteam.agents.program`: so an
attempt is watched, stopped and found again like any other, and the protocol's library is loaded where it is used only.
The library is optional: `pip install 'ropeteam[acp]'`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import msgspec

from ropeteam.agents import acp_known, codex_verdict, endings, program, refusals
from ropeteam.agents.acp_talk import Done, Order
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.ports import Abilities, Conversation, Exit, Finish, Launch, Probe, Said, Task

LIBRARY: Final = "acp"

_NOT_SET = "The agent `acp` needs to know which program to run: agent.acp.argv is not set."
_HINT = """Give it, for example --set agent.acp.argv='["gemini", "--acp"]'."""
_MISSING = "The library agent-client-protocol, which speaks with such agents, is not installed."
_DONE = msgspec.json.encode(Done())
_INSTALL = "Install it: pip install 'ropeteam[acp]'."


class AcpAgent:
    """Starts the client in ropeteam's own Python, which starts `settings.argv`."""

    name = "acp"
    report_by: Literal["file", "structured"] = "file"
    attaches = True
    abilities = Abilities(usage="some", note="What it tells depends on the program that agent.acp.argv names.")

    def __init__(self, *, env: Mapping[str, str] | None = None) -> None:
        """env: of whoever starts ropeteam, where the program's own settings are looked for; None: ours."""
        self._env = env

    def build(self, task: Task) -> Launch:
        settings = task.settings
        if not settings.argv:
            raise BadInput(_NOT_SET, where="agent.acp.argv", hint=_HINT)
        known = acp_known.known(settings.argv)
        order_path, prompt = task.folder / "order.json", endings.whole_prompt(task)
        flag = known.model if known.model.startswith("-") else ""
        model = settings.model or ""
        more = (*((flag, model) if flag and model else ()), *((known.folder, str(task.folder)) if known.folder else ()))
        order = Order(
            argv=(*settings.argv, *more),
            tree=str(task.tree),
            report_file=str(task.report_file),
            kind=task.kind,
            model=None if known.model else settings.model,
            thinking=task.thinking,
            mode=known.confined if task.sandboxed else known.plans if task.kind == "plan" else known.bounded,
            bounded=bool(known.bounded) and not task.sandboxed,
        )
        caller = {**(os.environ if self._env is None else self._env), **settings.env}
        names = (*known.passed, *(known.keys(settings, caller) if known.keys else ()))
        chosen = {known.model: model} if known.model and not flag and model else {}
        return Launch(
            argv=(sys.executable, "-P", "-m", "ropeteam.agents.acp_client", str(order_path)),
            env={**known.env, **chosen, **settings.env},
            stdin=prompt,
            files={str(order_path): msgspec.json.encode(order).decode(), str(task.prompt_file): prompt},
            pass_env=tuple(name for name in names if name not in {**known.env, **chosen, **settings.env}),
            home_readonly=known.home_readonly,
            home_folders=known.folders,
            readable=_readable(settings.argv, task.thinking),
            reads_only=task.kind == "plan",
        )

    def listen(self, task: Task) -> Conversation:
        return AcpConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        """The program is looked for but not run: what it does without a client on the other end is not known."""
        if not settings.argv:
            return Probe(name=self.name, problem=_NOT_SET, hint=_HINT)
        if find_spec(LIBRARY) is None:
            return Probe(name=self.name, problem=_MISSING, hint=_INSTALL)
        wanted = settings.argv[0]
        if "/" in wanted and not wanted.startswith("/"):
            return Probe(name=self.name, path=wanted)  # relative to the work tree, which does not exist yet
        found = shutil.which(wanted, path=env.get("PATH", ""))
        if found is None:
            problem = f"There is no program {wanted!r} that can be run."
            return Probe(name=self.name, problem=problem, hint="Install it, or give its absolute path.")
        known = acp_known.known(settings.argv)
        version = _version(Path(found))
        if acp_known.not_logged_in(known, settings, {**env, **settings.env}):
            problem = f"{wanted} is not logged in."
            return Probe(name=self.name, path=found, version=version, problem=problem, hint=known.hint, log_in=True)
        return Probe(name=self.name, path=found, version=version)


class AcpConversation(program.ProgramConversation):
    """A client that ends well says so with its last line."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._done = False

    def parse(self, line: bytes) -> Sequence[Said]:
        if line.strip() == _DONE:
            self._done = True
            return (Said(kind="end", text="done"),)
        return super().parse(line)

    def finish(self, exit: Exit, now: float) -> Finish:
        finish = super().finish(exit, now)
        if finish.outcome in ("rate", "overload") and finish.retry_at is None and self._end is not None:
            words = self._end.text
            at = codex_verdict.retry_at(words, now) or refusals.retry_at(words, now)
            return msgspec.structs.replace(finish, retry_at=at)
        if finish.outcome != "ok" or self._done:
            return finish
        return msgspec.structs.replace(finish, outcome="unknown", evidence="It ended without saying that it was done.")


class _Package(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    version: str = ""


def _version(program: Path) -> str:
    """Of a program from npm, as its package says, which is quick and starts nothing; empty for others."""
    for folder in program.resolve().parents[:3]:
        with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            package = msgspec.json.decode((folder / "package.json").read_bytes(), type=_Package)
            if package.name and package.version:
                return package.version
    return ""


def _readable(argv: tuple[str, ...], thinking: tuple[str, ...]) -> tuple[str, ...]:
    """Where our own code and the library lie, which may be hidden places, and the programs named by their paths."""
    found = [str(Path(__file__).parents[1])]
    for module in (LIBRARY, "pydantic", "msgspec"):
        spec = find_spec(module)
        found += [str(Path(spec.origin).parents[1])] if spec is not None and spec.origin else []
    return tuple(dict.fromkeys((*found, *endings.programs(argv[0], *thinking))))
