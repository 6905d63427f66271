"""What is shown of several agents: sentences, the live view, the closing report, the chart, the section of the log."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent / "core"))

from several import Several, shop, unit

from ropeteam.cli import gantt, live, live_together, narration, page_markdown, page_text
from ropeteam.cli.page import page
from ropeteam.cli.page_parts import Page
from ropeteam.cli.page_together import figures
from ropeteam.cli.plain import clock_time, tokens
from ropeteam.cli.reporting import chart_of, page_of
from ropeteam.core import events as ev
from ropeteam.core.chart import chart
from ropeteam.core.expecting import expected_before_fall, expected_end
from ropeteam.core.model import AgentReport, DecisionNote, Plan, RequestNote
from ropeteam.core.report import report
from ropeteam.core.schedule import step
from ropeteam.core.state import RunState
from ropeteam.core.triggers import SENTENCES
from ropeteam.documents import section

SVG = "{http://www.w3.org/2000/svg}"


def told(w: Several) -> list[str]:
    """What plain lines say of the whole run."""
    state, lines = RunState(), []
    for event in w.events:
        state, _ = step(state, event)
        if (said := narration.sentence(state, event)) is not None:
            lines.append(said[0])
    return lines


def seen(w: Several, width: int = 80, doing: dict[str, str] | None = None, later: float = 20.0) -> list[str]:
    """The lines of the live view."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, markup=False, highlight=False)
    console.print(live.moving(w.state, doing or {}, w.now + later))
    return out.getvalue().splitlines()


def shown(w: Several, width: int = 100) -> str:
    return page_text.as_text(page_of(w.state), width)


def text_of(page: Page, title: str) -> list[tuple[str, ...]]:
    return [row.cells for s in page.sections if s.title.startswith(title) for row in s.rows]


def wide(batches: int = 10, each: int = 6) -> Plan:
    """Sixty units with long names."""
    names = [[f"u{b}{n}-with-a-rather-long-name-indeed" for n in range(each)] for b in range(batches)]
    units = [
        unit(id, *((names[b - 1][n],) if b else ()), batch=b + 1, seconds=30.0)
        for b, ids in enumerate(names)
        for n, id in enumerate(ids)
    ]
    return Plan(units=tuple(units), batches=tuple(map(tuple, names)))


def test_the_report_says_who_did_what_where_not_all_are_the_same() -> None:
    w = Several().in_parallel()
    assert "agent" not in next(s for s in page_of(w.state).sections if s.title.startswith("Units")).head
    made = report(w.state)
    units = tuple(
        replace(u, attempts=tuple(replace(a, agent="codex", model="gpt-5.5") for a in u.attempts))
        if u.id == "03-api"
        else u
        for u in made.units
    )
    shown = page(replace(made, units=units))
    assert "agents scripted, codex" in shown.below
    table = next(s for s in shown.sections if s.title.startswith("Units"))
    at = table.head.index("agent")
    assert {row.cells[0]: row.cells[at] for row in table.rows}["03-api"] == "codex gpt-5.5"
    assert {row.cells[0]: row.cells[at] for row in table.rows}["04-mails"] == "scripted"


# ---- sentences


def test_a_parallel_run_in_sentences() -> None:
    lines = told(Several().in_parallel())
    assert "01-contract: scripted is at work (1 of 4 agents)." in lines
    assert "Checkpoint 1: 1 of 5 units holds: pytest passed (12 tests, 3 new)." in lines
    assert "04-mails: scripted is at work (3 of 4 agents)." in lines
    assert "Checkpoint 3: 3 of 5 units hold: pytest passed (12 tests, 3 new)." in lines
    assert lines[-2] == "The result holds: pytest passed (12 tests, 3 new)."
    assert [line for line in lines if line.startswith("The result holds")] == lines[-2:-1]


