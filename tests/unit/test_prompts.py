"""The texts agents get: the shared part the same to the byte, documents fenced off, nothing forgotten.

`UPDATE_GOLDEN=1 pytest tests/unit/test_prompts.py` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam import prompts
from ropeteam.core.events import Earlier
from ropeteam.core.model import Document, Feature, Requirement

GOLDEN = Path(__file__).parent.parent / "golden/prompts"
FEATURE = Feature(
    name="shop/checkout",
    source="workspace",
    folder=".workspace/features/shop/checkout",
    title="Checkout",
    documents=(
        Document(
            kind="intent", path=".workspace/features/shop/checkout/01-intent.md", text="# Checkout\n\n$cost ${x}\n"
        ),
        Document(kind="research", path=".workspace/features/shop/checkout/01-research.md", text="# How to report\n"),
        Document(kind="architecture", path=".workspace/features/shop/checkout/01-architecture.md", text="Design.\n"),
        Document(kind="implementation", path=".workspace/features/shop/checkout/02-implementation.md", text="Log.\n"),
        Document(kind="log", path=".workspace/features/shop/checkout/04-verify.md", text="Verified.\n"),
    ),
    requirements=(
        Requirement(id="REQ-001", text="one", status="✓"),
        Requirement(id="REQ-002", text="two", status="○"),
        Requirement(id="REQ-003", text="three"),
    ),
)
PLAIN = Feature(name="stdin", source="stdin", documents=(Document(kind="intent", path="stdin", text="Words."),))


def shared(feature: Feature = FEATURE, context: tuple[tuple[str, str], ...] = (("AGENTS.md", "Use tabs.\n"),)) -> str:
    return prompts.shared(feature, base_context=context, patterns=prompts.default_patterns())


def own(feature: Feature = FEATURE, *earlier: Earlier, kind: str = "single", by: str = "file", goal: str = "") -> str:
    return prompts.own(
        kind=kind,  # type: ignore[arg-type]
        goal=goal or "Implement the feature Checkout.",
        feature=feature,
        tree="/trees/single-1",
        report_file="/attempts/single-1/report.json",
        earlier=earlier,
        report_by=by,  # type: ignore[arg-type]
    )


FAILED = Earlier(attempt="single/1", ref="refs/ropeteam/r/single/1", problem="2 tests failed:\n```\n$boom\n```")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shared.md", shared()),
        ("own-single.md", own()),
        ("own-second-try.md", own(FEATURE, FAILED, by="structured")),
        ("own-rest.md", own(PLAIN, FAILED, kind="rest")),
    ],
)
def test_golden_texts(name: str, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_the_shared_part_is_the_same_to_the_byte_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_prompts as t; "
        "sys.stdout.buffer.write(t.shared().encode())"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, env=env, cwd="/", check=True
    )
    assert done.stdout == shared().encode()


def test_what_is_particular_is_not_in_the_shared_part() -> None:
    text = shared()
    assert "/trees" not in text
    assert "report.json" not in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text)


def test_the_shared_part_holds_everything_in_its_order() -> None:
    text = shared()
    order = ["Use tabs.", "Architecture patterns", "$cost ${x}", "# How to report", "Design.", "Log.", "Verified."]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_no_instructions_and_empty_ones_are_told_so() -> None:
    assert "There are none." in shared(context=())
    assert "There are none." in shared(context=(("CLAUDE.md", "  \n"),))


def test_the_repositorys_own_patterns_replace_ours() -> None:
    text = prompts.shared(PLAIN, base_context=(), patterns="Only this.")
    assert "Only this." in text
    assert "Schema changes" not in text


def test_headings_outside_the_fences_are_only_ours() -> None:
    text = shared(context=(("CLAUDE.md", "# Your task\n\n````\n# Your task\n````\n\n`````\n"),))
    assert headings(text) == [
        "# What you are part of",
        "# The project's own instructions",
        "# Architecture patterns",
        "# The feature: Checkout",
        "## What is wanted",
        "## How this project does such things",
        "## The chosen design",
        "## What earlier runs did",
        "## Logs of other phases",
    ]


def headings(text: str) -> list[str]:
    """Headings as a Markdown parser sees them: not what stands in fences."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    return [
        f"{token.markup} {tokens[at + 1].content}" for at, token in enumerate(tokens) if token.type == "heading_open"
    ]


@given(st.text(alphabet=st.sampled_from("`#~ \n\rx<>\ufeff"), max_size=60) | st.text(max_size=60))
def test_no_document_gets_out_of_its_fence(words: str) -> None:
    feature = Feature(name="f", source="stdin", documents=(Document(kind="intent", path="stdin", text=words),))
    assert len(headings(shared(feature))) == 5


@given(st.text(max_size=80))
def test_the_failing_output_of_an_earlier_attempt_stays_in_its_fence(words: str) -> None:
    text = own(FEATURE, Earlier(attempt="single/1", ref="", problem=words))
    assert headings(text) == ["# Your task", "## What came before", "## How to work", "## How to report"]


def test_the_task_names_goal_tree_requirements_and_documents() -> None:
    text = own()
    assert text.startswith("# Your task\n\nImplement the feature Checkout.\n")
    assert "`/trees/single-1`" in text
    assert "The requirements to meet: REQ-002, REQ-003." in text
    assert "to be kept working: REQ-001." in text
    assert "`.workspace/features/shop/checkout`" in text
    assert "earlier" not in text.lower()
    order = ["configuration and schema", "models;", "services and controllers", "views and components"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_many_requirements_are_counted_and_not_all_listed() -> None:
    many = Feature(
        name="f", source="stdin", requirements=tuple(Requirement(id=f"REQ-{n:03d}", text="") for n in range(100))
    )
    assert "REQ-059 and 40 more." in own(many)


def test_earlier_attempts_are_told_with_their_output_and_ref() -> None:
    text = own(FEATURE, FAILED, Earlier(attempt="single/2", ref="refs/two", problem="again"))
    assert "$boom" in text
    assert "`refs/ropeteam/r/single/1`" in text
    assert text.index("single/1") < text.index("single/2")


def test_the_way_to_report_fits_the_agent() -> None:
    assert "/attempts/single-1/report.json" in own(by="file")
    assert "report.json" not in own(by="structured")
    for by in ("file", "structured"):
        assert "`deviations`" in own(by=by)


def test_a_goal_with_dollar_signs_is_left_alone() -> None:
    assert "Pay $5 and ${more}, $$." in own(goal="Pay $5 and ${more}, $$.")


def test_other_kinds_have_no_prompt_yet() -> None:
    with pytest.raises(ValueError, match="no prompt for plan"):
        own(kind="plan")


def test_a_long_log_keeps_its_newest_end_and_says_what_is_missing() -> None:
    log = "".join(f"line {number:06d}\n" for number in range(20_000))
    feature = Feature(name="f", source="stdin", documents=(Document(kind="log", path="04-x.md", text=log),))
    text = shared(feature)
    assert "line 019999" in text
    assert "line 000000" not in text
    left = re.search(r"the first (\d+) characters are left out", text)
    assert left
    assert log[int(left.group(1)) :] in text
    intent = Feature(name="f", source="stdin", documents=(Document(kind="intent", path="x", text=log),))
    assert log in shared(intent)
