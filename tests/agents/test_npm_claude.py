"""The `claude` that npm installs, beside the one that the tests otherwise take from its PyPI wheel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ropeteam.agents.claude import ClaudeAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Task
from ropeteam.testing.model_server import ModelServer, StructuredReport, Turn, WriteFile

pytestmark = pytest.mark.agents

PINNED = "2.1.330"
REPORT = StructuredReport(
    content={"files": [{"path": "new.py", "purpose": "the new module"}], "decisions": [], "deviations": []}
)


@pytest.fixture
def settings() -> AgentSettings:
    folder = os.environ.get("ROPETEAM_TEST_AGENTS", "")
    if not folder:
        pytest.skip("ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it")
    return AgentSettings(argv=(str(Path(folder) / "claude"),), model="claude-sonnet-4-5")


def environment(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}


def test_it_is_found_with_its_version(settings: AgentSettings, tmp_path: Path) -> None:
    probe = ClaudeAgent().probe(settings, environment(tmp_path / "home"))
    assert PINNED in probe.version


def test_it_does_a_task_and_reports(settings: AgentSettings, tmp_path: Path) -> None:
    tree, io = tmp_path / "tree", tmp_path / "io"
    tree.mkdir()
    io.mkdir()
    task = Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt="What all attempts share.\n",
        own_prompt="Write new.py.\n",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        settings=settings,
    )
    agent = ClaudeAgent()
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    with ModelServer() as server:
        server.script("npm", [Turn(calls=(WriteFile(path="new.py", content="x = 1\n"),)), Turn(calls=(REPORT,))])
        own = {"ANTHROPIC_BASE_URL": server.base_url("npm"), "ANTHROPIC_API_KEY": "dummy"}
        done = subprocess.run(
            launch.argv,
            cwd=tree,
            env={**environment(tmp_path / "home"), **launch.env, **own},
            input=launch.stdin.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
    conversation = agent.listen(task)
    for line in done.stdout.splitlines():
        conversation.parse(line)
    finish = conversation.finish(Exit(code=done.returncode, seconds=1.0), 1_800_000_000.0)
    assert finish.outcome == "ok", finish.evidence
    assert (tree / "new.py").read_text() == "x = 1\n"
    assert [note.path for note in finish.report.files] == ["new.py"]
