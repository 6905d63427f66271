"""Intents as people and models write them: understood leniently, with a word on what was not understood."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.core.model import Requirement
from ropeteam.features.intent import Intent, doubts, read


def of(text: str) -> Intent:
    return read(text, "01-intent.md")


def one(text: str) -> Requirement:
    (requirement,) = of(text).requirements
    return requirement


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Checkout\n", "Checkout"),
        ("## Small\n\n# Big\n", "Big"),
        ("Title\n=====\n\nWords\n", "Title"),
        ("# Feature: Saved searches\n", "Saved searches"),
        ("# Feature flags\n", "Feature flags"),
        ("# Feature Specification: Search\n", "Search"),
        ("# **Bold** and [linked](http://x)\n", "Bold and linked"),
        ("---\ntitle: front\n---\n\n# Real\n", "Real"),
        ("```\n# not a title\n```\n\n# Real\n", "Real"),
        ("just words\n", "just words"),
        ("## Only second level\n", "Only second level"),
        ("x" * 300, "x" * 119 + "…"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert of(text).title == title


@pytest.mark.parametrize(
    ("line", "task_type"),
    [
        ("TASK TYPE: EXTEND", "EXTEND"),
        ("**Task Type:** change", "CHANGE"),
        ("**Task type**: Feature", "FEATURE"),
        ("- Task type: Extend (of checkout)", "EXTEND"),
        ("nothing of the kind", "FEATURE"),
        ("```\nTASK TYPE: CHANGE\n```", "FEATURE"),
    ],
)
def test_task_types(line: str, task_type: str) -> None:
    intent = of(f"# T\n\n{line}\n\nREQ-001: x\n")
    assert intent.task_type == task_type
    assert intent.notices == ()


@pytest.mark.parametrize("word", ["REFACTOR", "FEATURE | EXTEND | CHANGE"])
def test_an_unknown_task_type_is_mentioned(word: str) -> None:
    intent = of(f"# T\n\nTASK TYPE: {word}\n\nREQ-001: x\n")
    assert intent.task_type == "FEATURE"
    assert "line 3" in intent.notices[0]


def test_the_summary_is_the_request_and_not_its_metadata() -> None:
    request = "## User request\nTASK TYPE: FEATURE\n\nLet people\nsave.\n\nMore.\n"
    assert of("# T\n\n**Status:** pending\n\nIntroduction.\n\n" + request).summary == "Let people save."
    assert of("# T\n\n**Status:** x\n**Complexity:** 3\n\nFirst *paragraph*.\n").summary == "First paragraph."
    assert of("# T\n").summary == ""


@pytest.mark.parametrize(
    ("line", "identity", "text"),
    [
        ("- REQ-001: it works", "REQ-001", "it works"),
        ("- REQ-001 it works", "REQ-001", "it works"),
        ("* **REQ-001** it works", "REQ-001", "it works"),
        ("* **REQ-001:** it works", "REQ-001", "it works"),
        ("1. `FR-2` - it works", "FR-2", "it works"),
        ("- [REQ-API-003] it works", "REQ-API-003", "it works"),
        ("REQ-001 — it works", "REQ-001", "it works"),
        ("### REQ-001: it works", "REQ-001", "it works"),
        ("- US-1.2: it works", "US-1.2", "it works"),
        ("- PAY-7: it works", "PAY-7", "it works"),
        ("> - REQ-001: it works", "REQ-001", "it works"),
        ("- REQ-001 (see below): it works", "REQ-001", "(see below) it works"),
    ],
)
def test_requirements_in_lists(line: str, identity: str, text: str) -> None:
    found = one(f"# T\n\n{line}\n")
    assert (found.id, found.text, found.line) == (identity, text, 3)


def test_what_stands_with_a_requirement_in_a_list_is_understood() -> None:
    found = one("# T\n\n- [x] REQ-001 (edge_case, automated_api): twice\n")
    assert (found.category, found.test_type, found.status, found.text) == ("edge_case", "automated_api", "✓", "twice")
    assert one("- [ ] REQ-001: x\n").status == "○"
    assert one("- ✗ REQ-001: x\n").status == "✗"


@pytest.mark.parametrize(
    "text",
    [
        "- UTF-8 everywhere\n",
        "- ISO-8601 dates\n",
        "```\nREQ-001: in code\n```\n",
        "    REQ-001: indented code\n",
        "It serves REQ-001: see above\n",
        "| Field | Type |\n|--|--|\n| id | int |\n",
        "<!--\nREQ-001: commented out\n-->\n",
    ],
)
def test_what_only_looks_like_a_requirement_is_none(text: str) -> None:
    intent = of(f"# T\n\n{text}")
    assert intent.requirements == ()
    assert intent.notices == ()
    assert doubts(intent.requirements, "01-intent.md") == [
        "01-intent.md has no requirements with ids (REQ-001 ...): its text as a whole is the task."
    ]


def test_tables_with_other_headers_and_another_order() -> None:
    text = (
        "# T\n\n| Status | What must work | Req ID | Test Type | Area | Priority |\n|:-:|---|---|--:|---|---|\n"
        "| ○ | Saving **twice** | **FR-01** | manual | ui | high |\n"
    )
    assert one(text) == Requirement(
        id="FR-01", text="Saving twice", category="ui", test_type="manual", status="○", line=5
    )


def test_a_table_whose_ids_are_of_another_shape_is_known_by_its_header() -> None:
    text = "| ID | Requirement |\n|--|--|\n| R1 | one |\n| R2 | two |\n"
    assert [(item.id, item.text) for item in of(text).requirements] == [("R1", "one"), ("R2", "two")]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("match `a|b` exactly", "match `a|b` exactly"),
        ("match `a\\|b` exactly", "match `a|b` exactly"),
        ("a \\| b", "a | b"),
        ("``x | ` | y`` done", "``x | ` | y`` done"),
        ("an odd ` alone", "an odd ` alone"),
    ],
)
def test_pipes_in_the_cells_of_a_table(cell: str, text: str) -> None:
    found = one(f"| ID | Description | Category |\n|--|--|--|\n| REQ-001 | {cell} | core |\n")
    assert (found.text, found.category) == (text, "core")


def test_rows_that_are_short_or_have_no_edge() -> None:
    text = "ID | Description | Status\n--|--|--\nREQ-001 | one\nREQ-002 | two | ✓\n"
    assert [(item.id, item.text, item.status) for item in of(text).requirements] == [
        ("REQ-001", "one", ""),
        ("REQ-002", "two", "✓"),
    ]


def test_a_row_without_an_id_is_mentioned_and_not_dropped_in_silence() -> None:
    intent = of("| ID | Description |\n|--|--|\n| REQ-001 | one |\n| | forgotten |\n")
    assert [item.id for item in intent.requirements] == ["REQ-001"]
    assert intent.notices == ("01-intent.md, line 4: a requirement without an id: forgotten",)


def test_what_stands_in_place_of_an_id_is_mentioned_and_a_paragraph_under_a_table_is_none() -> None:
    intent = of("| ID | Description |\n|--|--|\n| REQ-001 | one |\n| to be told | two |\nAnd so on.\n")
    assert [item.id for item in intent.requirements] == ["REQ-001"]
    assert intent.notices == ("01-intent.md, line 4: 'to be told' is not an id; the row is not listed.",)


def test_an_id_that_comes_again_is_a_reference_in_one_part_and_a_requirement_in_another() -> None:
    again = of("# T\n\n- REQ-001: one\n\n## Notes\n\n- REQ-001: is hard\n")
    assert [item.text for item in again.requirements] == ["one"]
    assert again.notices == ("01-intent.md, line 7: REQ-001 is also in line 3; that one counts.",)
    text = "# T\n\n## Part: a\n\n- REQ-001: one\n\n## Part: b\n\n- REQ-001: other\n"
    parts = read(text, "01-intent.md", [3, 7])
    assert [item.text for item in parts.requirements] == ["one", "other"]
    assert doubts(parts.requirements, "x.md") == ["x.md: REQ-001 names 2 requirements (lines 5, 9); all are kept."]


PIECES = st.sampled_from(
    [
        "# T",
        "## Part: x",
        "| ID | Description |",
        "|--|--|",
        "| REQ-001 | a `|` b |",
        "- REQ-002: x",
        "```",
        "",
        "> ",
        "|",
        "---",
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=30), max_size=25).map("\n".join))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    intent = of(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for item in intent.requirements:
        assert item.id in lines[item.line - 1]
    assert "\n" not in intent.title + intent.summary
