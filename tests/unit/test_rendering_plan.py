"""What is shown of planning: the page of `ropeteam plan`, with and without why, the lines before a run, the document.

`UPDATE_GOLDEN=1 pytest tests/unit/test_rendering_plan.py` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from foreseen_samples import a_plan, foreseen
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent / "core"))

from several import Several
from worlds import World

from ropeteam.cli import live, narration, page_markdown, page_text
from ropeteam.cli.page_plan import bar, dollars, in_short, plan_page, short_names, span, span_in_minutes
from ropeteam.cli.reporting import page_of
from ropeteam.core import events as ev
from ropeteam.core.costs import Costs
from ropeteam.core.foreseen import Foreseen, of_state
from ropeteam.core.model import AttemptResult, Decision, Plan, SideEstimate, Unit
from ropeteam.core.plan import layered, parse
from ropeteam.core.planned_document import PlannedDocument, planned_document
from ropeteam.core.report import report
from ropeteam.core.schedule import step
from ropeteam.core.settings import Gate
from ropeteam.core.state import RunState
from ropeteam.core.survey import Explanation, Outlook, UnitNote

GOLDEN = Path(__file__).parent.parent / "golden/plan"
HOSTILE = "[bold red]\x1b[31mred\x1b[0m\x1b]0;title\x07 | `code` <script>alert(1)</script> \u202egnp.exe\x00"

STRICT = Gate(min_speedup=1.9, min_sequential_seconds=1_800.0)


def shown(f: Foreseen, width: int = 80, *, explain: bool = False) -> str:
    return page_text.as_text(plan_page(f, explain=explain), width)


# ---- the page


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("several", lambda: shown(foreseen())),
        ("one", lambda: shown(foreseen(gate=STRICT))),
        ("overridden", lambda: shown(foreseen(gate=STRICT, mode="parallel"))),
        ("explained", lambda: shown(foreseen(), explain=True)),
    ],
)
def test_golden_pages(name: str, made: Callable[[], str]) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(made())
    assert made() == path.read_text()


def test_the_decision_comes_first_then_reasons_with_their_numbers() -> None:
    lines = shown(foreseen(gate=STRICT), 140).splitlines()
    assert lines[0].startswith("● One agent: 16 min with one, 9 min with several; ")
    at = lines.index("Why")
    assert lines[at + 1 : at + 3] == [
        "  The predicted speed-up is 1.58 (its lower quantile), the least is 1.90.",
        "  One agent would take 960 s, the least is 1800 s.",
    ]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    units = tuple(
        Unit(id=f"{n:02d}-{'long-name-' * 5}", title="word " * 40, goal="x", writes=(f"deep/{'x' * 90}/{n}.py",))
        for n in range(60)
    )
    wide = replace(a_plan(), units=units, contract=None, batches=(tuple(u.id for u in units),))
    for f in (foreseen(), foreseen(wide)):
        for explain in (False, True):
            assert max(len(line) for line in shown(f, width, explain=explain).splitlines()) <= width


def test_words_of_agents_and_names_of_files_stay_words() -> None:
    plan = a_plan()
    unit = replace(plan.units[1], title=HOSTILE, writes=(f"a/{HOSTILE}",), layer="models")
    f = foreseen(replace(plan, units=(plan.units[0], unit, *plan.units[2:])))
    told = Explanation(units=(UnitNote(unit="02-models", reasons=(HOSTILE,)),), flips=(HOSTILE,), notices=(HOSTILE,))
    f = replace(f, explanation=told)
    text = shown(f, 100, explain=True)
    assert "[bold red]" in text
    assert not any(c in text for c in "\x1b\x07\x00\u202e")
    html = page_markdown.html(plan_page(f, explain=True), "x")
    assert "<script>" not in html


def test_a_plan_without_figures_says_that_nothing_is_known() -> None:
    bare = layered(Plan(units=(Unit(id="a", goal="x", writes=("a",)), Unit(id="b", goal="y", writes=("b",)))), "auto")
    text = shown(foreseen(bare), explain=True)
    assert "The plan predicts no times, so the gate was not applied." in text
    assert "2 units in 1 batch, at most 2 at once" in text
    document = planned_document(foreseen(bare))
    assert document.estimate.single.seconds_p50 is None
    assert document.confidence is None


def test_without_a_plan_there_is_still_a_decision() -> None:
    decision = Decision(mode="single", reasons=("One agent: there is no plan that several could share out.",))
    f = Foreseen(feature="x", decision=decision)
    assert "there is no plan that several could share out" in shown(f, explain=True)
    assert planned_document(f, explain=True).units == ()


def test_units_are_named_by_their_numbers_where_all_have_one() -> None:
    plan = a_plan()
    assert short_names(plan)["02-models"] == "02"
    odd = replace(plan, units=(*plan.units, Unit(id="wiring", goal="x", writes=("x",))))
    assert short_names(odd)["02-models"] == "02-models"
    twice = replace(plan, units=(*plan.units, Unit(id="02-again", goal="x", writes=("x",))))
    assert short_names(twice)["02-models"] == "02-models"


def test_spans_are_as_short_as_they_can_be() -> None:
    assert span(840.0, 1320.0) == "14–22 min"
    assert span(90.0, 170.0) == "90 s – 3 min"
    assert span(3000.0, 4800.0) == "50–80 min"
    assert span(4000.0, 8000.0) == "67 min – 2.2 h"
    assert span(8000.0, 16000.0) == "2.2–4.4 h"
    assert span(840.0, 845.0) == span(840.0, None) == "14 min"
    assert span(None, None) == "not known"
    assert span_in_minutes(90.0, 170.0) == "1.5–2.8"
    assert span_in_minutes(620.0, 0.0) == "10"
    assert [dollars(0.41, 0.83), dollars(1.2, None), dollars(None, 2.0), dollars(0.002, 0.004)] == [
        "$0.41–0.83",
        "$1.20",
        "",
        "$0.0020",
    ]


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    assert bar(SideEstimate(seconds_p50=500.0, seconds_p90=1000.0), 1000.0) == "█" * 10 + "░" * 10
    assert bar(SideEstimate(seconds_p50=1.0, seconds_p90=1.0), 1000.0) == "█"
    assert bar(SideEstimate(), 1000.0) == ""


def test_where_the_figures_come_from_is_said() -> None:
    f = foreseen()
    assert "published priors; no run of this repository yet" in shown(f, explain=True)
    fitted = replace(f, outlook=replace(f.outlook, costs=Costs(runs=7)))
    assert "published priors and 7 runs of this repository" in shown(fitted, 100, explain=True)


# ---- before a run


def test_the_lines_before_a_run() -> None:
    assert in_short(foreseen()) == (
        "Several agents: 16 min with one, 9 min with several.",
        "Predicted speed-up 1.58 (its lower quantile), 94.3% sure to take no longer than one agent.",
        "One agent: 16–28 min, $0.41–0.83, 410k tokens (from the median to what one of ten exceeds).",
        "Several agents (4 units in 3 batches): 9–16 min, $0.56–1.12, 560k tokens.",
    )
    assert len(in_short(foreseen(gate=STRICT))) <= 6


def planned_run() -> Several:
    """A run as it begins: its plan has figures."""
    return Several(a_plan())


def test_a_run_tells_the_decision_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    w = planned_run()
    event = next(e for e in w.events if isinstance(e, ev.Planned))
    assert narration.sentence(w.state, event) == ("\n".join(in_short(of_state(w.state))), "")
    live.Lines().watch(w.state, event)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0][10:].startswith("Several agents: 16 min with one, 9 min with several")
    assert all(line.startswith(" " * 10) for line in lines[1:])
    scrolled = [line.plain for line in live.said(w.state, event)]
    assert scrolled[0].startswith("· Several agents: ")
    assert all(line.startswith("  ") for line in scrolled[1:])


def test_what_the_planner_did_is_told() -> None:
    f = foreseen()
    told = "claude's plan was mended: 2 units had no tests. "
    f = replace(f, explanation=Explanation(planner="agent", notices=(told,)))
    assert in_short(f)[-1] == told.strip()
    text = shown(f)
    assert "planned by claude" in text
    assert told.strip() in text
    assert planned_document(f).planner == "agent"


def test_the_report_has_the_decision_and_both_predictions() -> None:
    w = planned_run()
    made = report(w.state)
    assert made.decision is not None
    assert (made.decision.mode, made.predicted.mode) == ("parallel", "parallel")
    assert (made.predicted.single_seconds_p50, made.predicted.parallel_seconds_p90) == (960.0, 980.0)
    assert made.predicted.parallel_cost_usd_p90 == 1.12
    (decided,) = [s for s in page_of(w.state).sections if s.title.startswith("Decided: ")]
    cells = {row.cells[0]: row.cells[1] for row in decided.rows}
    assert decided.title == "Decided: several agents"
    assert cells["predicted of one agent"] == "16–28 min, $0.41–0.83, 410k tokens."
    assert cells["predicted of several agents"] == "9–16 min, $0.56–1.12, 560k tokens."


# ---- the document


def test_what_is_printed_can_be_given_back() -> None:
    f = foreseen()
    for explain in (False, True):
        written = msgspec.json.encode(planned_document(f, explain=explain))
        assert layered(parse(written, "plan.json"), "auto") == f.plan


def test_the_document_has_every_field_and_says_null_where_nothing_is_known() -> None:
    written = json.loads(msgspec.json.encode(planned_document(foreseen())))
    optional = {"explanation", "survey", "costs"}
    assert written.keys() == {field.name for field in msgspec.structs.fields(PlannedDocument)} - optional
    assert written["estimate"]["single"].keys() == {
        "seconds_p50",
        "seconds_p90",
        "tokens_p50",
        "cost_usd_p50",
        "cost_usd_p90",
    }
    assert written["run"] is None
    bare = Plan(units=(Unit(id="a", goal="x", writes=("a",)),), batches=(("a",),))
    written = json.loads(msgspec.json.encode(planned_document(foreseen(bare))))
    assert written["units"][0]["estimate"] is None
    assert written["estimate"]["parallel"]["seconds_p50"] is None
    assert written["contract"] is None


def test_the_document_says_why_when_it_is_asked() -> None:
    f = foreseen()
    assert f.outlook != Outlook()
    written = json.loads(msgspec.json.encode(planned_document(f, explain=True)))
    assert written["explanation"]["candidates"][0]["chosen"] is True
    assert written["survey"]["named"] is True
    assert "costs" in written


# ---- while an agent plans


def planning(*faults: str, tries: int = 1) -> list[str]:
    """What plain lines say of a run whose agent plans: refused for these faults, so many times."""
    outlook = Outlook(ask_agent="The feature's documents do not name its files, so an agent reads the code and plans.")
    first = replace(Several(a_plan()).state.begun, outlook=outlook)
    w = World(first)
    for _ in range(tries):
        (c,) = w.all(ev.RunAgent)
        begun = ev.AttemptStarted(attempt=c.attempt, tree="/t", folder="/f", start=c.start, agent="claude", slot=c.slot)
        w.happen(begun)
        w.happen(
            ev.AttemptSucceeded(attempt=c.attempt, result=AttemptResult(seconds=42.0, commit="c", ref="refs/c")),
            after=42.0,
        )
        if faults:
            w.happen(ev.PlanRefused(attempt=c.attempt, faults=faults))
    state, lines = RunState(), []
    for event in w.events:
        state, _ = step(state, event)
        if (said := narration.sentence(state, event)) is not None:
            lines.append(said[0])
    return lines


def test_an_agent_that_plans_is_told_with_the_reason() -> None:
    lines = planning()
    assert lines[1].startswith("plan/1: claude reads the code and plans. The feature's documents do not name its files")
    assert lines[2] == "plan/1: proposed a plan in 42 s."


def test_a_plan_that_is_refused_twice_gives_way_to_the_static_one() -> None:
    lines = planning("Unit `a` needs `b`, which is no unit.", tries=2)
    refused = "The plan that the agent made cannot be carried out. Unit `a` needs `b`, which is no unit."
    assert [line for line in lines if line.startswith(refused)] == [
        f"{refused} Trying again.",
        f"{refused} The static plan counts.",
    ]
    assert "plan/2: claude plans once more, told what was wrong." in lines
    (decided,) = [line for line in lines if line.startswith("Several agents: ")]
    assert "The static plan counts." in decided.splitlines()[-1]


def test_units_of_one_agent_are_an_order_of_work() -> None:
    plan = a_plan()
    chain = tuple(replace(u, needs=tuple(x.id for x in plan.units[:n])) for n, u in enumerate(plan.units))
    ordered = replace(plan, units=chain, batches=tuple((u.id,) for u in chain))
    text = shown(foreseen(ordered, gate=STRICT))
    assert "4 units, in this order for the one agent" in text
    assert "batch 1" not in text
    assert "4 units in 4 batches, at most 1 at once" in shown(foreseen(ordered, gate=STRICT, mode="parallel"))
