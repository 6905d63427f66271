"""`ropeteam run --agent claude` in a project of its own, with the real program and a model that says what a test wants.

The model's turns and faults go on through all attempts of a run: what one attempt did not use is the next one's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driving import FEATURE, RESULT, Done, Project, looked_at, make_project, must_hold, wait_until

from repositories import git
from ropeteam.agents.claude import bundled
from ropeteam.demo import recording, repository
from ropeteam.demo.folders import folder
from ropeteam.testing.model_server import (
    EditFile,
    Fault,
    ModelServer,
    Request,
    Shell,
    StructuredReport,
    Turn,
    WriteFile,
)

MODEL = "claude-sonnet-4-5"
DOCUMENTS = ("01-intent.md", "02-implementation.md")
NAME = "model"
"""Of the one script of the model server."""

NEW = tuple(WriteFile(path=path, content=text) for path, text in RESULT.items() if path != "app.py")
GREET = EditFile(path="app.py", find='"hello"', replace='f"hello {name}"')
WORK = Turn(text="Writing it.", calls=(*NEW, GREET))
REPORT = Turn(
    calls=(
        StructuredReport(
            content={
                "files": [{"path": path, "purpose": f"purpose of {path}"} for path in RESULT],
                "decisions": [{"decision": "Names are strings", "rationale": "They are typed in."}],
                "deviations": [{"what": "No farewell by night", "why": "Nobody is up."}],
            }
        ),
    )
)


class ClaudeRun:
    """A project whose agent is the real claude, and the model it talks to. retries: claude's own, of a request."""

    def __init__(self, project: Project, server: ModelServer, retries: int = 0, feature: str = FEATURE) -> None:
        self.p = project
        self.feature = feature
        self.server = server
        self.sets = (
            *project.sets,
            f"agent.claude.argv={json.dumps([str(bundled())])}",
            f"agent.claude.model={MODEL}",
            f'agent.claude.env={{CLAUDE_CODE_MAX_RETRIES="{retries}"}}',
        )
        project.env["ANTHROPIC_BASE_URL"] = server.base_url(NAME)

    def model(self, *turns: Turn, faults: Sequence[Fault | None] = (), forever: bool = False) -> None:
        """What the model says from now on; forever: it goes on with the last fault."""
        self.server.script(NAME, turns, faults, forever=forever)

    def args(self, *more: str) -> tuple[str, ...]:
        sets = [part for setting in self.sets for part in ("--set", setting)]
        return ("run", self.feature, "--agent", "claude", "--mode", "single", "--yes", "--json", *sets, *more)

    def run(self, *more: str) -> Done:
        return self.p.ropeteam(*self.args(*more))

    def resume(self, *more: str) -> Done:
        return self.p.ropeteam("resume", "--json", "--yes", *more)

    # ---- looking

    def conversations(self) -> list[list[Request]]:
        """The requests of the main loop, one list for each conversation, in order."""
        found: list[list[Request]] = []
        for request in self.server.requests(NAME):
            if request.main:
                if len(request.body["messages"]) == 1:
                    found.append([])
                found[-1].append(request)
        return found

    def claudes(self) -> list[int]:
        """Every process of claude of this project, sandboxes included: they are told a file of the attempt."""
        return [pid for pid, argv in _command_lines() if f"{self.p.trees}/" in " ".join(argv) and "-p" in argv]

    def claude(self) -> int:
        """The pid of the one claude itself."""
        (pid,) = [pid for pid, argv in _command_lines() if pid in self.claudes() and argv[0] == str(bundled())]
        return pid

    def kept(self, attempt: str, path: str) -> str:
        """A file as the snapshot of that attempt has it."""
        return git(self.p.top, "show", f"refs/ropeteam/{self.p.run()}/{attempt}:{path}") + "\n"


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")[:-1]
        except OSError:
            continue
        if words:
            yield int(place.name), [word.decode(errors="replace") for word in words]


