"""The plugin's texts: what they name exists, and they are short."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from test_guide import fault

from markdown_pages import ROOT, anchors, commands
from ropeteam import __version__
from ropeteam.cli import mcp_answers, skill_places

PLUGIN = ROOT / "plugin"
TEXTS = sorted(PLUGIN.rglob("*.md"))
SKILLS = {path.parent.name: path for path in PLUGIN.glob("skills/*/SKILL.md")}
CODE = SKILLS["2-code"]
LONGEST_PHASE = 2200
"""Characters of a phase: about 550 tokens. All of the skill is read once, at its beginning."""


def frontmatter(path: Path) -> dict[str, str]:
    head = path.read_text(encoding="utf-8").split("---\n")[1]
    return {name: value.strip() for name, _, value in (line.partition(": ") for line in head.splitlines())}


@pytest.mark.parametrize("name", SKILLS)
def test_a_skill_says_what_it_is_in_a_form_that_every_agent_reads(name: str) -> None:
    said = frontmatter(SKILLS[name])
    assert said["name"].strip('"') == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 1 <= len(said["description"]) <= 1024
    assert ": " not in said["description"], "YAML reads that as a mapping"
    assert sorted(SKILLS) == sorted(skill_places.NAMES)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_can_be_typed(path: Path) -> None:
    for line, text in commands(path):
        problem = fault(text)
        assert not problem, f"{path.name}:{line}: `{text}`: {problem}"


def test_every_tool_exists() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
    named = set(re.findall(r"mcp__(?:plugin_ropeteam_)?ropeteam__(\w+)", text))
    named |= set(re.findall(r"^\d\. `(\w+)`", text, re.MULTILINE)) | set(re.findall(r"`(\w+_in_unit|take_unit)`", text))
    assert named <= set(mcp_answers.TOOLS), named
    assert {"start", "wait", "take_unit", "hand_in_unit"} <= named
    fields = {f for tool in mcp_answers.TOOLS.values() for f in tool.takes.__struct_fields__}
    given = set(re.findall(r"`(\w+)=", text))
    assert given == {"land", "confirm", "agent", "abandon"}
    assert given <= fields


def test_every_reference_is_there_and_read_from_somewhere() -> None:
    folder = CODE.parent / "references"
    text = CODE.read_text(encoding="utf-8") + (folder / "host-mode.md").read_text(encoding="utf-8")
    named = set(re.findall(r"([a-z-]+\.md)`?", text)) & {p.name for p in folder.iterdir()}
    assert named == {p.name for p in folder.iterdir()}
    assert all((folder / name).exists() for name in re.findall(r"references/([a-z-]+\.md)", text))


def test_phases_are_all_there_and_short() -> None:
    text = CODE.read_text(encoding="utf-8")
    phases = re.split(r"^## (Phase [\d.]+): .*$", text, flags=re.MULTILINE)[1:]
    named, bodies = phases[::2], phases[1::2]
    assert named == ["Phase 0", "Phase 1", "Phase 1.5", "Phase 2", "Phase 3", "Phase 4", "Phase 5"]
    assert {name: len(body) for name, body in zip(named, bodies, strict=True) if len(body) > LONGEST_PHASE} == {}
    assert len(text) < 5000
    assert {path.name: len(path.read_text()) for path in TEXTS if len(path.read_text()) > 5000} == {}


def test_other_skills_are_one_page() -> None:
    for name in ("1-plan", "3-verify"):
        lines = SKILLS[name].read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 80, name


def test_the_formats_of_the_skills_are_understood_by_ropeteam(tmp_path: Path) -> None:
    """What 1-plan shows as an intent and an architecture is read as one."""
    from repositories import make_repo
    from ropeteam import features

    text = SKILLS["1-plan"].read_text(encoding="utf-8")
    intent, architecture = (block.strip() for block in re.findall(r"```markdown\n(.*?)```", text, re.DOTALL))
    repo = make_repo(
        tmp_path / "repo",
        {
            "app/routes.py": "",
            ".workspace/features/checkout/01-intent.md": intent,
            ".workspace/features/checkout/01-research.md": "# Research\n\nPlain Python.\n",
            ".workspace/features/checkout/01-architecture.md": f"# Architecture\n\n{architecture}\n",
        },
    )
    feature = features.load("checkout", top=repo)
    assert [r.id for r in feature.requirements] == ["REQ-001"]
    assert (feature.task_type, feature.unresolved) == ("FEATURE", ())
    assert [(f.path, f.status) for f in feature.files] == [("app/models/order.py", "A"), ("app/routes.py", "M")]
    assert [step.needs for step in feature.steps] == [(), (feature.steps[0].id,)]


def test_the_manifests_agree() -> None:
    markets = [json.loads((place / ".claude-plugin/marketplace.json").read_text()) for place in (ROOT, PLUGIN)]
    sources = [market["plugins"][0].pop("source") for market in markets]
    assert sources == ["./plugin", "./"]
    assert markets[0] == markets[1]
    plugin = json.loads((PLUGIN / ".claude-plugin/plugin.json").read_text())
    assert plugin["name"] == markets[0]["plugins"][0]["name"] == "ropeteam"
    assert plugin["version"] == __version__
    server = json.loads((PLUGIN / ".mcp.json").read_text())["mcpServers"]["ropeteam"]
    assert fault(shlex.join([server["command"], *server["args"]])) == ""


def test_the_guide_tells_of_each_skill() -> None:
    page = ROOT / "docs/guide/skill.md"
    assert [name for name in SKILLS if f"`/{name}" not in page.read_text(encoding="utf-8")] == []
    assert anchors(page)