def test_a_fall_is_told_calmly() -> None:
    w = Several(shop(60.0)).with_contract().ends("02-models", "app/routes.py").merges()
    w.ends("03-api", "app/routes.py", after=5.0).conflicts("app/routes.py")
    end, before = expected_end(w.state, w.now), expected_before_fall(w.state)
    assert end is not None
    assert before is not None
    assert told(w)[-1] == (
        "Unit 03-api conflicted with 02-models in app/routes.py. Going on with one agent from checkpoint 1"
        " (1 of 5 units kept so far), once 1 agent at work is done."
        f" Expected end {clock_time(end, seconds=True)} instead of {clock_time(before, seconds=True)}."
    )


def test_what_is_left_is_named_when_one_agent_begins_with_it() -> None:
    lines = told(Several().after_a_fall())
    assert "rest: scripted goes on with what is left: 03-api, 05-views." in lines
    assert "The result holds: pytest passed (12 tests, 3 new)." in lines


def test_a_candidate_that_fails_is_looked_into() -> None:
    w = Several().with_contract().ends("02-models").merges().ends("03-api").ends("04-mails").merges().holds()
    lines = told(w.fails())
    assert lines[-1] == (
        "pytest failed: test_total: not all of these fit: 03-api, 04-mails. Looking for the one that does not."
    )
    lines = told(w.fails())
    assert lines[-1].startswith(
        "A check that passed before the change fails with unit 03-api. pytest: test_total. Going on with one agent"
        " from checkpoint 2 (2 of 5 units kept so far)."
    )


def test_a_second_trigger_while_draining_does_not_tell_the_fall_again() -> None:
    lines = told(Several().with_contract().breaks("02-models").breaks("03-api"))
    falls = [line for line in lines if "Exit code 3" in line]
    assert len(falls) == 2
    assert "Going on with one agent from checkpoint 1" in falls[0]
    assert falls[1].endswith("It joins what one agent does next.")


def test_what_several_agents_foresee_is_told_once() -> None:
    w = Several().with_contract()
    event = ev.ConflictForeseen(attempt="02-models/1", other="03-api/1", paths=("app/routes.py",))
    w.happen(event)
    w.happen(replace(event, attempt="03-api/1", other="02-models/1"))
    lines = [line for line in told(w) if "would conflict" in line]
    assert lines == [
        "02-models and 03-api would conflict in app/routes.py as they are now. Both go on; the merge will tell."
    ]


def test_the_belay_wins_and_the_others_stop() -> None:
    w = Several(belay=True).with_contract().ends("02-models").ends("belay").settles()
    lines = told(w)
    assert "belay: scripted works on the whole feature beside the units, as insurance." in lines
    assert lines[-1] == "The belay was first, and its result holds: pytest passed (12 tests, 3 new)."
    assert told(w.breaks("03-api"))[-1] == "03-api: stopped; what it made is kept."


def test_the_belay_is_out() -> None:
    lines = told(Several(belay=True).with_contract().breaks("belay"))
    assert lines[-1].startswith("The belay is out: ")
    assert lines[-1].endswith("The units go on.")


def test_with_a_belay_alive_it_is_what_goes_on() -> None:
    lines = told(Several(belay=True).with_contract().breaks("02-models"))
    assert lines[-1].endswith(
        "The belay, which works on the whole feature, is what goes on (1 of 5 units kept so far beside it)."
    )


def test_lines_for_files_of_others_are_planned_as_a_last_unit() -> None:
    asked = AgentReport(requests=(RequestNote(path="config/x.py", what="a line"),))
    w = Several().with_contract().ends("02-models", report=asked).ends("03-api", after=1.0)
    w.settles().begins().ends("04-mails", after=1.0).ends("05-views").settles()
    assert told(w)[-1].startswith("Validated units need lines in files of others that are done. Still to come: ")


def test_a_parked_run_says_when_it_can_go_on() -> None:
    w = Several().with_contract()
    assert narration.sentence(w.state, ev.Parked(until=w.now)) == (
        f"Parked; everything is kept. It can go on at {clock_time(w.now)}.",
        "calm",
    )


# ---- the live view


