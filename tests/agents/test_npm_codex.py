"""The `codex` that npm installs, beyond the fault matrix: what it may do, and what it goes on from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from agent_worlds import PLACE, World, make
from all_rigs import RIGS
from cases import CASES
from playing import a_task

from ropeteam import process, sandbox
from ropeteam.agents.codex import CodexAgent
from ropeteam.core.model import Usage
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Finish, Fork, Task
from ropeteam.testing.model_server import ModelServer, Shell, StructuredReport, Turn, WriteFile

pytestmark = [pytest.mark.agents, pytest.mark.timeout(180)]

PINNED = "0.169.0"
RIG = RIGS["codex"]
NAME = "codex"
REPORT = Turn(calls=(StructuredReport(content={"files": [], "decisions": [], "deviations": []}),))
WRITE_IT = Turn(calls=(WriteFile(path="made.py", content="x = 1\n"),))
PLAN = Turn(calls=(StructuredReport(content={"plan": {"units": [], "files": []}}),))


class Place:
    """Attempts one after another, of one user, each in a world of its own. boxed: in ropeteam's sandbox."""

    def __init__(self, folder: Path, server: ModelServer, *, boxed: bool) -> None:
        self.folder = folder
        self.server = server
        self.boxed = boxed
        self.url = server.base_url(NAME)

    def world(self, name: str) -> World:
        world = make(self.folder / name, {})
        shutil.rmtree(world.home)
        home = self.folder / "home"
        if not home.exists():
            for path, text in RIG.home(self.url).items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_text(text)
        return world

    def attempt(self, name: str, *turns: Turn, **changes: object) -> tuple[Finish, Task]:
        self.server.script(NAME, turns)
        world = self.world(name)
        task = a_task(world, RIG, CASES["success"], self.url)
        task = msgspec.structs.replace(task, unit=name, own_prompt=f"{name}\n", sandboxed=self.boxed, **changes)
        caller = world.caller(RIG.caller(self.url, key=True)) | {"HOME": str(self.folder / "home")}
        agent = CodexAgent(env=caller)
        launch = agent.build(task)
        for path, text in launch.files.items():
            Path(path).write_text(text, encoding="utf-8")
        prefix: tuple[str, ...] = ()
        if self.boxed:
            own = world.folder / "home" / "sessions"
            own.mkdir(parents=True)
            if task.fork is not None:
                shutil.copytree(task.fork.folder / "home" / "sessions", own, dirs_exist_ok=True)
            (settings,) = launch.home_folders
            view = sandbox.View(
                folder=self.folder / "home" / settings.name,
                kept=settings.kept,
                fresh=settings.fresh,
                own={"sessions": own},
            )
            policy = sandbox.Policy(
                tree=task.tree,
                tree_writable=not launch.reads_only,
                writable=(task.folder,),
                readable=tuple(Path(path) for path in launch.readable),
                views=(view,),
                home=self.folder / "home",
                path=caller["PATH"],
            )
            prefix = sandbox.prefix(policy, sandbox.available().path)
        done = process.run(
            (*prefix, *launch.argv),
            cwd=task.tree,
            env=sandbox.environment(caller, launch.env, launch.pass_env),
            input=launch.stdin.encode(),
            timeout=120,
        )
        conversation = agent.listen(task)
        for line in done.stdout.splitlines():
            conversation.parse(line)
        return conversation.finish(Exit(code=done.returncode, seconds=1.0), 1_800_000_000.0), task


@pytest.fixture(params=[True, False], ids=["sandbox", "no sandbox"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param and not sandbox.available().ok:
        pytest.skip("no sandbox here")
    with tempfile.TemporaryDirectory(dir=PLACE) as folder, ModelServer() as server:
        yield Place(Path(folder), server, boxed=request.param)


def fork_of(finish: Finish, task: Task, *before: Usage) -> Fork:
    all_of_it = (*before, finish.usage)
    usage = Usage(
        input=sum(one.input for one in all_of_it),
        cached=sum(one.cached for one in all_of_it),
        output=sum(one.output for one in all_of_it),
    )
    return Fork(session=finish.session, tree=task.tree, folder=task.folder.parent, usage=usage)


def test_it_is_found_with_its_version(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CODEX_API_KEY": "dummy"}
    probe = CodexAgent(env=env).probe(AgentSettings(argv=RIG.argv()), env)

    assert (probe.version, probe.problem) == (PINNED, "")
    assert list(tmp_path.iterdir()) == [], "to be asked leaves nothing behind"


def test_who_plans_can_read_and_cannot_write(place: Place) -> None:
    look = Turn(
        calls=(Shell(command="cat /etc/hostname && echo was read"), Shell(command="echo x > made; echo x > /tmp/x"))
    )
    finish, task = place.attempt("plan", look, WRITE_IT, PLAN, kind="plan")

    assert finish.outcome == "ok", finish.evidence
    assert finish.report.plan == '{"units":[],"files":[]}'
    assert [path.name for path in task.tree.iterdir()] == []
    answers = str([request.body["input"] for request in place.server.requests(NAME)][-1])
    assert "was read" in answers
    assert "Read-only file system" in answers


def test_forks_write_in_their_own_trees_and_count_what_is_their_own(place: Place) -> None:
    scout, first = place.attempt("contract", Turn(calls=(Shell(command="pwd"),)), WRITE_IT, REPORT, kind="contract")
    before, going_on = scout, fork_of(scout, first)
    for name in ("unit", "unit-of-unit"):
        work = Turn(calls=(WriteFile(path=f"{name}.py", content="x = 1\n"), Shell(command=f"touch {name}.sh")))
        finish, task = place.attempt(name, work, REPORT, fork=going_on)
        reading = place.server.reading(NAME)

        assert finish.outcome == "ok", finish.evidence
        assert finish.session != before.session
        assert (finish.usage.input, finish.usage.cached) == (reading.full, reading.cached)
        assert {f"{name}.py", f"{name}.sh"} <= {path.name for path in task.tree.iterdir()}
        asked = place.server.requests(NAME)[0].text
        assert asked.count("What all attempts of a run share.") == 20, "once, and by who began"
        assert f"{name}\n" in asked
        before, going_on = finish, fork_of(finish, task, going_on.usage)
    assert [path.name for path in first.tree.iterdir() if not path.name.startswith(".")] == ["made.py"]


def test_a_fork_cannot_write_where_the_conversation_was_held(place: Place) -> None:
    scout, first = place.attempt("contract", WRITE_IT, REPORT, kind="contract")
    away = Turn(calls=(Shell(command=f"touch {first.tree}/a"), WriteFile(path=f"{first.tree}/b", content="x\n")))
    finish, _ = place.attempt("unit", away, REPORT, fork=fork_of(scout, first))

    if not place.boxed:  # in the sandbox the other tree is not even there, and what is written to its path is gone
        assert finish.outcome == "denied", finish.evidence
    assert [path.name for path in first.tree.iterdir() if not path.name.startswith(".")] == ["made.py"]


def test_without_the_conversation_there_is_nothing_to_go_on_from(place: Place) -> None:
    scout, first = place.attempt("contract", REPORT, kind="contract")
    lost = msgspec.structs.replace(fork_of(scout, first), session="01a21625-18bd-7ff2-baf6-f455e01e5787")
    finish, _ = place.attempt("unit", REPORT, fork=lost)

    assert finish.unforked
    assert finish.outcome == "crashed"
