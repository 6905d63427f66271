"""`ropeteam run` with the real gemini and the real opencode: a small feature lands, with and without the sandbox."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driving import FEATURE, RESULT, Project, make_project, must_hold

from repositories import git
from ropeteam import sandbox
from ropeteam.testing.model_server import EditFile, ModelServer, Shell, Turn, WriteFile

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
