"""`ropeteam run` with the real gemini and the real opencode: a small feature lands, with and without the sandbox.
opencode's units go on from the conversation that wrote the contract, each in its own tree, in the sandbox alone."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driving import FEATURE, RESULT, Done, Project, make_project, must_hold
from test_several_claude import UNITS, own_task

from repositories import git
from ropeteam import sandbox
from ropeteam.testing.model_server import Call, EditFile, ModelServer, Shell, Turn, WriteFile

pytestmark = [pytest.mark.agents, pytest.mark.timeout(600)]

NAME = "model"
NEW = tuple(WriteFile(path=path, content=text) for path, text in RESULT.items() if path != "app.py")
GREET = EditFile(path="app.py", find='"hello"', replace='f"hello {name}"')
REPORT = {
    "files": [{"path": path, "purpose": f"purpose of {path}"} for path in RESULT],
    "decisions": [{"decision": "Names are strings", "rationale": "They are typed in."}],
    "deviations": [],
}
LEAVES = "sleep 300 >/dev/null 2>&1 & setsid sleep 300 >/dev/null 2>&1 &"
"""What outlives the agent, in a session of its own, unless somebody ends it."""


def program(name: str) -> str:
    folder = os.environ.get("ROPETEAM_TEST_AGENTS", "")
    if not folder:
        pytest.skip("ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it")
    return str(Path(folder) / name)


def as_gemini(project: Project, url: str) -> tuple[str, str]:
    """The user's own log-in, and which variable tells the agent's shell a file in the attempt's folder."""
    home = Path(project.env["HOME"], ".gemini")
    home.mkdir(parents=True)
    (home / "settings.json").write_text(json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
    project.env |= {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": url}
    return "gemini-2.5-pro", "GEMINI_SYSTEM_MD"


def as_opencode(project: Project, url: str) -> tuple[str, str]:
    home = Path(project.env["HOME"], ".config/opencode")
    (home / "node_modules").mkdir(parents=True)
    package = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "1.18.33"}}}}
    (home / "package-lock.json").write_text(json.dumps(package))
    model: dict[str, Any] = {"limit": {"context": 200_000, "output": 8_000}, "cost": {"input": 1, "output": 2}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "{env:LOOP_API_KEY}"},
        "models": {"model-1": model},
    }
    (home / "opencode.json").write_text(json.dumps({"provider": {"loop": provider}}))
    project.env["LOOP_API_KEY"] = "dummy"
    return "loop/model-1", "OPENCODE_DB"


@contextmanager
def project_of(folder: Path, *, confined: bool) -> Iterator[tuple[Project, ModelServer]]:
    with ModelServer() as server:
        project = make_project(folder, sandbox=confined)
        try:
            yield project, server
        finally:
            project.close()


@pytest.mark.parametrize("confined", [True, False], ids=["sandbox", "no sandbox"])
@pytest.mark.parametrize("agent", ["gemini", "opencode"])
def test_a_feature_lands_with_what_was_decided_and_nothing_is_left(agent: str, confined: bool, tmp_path: Path) -> None:
    argv = json.dumps([program(agent)])
    if confined and not sandbox.available().ok:
        pytest.skip("no sandbox here")
    with project_of(tmp_path, confined=confined) as (project, server):
        model, variable = {"gemini": as_gemini, "opencode": as_opencode}[agent](project, server.base_url(NAME))
        report = f"printf %s {shlex.quote(json.dumps(REPORT))} > ${{{variable}%/*}}/report.json"
        work = Turn(text="Writing it.", calls=(*NEW, GREET))
        server.script(NAME, [work, Turn(calls=(Shell(command=f"{report}; {LEAVES}"),)), Turn(text="Done.")])
        sets = [*project.sets, f"agent.{agent}.argv={argv}", f"agent.{agent}.model={model}"]
        flags = [part for setting in sets for part in ("--set", setting)]

        done = project.ropeteam(
            "run", FEATURE, "--agent", agent, "--mode", "single", "--yes", "--json", *flags, seconds=400.0
        )

        assert done.code == 0, done
        said = done.json
        assert (said["outcome"], said["landed"], said["triggers"]) == ("delivered_single", True, [])
        for path, text in RESULT.items():
            assert git(project.top, "show", f"main:{path}") + "\n" == text
        (attempt,) = said["units"][0]["attempts"]
        assert attempt["agent"] == agent
        assert min(attempt["tokens"].values()) > 0
        assert said["decisions"][0]["decision"] == "Names are strings"
        assert said["files"]["created"][0]["purpose"] == "purpose of farewell.py"
        first, *others = [request for request in server.requests(NAME) if request.main]
        assert len(others) == 2
        assert "purpose" in json.dumps(first.body), "it was told how to report"
        must_hold(project)
        assert project.processes() == [], "what its shell had left in the background was ended"


