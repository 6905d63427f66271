"""The examples of the guide, run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from cli_world import World

from markdown_pages import GUIDE, block, blocks

GREETING = {
    "greeting.py": 'def hello(name):\n    return f"Hello, {name}!"\n',
    "tests/__init__.py": "",
    "tests/test_greeting.py": (
        "import unittest\n\nfrom greeting import hello\n\n\nclass TestHello(unittest.TestCase):\n"
        '    def test_hello(self):\n        self.assertEqual(hello("Ada"), "Hello, Ada!")\n'
    ),
    ".gitignore": "__pycache__/\n",
}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.end()


def test_the_agent_in_the_guide(world, tmp_path) -> None:
    page = GUIDE / "agents.md"
    world.make({**GREETING, "farewell.md": block(page, "markdown", "farewell.md").text})
    agent = tmp_path / "programs" / "agent.py"
    agent.parent.mkdir()
    agent.write_text(block(page, "python", "agent.py").text)
    agent.chmod(0o755)
    (example,) = [b for b in blocks(page, "console") if "/path/to/agent.py" in b.text]
    command, *output = example.text.splitlines()
    words = shlex.split(command.removeprefix("$ ").replace("/path/to/agent.py", str(agent)))
    assert words[0] == "ropeteam"
    done = world.run(*words[1:])
    assert done.code == 0, done.err
    assert without_ids("\n".join(output)) in without_ids(done.out)


def test_the_recording_in_the_guide(world, tmp_path) -> None:
    page = GUIDE / "agents.md"
    world.make({**GREETING, "farewell.md": "# Saying goodbye\n"})
    (tmp_path / "play.json").write_text(block(page, "json", "play.json").text)
    (example,) = [b for b in blocks(page, "console") if "script=play.json" in b.text]
    words = shlex.split(example.text.removeprefix("$ ").replace("script=play.json", f"script={tmp_path / 'play.json'}"))
    done = world.run(*words[1:], "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["units"][0]["attempts"][0]["seconds"] >= 90
    assert "scripted agent" in done.json["clock"]


@pytest.mark.parametrize("page", ["commands.md", "settings.md", "feature-folder.md"])
def test_what_is_said_to_be_printed(world, page) -> None:
    """Blocks marked `exact`, one after another in one repository."""
    world.make(GREETING)
    found = blocks(GUIDE / page, "console", "exact")
    assert found
    for one in found:
        for step in re.split(r"^\$ ", one.text, flags=re.MULTILINE)[1:]:
            command, _, wanted = step.partition("\n")
            done = world.run(*shlex.split(command)[1:])
            assert done.err + done.out == wanted, f"{page}:{one.line}: {command}"


@pytest.mark.parametrize("name", ["test_run.py", "test_model.py", "test_reading.py", "test_clock.py"])
def test_the_testing_kit_as_the_guide_shows_it(tmp_path, name) -> None:
    (tmp_path / name).write_text(block(GUIDE / "testing-kit.md", "python", name).text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, name],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def without_ids(text: str) -> str:
    return re.sub(r"\d{8}-\d{6}-farewell-[0-9a-f]{4}", "RUN", text)
