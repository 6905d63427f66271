"""`ropeteam plan --explain`: why the plan is as it is, what was tried, and where the figures come from."""

from __future__ import annotations

import re
from typing import Final

from ropeteam.cli.page_parts import Row, Section
from ropeteam.cli.page_plan import span
from ropeteam.cli.plain import count, escaped, money, plain, whole
from ropeteam.core.costs import Costs
from ropeteam.core.foreseen import Foreseen
from ropeteam.core.survey import Candidate, EdgeNote, Explanation, Survey

HANDLED: Final = {
    "order": "one waits for the other",
    "contract": "declared in the contract, so that both can begin",
    "risk": "side by side; mended if it is real",
    "against": "the other way round in this plan; mended if it is real",
}
SHOWN_EDGES: Final = 20
SHOWN_EVIDENCE: Final = 2
SHOWN_GROUPINGS: Final = 10
STATUS: Final = {"A": "new", "M": "changed", "D": "deleted"}


def why(foreseen: Foreseen) -> tuple[Section, ...]:
    """The sections. What is not known has none."""
    e, survey = foreseen.why, foreseen.outlook.survey
    sure = foreseen.plan.confidence if foreseen.plan is not None else None
    return (
        Section("What would change the decision", tuple(Row((whole(f),)) for f in e.flips)),
        Section("What the confidence is made of", tuple(Row((whole(r),)) for r in sure.reasons) if sure else ()),
        Section("Why these units", tuple(Row((u.unit, *(whole(r) for r in u.reasons))) for u in e.units)),
        _edges(e),
        _groupings(e),
        _kinds(e),
        Section("How agents read themselves in", (Row((whole(foreseen.reading),)),) if foreseen.reading else ()),
        Section("Not resolved", _unresolved(survey)),
        _known(survey),
        *((costs(foreseen.outlook.costs),) if foreseen.plan is not None else ()),
    )


def _edges(e: Explanation) -> Section:
    rows = [_edge(n) for n in e.edges[:SHOWN_EDGES]]
    if len(e.edges) > SHOWN_EDGES:
        rows.append(Row((f"and {len(e.edges) - SHOWN_EDGES:,} more (--json has all)",), tone="dim"))
    return Section("What needs what, and what is done about it", tuple(rows))


def _edge(n: EdgeNote) -> Row:
    return Row(
        (
            f"{n.unit} needs {n.on}, {n.likelihood:.0%} likely: {HANDLED[n.handled]}",
            *(whole(x) for x in n.evidence[:SHOWN_EVIDENCE]),
        ),
        tone="calm" if n.handled in ("risk", "against") else "",
    )


def _groupings(e: Explanation) -> Section:
    shown = [c for n, c in enumerate(e.candidates) if n < SHOWN_GROUPINGS or c.chosen]
    rows = [_candidate(c) for c in shown]
    if len(shown) < len(e.candidates):
        rows.append(Row((f"and {len(e.candidates) - len(shown)} more",), tone="dim"))
    head = ("grouping", "", "units", "at once", "time", "times as fast")
    return Section("Groupings tried: typically and (cautiously) as fast", tuple(rows), head=head, left=2)


def _kinds(e: Explanation) -> Section:
    """What is said of groupings that differ in their number only is said once."""
    said: dict[str, str] = {}
    for c in e.candidates:
        if c.why:
            said.setdefault(re.sub(r"\d+", "N", plain(c.name)), whole(c.why))
    return Section("What these groupings are", tuple(Row(pair) for pair in said.items()))


def _candidate(c: Candidate) -> Row:
    times = f"{c.speedup_p50:.2f} ({c.speedup_quantile:.2f})"
    cells = (plain(c.name), "chosen" if c.chosen else "", str(c.units), str(c.width))
    return Row((*cells, span(c.seconds_p50, c.seconds_p90), times), tone="good" if c.chosen else "")


def _unresolved(survey: Survey) -> tuple[Row, ...]:
    rows = [Row((whole(u),), tone="calm") for u in survey.unresolved]
    if survey.uncovered:
        names = ", ".join(plain(id) for id in survey.uncovered)
        what = count(len(survey.uncovered), "requirement")
        rows.append(Row((f"No file is named for {what}: {names}.",), tone="calm"))
    return tuple(rows)


def _known(survey: Survey) -> Section:
    """Which files it is about, and how that is known."""
    if not survey.files:
        return Section("", ())
    counts = [(sum(f.status == s for f in survey.files), word) for s, word in STATUS.items()]
    shown = ", ".join(f"{n} {word}" for n, word in counts if n)
    hubs = [escaped(f.path) for f in survey.files if f.hub]
    rows = [Row((f"{count(len(survey.files), 'file')}: {shown}.",))]
    named = "The documents name the files themselves." if survey.named else "The documents do not name the files."
    rows.append(Row((named,)))
    if hubs:
        rows.append(Row((f"Many parts want a line in: {', '.join(hubs)}.",)))
    return Section("What is known before the work", tuple(rows))


def costs(c: Costs) -> Section:
    """What the predictions are made of, and where that is from."""
    title = "Where the figures come from: "
    if c.runs:
        title += f"{plain(c.source)} and {count(c.runs, 'run')} of this repository"
    else:
        title += f"{plain(c.source)}; no run of this repository yet"
    rows = (
        Row(("an agent reads itself in", f"{_seconds(c.reading_seconds)}, {c.reading_tokens:,.0f} tokens")),
        *([Row(("going on from another's reading", _seconds(c.fork_reading)))] if c.fork_reading is not None else []),
        Row(("an added line, re-work included", f"{_seconds(c.line_seconds)}, {c.line_tokens:,.0f} tokens")),
        Row(("on top, each file", _seconds(c.file_seconds))),
        Row(("the project's checks, once", _seconds(c.validation_seconds))),
        Row(("a merge; a work tree", f"{_seconds(c.merge_seconds)}; {_seconds(c.tree_seconds)}")),
        Row(("two units conflict all the same", f"{c.conflict:.0%} of pairs")),
        Row(("a clean merge breaks the checks", f"{c.broken:.0%} of merges")),
        Row(("an attempt comes to nothing", f"{c.failed:.0%} of attempts")),
        Row(("a million tokens", money(c.dollars_per_million))),
    )
    return Section(title, rows)


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
