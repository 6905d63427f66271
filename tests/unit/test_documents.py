"""What a run writes: its section, the status mark, and files replaced whole. What is not ours stays to the byte."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ropeteam import documents
from ropeteam.cli.plain import duration
from ropeteam.core.model import Decision, Feature, Section
from ropeteam.core.report import (
    Actual,
    CheckLine,
    DecisionLine,
    DeviationLine,
    FileLine,
    Files,
    Predicted,
    Report,
    TriggerLine,
)
from ropeteam.documents.lines import newline_of
from ropeteam.errors import BadInput

GOLDEN = Path(__file__).parent.parent / "golden"
FEATURE = Feature(name="checkout", source="workspace", folder=".workspace/features/checkout", title="Checkout")
RUN = "20261122-101530-checkout-7f3a"
REPORT = Report(
    run=RUN,
    feature="checkout",
    state="ended",
    outcome="delivered_single",
    winner="single",
    landed=False,
    landed_reason=None,
    landed_detail="",
    resume_at=None,
    base="a" * 40,
    head="b" * 40,
    branch=None,
    decision=Decision(mode="single", reasons=("Asked for with --mode single.",)),
    units=(),
    triggers=(
        TriggerLine(
            id="batch_validation_failed",
            unit="single",
            at="2026-11-22T10:20:00Z",
            evidence="2 tests of 40 failed.",
            action="retry",
        ),
    ),
    files=Files(
        created=(FileLine(path="app/order.py", purpose="an order"), FileLine(path="a`b.py", purpose="")),
        modified=(FileLine(path="app/__init__.py", purpose="routes"),),
    ),
    decisions=(DecisionLine(decision="Prices are frozen.", rationale="They change.", unit="single"),),
    deviations=(),
    checks=(
        CheckLine(name="pytest", state="passed", baseline="passed", tests=42, added=6),
        CheckLine(name="lint", state="no_gate", baseline="passed", why="It passes on broken code.", failing=("a::b",)),
    ),
    notices=("single/1: one\nnotice",),
    kept=("refs/ropeteam/x/single/1",),
    documents=(),
    predicted=Predicted(mode="single"),
    actual=Actual(seconds=843.2, tokens=123456, cost_usd=1.237, orchestration_seconds=2.5),
    clock="",
    agent="claude",
    started_at="2026-11-22T10:15:30Z",
    error="",
)


# ---- the section


def test_golden_section() -> None:
    log = documents.with_section(None, FEATURE, RUN, documents.section(REPORT))
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / "documents/02-implementation.md").write_text(log)
    assert log == (GOLDEN / "documents/02-implementation.md").read_text()


def test_golden_log_of_the_example_after_a_run_on_two_of_its_sections() -> None:
    before = (GOLDEN / "features/checkout/02-implementation.md").read_text()
    chosen = (Section(kind="part", name="02-payment-backend"), Section(kind="extend", name="Guest Checkout"))
    log = documents.with_section(before, FEATURE, RUN, documents.section(replace(REPORT, triggers=()), chosen))
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / "documents/02-implementation-parts.md").write_text(log)
    assert log == (GOLDEN / "documents/02-implementation-parts.md").read_text()
    assert log.startswith(before)


def test_a_run_on_parts_has_a_heading_for_each() -> None:
    one = Section(kind="part", name="02-payment-backend")
    other = Section(kind="extend", name="Guest <!-- Checkout")
    text = documents.section(REPORT, (one, other))
    assert text.startswith("## Part: 02-payment-backend (2026-11-22)\n\n- Generated: 2026-11-22 10:15:30 UTC\n- Run: ")
    assert text.endswith(
        "\n\n## Extend: Guest <! -- Checkout (2026-11-22)\n\n- In the same run as 02-payment-backend: see there.\n"
    )
    assert text.count("\n## ") == 1
    log = documents.with_section(None, FEATURE, RUN, text)
    assert documents.with_section(log, FEATURE, RUN, text) == log
    assert f"- Run: {RUN}" in documents.section(REPORT, (one,))
    assert "- Run: " not in documents.section(REPORT)


def test_a_run_that_did_not_deliver_names_what_is_kept() -> None:
    text = documents.section(replace(REPORT, outcome="not_delivered"))
    assert "not delivered; everything is kept (`not_delivered`)" in text
    assert "Kept: `refs/ropeteam/x/single/1`" in text
    assert "Kept" not in documents.section(REPORT)


def test_every_field_that_may_be_empty_is_said_to_be() -> None:
    empty = replace(
        REPORT, outcome=None, decision=None, triggers=(), files=Files(), decisions=(), checks=(), notices=(), kept=()
    )
    text = documents.section(empty)
    assert text.count("- none") == 6
    assert "Notices" not in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 s"), (59.94, "1 min 00 s"), (42.4, "42 s"), (180.0, "3 min 00 s"), (3661.0, "1 h 01 min")],
)
def test_times(seconds: float, words: str) -> None:
    text = documents.section(replace(REPORT, actual=Actual(seconds=seconds)))
    assert f"- Actual: {words}, of it orchestration 0.0 s (before landing)" in text
    assert words == duration(seconds)  # the report says the same


def test_predicted_times_stand_beside_the_actual_ones() -> None:
    predicted = Predicted(mode="single", single_seconds_p50=600.0, parallel_seconds_p50=300.0)
    text = documents.section(replace(REPORT, predicted=predicted))
    assert "- Predicted: 10 min 00 s; several agents 5 min 00 s\n" in text
    assert "- Tokens: 123,456\n" in text
    assert "Planning" not in text
    assert "- Predicted: not estimated\n" in documents.section(REPORT)


def test_predicted_tokens_cost_and_planning_stand_beside_the_actual_ones() -> None:
    predicted = Predicted(
        mode="single",
        single_seconds_p50=600.0,
        single_tokens_p50=100_000,
        parallel_tokens_p50=140_000,
        single_cost_usd_p50=1.0,
        parallel_cost_usd_p50=1.5,
        planning_seconds=1.0,
    )
    text = documents.section(replace(REPORT, predicted=predicted))
    assert "- Planning: 0.0 s (predicted: 1.0 s)\n- Tokens: 123,456 (predicted: 100,000)\n" in text
    assert "- Cost: 1.24 USD (predicted: 1.00 USD)\n" in text
    several = replace(REPORT, predicted=predicted, decision=Decision(mode="parallel"))
    assert "(predicted: 140,000)" in documents.section(several)
    assert "(predicted: 1.50 USD)" in documents.section(several)


@pytest.mark.parametrize(("came", "held"), [(1.4, "did not hold"), (1.61, "held")])
def test_whether_the_prediction_that_counted_held_is_said(came: float, held: str) -> None:
    predicted = Predicted(mode="parallel", speedup_p50=1.9, speedup_quantile=1.6, confidence=0.93)
    actual = replace(REPORT.actual, single_seconds_estimated=1000.0, speedup_estimated=came)
    report = replace(REPORT, decision=Decision(mode="parallel"), predicted=predicted, actual=actual)
    text = documents.section(report)
    assert f"- The cautious prediction {held}: 1.60 times as fast\n" in text
    assert "; 93% sure that several are no slower\n" in text


def test_how_much_faster_is_said_to_be_no_quotient_of_the_medians() -> None:
    predicted = Predicted(
        mode="parallel",
        single_seconds_p50=965.0,
        parallel_seconds_p50=525.0,
        speedup_p50=1.69,
        speedup_quantile=1.61,
    )
    decision = Decision(mode="parallel", reasons=("Several agents.",))
    text = documents.section(replace(REPORT, decision=decision, predicted=predicted))
    assert (
        "- Predicted: several agents 8 min 45 s, one agent 16 min 05 s, typically 1.69 times as fast, cautiously 1.61"
        " (median of simulated ratios)\n"
    ) in text


def test_what_an_agent_says_cannot_forge_a_section() -> None:
    evil = f"x\n<!-- ropeteam end {RUN} -->\n\n## Part: forged\n<!-- ropeteam run other -->"
    report = replace(
        REPORT,
        decisions=(DecisionLine(decision=evil, rationale=evil, unit=""),),
        deviations=(DeviationLine(what=evil, why="", unit=""),),
        files=Files(created=(FileLine(path=evil, purpose=evil), FileLine(path="\udcff.py", purpose="\udcff"))),
        notices=(evil,),
    )
    text = documents.section(report)
    assert "<!--" not in text
    assert re.findall("^## .*", text, re.MULTILINE) == [f"## Run {RUN} (2026-11-22)"]
    assert text.encode()


def test_a_second_run_comes_after_the_first_which_stays_as_it_is() -> None:
    before = (GOLDEN / "features/checkout/02-implementation.md").read_text()
    first = documents.with_section(before, FEATURE, "one", "## Run one\n\nwords\n")
    second = documents.with_section(first, FEATURE, "two", "## Run two\n\nwords\n")
    assert first.startswith(before)
    assert second.startswith(first)
    assert second.count("# Implementation Log") == 1
    again = documents.with_section(second, FEATURE, "one", "## Run one\n\nother words\n")
    assert again == second.replace("## Run one\n\nwords", "## Run one\n\nother words")


@pytest.mark.parametrize("before", ["", "\n", "\ufeff", " \r\n\r\n"])
def test_an_empty_log_gets_its_title(before: str) -> None:
    log = documents.with_section(before, FEATURE, RUN, "## Run\n")
    assert log.startswith(before + "# Implementation Log - Checkout")


def test_a_log_without_a_final_newline_or_with_windows_lines() -> None:
    assert "words\n\n<!-- ropeteam run r -->\n## Run\n<!-- ropeteam end r -->\n" in documents.with_section(
        "# L\n\nwords", FEATURE, "r", "## Run\n"
    )
    windows = documents.with_section("# L\r\n\r\nwords\r\n", FEATURE, "r", "## Run\n\nx\n")
    assert "\n" not in windows.replace("\r\n", "")
    assert windows.endswith("words\r\n\r\n<!-- ropeteam run r -->\r\n## Run\r\n\r\nx\r\n<!-- ropeteam end r -->\r\n")


def test_without_its_closing_line_only_the_sections_own_words_are_replaced() -> None:
    log = documents.with_section("# L\n", FEATURE, "r", "## Run r\n\nold\n\n### More\n\nold\n")
    cut = log.replace("<!-- ropeteam end r -->\n", "") + "\n## Part: somebody's\n\nkeep me\n"
    again = documents.with_section(cut, FEATURE, "r", "## Run r\n\nnew\n")
    assert "old" not in again
    assert again.endswith("<!-- ropeteam end r -->\n\n## Part: somebody's\n\nkeep me\n")


LOGS = st.lists(
    st.sampled_from(["# L", "## Part: x", "words", "", "<!-- ropeteam run a -->", "<!-- ropeteam end a -->", "```"])
    | st.text(max_size=12),
    max_size=14,
)


@settings(deadline=None)
@given(LOGS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["a", "b"]), st.sampled_from(["## S\n\none\n", "## S\n"]))
def test_writing_twice_is_writing_once_and_keeps_the_rest(parts: list[str], end: str, run: str, words: str) -> None:
    before = end.join(parts)
    once = documents.with_section(before, FEATURE, run, words)
    assert documents.with_section(once, FEATURE, run, words) == once
    if f"<!-- ropeteam run {run} -->" not in before:
        assert once.startswith(before)
    else:
        at = before.index(f"<!-- ropeteam run {run} -->")
        assert once.startswith(before[:at])


@settings(deadline=None)
@given(LOGS, LOGS)
def test_what_stands_before_and_after_a_section_stays(before: list[str], after: list[str]) -> None:
    head, tail = "x\n" + "\n".join(before).replace(" c ", ""), "\n".join(after)
    log = f"{head}\n<!-- ropeteam run c -->\nold\n<!-- ropeteam end c -->\n{tail}"
    new = documents.with_section(log, FEATURE, "c", "new\n")
    end = newline_of(log)
    assert new == f"{head}\n<!-- ropeteam run c -->{end}new{end}<!-- ropeteam end c -->\n{tail}"


# ---- the mark


CHECKOUT = (GOLDEN / "features/checkout/01-intent.md").read_text()


def part(intent: str, *names: str, outcome: str = "delivered_single", left: tuple[str, ...] = ()) -> str:
    """An intent marked for a run on some of its sections: on the day D, or for the reason `2 tests failed`."""
    return documents.with_mark(
        intent,
        outcome,
        "2 tests failed.",
        "2026-05-01",
        sections=names,
        left=left,  # type: ignore[arg-type]
    )


def test_the_mark_of_a_part_of_the_example_stands_wherever_it_stood() -> None:
    rows = [line for line in CHECKOUT.split("\n") if re.match(r"\| REQ-00[457]", line)]
    assert changed(CHECKOUT, part(CHECKOUT, "02-payment-backend", left=("REQ-006",))) == [
        ("**Status:** 1/3 parts complete", "**Status:** 2/3 parts complete"),
        ("### ○ 02-payment-backend", "### ✓ 02-payment-backend (2026-05-01)"),
        ("- Status: pending", "- Status: completed"),
        *((row, row.replace("○", "✓")) for row in rows),
    ]
    assert changed(CHECKOUT, part(CHECKOUT, "02-payment-backend", outcome="not_delivered")) == [
        ("### ○ 02-payment-backend", "### ✗ 02-payment-backend"),
        ("- Status: pending", "- Status: blocked: 2 tests failed (2026-05-01)"),
    ]
    assert part(CHECKOUT, "02-payment-backend", outcome="cancelled") == CHECKOUT


def test_a_part_that_was_blocked_and_is_done_now_says_so_everywhere() -> None:
    blocked = part(CHECKOUT, "02-payment-backend", outcome="not_delivered")
    assert part(blocked, "02-payment-backend") == part(CHECKOUT, "02-payment-backend")


def test_what_was_done_stays_done_when_doing_it_again_fails() -> None:
    assert part(CHECKOUT, "01-cart-models", outcome="not_delivered") == CHECKOUT
    again = part(CHECKOUT, "01-cart-models")
    assert changed(CHECKOUT, again) == [("### ✓ 01-cart-models (2026-02-04)", "### ✓ 01-cart-models (2026-05-01)")]


def test_an_extension_without_a_mark_gets_a_status_line() -> None:
    done = part(CHECKOUT, "Guest Checkout")
    added = "## Extend: Guest Checkout (2026-03-01)\n\n**Status:** ✓ done (2026-05-01)\n\n**Complexity:** 30/100\n"
    assert added in done
    assert done.replace("\n**Status:** ✓ done (2026-05-01)\n", "").replace("account | ✓", "account | ○") == CHECKOUT


def test_what_was_done_before_it_was_extended_keeps_its_day() -> None:
    before = "# T\n\n**Status:** ✓ concluído (2025-11-20)\n\n## Extend: a\n\nText.\n"
    added = "## Extend: a\n\n**Status:** ✓ done (2026-05-01)\n\n"
    assert part(before, "a") == before.replace("## Extend: a\n\n", added)


@pytest.mark.parametrize(
    ("before", "done", "blocked"),
    [
        (
            "# T\n\n## Part: a",
            "# T\n\n## Part: a\n\n**Status:** ✓ done (D)\n",
            "# T\n\n## Part: a\n\n**Status:** ✗ R\n",
        ),
        (
            "# T\r\n\r\n## Part: a\r\nWords.",
            "# T\r\n\r\n## Part: a\r\n\r\n**Status:** ✓ done (D)\r\n\r\nWords.",
            "# T\r\n\r\n## Part: a\r\n\r\n**Status:** ✗ R\r\n\r\nWords.",
        ),
        (
            "\ufeff# T\n\nPart: a\n---\n\nx",
            "\ufeff# T\n\nPart: a\n---\n\n**Status:** ✓ done (D)\n\nx",
            "\ufeff# T\n\nPart: a\n---\n\n**Status:** ✗ R\n\nx",
        ),
        (
            "# T\n\n## Part: ○ a\n\nx\n",
            "# T\n\n## Part: ✓ a\n\nx\n",
            "# T\n\n## Part: ✗ a\n\n**Status:** ✗ R\n\nx\n",
        ),
        ("# T\n\n## [ ] Part: a\n", "# T\n\n## [x] Part: a\n", "# T\n\n## [ ] Part: a\n\n**Status:** ✗ R\n"),
        (
            "# T\n\n## Part: a\n\n**Status:** ○ pending  \nx\n",
            "# T\n\n## Part: a\n\n**Status:** ✓ done (D)  \nx\n",
            "# T\n\n## Part: a\n\n**Status:** ✗ R  \nx\n",
        ),
        (
            "# T\n\n## Part: a\n\n- Status: Pending\n",
            "# T\n\n## Part: a\n\n- Status: completed\n",
            "# T\n\n## Part: a\n\n- Status: R\n",
        ),
        (
            "# T\n\n## Part: a\n\n- Status: ask Kim\n",
            "# T\n\n## Part: a\n\n- Status: ✓ done (D)\n",
            "# T\n\n## Part: a\n\n- Status: ✗ R\n",
        ),
        (
            "# T\n\n- ○ a: first\n- ○ b\n\n## Part: a\n\n## Part: b\n",
            "# T\n\n- ✓ a: first\n- ○ b\n\n## Part: a\n\n## Part: b\n",
            "# T\n\n- ✗ a: first\n- ○ b\n\n## Part: a\n\n**Status:** ✗ R\n\n## Part: b\n",
        ),
        (
            "# T\n\n- [ ] **a**\n\n## Part: a\n\n## Part: b\n",
            "# T\n\n- [x] **a**\n\n## Part: a\n\n## Part: b\n",
            "# T\n\n- [ ] **a**\n\n## Part: a\n\n**Status:** ✗ R\n\n## Part: b\n",
        ),
        (
            "# T\n\n## Parts\n\n### a ###\n\n## Part: a\n",
            "# T\n\n## Parts\n\n### ✓ a (D) ###\n\n## Part: a\n",
            "# T\n\n## Parts\n\n### ✗ a ###\n\n## Part: a\n\n**Status:** ✗ R\n",
        ),
        (
            "# T\n\n## Order\n\n1. a\n\n## Part: a\n",
            "# T\n\n## Order\n\n1. a\n\n## Part: a\n\n**Status:** ✓ done (D)\n",
            "# T\n\n## Order\n\n1. a\n\n## Part: a\n\n**Status:** ✗ R\n",
        ),
        (
            "# T\n\n## Parts\n\n- ○ a\n- ○ b\n",
            "# T\n\n## Parts\n\n- ✓ a\n- ○ b\n",
            "# T\n\n## Parts\n\n- ✗ a\n  - Status: R\n- ○ b\n",
        ),
        (
            "# T\n\n## Parts\n\n### ○ a\n\n### ○ b\n",
            "# T\n\n## Parts\n\n### ✓ a (D)\n\n### ○ b\n",
            "# T\n\n## Parts\n\n### ✗ a\n- Status: R\n\n### ○ b\n",
        ),
        (
            "# T\n\n| Part | State |\n|--|--|\n| a | ○ |\n| b | Pending |\n\n## Part: a\n\n**Status:** x\n",
            "# T\n\n| Part | State |\n|--|--|\n| a | ✓ |\n| b | Pending |\n\n## Part: a\n\n**Status:** ✓ done (D)\n",
            "# T\n\n| Part | State |\n|--|--|\n| a | ✗ |\n| b | Pending |\n\n## Part: a\n\n**Status:** ✗ R\n",
        ),
        (
            "# T\n\n**Status:** 0 of 2 parts\n\n## ○ Part: a\n\nStatus: x\n\n## ○ Part: b\n",
            "# T\n\n**Status:** 1 of 2 parts\n\n## ✓ Part: a\n\nStatus: ✓ done (D)\n\n## ○ Part: b\n",
            "# T\n\n**Status:** 0 of 2 parts\n\n## ✗ Part: a\n\nStatus: ✗ R\n\n## ○ Part: b\n",
        ),
        (
            "# T\n\n**Status:** ○ pending\n\n## Part: a\n\nStatus: x\n\n## ✓ Part: b\n",
            "# T\n\n**Status:** ✓ done (D)\n\n## Part: a\n\nStatus: ✓ done (D)\n\n## ✓ Part: b\n",
            "# T\n\n**Status:** ○ pending\n\n## Part: a\n\nStatus: ✗ R\n\n## ✓ Part: b\n",
        ),
        (
            "# T\n\n## ○ Part: a\n\n- ○ REQ-001: x\n- ○ REQ-002: y\n\nStatus: x\n\n```\n- ○ code\n```\n\n"
            "| ID | Text | Status |\n|--|--|--|\n| REQ-003 | `a|b` | ● |\n| REQ-002 | z | ○ |\n| n | m | ○ |\n",
            "# T\n\n## ✓ Part: a\n\n- ✓ REQ-001: x\n- ○ REQ-002: y\n\nStatus: ✓ done (D)\n\n```\n- ○ code\n```\n\n"
            "| ID | Text | Status |\n|--|--|--|\n| REQ-003 | `a|b` | ✓ |\n| REQ-002 | z | ○ |\n| n | m | ○ |\n",
            "# T\n\n## ✗ Part: a\n\n- ○ REQ-001: x\n- ○ REQ-002: y\n\nStatus: ✗ R\n\n```\n- ○ code\n```\n\n"
            "| ID | Text | Status |\n|--|--|--|\n| REQ-003 | `a|b` | ● |\n| REQ-002 | z | ○ |\n| n | m | ○ |\n",
        ),
    ],
)
def test_marks_of_a_section(before: str, done: str, blocked: str) -> None:
    day, reason = "2026-05-01", "blocked: 2 tests failed (2026-05-01)"
    assert part(before, "a", left=("REQ-002",)) == done.replace("(D)", f"({day})")
    marked = part(before, "a", outcome="not_delivered")
    assert marked == re.sub(r"(?<=[ ])R(?=\s)", reason, blocked)
    assert part(marked, "a", outcome="not_delivered") == marked
    assert part(marked, "a", left=("REQ-002",)).replace("**Status:** ✓", "").count("✗") == 0


def test_a_section_that_is_gone_changes_nothing() -> None:
    assert part(CHECKOUT, "04-gone") == CHECKOUT


def test_boxes_of_tasks_are_ticked_as_spec_kit_does_it() -> None:
    tasks = (
        "\ufeff# Tasks\r\n\r\n- [ ] T001 [P] x\r\n- [x] T002 y\r\n* [ ] **T003** z\r\n- [ ] T004 w\r\n- [ ] no task\r\n"
        "```\r\n- [ ] T005 code\r\n```\r\n<!--\r\n- [ ] T006\r\n-->\r\n- [ ] T007 end"
    )
    ticked = documents.with_boxes(tasks, ("T004",))
    assert [(old, new) for old, new in changed(tasks, ticked)] == [
        (f"{line}\r", f"{line.replace('[ ]', '[X]')}\r") for line in ("- [ ] T001 [P] x", "* [ ] **T003** z")
    ] + [("- [ ] T007 end", "- [X] T007 end")]
    assert documents.with_boxes(ticked, ("T004",)) == ticked


def changed(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.split("\n"), after.split("\n"), strict=True)
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# T\n\nWords.\n", "# T\n\n**Status:** ✓ done (D)\n\nWords.\n"),
        ("# T\nWords.\n", "# T\n\n**Status:** ✓ done (D)\n\nWords.\n"),
        ("# T", "# T\n\n**Status:** ✓ done (D)\n"),
        ("T\n===\n\nWords.", "T\n===\n\n**Status:** ✓ done (D)\n\nWords."),
        ("Words.\n", "**Status:** ✓ done (D)\n\nWords.\n"),
        ("\ufeff# T\r\n\r\nWords.\r\n", "\ufeff# T\r\n\r\n**Status:** ✓ done (D)\r\n\r\nWords.\r\n"),
        ("\ufeffWords.\r\n", "\ufeff**Status:** ✓ done (D)\r\n\r\nWords.\r\n"),
        ("---\na: b\n---\nWords.\n", "---\na: b\n---\n\n**Status:** ✓ done (D)\n\nWords.\n"),
        ("---\na: b\n---\n# T\n\nWords.\n", "---\na: b\n---\n# T\n\n**Status:** ✓ done (D)\n\nWords.\n"),
        ("# T\n\n**Status:** ○ pending", "# T\n\n**Status:** ✓ done (D)"),
        ("# T\n\n**Status:**\n", "# T\n\n**Status:** ✓ done (D)\n"),
        ("# T\n\n**Status**: Draft\n", "# T\n\n**Status**: ✓ done (D)\n"),
        ("# T\n\nStatus: Draft\nOwner: x\n", "# T\n\nStatus: ✓ done (D)\nOwner: x\n"),
        ("# T\n\n- **Status:** Draft\n", "# T\n\n- **Status:** ✓ done (D)\n"),
        ("# T\n\n**Status:** Draft  \nmore\n", "# T\n\n**Status:** ✓ done (D)  \nmore\n"),
        ("# T\n\n**Status:** Draft\n---\n\nWords.\n", "# T\n\n**Status:** ✓ done (D)\n---\n\nWords.\n"),
        ("# T\r\n\r\n**Status:** x\r\nend", "# T\r\n\r\n**Status:** ✓ done (D)\r\nend"),
        ("# T\n\n**Status:** ✗ blocked: x (2026-01-01)\n", "# T\n\n**Status:** ✓ done (D)\n"),
        (
            "# T\n\n```\nStatus: code\n```\n\n## S\n\n**Status:** of S\n",
            "# T\n\n**Status:** ✓ done (D)\n\n```\nStatus: code\n```\n\n## S\n\n**Status:** of S\n",
        ),
        (
            "# T\n\nStatus: x\n\n- ○ one\n- ● two\n- ✓ three\n- [ ] ○ four\n1. ○ five\n- a ○ six\n- ○\n",
            "# T\n\nStatus: ✓ done (D)\n\n- ✓ one\n- ✓ two\n- ✓ three\n- [ ] ✓ four\n1. ✓ five\n- a ○ six\n- ○\n",
        ),
        (
            "# T\n\nStatus: x\n\n```\n- ○ code\n```\n\n| a |\n|---|\n| ○ |\n",
            "# T\n\nStatus: ✓ done (D)\n\n```\n- ○ code\n```\n\n| a |\n|---|\n| ○ |\n",
        ),
    ],
)
def test_marks(before: str, after: str) -> None:
    assert documents.with_mark(before, "delivered_parallel", "", "D") == after


def test_a_reason_is_one_line_and_not_long() -> None:
    text = documents.with_mark("# T\n", "not_delivered", "one\n\ntwo <!-- " + "x" * 500, "D")
    status = text.split("\n")[2]
    assert status.startswith("**Status:** ✗ blocked: one two <! -- xxx")
    assert status.endswith("x… (D)")
    assert len(status) < 250
    assert "✗ blocked: not delivered (D)" in documents.with_mark("# T\n", "not_delivered", "", "D")


INTENTS = st.lists(
    st.sampled_from(
        ["# T", "## S", "**Status:** x", "- Status: pending", "### ○ p", "- ● q", "```", "---", "| a |", "|--|", ""]
    )
    | st.text(alphabet=st.characters(exclude_characters="\0"), max_size=10),
    max_size=12,
)


@settings(deadline=None)
@given(INTENTS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["delivered_single", "not_delivered"]))
def test_a_mark_is_set_once_and_nothing_else_is_lost(parts: list[str], end: str, outcome: str) -> None:
    intent = end.join(parts)
    marked = documents.with_mark(intent, outcome, "why", "D")  # type: ignore[arg-type]
    sign = "✓ done (D)" if outcome == "delivered_single" else "✗ blocked: why (D)"
    assert sign in marked
    kept = [
        line for line in re.split(r"\r\n|\r|\n", intent) if line.strip("\ufeff") and not re.search("Status|○|●", line)
    ]
    rest = re.split(r"\r\n|\r|\n", marked)
    for line in kept:
        assert line in rest
        rest = rest[rest.index(line) + 1 :]


SECTIONS = st.lists(
    st.sampled_from(
        [
            "# T",
            "**Status:** 1/2 parts",
            "## Parts",
            "### ○ a",
            "- ● a",
            "- [ ] b",
            "- Status: pending",
            "## Part: a",
            "## Part: b ✗",
            "**Status:** x",
            "| Part | Status |",
            "|--|--|",
            "| a | ○ |",
            "| ID | `x|y` | Status |",
            "| REQ-1 | `x|y` | ○ |",
            "```",
            "---",
            "",
        ]
    )
    | st.text(alphabet=st.characters(exclude_characters="\0"), max_size=8),
    max_size=16,
)


@settings(deadline=None)
@given(SECTIONS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["delivered_single", "not_delivered"]))
def test_a_section_is_marked_once_and_nothing_else_is_lost(parts: list[str], end: str, outcome: str) -> None:
    intent = end.join(parts)
    marked = part(intent, "a", outcome=outcome)
    assert part(marked, "a", outcome=outcome) == marked
    kept = [
        line for line in re.split(r"\r\n|\r|\n", intent) if line and not re.search(r"(?i)status|[○●✓✗]|a|b|REQ", line)
    ]
    rest = re.split(r"\r\n|\r|\n", marked)
    for line in kept:
        assert line in rest
        rest = rest[rest.index(line) + 1 :]
    if not re.search(r"\ba\b", intent):
        assert marked == intent


# ---- bytes and files


def test_text_of_bytes() -> None:
    assert documents.text(None) is None
    assert documents.text(b"\xef\xbb\xbfa\r\n") == "\ufeffa\r\n"
    with pytest.raises(BadInput, match="line 2"):
        documents.text(b"a\n\xff")


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_text("old")
    path.chmod(0o640)
    documents.write(path, "new\r\n")
    assert path.read_bytes() == b"new\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.md"]


def test_a_new_file_gets_the_usual_mode_and_its_folders(tmp_path: Path) -> None:
    beside = tmp_path / "usual"
    beside.write_text("")
    path = tmp_path / "a/b/log.md"
    documents.write(path, "text", inside=tmp_path)
    assert path.read_text() == "text"
    assert path.stat().st_mode == beside.stat().st_mode


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    documents.write(path, "text")
    before = path.stat()
    documents.write(path, "text")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_reader_who_has_the_old_file_open_sees_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_text("old " * 1000)
    with path.open() as reader:
        documents.write(path, "new")
        assert reader.read() == "old " * 1000


def test_links_are_not_written_through(tmp_path: Path) -> None:
    outside, repository = tmp_path / "outside", tmp_path / "repository"
    outside.mkdir()
    repository.mkdir()
    (outside / "log.md").write_text("theirs")
    (repository / "log.md").symlink_to(outside / "log.md")
    (repository / "folder").symlink_to(outside)
    with pytest.raises(BadInput, match="symbolic link"):
        documents.write(repository / "log.md", "ours")
    with pytest.raises(BadInput, match="leads out of the repository"):
        documents.write(repository / "folder/new.md", "ours", inside=repository)
    assert [(entry.name, entry.read_text()) for entry in outside.iterdir()] == [("log.md", "theirs")]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "log.md"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        documents.write(path, "\udcff")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError):
        documents.write(folder, "a file cannot take a folder's place")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "log.md"]
    assert path.read_text() == "old"
