"""The real claude program against the loopback model, case by case; run as a program it records the golden streams.

    python tests/integration/claude_cases.py        writes tests/golden/claude/*.jsonl and endings.json
    python tests/integration/claude_cases.py forks  writes tests/golden/claude_forks/*.jsonl

What differs from run to run and from machine to machine (folders, ports) is replaced in the recordings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from ropeteam import process
from ropeteam.agents.claude import ClaudeAgent, bundled
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Finish, Fork, Launch, Said, Task
from ropeteam.testing.model_server import (
    Broken,
    Call,
    EditFile,
    Fault,
    ModelServer,
    Request,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "claude"
GOLDEN_FORKS = GOLDEN.with_name("claude_forks")
MODEL = "claude-sonnet-4-5"
NO_SESSION = "00000000-0000-4000-8000-000000000000"
SHARED = "What all attempts of a run share.\n" * 200
OWN = "What is particular to this attempt.\n"

REPORT = StructuredReport(
    content={
        "files": [{"path": "app/new.py", "purpose": "the new module"}],
        "decisions": [{"decision": "one module", "rationale": "it is small"}],
        "deviations": [{"what": "no cache", "why": "not needed"}],
    }
)
WRITE = Turn(text="Writing the module.", calls=(WriteFile(path="app/new.py", content="x = 1\n"),))
EDIT = Turn(calls=(EditFile(path="app/new.py", find="x = 1", replace="x = 2"), Shell(command="cat app/new.py")))
DONE = Turn(calls=(REPORT,))

TOO_LONG = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
}
NO_CREDIT = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."},
}
WINDOW_USED_UP = {
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": "1900000000",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "retry-after": "1",
}


@dataclass(frozen=True)
class Case:
    """What the model does, and what of the task differs from the usual."""

    turns: Sequence[Turn] = (WRITE, DONE)
    faults: Sequence[Fault | None] = ()
    forever: bool = False
    key: dict[str, str] = field(default_factory=lambda: {"ANTHROPIC_API_KEY": "dummy"})
    max_turns: int | None = None
    budget_usd: float | None = None
    refused: bool = False


CASES = {
    "success": Case(turns=(WRITE, EDIT, DONE)),
    "no-report": Case(turns=(WRITE, Turn(text="All done."), Turn(text="Really."))),
    "bad-report": Case(turns=[Turn(calls=(StructuredReport(content={"files": 3}),))] * 8),
    "subagent": Case(
        turns=(
            Turn(
                calls=(
                    Call(name="Agent", input={"description": "look", "prompt": "Look.", "subagent_type": "Explore"}),
                )
            ),
            Turn(calls=(Shell(command="ls"),)),
            Turn(text="Nothing here."),
            WRITE,
            DONE,
        )
    ),
    "denied": Case(turns=(Turn(calls=(WriteFile(path="../outside.txt", content=""),)), WRITE, DONE)),
    "auth-401": Case(faults=[Status(status=401)], forever=True),
    "auth-403": Case(faults=[Status(status=403)], forever=True),
    "not-logged-in": Case(key={}),
    "rate-429": Case(faults=[Status(status=429, headers={"retry-after": "1"})], forever=True),
    "window-used-up": Case(
        faults=[Status(status=429, headers=WINDOW_USED_UP)], forever=True, key={"CLAUDE_CODE_OAUTH_TOKEN": "dummy"}
    ),
    "no-credit": Case(faults=[Status(status=400, body=NO_CREDIT)], forever=True),
    "server-500": Case(faults=[Status(status=500)], forever=True),
    "overloaded-529": Case(faults=[Status(status=529)], forever=True),
    "overloaded-once": Case(faults=[None, Status(status=529)]),
    "cut-once": Case(faults=[Broken(kind="cut")]),
    "cut": Case(faults=[Broken(kind="cut")], forever=True),
    "garbage": Case(faults=[Broken(kind="garbage")], forever=True),
    "reset": Case(faults=[Broken(kind="reset")], forever=True),
    "refused": Case(refused=True),
    "bad-request": Case(faults=[Status(status=400)], forever=True),
    "no-such-model": Case(faults=[Status(status=404)], forever=True),
    "too-long": Case(faults=[Status(status=400, body=TOO_LONG)], forever=True),
    "turns": Case(turns=[WRITE] * 5, max_turns=2),
    "budget": Case(turns=[WRITE] * 5, budget_usd=0.01),
    "sigterm": Case(turns=(WRITE, Turn(calls=(Shell(command="kill -TERM $PPID; sleep 30"),)))),
    "sigint": Case(turns=(WRITE, Turn(calls=(Shell(command="kill -INT $PPID; sleep 30"),)))),
    "sigkill": Case(turns=(WRITE, Turn(calls=(Shell(command="kill -KILL $PPID; sleep 30"),)))),
}
"""By name. In the three cases of a signal the agent's own shell sends it, so nothing has to be timed."""


