"""Folders of spec-kit: found by path, name and number, read as a whole, refused where they are templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from ropeteam import features
from ropeteam.core.model import Feature
from ropeteam.errors import BadInput

SPEC = """# Feature Specification: Saved searches

**Feature Branch**: `001-search`
**Created**: 2026-02-01
**Status**: Draft
**Input**: User description: "People save a search and are told
by mail about news."

## User Scenarios & Testing

### User Story 1 - Save a search (Priority: P1)

People save what they looked for.

### User Story 2: Daily mail

1. **Given** a saved search, **When** there is news, **Then** a mail is sent

## Requirements

- **FR-001**: System MUST save a search under a name
- **FR-002**: System MUST mail [NEEDS CLARIFICATION: at which hour?]

## Success Criteria

- **SC-001**: Saving takes less than a second
"""
PLAN = "# Implementation Plan: Saved searches\n\n## Project Structure\n\n```text\nsrc/\n  search.py\n```\n"
TASKS = "# Tasks: Saved searches\n\n- [ ] T001 [P] [US1] Create src/search.py\n"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(top: Path, name: str = "specs/001-search", **files: str) -> Path:
    place = top / name
    place.mkdir(parents=True)
    for file, text in {"spec": SPEC, "plan": PLAN, "tasks": TASKS, **files}.items():
        if text:
            (place / f"{file}.md").write_text(text)
    return place


def refusal(top: Path, name: str) -> BadInput:
    with pytest.raises(BadInput) as refused:
        features.load(name, top=top)
    return refused.value


def kinds(feature: Feature) -> list[tuple[str, str]]:
    return [(document.kind, document.path) for document in feature.documents]


def test_everything_of_the_folder_is_read_in_its_order(top: Path) -> None:
    place = folder(top, research="Decisions.\n", quickstart="Try it.\n")
    (place / "data-model.md").write_text("SavedSearch\n")
    (place / "contracts").mkdir()
    (place / "contracts/api.yaml").write_text("openapi: 3.1.0\n")
    (place / "contracts/logo.png").write_bytes(b"\x89PNG")
    (place / "checklists").mkdir()
    (place / "checklists/requirements.md").write_text("- [x] complete\n")
    (place / "02-implementation.md").write_text("# Log\n")
    constitution = top / ".specify/memory/constitution.md"
    constitution.parent.mkdir(parents=True)
    constitution.write_text("# Principles\n\nTests first.\n")
    feature = features.load("specs/001-search", top=top)
    assert (feature.name, feature.source, feature.folder) == ("001-search", "speckit", "specs/001-search")
    assert kinds(feature) == [
        ("intent", "specs/001-search/spec.md"),
        ("research", "specs/001-search/research.md"),
        ("architecture", "specs/001-search/plan.md"),
        ("context", "specs/001-search/data-model.md"),
        ("context", "specs/001-search/quickstart.md"),
        ("tasks", "specs/001-search/tasks.md"),
        ("implementation", "specs/001-search/02-implementation.md"),
        ("context", "specs/001-search/checklists/requirements.md"),
        ("context", "specs/001-search/contracts/api.yaml"),
        ("research", ".specify/memory/constitution.md"),
    ]
    assert feature.notices == (
        "specs/001-search/contracts/logo.png is not text and was not read.",
        "specs/001-search/spec.md, line 22: not clarified: at which hour? Agents decide it themselves.",
    )


def test_what_the_specification_says_is_understood(top: Path) -> None:
    folder(top)
    feature = features.load("001-search", top=top)
    assert (feature.title, feature.task_type) == ("Saved searches", "FEATURE")
    assert feature.summary == "People save a search and are told by mail about news."
    assert [(item.id, item.line) for item in feature.requirements] == [
        ("US1", 11),
        ("US2", 15),
        ("FR-001", 21),
        ("FR-002", 22),
        ("SC-001", 26),
    ]
    assert [item.text for item in feature.requirements[:3]] == [
        "Save a search",
        "Daily mail",
        "System MUST save a search under a name",
    ]
    assert (feature.sections, feature.selected) == ((), ())


@pytest.mark.parametrize("root", ["specs", ".specify/specs", "apps/web/specs"])
@pytest.mark.parametrize("typed", ["{}/001-search", "{}/001-search/", "{}/001-search/spec.md"])
def test_by_its_path(top: Path, root: str, typed: str) -> None:
    folder(top, f"{root}/001-search")
    feature = features.load(typed.format(root), top=top)
    assert (feature.source, feature.folder) == ("speckit", f"{root}/001-search")


@pytest.mark.parametrize("typed", ["001-search", "001-Search", "001", "1", " 001 "])
@pytest.mark.parametrize("root", ["specs", ".specify/specs"])
def test_by_its_name_and_its_number(top: Path, root: str, typed: str) -> None:
    folder(top, f"{root}/001-search")
    folder(top, f"{root}/0010-other")
    assert features.load(typed, top=top).folder == f"{root}/001-search"


def test_a_feature_of_the_workspace_comes_first(top: Path) -> None:
    folder(top)
    place = top / ".workspace/features/001-search"
    place.mkdir(parents=True)
    (place / "01-intent.md").write_text("# Other\n\nWords.\n")
    (place / "01-research.md").write_text("Research.\n")
    assert features.load("001-search", top=top).title == "Other"
    assert features.load("001", top=top).title == "Saved searches"


def test_a_number_that_two_have_is_refused_with_both(top: Path) -> None:
    folder(top)
    folder(top, "specs/001-sort")
    assert refusal(top, "001").message == "'001' may mean specs/001-search, specs/001-sort."
    assert features.load("001-sort", top=top).folder == "specs/001-sort"


def test_features_of_spec_kit_are_among_those_that_exist(top: Path) -> None:
    folder(top)
    (top / "specs/notes").mkdir()
    assert refusal(top, "search").hint.startswith("Did you mean '001-search'? Features that exist: 001-search. ")


def test_the_intent_of_a_workspace_decides_what_a_folder_is(top: Path) -> None:
    place = folder(top)
    (place / "01-intent.md").write_text("# Mine\n\nWords.\n")
    (place / "01-research.md").write_text("Research.\n")
    assert features.load("specs/001-search", top=top).source == "workspace"


# ---- refusals


def test_a_folder_without_a_specification(top: Path) -> None:
    folder(top, spec="")
    refused = refusal(top, "001-search")
    assert refused.message == "The spec-kit feature '001-search' has no spec.md."
    assert refused.where == "specs/001-search/spec.md"
    assert "/speckit.specify" in refused.hint


def test_an_empty_specification(top: Path) -> None:
    folder(top, spec="\n \n")
    assert refusal(top, "001").message == "specs/001-search/spec.md is empty."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# Feature Specification: [FEATURE NAME]\n", 1),
        ("# S\n\n<!--\n[FEATURE NAME]\n-->\n\n### User Story 1 - [Brief Title] (Priority: P1)\n", 7),
        ('# S\n\n- **FR-001**: System MUST [specific capability, e.g., "allow users"]\n', 3),
        ("# S\n\n1. **Given** [initial state], **When** [action]\n", 3),
    ],
)
def test_a_specification_that_is_still_the_template(top: Path, text: str, line: int) -> None:
    folder(top, spec=text)
    refused = refusal(top, "001")
    assert refused.message == "specs/001-search/spec.md is not filled in yet."
    assert refused.where == f"specs/001-search/spec.md:{line}"
    assert f"line {line}; `/speckit.specify`" in refused.hint


def test_harmless_rests_of_the_template_are_no_reason(top: Path) -> None:
    asked = SPEC[SPEC.index('"People') : SPEC.index('news."') + 6]
    folder(top, spec=SPEC.replace("2026-02-01", "[DATE]").replace(asked, '"$ARGUMENTS"') + "\n[Add more stories]\n")
    assert features.load("001", top=top).summary == "People save what they looked for."


def test_a_plan_and_tasks_that_are_still_templates_are_left_out_and_said(top: Path) -> None:
    folder(top, plan="# Implementation Plan: [FEATURE]\n\nsrc/models/\n", tasks="# Tasks: [FEATURE NAME]\n- [ ] T001\n")
    constitution = top / ".specify/memory/constitution.md"
    constitution.parent.mkdir(parents=True)
    constitution.write_text("# [PROJECT_NAME] Constitution\n")
    feature = features.load("001", top=top)
    assert [kind for kind, _ in kinds(feature)] == ["intent"]
    left_out = [notice.partition(" is still the template")[0] for notice in feature.notices if "template" in notice]
    assert left_out == [
        "specs/001-search/plan.md",
        "specs/001-search/tasks.md",
        ".specify/memory/constitution.md",
    ]


def test_what_leads_out_of_the_repository_is_refused(top: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.md"
    outside.write_text("secret")
    (folder(top) / "notes.md").symlink_to(outside)
    assert "notes.md leads out of the repository" in refusal(top, "001").message


def test_parts_cannot_be_chosen(top: Path) -> None:
    folder(top)
    with pytest.raises(BadInput, match="has no parts"):
        features.load("001", top=top, parts=("US1",))
