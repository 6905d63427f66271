"""The real codex implements a feature in a real repository: alone, three at once, and one reading for several."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_runs import DOCUMENTS, NAME, REPORT, WORK
from driving import FEATURE, RESULT, Done, Project, make_project, must_hold, wait_until
from test_several_claude import HELD, UNITS, own_task, plan, said, work

from repositories import files_of, git
from ropeteam.testing.model_server import ModelServer, Refused, Shell, StructuredReport, Turn

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

LONG = 150.0
"""Seconds after which a run counts as hanging."""


class CodexRun:
    """A project whose agent is the real codex, with a provider of the user's own that is a model on loopback."""

    def __init__(self, project: Project, server: ModelServer, program: Path) -> None:
        self.p = project
        self.server = server
        self.settings = Path(project.env["HOME"], ".codex")
        self.settings.mkdir()
        provider = {"name": "loop", "base_url": f"{server.base_url(NAME)}/v1", "env_key": "LOOP_KEY"}
        provider |= {"wire_api": "responses", "request_max_retries": 0, "stream_max_retries": 0}
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in provider.items())
        own = '[mcp_servers."of the user"]\ncommand = "/nonexistent"\n'
        text = f'model_provider = "loop"\n[model_providers.loop]\n{table}{own}'
        (self.settings / "config.toml").write_text(text)
        # codex keeps no helpers of its own sandbox below the temporary folder, where all of this would be.
        (project.folder / "temporary").mkdir()
        project.env |= {"LOOP_KEY": "dummy", "TMPDIR": str(project.folder / "temporary")}
        sets = (*project.sets, f"agent.codex.argv={json.dumps([str(program)])}", "agent.codex.model=gpt-5.5")
        self.sets = [part for setting in sets for part in ("--set", setting)]

    def args(self, mode: str, *more: str) -> tuple[str, ...]:
        return ("run", FEATURE, "--agent", "codex", "--mode", mode, "--yes", "--json", *self.sets, *more)

    def planned(self, units: dict[str, Any]) -> tuple[str, ...]:
        path = self.p.folder / "plan.json"
        path.write_text(json.dumps(units))
        return self.args("parallel", "--plan", str(path))

    def ended(self, done: Done) -> Any:
        must_hold(self.p)
        assert self.p.report() == done.json
        return done.json


@contextmanager
def codex_run(folder: Path, *, sandbox: bool) -> Iterator[CodexRun]:
    programs = os.environ.get("ROPETEAM_TEST_AGENTS", "")
    if not programs:
        pytest.skip("ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it")
    with ModelServer() as server:
        project = make_project(folder, sandbox=sandbox)
        try:
            yield CodexRun(project, server, Path(programs) / "codex")
        finally:
            project.close()


@pytest.fixture(params=[True, False], ids=["sandbox", "no sandbox"])
def c(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CodexRun]:
    with codex_run(tmp_path, sandbox=request.param) as made:
        yield made


def test_a_feature_lands_with_what_it_used_and_what_was_decided(c: CodexRun) -> None:
    before = files_of(c.settings)
    c.server.script(NAME, [WORK, REPORT])
    done = c.p.ropeteam(*c.args("single"), seconds=LONG)
    assert done.code == 0, done
    report = c.ended(done)

    assert (report["outcome"], report["landed"], report["triggers"]) == ("delivered_single", True, [])
    (attempt,) = report["units"][0]["attempts"]
    reading = c.server.reading(NAME)
    assert attempt["tokens"] == {"input": reading.full, "cached": reading.cached, "output": reading.output}
    assert attempt["cost_usd"] is None, "codex tells none"
    assert report["decisions"] == [
        {"decision": "Names are strings", "rationale": "They are typed in.", "unit": "single"}
    ]
    assert report["deviations"] == [{"what": "No farewell by night", "why": "Nobody is up.", "unit": "single"}]
    for path, text in RESULT.items():
        assert git(c.p.top, "show", f"main:{path}") + "\n" == text
    result = c.p.events("AttemptSucceeded")[0]["result"]
    assert result["model"] == "gpt-5.5"
    after = files_of(c.settings)
    assert {path: after.get(path) for path in before} == before, "the user's own settings are as they were"
    records = [path for path in after if path.startswith("sessions/")]
    if c.p.sets[-1] == "sandbox.mode=off":
        assert [path for path in records if result["session"] in path]
    else:
        assert after == before, "nothing was left in the user's folder"
    changed = [line[3:] for line in git(c.p.top, "status", "--porcelain").splitlines()]
    assert changed == []
    assert all((c.p.top / f".workspace/features/{FEATURE}" / name).exists() for name in DOCUMENTS)