@dataclass(frozen=True)
class Played:
    """What came of a case."""

    finish: Finish
    said: list[Said]
    task: Task
    lines: list[bytes]
    returncode: int
    requests: list[Request]


def a_task(folder: Path, case: Case, settings: AgentSettings) -> Task:
    tree, io = folder / "tree", folder / "io"
    tree.mkdir(parents=True, exist_ok=True)
    io.mkdir(exist_ok=True)
    return Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt=SHARED,
        own_prompt=OWN,
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        turns=case.max_turns,
        budget_usd=case.budget_usd,
        settings=settings,
    )


def environment(launch: Launch, home: Path, base_url: str, key: dict[str, str]) -> dict[str, str]:
    """From an allow-list: nothing of this machine's own configuration or keys."""
    home.mkdir(exist_ok=True)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        **launch.env,
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "ANTHROPIC_BASE_URL": base_url,
        **key,
    }


def play(
    name: str,
    case: Case,
    folder: Path,
    server: ModelServer,
    *,
    argv: Sequence[str] = (),
    attempt: int = 1,
    fork: Fork | None = None,
) -> Played:
    """Run one case in `folder` (which gets `tree`, `io` and `home`). argv: instead of the plain program. fork: what it
    goes on from."""
    agent = ClaudeAgent()
    task = a_task(folder, case, AgentSettings(argv=tuple(argv) or (str(bundled()),), model=MODEL))
    task = replace(task, attempt=attempt, fork=fork)
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    server.script(name, case.turns, case.faults, forever=case.forever)
    # Port 9 ("discard") is closed on any machine of our time.
    base_url = "http://127.0.0.1:9" if case.refused else server.base_url(name)
    with subprocess.Popen(
        launch.argv,
        cwd=task.tree,
        env=environment(launch, folder / "home", base_url, case.key),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as claude:
        try:
            out, _ = claude.communicate(launch.stdin.encode(), timeout=60)
        finally:
            claude.kill()
    process.sweep(task.tree)  # the shells that claude starts outlive it when it is killed
    lines = out.splitlines()
    conversation = agent.listen(task)
    said = [said for line in lines for said in conversation.parse(line)]
    returncode = claude.returncode
    exit = Exit(code=returncode if returncode >= 0 else None, signal=max(0, -returncode), seconds=1.0)
    finish = conversation.finish(exit, 1_800_000_000.0)
    return Played(finish, said, task, lines, returncode, server.requests(name))


def fork_of(played: Played) -> Fork:
    return Fork(
        session=played.finish.session, tree=played.task.tree, folder=played.task.folder, usage=played.finish.usage
    )


def record_forks() -> None:
    """`scout`, `fork` of it, and `lost`: what it is to go on from is not there."""
    GOLDEN_FORKS.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN_FORKS.glob("*.jsonl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as temporary, ModelServer() as server:
        folder = Path(temporary).resolve()
        scout = play("scout", Case(turns=(WRITE, DONE)), folder, server)
        fork = play("fork", Case(turns=(EDIT, DONE)), folder, server, attempt=2, fork=fork_of(scout))
        nowhere = replace(fork_of(scout), session=NO_SESSION)
        lost = play("lost", Case(), folder, server, attempt=3, fork=nowhere)
        address = server.base_url("x").removeprefix("http://").partition("/")[0]
        for name, played in (("scout", scout), ("fork", fork), ("lost", lost)):
            text = b"".join(line + b"\n" for line in played.lines).decode()
            text = text.replace(str(folder), "/attempt").replace(address, "127.0.0.1:1")
            (GOLDEN_FORKS / f"{name}.jsonl").write_text(text, encoding="utf-8")
            print(f"{name}: {played.finish.outcome} ({played.returncode}): {played.finish.evidence}")


def record() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.glob("*.jsonl"):
        old.unlink()
    endings = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as temporary, ModelServer() as server:
            folder = Path(temporary).resolve()
            played = play(name, case, folder, server)
            address = server.base_url(name).removeprefix("http://").partition("/")[0]
            text = b"".join(line + b"\n" for line in played.lines).decode()
            text = text.replace(str(folder), "/attempt").replace(address, "127.0.0.1:1")
            (GOLDEN / f"{name}.jsonl").write_text(text, encoding="utf-8")
            endings[name] = played.returncode
            print(f"{name}: {played.finish.outcome} ({played.returncode}): {played.finish.evidence}")
    (GOLDEN / "endings.json").write_text(json.dumps(endings, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(record_forks() if sys.argv[1:] == ["forks"] else record())