# ---- one reading for several

CONTRACT = "names"


def proposal() -> dict[str, Any]:
    writes = ["names.py", "at.txt"]
    units: list[dict[str, Any]] = [{"id": CONTRACT, "kind": "contract", "goal": "Declare names.py.", "writes": writes}]
    for unit in UNITS:
        files = [f"{unit}.py", f"{unit}.txt", f"{unit}.more"]
        units.append({"id": unit, "goal": f"A module {unit}.py.", "needs": [CONTRACT], "writes": files})
    return {"units": units, "contract": CONTRACT}


def by_an_agent() -> dict[str, Any]:
    """The same as whoever plans gives it: with what it takes its requirements and the files for."""
    plan = proposal()
    for unit in plan["units"]:
        unit |= {"title": unit["id"], "provides": [], "requirements": ["REQ-001"]}
        unit.setdefault("needs", [])
    files = [{"path": path, "status": "A", "lines": 90} for unit in plan["units"] for path in unit["writes"]]
    return {"plan": {**plan, "files": files}}


def write_scripts(server: ModelServer) -> None:
    """The contract's agent looks, says where it is and declares; each unit writes to every kind of path it knows."""
    server.script(NAME)
    look = Turn(calls=(Shell(command="cat app.py; pwd > at.txt"),))
    names = Turn(calls=(WriteFile(path="names.py", content="def of(word):\n    return word\n"),))
    for unit in UNITS:
        relative = WriteFile(path=f"{unit}.py", content=f"import names\n\nSAID = names.of({unit!r})\n")
        where = Shell(command=f"pwd > {unit}.txt")
        inherited = Shell(command=f"echo {unit} > $(cat at.txt)/{unit}.more")
        server.script_for(
            NAME, own_task(unit), (Turn(calls=(relative, where)), Turn(calls=(inherited,)), Turn(text="Done."))
        )
    # last: the units' conversations hold its task too
    server.script_for(NAME, f"This is the contract `{CONTRACT}`", (look, names, Turn(text="Declared.")))


def several(project: Project, server: ModelServer, *more: str, planner: str = "") -> Done:
    """planner: who makes the plan, else it is given."""
    model, _ = as_opencode(project, server.base_url(NAME))
    argv = json.dumps([program("opencode")])
    sets = [*project.sets, f"agent.opencode.argv={argv}", f"agent.opencode.model={model}", *more]
    flags = [part for setting in sets for part in ("--set", setting)]
    given = project.folder / "plan.json"
    given.write_text(json.dumps(proposal()))
    plan = ("--planner", planner) if planner else ("--plan", str(given))
    return project.ropeteam(
        "run", FEATURE, "--agent", "opencode", "--mode", "parallel", *plan, "--yes", "--json", *flags, seconds=500.0
    )


