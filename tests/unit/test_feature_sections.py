"""Parts, extensions and changes of an intent: found in many shapes, checked, and chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ropeteam import features
from ropeteam.core.model import Feature
from ropeteam.errors import BadInput, UserError
from ropeteam.features.sections import find

TWO = "# T\n\n## Part: 01-a\n\n## Part: 02-b\n\n**Dependencies:** 01-a\n"
LISTED = "# T\n\n## Parts\n\n### ✓ 01-a (2026-01-01)\n\n### ○ 02-b\n- Dependencies: 01-a\n"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(top: Path, intent: str, *parts: str, all_parts: bool = False, log: str = "") -> Feature:
    place = top / ".workspace/features/it"
    place.mkdir(parents=True, exist_ok=True)
    (place / "01-intent.md").write_bytes(intent.encode())
    (place / "01-research.md").write_text("Research.\n")
    if log:
        (place / "02-implementation.md").write_text(log)
    return features.load("it", top=top, parts=parts, all_parts=all_parts)


def refusal(top: Path, intent: str, *parts: str, all_parts: bool = False) -> BadInput:
    with pytest.raises(BadInput) as refused:
        load(top, intent, *parts, all_parts=all_parts)
    return refused.value


def where(line: int) -> str:
    return f".workspace/features/it/01-intent.md:{line}"


# ---- shapes


@pytest.mark.parametrize(
    ("text", "kind", "name", "status"),
    [
        ("## Part: 01-a\n", "part", "01-a", "pending"),
        ("## part: `01-a`\n", "part", "01-a", "pending"),
        ("## **Part:** 01-a\n", "part", "01-a", "pending"),
        ("### Part: 01-a - Cart and lines\n", "part", "01-a", "pending"),
        ("## Part: 01-a: cart (small)\n", "part", "01-a", "pending"),
        ("Part: 01-a\n----------\n", "part", "01-a", "pending"),
        ("## Part 2: Payment backend\n", "part", "Payment backend", "pending"),
        ("## Part: ✓ 01-a\n", "part", "01-a", "done"),
        ("## ✗ Part: 01-a\n", "part", "01-a", "blocked"),
        ("## Part: 01-a ●\n", "part", "01-a", "in progress"),
        ("## Part: 01-a ✅ (2026-01-01)\n", "part", "01-a", "done"),
        ("## [x] Part: 01-a\n", "part", "01-a", "done"),
        ("## Part: 01-a\n\n**Status:** ✓ done (2026-01-01)\n", "part", "01-a", "done"),
        ("## Part: 01-a\n\n- Status: In Progress\n", "part", "01-a", "in progress"),
        ("## Part: 01-a\n\nStatus: blocked: no key\n", "part", "01-a", "blocked"),
        ("## Part: 01-a\n\n### Notes\n\nStatus: done\n", "part", "01-a", "pending"),
        ("## Part: 01-a\n\n```\nStatus: done\n```\n", "part", "01-a", "pending"),
        ("## Extend: Guest Checkout (2025-01-15)\n", "extend", "Guest Checkout", "pending"),
        ("## Extension: Guest Checkout\n", "extend", "Guest Checkout", "pending"),
        ("## Change: Search and replace\n", "change", "Search and replace", "pending"),
        ("## Parts\n\n### ✓ 01-a (2026-02-04)\n- Status: completed\n\n## Part: 01-a\n", "part", "01-a", "done"),
        ("## Overview\n\n- ● **01-a**: first\n\n## Part: 01-a\n", "part", "01-a", "in progress"),
        ("1. [x] 01-a - first\n\n## Part: 01-a\n", "part", "01-a", "done"),
        ("- ✓ Part: 01-a\n\n## Part: 01-a\n", "part", "01-a", "done"),
        ("| Part | Status |\n|--|--|\n| 01-a | ✗ blocked |\n\n## Part: 01-a\n", "part", "01-a", "blocked"),
        ("| # | Name | State |\n|--|--|--|\n| 1 | `01-a` | Done |\n\n## Part: 01-a\n", "part", "01-a", "done"),
        ("| ID | Part | Status |\n|--|--|--|\n| REQ-001 | 01-a | ✓ |\n\n## Part: 01-a\n", "part", "01-a", "pending"),
        ("```\n## Part: 01-x\n```\n\n## Part: 01-a\n", "part", "01-a", "pending"),
        ("## Parts\n\n### ○ 01-a\n- [ ] write it\n- ○ and test it\n", "part", "01-a", "pending"),
        ("## Parts\n\n- ○ 01-a: first\n  - [x] of it\n", "part", "01-a", "pending"),
        ("## Feature parts\n\n- 01-a\n- each can be shipped alone\n", "part", "01-a", "pending"),
    ],
)
def test_one_section_in_many_shapes(text: str, kind: str, name: str, status: str) -> None:
    (found,) = find(f"# T\n\n{text}")
    assert (found.kind, found.name, found.status) == (kind, name, status)


@pytest.mark.parametrize(
    "text", ["## Parts of speech: nouns\n", "## Partly: x\n", "## Part:\n", "Part: in a paragraph\n", "- Part: 01-a\n"]
)
def test_what_only_looks_like_a_section_is_none(text: str) -> None:
    assert find(f"# T\n\n{text}") == ()


@pytest.mark.parametrize(
    "line",
    [
        "**Dependencies:** 01-a, 02-b",
        "**Dependencies**: `01-a` and `02-b`",
        "- Depends on: 1; 2",
        "Dependencies: Part 1, Part 2",
        "Dependencies: a, b (both)",
        "**Dependencies:**\n- 01-a\n- 02-b",
    ],
)
def test_dependencies_in_many_shapes(top: Path, line: str) -> None:
    feature = load(top, f"# T\n\n## ✓ Part: 01-a\n\n## ✓ Part: 02-b\n\n## Part: 03-c\n\n{line}\n")
    assert feature.sections[2].needs == ("01-a", "02-b")
    assert feature.selected == ("03-c",)


@pytest.mark.parametrize("word", ["none", "None.", "none (first part)", "-", "—", "n/a", "nothing", "", "No"])
def test_no_dependencies(top: Path, word: str) -> None:
    assert load(top, f"# T\n\n## Part: 01-a\n\n**Dependencies:** {word}\n").sections[0].needs == ()


def test_a_name_with_and_in_it_stays_whole(top: Path) -> None:
    feature = load(top, "# T\n\n## Part: Search and replace\n\n## Part: b\n\nDependencies: search and replace, none\n")
    assert feature.sections[1].needs == ("Search and replace",)


def test_sections_that_stand_in_the_list_only_are_parts_all_the_same(top: Path) -> None:
    feature = load(top, LISTED)
    assert [(s.name, s.status, s.needs) for s in feature.sections] == [
        ("01-a", "done", ()),
        ("02-b", "pending", ("01-a",)),
    ]
    assert feature.selected == ("02-b",)
    assert ".workspace/features/it/01-intent.md, line 7: 02-b stands in the list of parts only." in feature.notices


def test_marks_that_contradict_each_other_are_said_and_the_list_counts(top: Path) -> None:
    feature = load(top, "# T\n\n- ✓ 01-a\n\n## Part: 01-a\n\nStatus: pending\n\n## Part: 02-b\n")
    assert feature.selected == ("02-b",)
    said = ".workspace/features/it/01-intent.md: Part: 01-a is pending in line 7, done in line 3; taken as done."
    assert said in feature.notices


def test_dependencies_that_contradict_each_other_all_count(top: Path) -> None:
    text = "# T\n\n### ○ 02-b\n- Dependencies: 01-a\n\n## ✓ Part: 01-a\n\n## Part: 02-b\n\nDependencies: 00-z\n\n"
    feature = load(top, text + "## ✓ Part: 00-z\n")
    assert feature.sections[1].needs == ("00-z", "01-a")
    assert any("Part: 02-b names other dependencies in lines 4, 10; all of them count." in n for n in feature.notices)


def test_a_section_inside_of_another_is_done_with_it(top: Path) -> None:
    feature = load(top, "# T\n\n## Extend: Big\n\n### Part: 04-x\n\nREQ-001: x\n\n## Other\n\nREQ-002: y\n")
    assert feature.selected == ("Big",)
    assert [item.id for item in feature.requirements] == ["REQ-001"]
    assert any("line 5: 'Part: 04-x' stands inside of Extend: Big" in notice for notice in feature.notices)
    assert any("REQ-002 (line 11) stand in no section" in notice for notice in feature.notices)


def test_extensions_of_one_name_are_told_apart_by_their_dates(top: Path) -> None:
    text = "# T\n\n## ✓ Extend: Mail (2025-01-15)\n\n## Extend: Mail (2026-02-01)\n\n## Change: Mail\n"
    feature = load(top, text)
    assert [section.name for section in feature.sections] == ["Mail (2025-01-15)", "Mail (2026-02-01)", "change Mail"]
    assert feature.selected == ("Mail (2026-02-01)",)
    assert feature.task_type == "EXTEND"
    assert load(top, text, "change: mail").selected == ("change Mail",)


def test_what_an_earlier_log_has_a_section_for_is_done_where_nothing_says_otherwise(top: Path) -> None:
    text = "# T\n\n## Extend: Mail (2025-01-15)\n\n## Extend: Fax\n\n## ○ Part: 01-a\n"
    log = "# L\n\n## Extend: Mail (2025-02-01)\n\n## Part: 01-a (2025-02-01)\n"
    log += "<!-- ropeteam run r -->\n## Extend: Fax (2026-01-01)\n<!-- ropeteam end r -->\n"
    feature = load(top, text, log=log)
    assert [section.status for section in feature.sections] == ["done", "pending", "pending"]
    assert any("Extend: Mail has no mark; the log says that it is done" in notice for notice in feature.notices)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_change_no_line(top: Path, end: str) -> None:
    feature = load(top, "\ufeff" + TWO.replace("\n", end))
    assert [section.line for section in feature.sections] == [3, 5]
    assert feature.sections[1].text == "## Part: 02-b\n\n**Dependencies:** 01-a"


# ---- requirements


def test_an_id_that_stands_in_two_parts_is_one_of_each(top: Path) -> None:
    text = "# T\n\n## ✓ Part: a\n\n- REQ-001: one\n\n## Part: b\n\n- REQ-001: two\n"
    feature = load(top, text)
    assert [(item.text, item.line) for item in feature.requirements] == [("two", 9)]
    assert feature.notices == ()
    both = load(top, text, "a", "b")
    assert [item.text for item in both.requirements] == ["one", "two"]
    assert any("REQ-001 names 2 requirements (lines 5, 9)" in notice for notice in both.notices)


def test_a_part_may_name_requirements_that_stand_elsewhere(top: Path) -> None:
    table = "| ID | Description |\n|--|--|\n" + "".join(f"| REQ-00{n} | r{n} |\n" for n in range(1, 6))
    feature = load(top, f"# T\n\n{table}\n## Part: a\n\nREQ-001 to REQ-003, and it prepares REQ-005.\n")
    assert [item.id for item in feature.requirements] == ["REQ-001", "REQ-002", "REQ-003", "REQ-005"]
    assert any("REQ-004 (line 8) stand in no section" in notice for notice in feature.notices)
    done = load(top, "# T\n\n- [x] REQ-001: done\n- REQ-002: open\n\n## Extend: a\n\n- REQ-003: its own\n")
    assert next(notice for notice in done.notices if "in no section" in notice).count("REQ-00") == 1
    listed = load(top, f"# T\n\n{table}\n## Part: a\n\n- REQ-002\n- REQ-009: its own\n")
    assert [(item.id, item.text) for item in listed.requirements] == [("REQ-009", "its own"), ("REQ-002", "r2")]


# ---- choosing


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("01-cart-models", "01-cart-models"),
        ("  01-Cart-Models ", "01-cart-models"),
        ("01 cart models", "01-cart-models"),
        ("cart-models", "01-cart-models"),
        ("Cart models", "01-cart-models"),
        ("1", "01-cart-models"),
        ("01", "01-cart-models"),
        ("part 1", "01-cart-models"),
        ("Part: 01-cart-models", "01-cart-models"),
        ("`01-cart-models`", "01-cart-models"),
        ("guest checkout", "Guest Checkout"),
        ("guest-checkout", "Guest Checkout"),
        ("Extend: Guest Checkout (2026-03-01)", "Guest Checkout"),
        ("2", "Payment backend"),
    ],
)
def test_how_a_part_may_be_called(top: Path, words: str, name: str) -> None:
    text = "# T\n\n## Part: 01-cart-models\n\n## Part 2: Payment backend\n\n## Extend: Guest Checkout (2026-03-01)\n"
    assert load(top, text, words).selected == (name,)


def test_parts_are_done_in_the_order_of_their_dependencies(top: Path) -> None:
    text = "# T\n\n## Part: 01-a\n\nDependencies: 02-b\n\n## Part: 02-b\n"
    assert load(top, text).selected == ("02-b",)
    assert load(top, text, "1", "2").selected == ("02-b", "01-a")
    assert load(top, text, all_parts=True).selected == ("02-b", "01-a")
    assert load(top, text, "2", "02-b").selected == ("02-b",)


def test_what_is_in_progress_is_taken_and_what_is_blocked_is_not(top: Path) -> None:
    text = "# T\n\n## ✗ Part: 01-a\n\n## ● Part: 02-b\n"
    assert load(top, text).selected == ("02-b",)
    assert load(top, text, "01-a").selected == ("01-a",)
    assert load(top, text, all_parts=True).selected == ("01-a", "02-b")


def test_a_feature_without_sections_is_run_as_a_whole(top: Path) -> None:
    feature = load(top, "# T\n\nREQ-001: x\n", all_parts=True)
    assert (feature.selected, feature.sections, feature.subject) == ((), (), "T")


def test_parts_of_a_single_file_and_of_standard_input_can_be_chosen(top: Path) -> None:
    (top / "wish.md").write_text(TWO)
    assert features.load("wish.md", top=top).selected == ("01-a",)
    assert features.load("-", top=top, stdin=TWO, parts=("1", "2")).selected == ("01-a", "02-b")


# ---- refusals


def test_a_part_of_a_feature_that_has_none(top: Path) -> None:
    refused = refusal(top, "# T\n\nWords.\n", "01-a")
    assert (refused.message, refused.where) == ("The feature 'it' has no parts.", "--part")
    assert "run as a whole" in refused.hint


def test_a_part_that_is_not_there(top: Path) -> None:
    refused = refusal(top, TWO, "02-c")
    assert refused.message == "There is no part '02-c' in the feature 'it'."
    assert refused.hint == "Did you mean '02-b'? There are: 01-a, 02-b."


def test_words_that_mean_two_parts(top: Path) -> None:
    refused = refusal(top, "# T\n\n## Part: 01-a\n\n## Part: 1-b\n", "1")
    assert refused.message == "'1' may mean 01-a, 1-b of 'it'."


def test_all_parts_and_some(top: Path) -> None:
    assert "Leave out one" in refusal(top, TWO, "01-a", all_parts=True).hint


def test_a_part_whose_dependency_is_not_done_is_refused_with_its_name(top: Path) -> None:
    refused = refusal(top, TWO, "02-b")
    assert refused.message == "Part: 02-b depends on 01-a, which is not done (pending)."
    assert refused.where == where(7)
    assert "`ropeteam run it --part 01-a` does that first." in refused.hint


def test_when_everything_is_done_it_says_what_to_do(top: Path) -> None:
    text = "# T\n\n## ✓ Part: 01-a\n\n## ✓ Extend: Mail\n"
    for refused in (refusal(top, text), refusal(top, text, all_parts=True)):
        assert refused.message == "Every section of 'it' is done: 01-a, Mail."
        assert "`ropeteam run it --part NAME` does one again" in refused.hint


def test_when_nothing_can_be_begun_it_says_why(top: Path) -> None:
    refused = refusal(top, "# T\n\n## Part: 02-b\n\nDependencies: 01-a\n\n## ✗ Part: 01-a\n")
    assert refused.message == "No section of 'it' can be begun: 02-b (line 3) waits for 01-a; 01-a (line 7) is blocked."
    assert refused.where == where(7)
    assert "`ropeteam run it --part 01-a` tries it again" in refused.hint


def test_an_unknown_dependency_is_refused_with_file_and_line(top: Path) -> None:
    refused = refusal(top, TWO.replace("** 01-a", "** 01-aa"))
    assert refused.message == "Part: 02-b depends on '01-aa', which is none of its sections."
    assert refused.where == where(7)
    assert refused.hint.startswith("Did you mean '01-a'? Sections: 01-a.")
    done = load(top, TWO.replace("## Part: 02-b", "## ✓ Part: 02-b").replace("** 01-a", "** Redis"))
    assert done.selected == ("01-a",), "what is done needs nothing any more"


def test_a_section_that_depends_on_itself(top: Path) -> None:
    assert refusal(top, "# T\n\n## Part: 01-a\n\nDependencies: 1\n").message == "Part: 01-a depends on itself."


def test_a_circle_is_printed_with_its_lines(top: Path) -> None:
    text = "# T\n\n## Part: 01-a\n\nDependencies: 03-c\n\n## Part: 02-b\n\nDependencies: 01-a\n\n## Part: 03-c\n\n"
    refused = refusal(top, text + "Dependencies: 02-b\n")
    names = refused.message.removeprefix("Sections depend on each other in a circle: ").rstrip(".").split(" -> ")
    assert set(names) == {"01-a (line 3)", "02-b (line 7)", "03-c (line 11)"}
    assert (names[0], len(names)) == (names[-1], 4)
    line = {"01-a": 5, "02-b": 9, "03-c": 13}[names[0].partition(" ")[0]]
    assert refused.where == where(line)


def test_two_parts_of_one_name(top: Path) -> None:
    refused = refusal(top, "# T\n\n## Part: 01-a\n\n## Part: 01 A\n")
    assert refused.message == "Two sections are named '01 A': in line 3 and in line 5."
    assert refused.where == where(5)


# ---- anything at all


PIECES = st.sampled_from(
    [
        "# T",
        "## Parts",
        "## Part: 01-a",
        "### ○ 01-a",
        "### ✓ 02-b (2026-01-01)",
        "## Part: 02-b ✓",
        "- ● 02-b",
        "- Dependencies: 01-a, 02-b",
        "**Dependencies:** 3",
        "**Dependencies:**",
        "- Status: done",
        "## Extend: Mail (2026-01-01)",
        "## Change: ✗ Mail",
        "| Part | Status | Depends on |",
        "|--|--|--|",
        "| 01-a | ✓ | 02-b |",
        "REQ-001: x",
        "- REQ-001 to REQ-999",
        "```",
        "---",
        "",
    ]
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(PIECES | st.text(max_size=20), max_size=25).map("\n".join),
    st.sampled_from([(), ("1",), ("mail",)]) | st.text(max_size=8).map(lambda word: (word,)),
    st.booleans(),
)
@example("## Part: \u0660", ("\u0660",), False)
def test_no_intent_is_too_strange_to_be_loaded_or_refused(
    top: Path, text: str, parts: tuple[str, ...], all_parts: bool
) -> None:
    try:
        feature = features.load("-", top=top, stdin=text, parts=parts, all_parts=all_parts)
    except UserError:
        return
    names = [section.name for section in feature.sections]
    assert len(set(names)) == len(names)
    assert set(feature.selected) <= set(names)
    assert bool(feature.selected) == bool(names)
    statuses = {section.name: section.status for section in feature.sections}
    for at, section in enumerate(feature.chosen):
        for need in section.needs:
            assert statuses[need] == "done" or need in feature.selected[:at]
