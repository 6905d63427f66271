"""The documents' own order of the work: sequences, phases, tables, tasks."""

from __future__ import annotations

import pytest

from ropeteam.core.model import Document, Step
from ropeteam.features import work


def read(text: str, kind: str = "architecture") -> work.Work:
    return work.read((Document(kind=kind, path="d.md", text=text),))  # type: ignore[arg-type]


def brief(steps: tuple[Step, ...]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(step.id, step.number, step.needs) for step in steps]


@pytest.mark.parametrize(
    "text",
    [
        "## Implementation Sequence\n1. Models\n2. Services\n3. Views\n",
        "## Implementation Order\n1. Models\n1. Services\n1. Views\n",
        "**Build order:**\n1. Models\n2. Services\n3. Views\n",
        "## 5. Implementation sequence\n- Models\n- Services\n- Views\n",
        "## Implementation Plan\n### Phase 1: Models\nText.\n### Phase 2: Services\n### Phase 3 - Views\n",
        "# Architecture\n## Phase 1: Models\n- x\n## Phase 2: Services\n- y\n## Phase 3: Views\n- z\n",
        "## Sequence\n**Step 1: Models**\n- x\n\n**Step 2: Services**\n\n**Step 3: Views**\n",
        "## Build Sequence\nModels → Services → Views\n",
        "## Steps\n| Step | What |\n|---|---|\n| 1 | Models |\n| 2 | Services |\n| 3 | Views |\n",
    ],
)
def test_the_usual_shapes_are_three_steps_one_after_the_other(text: str) -> None:
    steps = read(text).steps
    assert [step.text.split()[0] for step in steps] == ["Models", "Services", "Views"]
    assert brief(steps) == [("1", 1, ()), ("2", 2, ()), ("3", 3, ())]


def test_where_steps_say_what_they_need_that_alone_counts() -> None:
    text = (
        "## Implementation Sequence\n1. Config (needs nothing)\n2. Models (needs nothing)\n3. Service (needs 1, 2)\n"
        "4. Views (needs nothing)\n5. Controllers (needs 3; shows the views of 4)\n6. Docs (depends on steps 3-5)\n"
    )
    assert brief(read(text).steps) == [
        ("1", 1, ()),
        ("2", 1, ()),
        ("3", 2, ("1", "2")),
        ("4", 1, ()),
        ("5", 3, ("3",)),
        ("6", 4, ("3", "4", "5")),
    ]


def test_a_table_has_a_column_for_what_is_needed() -> None:
    text = (
        "## Implementation order\n| Step | What | Files | Depends on |\n|--|--|--|--|\n"
        "| 1 | Models | `a/m.py`, `a/n.py` | none |\n"
        "| 2 | API | `a/api.py` | 1 |\n| 3 | UI | `a/ui.py` | 1, 2 |\n"
    )
    found = read(text)
    assert brief(found.steps) == [("1", 1, ()), ("2", 2, ("1",)), ("3", 3, ("1", "2"))]
    assert [step.files for step in found.steps] == [("a/m.py", "a/n.py"), ("a/api.py",), ("a/ui.py",)]
    assert [(file.path, file.task) for file in found.files] == [
        ("a/m.py", "1"),
        ("a/n.py", "1"),
        ("a/api.py", "2"),
        ("a/ui.py", "3"),
    ]


def test_neighbours_that_may_run_in_parallel_share_a_number() -> None:
    text = "## Steps\n1. Schema\n2. Service (in parallel with 3)\n3. Pages [P]\n4. Wiring\n"
    assert [(step.number, step.parallel) for step in read(text).steps] == [
        (1, False),
        (2, True),
        (2, True),
        (3, False),
    ]


def test_steps_that_need_each_other_are_taken_in_their_order_and_said() -> None:
    found = read("## Steps\n1. A (needs 2)\n2. B (needs 1)\n")
    assert brief(found.steps) == [("1", 1, ()), ("2", 2, ())]
    assert found.notices == ("d.md: the steps 1, 2 need each other; they are taken in their order.",)


