"""What is shown of a run: reports as text, Markdown and HTML, sentences, the live view; hostile words stay words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ropeteam.cli import live, narration, page_markdown, page_text, pictures
from ropeteam.cli.page import page
from ropeteam.cli.page_parts import Page
from ropeteam.cli.plain import count, duration, escaped, money, plain, shortened
from ropeteam.core import events as ev
from ropeteam.core import model
from ropeteam.core.model import (
    Answers,
    AttemptResult,
    Baseline,
    CheckResult,
    CheckRun,
    Decision,
    Feature,
    FileChange,
    RepoFacts,
    Trigger,
    Usage,
)
from ropeteam.core.report import (
    Actual,
    AttemptLine,
    CheckLine,
    DecisionLine,
    DecisionReport,
    DeviationLine,
    FileLine,
    Files,
    Predicted,
    Report,
    Tokens,
    TriggerLine,
    UnitLine,
)
from ropeteam.core.schedule import step
from ropeteam.core.settings import AgentSettings, Settings
from ropeteam.core.state import RunState

HOSTILE = "[bold red]\x1b[31mred\x1b[0m\x1b]0;title\x07 | `code` <script>alert(1)</script> \u202egnp.exe\x00"


def a_report(**changes: Any) -> Report:
    full = Report(
        run="20261122-101530-checkout-7f3a",
        feature="checkout",
        state="ended",
        outcome="delivered_single",
        winner="single",
        landed=True,
        landed_reason=None,
        landed_detail="",
        resume_at=None,
        base="b" * 40,
        head="a" * 40,
        branch=None,
        decision=DecisionReport(mode="single"),
        units=(
            UnitLine(
                id="single",
                state="validated",
                attempts=(
                    AttemptLine(
                        id="single/1",
                        agent="claude",
                        outcome="ok",
                        seconds=801.0,
                        tokens=Tokens(input=10_000, cached=300_000, output=2_345),
                        cost_usd=1.234,
                        ref="refs/ropeteam/20261122-101530-checkout-7f3a/single/1",
                    ),
                ),
            ),
        ),
        triggers=(),
        files=Files(created=(FileLine(path="app/pay.py", purpose="takes the money"),)),
        decisions=(DecisionLine(decision="Cents", rationale="no rounding", unit="single"),),
        deviations=(DeviationLine(what="No refund", why="not asked for", unit="single"),),
        checks=(CheckLine(name="pytest", state="passed", baseline="passed", tests=12, added=2),),
        notices=("The intent has no requirements.",),
        kept=("refs/ropeteam/20261122-101530-checkout-7f3a/single/1",),
        documents=("02-implementation.md",),
        predicted=Predicted(mode="single"),
        actual=Actual(seconds=812.0, tokens=312_345, cost_usd=1.234, orchestration_seconds=1.3),
        clock="",
        agent="claude",
        started_at="2026-11-22T10:15:30Z",
        error="",
    )
    return replace(full, **changes)


def check(state: Any, **more: Any) -> CheckLine:
    return CheckLine(name="pytest", state=state, baseline="passed", **more)


# ---- words and figures


def test_terminal_escapes_and_unseen_letters_are_taken_out_of_words() -> None:
    assert plain("a\x1b[31mb\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n\tc\x07\x9b2J") == "ab link c"
    assert plain("\u202eevil\u200b ok") == "evil ok"
    assert plain("Grüße, 世界 🎉") == "Grüße, 世界 🎉"


def test_paths_keep_everything_and_show_it() -> None:
    assert escaped("caf\udce9\n\x1b[2J\u202e.py") == "caf\\xe9\\n\\x1b[2J\\u202e.py"
    assert escaped("ö.py") == "ö.py"
    assert escaped("one\ntwo", keep_lines=True) == "one\ntwo"


@given(st.text())
def test_no_control_letter_survives(text: str) -> None:
    for shown in (plain(text), escaped(text)):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]", shown)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (8.44, "8.4 s"), (42.4, "42 s"), (59.7, "1 min 00 s"), (800, "13 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_figures() -> None:
    assert [money(0), money(0.0123), money(1.234), money(1234.5)] == ["$0.00", "$0.0123", "$1.23", "$1234.50"]
    assert [count(1, "file"), count(1234, "file")] == ["1 file", "1,234 files"]
    assert shortened("abcdef", 4) == "abc…"


# ---- the closing report


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "✓ Delivered and landed on main. 1 check passed."),
        ({"checks": (check("flaky"),)}, "✓ Delivered and landed on main. 1 check passed, with flaky tests in pytest."),
        (
            {"checks": (check("passed"), check("no_gate"), check("not_run"))},
            "● Delivered and landed on main. Not every check could tell (pytest: no_gate, pytest: not_run).",
        ),
        ({"checks": ()}, "● Delivered and landed on main. No check of the project's own was there to test it."),
        (
            {"landed": False, "landed_reason": "moved", "branch": "ropeteam/checkout-7f3a"},
            "✓ Delivered, on the branch ropeteam/checkout-7f3a. 1 check passed.",
        ),
        (
            {"outcome": "not_delivered", "landed": False},
            "✗ Not delivered. Your branch is as it was; everything that was made is kept.",
        ),
        (
            {"outcome": "cancelled", "landed": False},
            "● Cancelled. Your branch is as it was; everything that was made is kept.",
        ),
        (
            {"outcome": None, "state": "parked", "resume_at": "2026-11-22T12:00:00Z", "landed": False},
            "● Parked. Everything is kept. It can go on at 2026-11-22T12:00:00Z.",
        ),
        ({"outcome": None, "state": "interrupted", "landed": False}, "● Interrupted. Everything is kept."),
        (
            {"outcome": "not_delivered", "error": "boom", "landed": False},
            "✗ Not delivered: something failed in ropeteam itself: boom",
        ),
    ],
)
def test_the_outcome_is_the_first_line(changes: dict[str, Any], first: str) -> None:
    text = page_text.as_text(page(a_report(**changes), branch="main"))
    assert text.splitlines()[0] == first


@pytest.mark.parametrize(
    ("changes", "commands"),
    [
        ({}, ["git log --stat bbbbbbbbbb..aaaaaaaaaa", "ropeteam clean RUN"]),
        (
            {"landed": False, "landed_reason": "asked", "branch": "ropeteam/x"},
            ["git switch ropeteam/x", "ropeteam land RUN"],
        ),
        (
            {"landed": False, "landed_reason": "unsupported", "branch": "ropeteam/x"},
            ["git switch ropeteam/x", "git merge --ff-only ropeteam/x"],
        ),
        ({"outcome": "not_delivered", "landed": False}, ["ropeteam resume RUN", "git diff bbbbbbbbbb REF"]),
        ({"outcome": "cancelled", "landed": False}, ["git diff bbbbbbbbbb REF", "ropeteam clean RUN"]),
        ({"outcome": None, "state": "parked", "landed": False}, ["ropeteam resume RUN", "git diff bbbbbbbbbb REF"]),
        ({"outcome": None, "state": "running", "landed": False}, ["ropeteam attach RUN", "ropeteam cancel RUN"]),
    ],
)
def test_what_comes_next_is_an_exact_command(changes: dict[str, Any], commands: list[str]) -> None:
    report = a_report(**changes)
    found = [row.cells[0] for row in page(report).next if row.code]
    names = [c.replace("REF", report.kept[0]).replace("RUN", report.run) for c in commands]
    assert found == names


def test_states_of_checks_are_told_apart_with_their_reasons() -> None:
    checks = (
        check("passed", tests=3, added=1),
        check("failed", failing=tuple(f"test_{i}" for i in range(7))),
        check("not_run", why="pytest is not installed."),
        check("no_gate", why="It passes on broken code too."),
        check("removed", removed=("test_old",)),
    )
    text = page_text.as_text(page(a_report(checks=checks)), width=140)
    assert "passed   pytest (3 tests, 1 of them new)" in text
    assert "failing: test_0, test_1, test_2, test_3, test_4 and 2 more." in text
    assert "not_run  pytest before: passed. pytest is not installed." in text
    assert "It passes on broken code too." in text
    assert "removed by the feature: test_old." in text


def test_a_trigger_has_its_sentence_its_evidence_and_what_was_done() -> None:
    trigger = TriggerLine(id="agent_crashed", unit="single", at="", evidence="Exit code 3.", action="retry")
    text = page_text.as_text(page(a_report(triggers=(trigger,))), width=140)
    assert (
        "agent_crashed (single)  The agent ended without finishing its work. Exit code 3. It was tried again." in text
    )


def test_times_of_the_scripted_agent_are_labelled() -> None:
    text = page_text.as_text(page(a_report(clock="scripted agent: its time counts 60-fold")))
    assert "time (scripted agent: its time counts 60-fold)" in text
    assert "no prediction yet" in text


def test_what_was_predicted_of_one_agent_stands_beside_what_it_took() -> None:
    predicted = Predicted(
        mode="single",
        single_seconds_p50=900.0,
        parallel_seconds_p50=800.0,
        single_tokens_p50=250_000,
        single_cost_usd_p50=1.0,
        planning_seconds=0.4,
    )
    rows = {
        row.cells[0]: row.cells[1:] for s in page(a_report(predicted=predicted)).sections for row in s.rows if s.head
    }
    assert rows["time"] == ("15 min 00 s", "13 min 32 s")
    assert rows["several agents instead"] == ("13 min 20 s", "")
    assert rows["planning"] == ("0.4 s", "0.0 s")
    assert rows["tokens"] == ("250,000", "312,345")
    assert rows["cost"] == ("$1.00", "$1.23")


def hostile_report() -> Report:
    return a_report(
        files=Files(
            created=tuple(FileLine(path=f"dir/{'long' * 30}/{i}\x1b[2J.py", purpose=HOSTILE * 3) for i in range(3)),
            deleted=(FileLine(path="caf\udce9.py", purpose=""),),
        ),
        decisions=(DecisionLine(decision=HOSTILE, rationale="word " * 80, unit="single"),),
        deviations=(DeviationLine(what="x" * 300, why=HOSTILE, unit="single"),),
        checks=(check("failed", why=HOSTILE, failing=(HOSTILE,)),),
        notices=(HOSTILE,),
        outcome="not_delivered",
        landed=False,
    )


@pytest.mark.parametrize("width", [80, 100, 140])
def test_hostile_words_stay_words_and_lines_stay_within_the_width(width: int) -> None:
    text = page_text.as_text(page(hostile_report()), width=width)
    assert "[bold red]red" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "caf\\xe9.py" in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_colours_come_from_ropeteam_only() -> None:
    import io

    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system="truecolor", markup=False, highlight=False)
    console.print(page_text.body(page(hostile_report())))
    codes = set(re.findall(r"\x1b\[([\d;]*)m", out.getvalue()))
    assert codes <= {"0", "1", "2", "31", "33", "36", "1;31", "1;33"}
    assert "\x1b]" not in out.getvalue()


def test_markdown_and_html_take_nothing_for_markup() -> None:
    shown = page(hostile_report())
    text = page_markdown.markdown(shown)
    assert "\\<script\\>" in text
    html = page_markdown.html(shown, "<title>")
    assert "<script" not in html
    assert "&lt;script&gt;alert" in html
    assert "<title>&lt;title&gt;</title>" in html
    assert "prefers-color-scheme: dark" in html
    assert html.count("<table>") == 1
    assert re.search(r"(?:src|href)=", html) is None


def test_markdown_has_every_section_of_the_page() -> None:
    shown = page(a_report())
    text = page_markdown.markdown(shown)
    for section in shown.sections:
        assert f"## {section.title}" in text
    assert "- `+ app/pay.py`: takes the money" in text
    assert "| tokens | no prediction yet | 312,345 |" in text


def test_code_in_markdown_may_hold_backticks() -> None:
    shown = page(a_report(files=Files(created=(FileLine(path="a``b`", purpose=""),))))
    assert "- ```+ a``b` ```" in page_markdown.markdown(shown) or "- ``` + a``b` ```" in page_markdown.markdown(shown)
    assert "<code>+ a``b`</code>" in page_markdown.html(shown, "t")


def test_pictures_are_svg_and_hold_no_time_of_day(tmp_path: Any) -> None:
    pictures.draw_report(page(a_report()), tmp_path / "deep" / "report.svg")
    svg = (tmp_path / "deep" / "report.svg").read_text()
    assert svg.startswith("<svg")
    assert "app/pay.py" in svg
    assert "@font-face" not in svg
    assert re.search(r"url\(\W*http", svg) is None
    assert not re.search(r"\d\d:\d\d:\d\d", svg)
    pictures.draw_report(page(a_report()), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == svg


# ---- while it runs


def begun(time_scale: float = 1.0) -> ev.RunStarted:
    return ev.RunStarted(
        at=100.0,
        run="r",
        feature=Feature(name="checkout", source="workspace", title="Check [red]out"),
        repo=RepoFacts(
            top="/r", common_dir="/r/.git", branch="main", head="b", base="b", user_name="N", user_email="e"
        ),
        settings=Settings(agents={"scripted": AgentSettings(time_scale=time_scale)}),
        answers=Answers(agent="scripted"),
    )


def folded(*events: ev.AnyEvent, time_scale: float = 1.0) -> RunState:
    state = RunState()
    for event in (begun(time_scale), ev.Planned(at=100.0, decision=Decision(mode="single")), *events):
        state, _ = step(state, event)
    return state


STARTED = ev.AttemptStarted(at=101.0, attempt="single/1", tree="/t", folder="/f", start="b", agent="scripted")
USED = ev.UsageReported(
    at=102.0, attempt="single/1", usage=Usage(input=900, output=100, context_used=50, context_limit=200, cost_usd=0.5)
)


def test_the_live_view_shows_who_does_what_how_long_and_for_how_much() -> None:
    state = folded(STARTED, USED)
    shown = live.rows(state, {"single/1": "Reading"}, now=161.0)
    assert ("single/1", "Reading", "1,000 tokens · context 25% · $0.50 · 1 min 00 s") in shown
    assert ("checks", "running on the code as it was, to compare with", "") in shown
    assert live.footer(state, 161.0) == "checkout · running · 1,000 tokens · $0.50 · 1 min 00 s"


def test_time_of_a_scripted_agent_is_scaled_and_labelled_in_the_live_view() -> None:
    state = folded(STARTED, time_scale=60.0)
    assert "1 min 00 s of a scripted agent, 60-fold" in live.footer(state, 102.0)


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_view_never_wraps(width: int) -> None:
    import io

    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, markup=False, highlight=False)
    console.print(live.moving(folded(STARTED, USED), {"single/1": "word " * 100}, 161.0))
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert max(len(line) for line in lines) <= width


DONE = AttemptResult(seconds=90.0, commit="c", changes=(FileChange(path="a", kind="created"),))
PASSED = CheckResult(name="pytest", state="passed", baseline="passed", tests=3, added=1)
FAILED = CheckResult(name="pytest", state="failed", baseline="passed", failing=("t1", "t2", "t3", "t4"))
BEFORE = Baseline(run=CheckRun(name="pytest", exit_code=1, tests=(model.TestResult(name="t", state="failed"),)))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (STARTED, "single/1: scripted is at work."),
        (ev.BaselineMeasured(commit="b", checks=()), "No check of the project's own was found: only syntax"),
        (ev.BaselineMeasured(commit="b", checks=(BEFORE,)), "Before the change: pytest: 1 test, 1 of them failing."),
        (
            ev.BaselineMeasured(commit="b", checks=(Baseline(run=CheckRun(name="x", problem="not there")),)),
            "Before the change: x could not be run (not there).",
        ),
        (ev.AttemptSucceeded(attempt="single/1", result=DONE), "single/1: done in 1 min 30 s, 1 file changed."),
        (
            ev.AttemptFailed(attempt="single/1", outcome="crashed", result=AttemptResult(evidence="Exit 3.")),
            "single/1: crashed after 0.0 s. Exit 3.",
        ),
        (ev.CandidatePassed(commit="c", checks=(PASSED,)), "The result holds: pytest passed (3 tests, 1 new)."),
        (
            ev.CandidateFailed(commit="c", checks=(FAILED,)),
            "The result does not hold: pytest failed: t1, t2, t3 and 1 more.",
        ),
        (
            ev.TriggerFired(trigger=Trigger(id="disk_nearly_full", evidence="12 MB are free.", action="park")),
            "The disk is nearly full. 12 MB are free. The run is parked; everything is kept.",
        ),
        (
            ev.Merged(attempt="single/1", onto="b", commit="c", resolved=("A is a list.", "B was made anew.")),
            "single/1: A is a list. B was made anew.",
        ),
        (
            ev.MergeConflicted(attempt="single/1", onto="b", paths=("a", "b"), reasons=("b: npm is not installed.",)),
            "single/1: conflicts in a, b. b: npm is not installed.",
        ),
        (
            ev.ConflictForeseen(attempt="03-api/1", other="02-models/1", paths=("app/routes.py",)),
            "03-api and 02-models are changing the same lines in app/routes.py; they are merged one after the other,"
            " the later one may go to the fallback.",
        ),
        (
            ev.ConflictForeseen(attempt="03-api/1", other="integration", paths=("a", "b", "c", "d", "e")),
            "03-api is changing the same lines as what is merged already, in a, b, c and 2 more; it may go to the",
        ),
        (ev.Landed(head="c" * 40, branch="main"), "Landed on main: cccccccccc."),
        (ev.BranchLeft(branch="ropeteam/x", head="c", reason="asked"), "The result is on the branch ropeteam/x."),
        (ev.InterruptAsked(), "Interrupted: stopping the agent, keeping everything. (Once more leaves at once.)"),
    ],
)
def test_what_happens_is_told_in_a_sentence(event: ev.AnyEvent, words: str) -> None:
    said = narration.sentence(folded(STARTED), event)
    assert said is not None
    assert said[0].startswith(words)


def test_what_nobody_needs_to_know_is_not_told() -> None:
    assert narration.sentence(folded(STARTED), USED) is None
    assert narration.sentence(folded(STARTED), ev.Merged(attempt="single/1", onto="b", commit="c")) is None


def test_an_empty_page_has_only_its_head() -> None:
    assert page_text.as_text(Page("Done", "", "below", (), ())) == "· Done\n  below\n"
