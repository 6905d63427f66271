"""Where each agent looks for skills, commands and MCP servers, and in which form. Nothing is written here.

All four read the same folder with a `SKILL.md`. Two know no skill by a slash, so they get a command that names it. The
places were tried with claude 2.1.330, codex 0.169, gemini 0.61 and opencode 1.18.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ropeteam.errors import RopeteamError

NAMES: Final = ("1-plan", "2-code", "3-verify")
ABOUT: Final = {
    "1-plan": "Plan a feature",
    "2-code": "Implement a planned feature",
    "3-verify": "Check an implemented feature against its requirements",
}


@dataclass(frozen=True)
class Servers:
    """A file of settings that names MCP servers. key: the table they are in. entry: ours, as that agent has it."""

    user: str
    project: str
    key: str
    form: Literal["json", "toml"]
    entry: Callable[[tuple[str, ...]], dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """Of one agent, relative to the user's home or to the repository. command: path and text of the command of a skill.
    use: how the skill is called. servers: None where the agent's own program must be asked to write it."""

    skills_user: str
    skills_project: str
    use: str
    command_user: str = ""
    command_project: str = ""
    command: Callable[[str], str] | None = None
    servers: Servers | None = None
    by_hand: str = ""


def _split(argv: tuple[str, ...]) -> dict[str, Any]:
    return {"command": argv[0], "args": list(argv[1:])}


def _local(argv: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "local", "command": list(argv), "enabled": True}


def _gemini_command(name: str) -> str:
    prompt = f"Activate the skill {name} and do what it says. Its arguments: {{{{args}}}}"
    return f"description = {json.dumps(ABOUT[name])}\nprompt = {json.dumps(prompt)}\n"


def _opencode_command(name: str) -> str:
    prompt = f"Load the skill {name} and do what it says. Its arguments: $ARGUMENTS"
    return f"---\ndescription: {ABOUT[name]}\n---\n\n{prompt}\n"


PLACES: Final[dict[str, Place]] = {
    "claude": Place(
        skills_user=".claude/skills",
        skills_project=".claude/skills",
        use="/2-code FEATURE",
        servers=Servers(user="", project=".mcp.json", key="mcpServers", form="json", entry=_split),
        by_hand="claude mcp add --scope user ropeteam -- {command}",
    ),
    "codex": Place(
        skills_user=".agents/skills",
        skills_project=".agents/skills",
        use="$2-code FEATURE",
        servers=Servers(
            user=".codex/config.toml", project=".codex/config.toml", key="mcp_servers", form="toml", entry=_split
        ),
    ),
    "gemini": Place(
        skills_user=".gemini/skills",
        skills_project=".gemini/skills",
        use="/2-code FEATURE",
        command_user=".gemini/commands/{name}.toml",
        command_project=".gemini/commands/{name}.toml",
        command=_gemini_command,
        servers=Servers(
            user=".gemini/settings.json",
            project=".gemini/settings.json",
            key="mcpServers",
            form="json",
            entry=_split,
        ),
    ),
    "opencode": Place(
        skills_user=".config/opencode/skills",
        skills_project=".opencode/skills",
        use="/2-code FEATURE",
        command_user=".config/opencode/commands/{name}.md",
        command_project=".opencode/commands/{name}.md",
        command=_opencode_command,
        servers=Servers(
            user=".config/opencode/opencode.json", project="opencode.json", key="mcp", form="json", entry=_local
        ),
    ),
}


def source() -> Path:
    """The plugin: inside of the package where it was installed from a wheel, beside it in a clone."""
    here = Path(__file__).resolve().parents[1]
    for place in (here / "plugin", here.parents[1] / "plugin"):
        if (place / "skills").is_dir():
            return place
    raise RopeteamError("The plugin's files are missing from this installation.", hint="Install ropeteam anew.")


def files(agent: str, *, project: bool) -> dict[str, bytes]:
    """What an agent gets: path, relative to home or repository -> content."""
    place = PLACES[agent]
    skills = place.skills_project if project else place.skills_user
    found = {}
    for name in NAMES:
        folder = source() / "skills" / name
        for path in sorted(p for p in folder.rglob("*.md") if p.is_file()):
            found[f"{skills}/{name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
        if place.command is not None:
            command = place.command_project if project else place.command_user
            found[command.format(name=name)] = place.command(name).encode()
    return found


def program(*, project: bool) -> tuple[str, ...]:
    """How a host starts `ropeteam mcp`. For a project by its name alone: its other users have it elsewhere."""
    if project or shutil.which("ropeteam") is not None:
        return ("ropeteam", "mcp")
    return (sys.executable, "-P", "-m", "ropeteam", "mcp")