def test_the_live_view_of_several_agents() -> None:
    w = Several(shop(60.0)).with_contract().uses("02-models", 312_000, 1.5)
    w.ends("03-api").merges()
    lines = seen(w, 100, {"02-models/1": "Writing app/models.py"})
    assert re.fullmatch(r"02-models  Writing app/models.py +312k tokens · \$1.50 · 1 min 21 s", lines[1])
    assert re.fullmatch(r"04-mails   at work +1 min 21 s", lines[2])
    assert re.fullmatch(r"together   checking 03-api on checkpoint 1 +20 s", lines[3])
    assert lines[4] == "1 of 5 units hold  ✓ ●●● ○  1 to be checked, 1 waiting for others"
    assert lines[5].startswith("Expected end ")
    assert lines[5].endswith("hangs on (1 done) 02-models ● → 05-views ○")
    assert lines[6].startswith("checkout · running · ")


def test_the_live_view_after_a_fall() -> None:
    w = Several(shop(60.0)).with_contract().ends("02-models", "app/routes.py").merges()
    w.ends("03-api", "app/routes.py").conflicts("app/routes.py").holds().ends("04-mails").settles().begins("rest")
    lines = seen(w)
    assert "3 of 5 units hold  ✓ ✓✗✓ ○  2 left to one agent" in lines
    assert any(re.fullmatch(r"Expected end [\d:]+ instead of [\d:]+", line) for line in lines)
    assert lines[-1].startswith("checkout · one agent goes on · ")


@pytest.mark.parametrize("width", [80, 120])
def test_with_sixty_units_and_long_words_every_line_stays_one_line(width: int) -> None:
    w = Several(wide(), workers=6, belay=True).begins()
    doing = {a.id: "word " * 100 for a in w.state.attempts}
    lines = seen(w, width, doing)
    assert len(lines) <= 6 + 6
    assert max(len(line) for line in lines) <= width


def test_states_of_units_are_a_map() -> None:
    w = Several().with_contract().breaks("03-api")
    assert live_together.states(w.state) == {
        "01-contract": "done",
        "02-models": "working",
        "03-api": "out",
        "04-mails": "working",
        "05-views": "open",
    }


def test_tokens_where_there_is_little_room() -> None:
    assert [tokens(n) for n in (1, 999, 12_345, 999_600)] == ["1 token", "999 tokens", "12k tokens", "1.0M tokens"]


# ---- the closing report


def test_the_report_of_a_parallel_run() -> None:
    w = Several(shop(60.0)).in_parallel()
    text = shown(w)
    assert text.startswith("✓ Delivered by several agents and landed on main. 1 check passed.\n")
    assert "  It took 3 min 44 s; one agent would have taken about 6 min 03 s" in text
    assert re.search(r"02-models +The models +validated +1 +1 min 00 s +123,000 +\$0.25", text)
    assert "Attempts" not in text
    assert "Kept, not in the result" not in text


def test_a_run_that_was_slower_than_one_agent_says_so_at_once() -> None:
    w = Several()
    w.begins("01-contract").ends("01-contract", reading=50.0).settles().begins()
    for name in ("02-models", "03-api", "04-mails"):
        w.ends(name, reading=55.0, after=20.0)
    w.settles().begins().ends("05-views", reading=55.0, after=60.0).settles().delivered()
    lead = page_of(w.state).lead
    assert lead.startswith("It was slower than one agent would have been: it took ")
    assert lead in page_markdown.markdown(page_of(w.state)).replace("\\", "").split("\n\n")[1]


def test_the_report_after_a_fall() -> None:
    w = Several().after_a_fall()
    page = page_of(w.state)
    assert page.headline == "Delivered after falling back to one agent and landed on main. 1 check passed."
    assert page.lead.startswith(
        "Unit 03-api conflicted with 02-models in app/routes.py. 3 of 5 units were kept, and one agent did the rest."
    )
    assert text_of(page, "Kept, not in the result") == [
        ("03-api/1", "done, and not taken", "refs/ropeteam/run/03-api/1")
    ]
    differently = dict(text_of(page, "What went differently"))
    assert differently["file_conflict (03-api)"] == (
        f"{SENTENCES['file_conflict']} Conflicts with 02-models in app/routes.py."
        " What is validated was kept; what was left went to one agent."
    )
    commands = [row.cells[0] for row in page.next if row.code]
    assert "git show --stat -p refs/ropeteam/run/03-api/1" in commands