@contextmanager
def claude_run(folder: Path, *, sandbox: bool = True, retries: int = 0, sample: bool = False) -> Iterator[ClaudeRun]:
    """sample: the demo's sample application with its planned feature, instead of the small project."""
    with ModelServer() as server:
        project = make_project(folder, sandbox=sandbox)
        if sample:
            project.top = repository.make(folder / "library")
            project.before = looked_at(project.top)
        try:
            yield ClaudeRun(project, server, retries, repository.RESERVATIONS if sample else FEATURE)
        finally:
            project.close()


def sample_turns() -> list[Turn]:
    """The demo's recording as turns of a model: files written, edited, and the tests run by claude's own tools."""
    recorded = recording.load()
    turns = []
    for stage in recorded.play_of(recording.SINGLE).stage:
        calls: list[WriteFile | EditFile | Shell] = []
        for path in stage.files:
            new, there = recording.final(path), folder("sample") / path
            pairs = recording.patches(there.read_text(), new) if there.exists() else None
            if pairs is None:
                calls.append(WriteFile(path=path, content=new))
            else:
                calls += [EditFile(path=path, find=find, replace=replace) for find, replace in pairs]
        if stage.tests:
            calls.append(Shell(command=f"{sys.executable} -m unittest discover"))
        turns += [Turn(text=stage.says[0], calls=tuple(calls))] if calls else []
    said = recorded.report(recording.SINGLE)
    report = {
        "files": [{"path": one.path, "purpose": one.purpose} for one in said.files],
        "decisions": [{"decision": one.decision, "rationale": one.rationale} for one in said.decisions],
        "deviations": [{"what": one.what, "why": one.why} for one in said.deviations],
    }
    return [*turns, Turn(calls=(StructuredReport(content=report),))]


# ---- how runs end


def outcomes(said: Any) -> list[str]:
    return [attempt["outcome"] for unit in said["units"] for attempt in unit["attempts"]]


def triggers(said: Any) -> list[tuple[str, str]]:
    return [(trigger["id"], trigger["action"]) for trigger in said["triggers"]]


def at_rest(run: ClaudeRun, done: Done) -> Any:
    """What holds after any ending; gives the report, which says the same later."""
    must_hold(run.p)
    wait_until(lambda: not run.claudes(), "the end of every claude", seconds=5)
    said = done.json
    assert run.p.report() == said
    assert run.p.ropeteam("wait", "--json").code == done.code
    return said


def delivered(run: ClaudeRun, done: Done, *attempts: str, again: bool = False) -> Any:
    """It landed, after attempts with these outcomes. again: the run had ended not delivered before: then its own
    documents are in the checkout already, and are brought up to date there instead of being committed."""
    assert done.code == 0, done
    said = at_rest(run, done)
    assert (said["state"], said["outcome"], said["landed"]) == ("ended", "delivered_single", True), done
    assert outcomes(said) == list(attempts or ("ok",)), done
    for path, text in RESULT.items():
        assert (run.p.top / path).read_text() == text, path
        assert git(run.p.top, "show", f"main:{path}") + "\n" == text
    changed = [line[3:] for line in git(run.p.top, "status", "--porcelain").splitlines()]
    assert changed == ([f".workspace/features/{FEATURE}/{name}" for name in DOCUMENTS] if again else [])
    intent, log = ((run.p.top / f".workspace/features/{FEATURE}" / name).read_text() for name in DOCUMENTS)
    assert "✓ done" in intent
    assert log.count("<!-- ropeteam run ") == 1
    return said


def parked(run: ClaudeRun, done: Done, *attempts: str) -> Any:
    """It stands still, to be resumed, and the user's side is as it was."""
    assert done.code == 4, done
    said = at_rest(run, done)
    assert (said["state"], said["outcome"], said["landed"]) == ("parked", None, False), done
    assert outcomes(said) == list(attempts), done
    return said


def not_delivered(run: ClaudeRun, done: Done, *attempts: str) -> Any:
    """It ended without a result, and every attempt's work is named."""
    assert done.code == 1, done
    said = at_rest(run, done)
    assert (said["state"], said["outcome"], said["landed"]) == ("ended", "not_delivered", False), done
    assert outcomes(said) == list(attempts), done
    refs = [attempt["ref"] for attempt in said["units"][0]["attempts"]]
    assert len(refs) == len(attempts)
    for ref in refs:
        assert git(run.p.top, "rev-parse", "--verify", ref)
    return said