def test_a_need_that_is_no_step_is_said_with_its_line() -> None:
    found = read("## Steps\n1. A\n2. B (needs 1, 7)\n")
    assert brief(found.steps) == [("1", 1, ()), ("2", 2, ("1",))]
    assert found.notices == ("d.md, line 3: it needs 7, which is no step; not counted.",)


TASKS = """# Tasks: Photo albums

## Format: `[ID] [P?] [Story] Description`
- **[P]**: Can run in parallel

## Phase 1: Setup
- [x] T001 Create project structure
- [ ] T003 [P] Configure linting in .eslintrc.json

## Phase 2: Foundational (Blocking Prerequisites)
- [ ] T004 Setup schema in backend/db/schema.sql

## Phase 3: User Story 1 - Albums (Priority: P1)
### Tests for User Story 1
- [ ] T010 [P] [US1] Contract test in backend/tests/test_albums.py
### Implementation
- [ ] T012 [P] [US1] Create Album model in backend/src/album.py
- [ ] T014 [US1] Implement service in backend/src/albums.py (depends on T012; FR-001)

## Phase 4: User Story 2 - Sharing (Priority: P2)
- [ ] T020 [P] [US2] Create Share model in backend/src/share.py
- [ ] T021 [US2] Implement sharing in backend/src/sharing.py (uses T014)

## Phase 5: Polish
- [ ] T030 [P] Documentation updates in docs/

## Dependencies
- T012 before T014
"""


def test_tasks_of_spec_kit() -> None:
    found = read(TASKS, "tasks")
    assert brief(found.steps) == [
        ("T003", 1, ()),
        ("T004", 2, ()),
        ("T010", 3, ()),
        ("T012", 3, ()),
        ("T014", 4, ("T012",)),
        ("T020", 3, ()),
        ("T021", 5, ("T014",)),
        ("T030", 6, ()),
    ]
    assert [step.id for step in found.steps if step.parallel] == ["T003", "T010", "T012", "T020", "T030"]
    assert found.steps[4].requirements == ("US1", "FR-001")
    assert {step.phase for step in found.steps[2:5]} == {"Phase 3: User Story 1 - Albums (Priority: P1)"}
    assert [(file.path, file.status, file.task) for file in found.files] == [
        (".eslintrc.json", "?", "T003"),
        ("backend/db/schema.sql", "?", "T004"),
        ("backend/tests/test_albums.py", "?", "T010"),
        ("backend/src/album.py", "A", "T012"),
        ("backend/src/albums.py", "?", "T014"),
        ("backend/src/share.py", "A", "T020"),
        ("backend/src/sharing.py", "?", "T021"),
        ("docs/", "M", "T030"),
    ]
    assert found.notices == ("d.md: tasks that are ticked off are left out: T001.",)


def test_tasks_come_before_the_sequence_of_another_document() -> None:
    documents = (
        Document(kind="architecture", path="plan.md", text="## Implementation Sequence\n1. A\n2. B\n"),
        Document(kind="tasks", path="tasks.md", text="- [ ] T001 Do it in src/a.ts\n- [ ] T002 And src/b.ts\n"),
    )
    assert [step.source for step in work.read(documents).steps] == ["tasks.md", "tasks.md"]


def test_steps_to_reproduce_and_a_numbered_list_anywhere_are_no_sequence() -> None:
    assert read("## Steps to reproduce\n1. Open\n2. Click\n", "intent").steps == ()
    assert read("## Constraints\n1. One\n2. Two\n").steps == ()


def test_a_task_may_need_one_that_is_listed_later() -> None:
    text = "- [ ] T001 Do `a/x.ts` (depends on T003)\n- [ ] T002 Do `a/y.ts`\n- [ ] T003 Do `a/z.ts`\n"
    assert brief(read(text, "tasks").steps) == [("T001", 4, ("T003",)), ("T002", 2, ()), ("T003", 3, ())]


def test_tasks_that_need_each_other_are_said() -> None:
    text = "- [ ] T001 Do `a/x.ts` (depends on T002)\n- [ ] T002 Do `a/y.ts` (depends on T001)\n"
    found = read(text, "tasks")
    assert brief(found.steps) == [("T001", 1, ()), ("T002", 2, ())]
    assert found.notices == ("d.md: the steps T001, T002 need each other; they are taken in their order.",)