def test_requests_that_nobody_did_are_left_to_do_by_hand() -> None:
    asked = AgentReport(requests=(RequestNote(path="config/x.py", what="a line"),))
    w = Several().with_contract().ends("02-models", report=asked)
    w.settles()
    done = replace(
        report(w.state),
        outcome="delivered_parallel",
        state="ended",
        requests=(
            replace(report(w.state).requests[0], done=False),
            replace(report(w.state).requests[0], path="config/y.py", done=True),
        ),
    )
    from ropeteam.cli.page import page

    found = page(done)
    assert text_of(found, "Still to do by hand") == [
        ("config/x.py", "a line", "02-models asked for it, nobody did it.")
    ]
    assert text_of(found, "Asked of each other") == [("config/y.py", "a line", "02-models asked for it.")]
    assert "### Still to Do by Hand\n- `config/x.py`: a line (asked for by `02-models`)" in section(done)


def test_the_report_of_a_belay_that_won() -> None:
    w = Several(belay=True).with_contract().ends("02-models").ends("belay").settles()
    w.breaks("03-api").breaks("04-mails").delivered()
    page = page_of(w.state)
    assert page.headline == "Delivered by the belay and landed on main. 1 check passed."
    assert page.lead.startswith("It worked on the whole feature beside the units, and was done before them.")
    assert ("of it the belay, as insurance", "", "$0.25") in text_of(page, "Predicted and actual")
    commands = [row.cells[0] for row in page.next if row.code]
    assert f"git log --stat base..refs/ropeteam/{w.state.begun.run}/integration" in commands


def test_while_it_runs_nothing_is_called_set_aside_that_may_still_be_taken() -> None:
    w = Several().with_contract().breaks("03-api")
    assert [cells[0] for cells in text_of(page_of(w.state), "Kept, not in the result")] == ["03-api/1"]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_reports_of_several_stay_within_the_width(width: int) -> None:
    w = Several(wide(), workers=6).begins()
    for text in (shown(w, width), shown(Several(belay=True, time_scale=60.0).with_contract(), width)):
        assert max(len(line) for line in text.splitlines()) <= max(width, 80)


# ---- the chart


def bars(w: Several) -> dict[str, list[tuple[str, bool]]]:
    drawn = chart(w.state)
    assert drawn is not None
    return {line.name: [(b.look, b.critical) for b in line.bars if b.look != "merge"] for line in drawn.lines}


def test_rows_are_units_in_the_order_of_batches_and_bars_their_attempts() -> None:
    found = bars(Several().after_a_fall())
    assert list(found) == ["01-contract", "02-models", "03-api", "04-mails", "05-views", "rest", "checks"]
    assert found["01-contract"] == [("validated", True)]
    assert found["03-api"] == [("set aside", False)]
    assert found["05-views"] == []
    assert found["rest"] == [("validated", True)]


def test_the_chart_is_as_long_as_the_report_says() -> None:
    for w in (Several().in_parallel(), Several(time_scale=60.0).in_parallel()):
        drawn = chart(w.state)
        assert drawn is not None
        assert drawn.end == pytest.approx(report(w.state).actual.seconds, rel=0.02)


def test_time_in_which_nothing_was_under_way_is_left_out() -> None:
    w = Several().with_contract()
    w.interrupt()
    for name in ("02-models", "03-api", "04-mails"):
        w.breaks(name, "killed", after=1.0)
    w.resume(after=5 * 3600.0).begins()
    for name in ("02-models", "03-api", "04-mails"):
        w.ends(name, after=10.0)
    w.settles().begins().ends("05-views").settles().delivered()
    drawn = chart(w.state)
    assert drawn is not None
    assert drawn.end < 600.0
    assert [round(m.seconds / 3600.0, 1) for m in drawn.marks if m.kind == "gap"] == [5.0]
    assert "left out here" in gantt.svg(drawn)