def test_units_of_opencode_go_on_from_the_contract_where_all_trees_are_at_one_path(tmp_path: Path) -> None:
    if not sandbox.available().ok:
        pytest.skip("no sandbox here")
    with project_of(tmp_path, confined=True) as (project, server):
        write_scripts(server)
        done = several(project, server)
        assert done.code == 0, done
        must_hold(project)
        said = done.json
        assert (said["outcome"], said["landed"], said["triggers"]) == ("delivered_parallel", True, [])
        assert project.processes() == []
        started = {event["attempt"]: event for event in project.events("AttemptStarted")}
        forks = {unit: event.get("fork", "") for unit, event in started.items()}
        assert forks == {"names/1": "", **{f"{unit}/1": "names/1" for unit in UNITS}}

        scout = Path(started["names/1"]["tree"])
        for unit in UNITS:
            tree = Path(started[f"{unit}/1"]["tree"])
            assert (tree / f"{unit}.py").exists()
            assert (tree / f"{unit}.txt").read_text().strip() == started[f"{unit}/1"]["at_path"]
            assert (tree / f"{unit}.more").read_text() == f"{unit}\n", "the path that it inherited is its own"
            assert not [path for u in UNITS if u != unit for path in tree.glob(f"{u}.*")], "the others' are not here"
            assert not list(scout.glob(f"{unit}.*")), "nothing leaks into the other's tree"

        main = [request for request in server.requests(NAME) if request.main]
        last = [r for r in main if not any(own_task(unit) in r.text for unit in UNITS)][-1].body
        for unit in UNITS:
            first = next(request for request in main if own_task(unit) in request.text).body
            assert first["tools"] == last["tools"]
            assert first["messages"][: len(last["messages"])] == last["messages"], "all that the other has read"
        tokens = [attempt["tokens"] for unit in said["units"] for attempt in unit["attempts"]]
        reading = server.reading(NAME)
        assert sum(one["input"] for one in tokens) == reading.unread, "no attempt counts what another has read"
        assert sum(one["cached"] for one in tokens) == reading.cached


@pytest.mark.parametrize("confined", [True, False], ids=["sandbox", "no sandbox"])
def test_opencode_plans_declares_and_does_all_units_of_a_run(confined: bool, tmp_path: Path) -> None:
    """From documents that name no files to what landed: one opencode plans, one writes the contract, three do the units
    side by side; in the sandbox each goes on from the one before."""
    if confined and not sandbox.available().ok:
        pytest.skip("no sandbox here")
    with project_of(tmp_path, confined=confined) as (project, server):
        write_scripts(server)
        looks = Turn(calls=(Call(name="read", input={"filePath": "app.py"}), WriteFile(path="names.py", content="no")))
        plans = Turn(text=f"My plan:\n```json\n{json.dumps(by_an_agent())}\n```")
        server.script_for(NAME, "Plan how the feature", (looks, plans))  # last: others may go on from it

        done = several(project, server, 'plan.thinking_argv=["no-such-program"]', planner="agent")

        assert done.code == 0, done
        must_hold(project)
        said = done.json
        assert (said["outcome"], said["landed"], said["triggers"]) == ("delivered_parallel", True, []), done
        assert {unit["id"]: [a["outcome"] for a in unit["attempts"]] for unit in said["units"]} == {
            "plan": ["ok"],
            CONTRACT: ["ok"],
            **{unit: ["ok"] for unit in UNITS},
        }
        for unit in UNITS:
            assert git(project.top, "show", f"main:{unit}.py").startswith("import names")
        assert git(project.top, "show", "main:names.py") == "def of(word):\n    return word"
        started = {event["attempt"]: event for event in project.events("AttemptStarted")}
        forks = {attempt: event.get("fork", "") for attempt, event in started.items()}
        units = {f"{unit}/1": f"{CONTRACT}/1" if confined else "" for unit in UNITS}
        assert forks == {"plan/1": "", f"{CONTRACT}/1": "plan/1" if confined else "", **units}
        for unit in UNITS:
            tree = Path(started[f"{unit}/1"]["tree"])
            where = started[f"{unit}/1"]["at_path"] if confined else str(tree)
            assert (tree / f"{unit}.txt").read_text().strip() == where
            assert not [path for u in UNITS if u != unit for path in tree.glob(f"{u}.*")], "the others' are not here"
        assert not (Path(started["plan/1"]["tree"]) / "names.py").exists(), "who plans writes nothing"
        if confined:
            main = [request for request in server.requests(NAME) if request.main]
            contract = f"This is the contract `{CONTRACT}`"
            planning = [request for request in main if contract not in request.text][-1].body
            declaring = next(request for request in main if contract in request.text).body
            assert declaring["tools"] == planning["tools"]
            assert declaring["messages"][: len(planning["messages"])] == planning["messages"], (
                "all that was read to plan"
            )
        assert project.processes() == []
