"""What `ropeteam install-skill` writes is found by the real programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repositories import make_repo

pytestmark = pytest.mark.agents

ASKED = {
    "codex": (("debug", "prompt-input"), ("mcp", "list")),
    "gemini": (("skills", "list"), ("mcp", "list")),
    "opencode": (("debug", "skill"), ("mcp", "list")),
}
"""How a program tells which skills and which MCP servers it knows."""


@pytest.mark.parametrize("agent", ASKED)
def test_the_program_finds_the_skills_and_the_server(agent: str, tmp_path: Path) -> None:
    folder = os.environ.get("ROPETEAM_TEST_AGENTS", "")
    if not folder:
        pytest.skip("ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it")
    home = tmp_path / "home"
    home.mkdir()
    repo = make_repo(tmp_path / "repo", {"a.txt": "a"})
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "GEMINI_API_KEY": "dummy",
        "GEMINI_CLI_NO_RELAUNCH": "true",
    }

    def said(*argv: str) -> str:
        done = subprocess.run(
            argv, cwd=repo, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False
        )
        return done.stdout + done.stderr

    before = said(str(Path(folder) / agent), *ASKED[agent][0])
    said(sys.executable, "-m", "ropeteam", "install-skill", "--for", agent, "--yes")
    skills, servers = (said(str(Path(folder) / agent), *words) for words in ASKED[agent])

    for name in ("1-plan", "2-code", "3-verify"):
        assert f"{name}/SKILL.md" not in before
        assert f"{name}/SKILL.md" in skills
    assert "ropeteam" in servers