@pytest.mark.parametrize("plan", [shop(), wide(), Plan(units=(unit("a"),), batches=(("a",),))])
def test_the_chart_is_an_svg_that_fits_and_needs_nothing(plan: Plan) -> None:
    w = Several(plan).begins()
    while not w.state.fallen and w.all(ev.RunAgent) and len(w.state.attempts) < 80:
        w.begins().ends(w.all(ev.RunAgent)[0].unit, after=7.0).settles()
    text = chart_of(w.state)
    root = ElementTree.fromstring(text)
    width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
    assert width == 860
    assert height <= 24 * (len(plan.units) + 3) + 120
    for box in root.iter(f"{SVG}rect"):
        assert float(box.attrib["x"]) >= 0
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width + 2
    assert [e.tag for e in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root.attrib["role"] == "img"
    assert re.search(r"<script|href=|url\(|@import", text) is None


def test_the_html_report_holds_the_chart_with_the_fall_and_says_what_the_end_hung_on() -> None:
    w = Several(time_scale=60.0).after_a_fall()
    html = page_markdown.html(page_of(w.state), "t", chart_of(w.state))
    assert html.index("<h1>") < html.index("<svg") < html.index("<h2>")
    assert "minutes of feature time (scripted agent, 60-fold)" in html
    assert "Its end hung on 01-contract, then 04-mails, then rest." in html
    assert "It fell back to one agent because of file_conflict (03-api)." in html
    assert "prefers-color-scheme: dark" in chart_of(w.state)


def test_names_in_a_chart_are_words() -> None:
    bad = "<script>alert(1)</script>"
    drawn = chart(Several().in_parallel().state)
    assert drawn is not None
    line = replace(drawn.lines[0], name=bad, bars=(replace(drawn.lines[0].bars[0], text=bad),))
    assert "<script" not in gantt.svg(replace(drawn, lines=(line,), path=(bad,)))


def test_one_agent_has_no_chart() -> None:
    assert chart(RunState()) is None


# ---- 02-implementation.md


def test_the_section_of_the_log_tells_units_and_both_ways() -> None:
    said = AgentReport(decisions=(DecisionNote(decision="Cents", rationale="no rounding"),))
    w = Several(shop(60.0)).begins("01-contract").ends("01-contract", report=said).settles().begins()
    w.ends("02-models", "app/routes.py").merges().ends("03-api", "app/routes.py").conflicts("app/routes.py").holds()
    w.ends("04-mails").settles().begins("rest").ends("rest").settles().delivered()
    text = section(report(w.state))
    assert "- Mode: parallel: Several agents, as asked (--mode parallel)" in text
    assert "- `01-contract` The contract: validated, 1 min 00 s" in text
    assert "- `03-api` The api: superseded, 2 min 01 s; kept: `refs/ropeteam/run/03-api/1`" in text
    assert "- Cents: no rounding (01-contract)" in text
    assert "- `file_conflict` in 03-api, " in text
    assert "Conflicts with 02-models in app/routes.py. (action: salvage)" in text
    assert re.search(r"- One agent, reckoned from what was measured: .* times as fast\)", text)


def test_how_much_faster_is_said_to_be_no_quotient_of_the_medians() -> None:
    done = report(Several(shop(60.0)).in_parallel().state)
    foreseen = replace(
        done.predicted,
        single_seconds_p50=965.0,
        parallel_seconds_p50=525.0,
        speedup_p50=1.69,
        speedup_quantile=1.61,
    )
    rows = [row.cells[:2] for row in figures(replace(done, predicted=foreseen)).rows]
    assert rows[:4] == [
        ("several agents", "8 min 45 s"),
        ("one agent", "16 min 05 s"),
        ("times as fast", "typically 1.69, cautiously 1.61"),
        ("", "(median of simulated ratios)"),
    ]
    surer = replace(done, predicted=replace(foreseen, confidence=0.95, planning_seconds=1.0))
    told = {row.cells[0]: row.cells[1:] for row in figures(surer).rows}
    assert told["the cautious prediction"] == (
        "1.61",
        "held" if done.actual.speedup_estimated >= 1.61 else "did not hold",
    )
    assert told["no slower than one agent"] == ("95% sure", "yes")
    assert told["planning"][0] == "1.0 s"
