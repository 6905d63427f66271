"""The documentation says what the program does: names, flags, fields, links."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from typing import get_args

import click
import msgspec
import pytest

from markdown_pages import GUIDE, PAGES, ROOT, anchors, block, blocks, commands, links
from ropeteam import config
from ropeteam.cli.commands import COMMANDS, program
from ropeteam.core import model
from ropeteam.core.agent_files import TaskFile
from ropeteam.core.hosting import HandedIn, HostUnit, Taken
from ropeteam.core.layers import LAYERS
from ropeteam.core.plan import RESERVED, layered, parse
from ropeteam.core.plan_document import FileDocument, PlanDocument, UnitDocument
from ropeteam.core.proposal import Proposal, checked
from ropeteam.core.report import Report
from ropeteam.core.settings import CheckCommand, Sandbox
from ropeteam.core.survey import Survey
from ropeteam.errors import BadInput
from ropeteam.testing.script import AnyStep, parse_script

REPORTS = (GUIDE / "reports.md").read_text(encoding="utf-8")


def test_what_is_generated_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nRun: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page) -> None:
    for line, target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}:{line}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}:{line}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed(page) -> None:
    for line, text in commands(page):
        problem = fault(text.replace("…", "x"))
        assert not problem, f"{page.name}:{line}: `{text}`: {problem}"


def fault(text: str) -> str:
    """Why the program would not understand a command line; empty when it would."""
    _, *words = shlex.split(text)
    if not words or words[0].startswith("-"):
        known = [*program.params, click.Option(["-h", "--help"])]
        return "" if all(any(word in p.opts for p in known) for word in words) else "no such flag"
    if words[0] == "COMMAND":
        return ""
    if words[0] not in COMMANDS:
        return "no such command"
    command = program.get_command(click.Context(program), words[0])
    assert command is not None
    flags = {option: p for p in command.params for option in (*p.opts, *p.secondary_opts)}
    unknown = [word for word in words[1:] if word.startswith("--") and word != "--help" and word not in flags]
    if unknown:
        return f"no flag {', '.join(unknown)}"
    for flag, value in pairwise(words):
        if flag in flags and isinstance(flags[flag].type, click.Choice) and value not in flags[flag].type.choices:
            return f"{flag} cannot be {value}"
    return ""


def test_a_wrong_command_is_found() -> None:
    assert fault("ropeteam fly") == "no such command"
    assert fault("ropeteam run x --wings 2") == "no flag --wings"
    assert fault("ropeteam run x --mode fast") == "--mode cannot be fast"
    assert fault("ropeteam run x --mode single --yes") == ""


# ---- documents in the pages


def test_the_report_is_one_with_every_field() -> None:
    text = block(GUIDE / "reports.md", "json", "report").text
    said = msgspec.json.decode(text, type=Report, strict=True)
    assert list(msgspec.json.decode(text)) == [field.name for field in msgspec.structs.fields(Report)]
    assert said.outcome == "delivered_single"
    line = msgspec.json.encode(said)
    assert f"{len(line) + 1:,} bytes" in REPORTS  # and a newline


def test_the_task_is_one_with_every_field() -> None:
    text = block(GUIDE / "agents.md", "json", "task").text
    assert msgspec.json.decode(text, type=TaskFile).kind == "single"
    assert list(msgspec.json.decode(text)) == [field.name for field in msgspec.structs.fields(TaskFile)]


def test_what_a_host_is_answered_is_shown_as_it_is() -> None:
    page, names = GUIDE / "host-mode.md", ("taken", "handed-in")
    shown = {name: [b.text for b in blocks(page, "json", name)] for name in names}
    for text in shown["taken"]:
        assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=Taken))) == json.loads(text)
    units = [json.loads(text)["unit"] for text in shown["taken"] if "unit" in json.loads(text)]
    assert [set(unit) for unit in units] == [set(HostUnit.__struct_fields__)]
    for text in shown["handed-in"]:
        assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=HandedIn))) == json.loads(text)
    assert (len(shown["taken"]), len(shown["handed-in"])) == (3, 1)


def test_the_recording_can_be_played() -> None:
    script = parse_script(block(GUIDE / "agents.md", "json", "play.json").text.encode(), "agents.md")
    assert script.play_for("single", 1)


PLANS = GUIDE / "plans.md"


def test_the_plan_of_the_guide_is_one_with_every_field() -> None:
    text = block(PLANS, "json", "plan.json").text
    made = layered(parse(text.encode(), "plan.json"), "auto")
    assert [len(batch) for batch in made.batches] == [1, 2, 1]
    document = msgspec.json.decode(text)
    used = {field for unit in document["units"] for field in unit}
    assert used == {f.name for f in msgspec.structs.fields(UnitDocument)}
    assert {f.name for f in msgspec.structs.fields(PlanDocument)} <= document.keys()


def test_the_short_plan_of_the_guide_is_enough() -> None:
    assert len(parse(block(PLANS, "json", "short.json").text.encode(), "short.json").units) == 2


def test_the_example_of_an_agents_plan_is_taken_as_it_is() -> None:
    wanted = tuple(model.Requirement(id=id, text="") for id in ("REQ-001", "REQ-002"))
    feature = model.Feature(name="x", source="stdin", requirements=wanted)
    text = block(PLANS, "json", "proposed.json").text

    found = checked(text, feature, Survey(), {"shop/loan.py"})

    assert isinstance(found, Proposal), found.faults
    assert (found.mended, found.confidence, len(found.survey.files)) == ((), 0.8, 3)
    assert set(json.loads(text)) <= set(PlanDocument.__struct_fields__)
    named = {field for file in json.loads(text)["files"] for field in file}
    assert named == set(FileDocument.__struct_fields__), "the table explains them"


def test_faults_of_the_guide_are_said_as_they_stand_there() -> None:
    text = PLANS.read_text(encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        parse(block(PLANS, "json", "bad.json").text.encode(), "bad.json")
    assert block(PLANS, "text", "faults").text == f"{raised.value.message}\n"
    assert [name for name in RESERVED if f"`{name}`" not in text] == []
    assert [layer for layer in LAYERS if f"| `{layer}` |" not in text] == []


@pytest.mark.parametrize("page", ["settings.md", "checks.md"])
def test_settings_in_the_guide_are_settings(page) -> None:
    found = blocks(GUIDE / page, "toml")
    assert found
    for one in found:
        loaded = config.load(
            top=ROOT,
            read={"ropeteam.toml": one.text.encode()}.get,
            user_file=None,
            env={},
            sets=(),
            flags={},
        )
        assert "repository" in loaded.origins.values()


# ---- nothing is left out


@pytest.mark.parametrize(
    "kind",
    [
        model.Phase,
        model.RunOutcome,
        model.Outcome,
        model.UnitState,
        model.CheckState,
        model.LandedReason,
        model.TriggerId,
        model.Action,
    ],
)
def test_every_word_of_a_report_is_explained(kind) -> None:
    assert [word for word in get_args(kind) if f"`{word}`" not in REPORTS] == []


def test_every_field_of_a_report_is_explained() -> None:
    names = [field.name for field in msgspec.structs.fields(Report)]
    assert [name for name in names if f"`{name}" not in REPORTS] == []


def test_every_format_step_and_mode_is_explained() -> None:
    checks = (GUIDE / "checks.md").read_text(encoding="utf-8")
    formats = get_args(_type(CheckCommand, "format"))
    assert [name for name in formats if f"| `{name}` |" not in checks] == []
    kit = (GUIDE / "testing-kit.md").read_text(encoding="utf-8")
    steps = [step.__struct_config__.tag for step in get_args(AnyStep)]
    assert [name for name in steps if f"`{name}`" not in kit] == []
    safety = (GUIDE / "safety.md").read_text(encoding="utf-8")
    assert [mode for mode in get_args(_type(Sandbox, "mode")) if mode != "auto" and f'"{mode}"' not in safety] == []


def _type(struct: type, field: str) -> object:
    return next(f.type for f in msgspec.structs.fields(struct) if f.name == field)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_place(name) -> None:
    assert f"\n## {name}\n" in (GUIDE / "commands.md").read_text(encoding="utf-8")


def test_every_trigger_is_in_the_table_with_a_threshold_that_can_be_set() -> None:
    page = (GUIDE / "several-agents.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert [row[0].strip("| `") for row in rows] != []
    assert {row[0].strip("| `") for row in rows} == set(get_args(model.TriggerId))
    named = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row[2])}
    assert named <= set(config.keys.names()), "thresholds are settings"


def test_every_outcome_is_explained() -> None:
    page = (GUIDE / "several-agents.md").read_text(encoding="utf-8")
    assert all(f"| `{outcome}` |" in page for outcome in get_args(model.RunOutcome))