def test_a_used_up_window_parks_the_run_until_it_is_over(c: CodexRun) -> None:
    c.server.script(NAME, [WORK, REPORT], [Refused(kind="window", seconds=7200.0)], forever=True)
    done = c.p.ropeteam(*c.args("single"), seconds=LONG)
    assert done.code == 4, done
    report = c.ended(done)

    assert (report["state"], report["landed"]) == ("parked", False)
    assert [attempt["outcome"] for attempt in report["units"][0]["attempts"]] == ["rate"]
    assert report["resume_at"] is not None
    c.server.script(NAME, [WORK, REPORT])
    again = c.p.ropeteam("resume", "--json", "--yes", seconds=LONG)
    assert again.code == 0, again
    assert again.json["landed"] is True


def test_three_work_at_once_and_all_of_it_lands(c: CodexRun) -> None:
    c.server.script(NAME)
    for unit in UNITS:
        c.server.script_for(NAME, own_task(unit), (HELD, work(unit), said(unit)))
    child = c.p.start(*c.planned(plan()))
    c.p.wait_event("AttemptStarted", 3)
    trees = [Path(event["tree"]) for event in c.p.events("AttemptStarted")]
    wait_until(lambda: all((tree / "at-it").exists() for tree in trees), "three at work at once", seconds=LONG)
    for tree in trees:
        (tree / "go").touch()
    done = c.p.ended(child, seconds=LONG)
    assert done.code == 0, done
    report = c.ended(done)

    assert (report["outcome"], report["winner"], report["landed"]) == ("delivered_parallel", "parallel", True)
    assert report["triggers"] == []
    first = [request for request in c.server.requests(NAME) if "_output" not in str(request.body["input"])]
    shared = os.path.commonprefix([request.text for request in first])  # noqa: RUF071 - of texts
    assert len(first) == 3
    assert "Greet people by their name." in shared, "the whole of what is shared is the same"
    assert not [tree for tree in trees if str(tree) in shared]


def test_units_go_on_from_the_conversation_that_wrote_the_contract(c: CodexRun) -> None:
    units = plan()
    units["contract"] = "contract"
    units["units"] = [
        {"id": "contract", "goal": "A module names.py.", "kind": "contract", "writes": ["names.py"]},
        *({**unit, "needs": ["contract"]} for unit in units["units"]),
    ]
    declare = Turn(calls=(Shell(command="cat app.py; echo 'NAMES = True' > names.py"),))
    written = {"files": [{"path": "names.py", "purpose": "what all know"}], "decisions": [], "deviations": []}
    c.server.script(NAME, [declare, Turn(calls=(StructuredReport(content=written),))])
    for unit in UNITS:
        c.server.script_for(NAME, own_task(unit), (work(unit), said(unit)))
    done = c.p.ropeteam(*c.planned(units), seconds=LONG)
    assert done.code == 0, done
    report = c.ended(done)

    assert (report["outcome"], report["landed"], report["triggers"]) == ("delivered_parallel", True, [])
    started = {event["attempt"]: event for event in c.p.events("AttemptStarted")}
    assert {started[f"{unit}/1"].get("fork") for unit in UNITS} == {"contract/1"}
    tokens = [attempt["tokens"] for unit in report["units"] for attempt in unit["attempts"]]
    reading = c.server.reading(NAME)
    assert sum(one["input"] for one in tokens) == reading.full, "no attempt counts what another has read"
    assert sum(one["cached"] for one in tokens) == reading.cached
    for request in c.server.requests(NAME):
        if any(own_task(unit) in request.text for unit in UNITS):
            assert "cat app.py" in json.dumps(request.body["input"]), "it has read what the contract's agent read"
