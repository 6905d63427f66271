"""What earlier runs came to, as a page: a table of runs, what to know of them, how predictions held, costs."""

from __future__ import annotations

from typing import Final

from ropeteam.cli.page_parts import Page, Row, Section, Tone
from ropeteam.cli.plain import UNKNOWN, count, escaped, money, plain
from ropeteam.core.fitting import FEW
from ropeteam.core.history_report import CalibrationLine, CostLine, HistoryReport, RunLine

SHOWN: Final = 20
"""Runs in the table: the newest; all are in the figures below it, and in the JSON."""

NAMES: Final = {
    "reading_seconds": "an agent reads itself in",
    "line_seconds": "one added line",
    "file_seconds": "for each file, on top",
    "sigma": "spread of times (log-sigma)",
    "validation_seconds": "the checks of a candidate",
    "merge_seconds": "a merge",
    "tree_seconds": "until an agent begins",
    "reading_tokens": "tokens to read in",
    "line_tokens": "tokens of one added line",
    "step_tokens": "tokens of each file",
    "dollars_per_million": "price of a million tokens",
    "failed": "attempts that come to nothing",
    "conflict": "pairs of units that conflict",
    "broken": "merges that break a check",
    "optimism": "several agents' times, multiplied by",
}


def page(report: HistoryReport) -> Page:
    """The whole of it; of a repository without runs one line."""
    if not report.runs:
        whose = f" of {plain(report.agent)}" if report.agent else ""
        return Page(
            headline=f"No run{whose} has ended here yet: there is nothing to compare.",
            tone="dim",
            below="estimates are made of published figures until there are some",
            sections=tuple(s for s in (_left_out(report),) if s.rows),
            next=(Row(("ropeteam run FEATURE", "is the first"), code=True),),
        )
    tone, headline = _headline(report)
    sections = (_runs(report), _remarks(report), _calibration(report), _costs(report), _left_out(report))
    newest = report.runs[-1].run
    return Page(
        headline=headline,
        tone=tone,
        below=_below(report),
        sections=tuple(s for s in sections if s.rows),
        next=(Row((f"ropeteam report {newest}", "tells all of the newest"), code=True),),
    )


def _headline(report: HistoryReport) -> tuple[Tone, str]:
    known = sum(c.runs for c in report.calibration)
    held = sum(c.held for c in report.calibration)
    due = sum(c.expected_share * c.runs for c in report.calibration)
    number = len(report.runs)
    if not known:
        return "dim", f"{count(number, 'run')}; none yet in which several agents can be compared with their prediction."
    several = f"{count(number, 'run')} of several agents" if known == number else f"{known} of {number} runs compared"
    said = f"{several}: {held} came out as cautiously predicted, or better ({due:.0f} should)."
    return ("good" if held >= due - 1 else "calm"), said


def _below(report: HistoryReport) -> str:
    slower = sum(c.slower for c in report.calibration)
    parts = [f"slower than one agent would have been: {slower}"]
    if report.earlier:
        parts.append(f"{count(report.earlier, 'older run')} not looked at")
    return " · ".join(parts)


# ---- runs


def _runs(report: HistoryReport) -> Section:
    rows: list[Row] = []
    for r in report.runs[-SHOWN:]:
        rows += _run(r)
    scripted = any(r.agent == "scripted" for r in report.runs[-SHOWN:])
    label = "; of the scripted agent in feature time" if scripted else ""
    more = f", the newest {SHOWN} of {len(report.runs)}" if len(report.runs) > SHOWN else ""
    title = f"Runs{more}: actual, under it predicted (~: reckoned, not measured{label})"
    head = ("began", "feature", "several", "one", "faster", "tokens", "cost")
    return Section(title, tuple(rows), head=head, left=2)


def _run(r: RunLine) -> tuple[Row, ...]:
    p, a = r.predicted, r.actual
    several = r.mode == "parallel"
    sign = "" if a.single_measured else "~"
    one = (f"{sign}{_time(a.single_seconds)}" if a.single_seconds is not None else "") if several else _time(a.seconds)
    actual = Row(
        (
            _day(r.started_at),
            escaped("/".join((r.feature, *r.parts))),
            _time(a.seconds) if several else "",
            one,
            f"{a.speedup:.2f}" if a.speedup is not None else "",
            _figure(a.tokens),
            money(a.cost_usd),
        ),
        tone=_tone(r),
    )
    foreseen = (_time(p.parallel_seconds_p50), _time(p.single_seconds_p50), _range(p.speedup_quantile, p.speedup_p50))
    cost = money(p.cost_usd_p50) if p.cost_usd_p50 is not None else ""
    tokens = _figure(p.tokens_p50) if p.tokens_p50 is not None else ""
    how = _how(r) + ("" if any(foreseen) else "; no prediction")
    return actual, Row(("", how, *foreseen, tokens, cost), tone="dim")


def _day(iso: str) -> str:
    """`22 Nov`."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{int(iso[8:10])} {months[int(iso[5:7]) - 1]}"


def _how(r: RunLine) -> str:
    if r.outcome is None:
        return "parked"
    if r.outcome == "delivered_single" and r.mode == "parallel":
        return "the belay's work"
    return {
        "delivered_parallel": "several agents",
        "delivered_after_fallback": "several, then one",
        "delivered_single": "one agent",
        "not_delivered": "not delivered",
        "cancelled": "cancelled",
    }[r.outcome]


def _tone(r: RunLine) -> Tone:
    if r.outcome in ("delivered_parallel", "delivered_single"):
        return "calm" if r.slower else "good"
    return "bad" if r.outcome == "not_delivered" else "calm"


def _time(seconds: float | None) -> str:
    """Two or three figures: `42 s`, `7.2 min`, `13 min`, `2.1 h`."""
    if seconds is None:
        return ""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 99.5:
        return f"{minutes:.1f} min" if minutes < 9.95 else f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"


def _range(low: float | None, middle: float | None) -> str:
    return "-".join(f"{x:.1f}" for x in (low, middle) if x is not None)


def _figure(number: float | None) -> str:
    if number is None:
        return UNKNOWN
    if number < 1_000:
        return f"{number:,.0f}"
    return f"{number / 1_000:,.0f}k" if number < 999_500 else f"{number / 1_000_000:,.1f}M"


# ---- what to know of them


def _remarks(report: HistoryReport) -> Section:
    rows = []
    for r in report.runs[-SHOWN:]:
        if said := _remark(r):
            rows.append(Row((r.run, said), tone="calm"))
    return Section("What went differently", tuple(rows))


def _remark(r: RunLine) -> str:
    said = []
    if r.slower and r.actual.single_seconds is not None:
        other = _time(r.actual.single_seconds)
        said.append(f"Slower than one agent would have been: {_time(r.actual.seconds)}, one takes about {other}.")
    if r.outcome in ("not_delivered", "cancelled", None):
        said.append({"not_delivered": "Not delivered.", "cancelled": "Cancelled.", None: "Parked."}[r.outcome])
    if r.triggers:
        said.append(f"Triggers: {', '.join(r.triggers)}.")
    return " ".join(said)


# ---- calibration


def _calibration(report: HistoryReport) -> Section:
    return Section("How predictions held", tuple(Row((f"{plain(c.agent)}", _held(c))) for c in report.calibration))


def _held(c: CalibrationLine) -> str:
    if not c.runs and not c.single_runs:
        return "Nothing was predicted of its runs, so nothing can be compared."
    said = []
    if c.runs:
        due = c.expected_share * c.runs
        held = f"The cautious speed-up held in {c.held} of {count(c.runs, 'run')} of several agents"
        said.append(f"{held}; {due:.0f} should{_few(c.runs)}.")
        if c.speedup_ratio is not None:
            said.append(f"Typically the speed-up was {c.speedup_ratio:.2f} times the predicted one.")
        if c.confidence is not None and c.runs >= FEW:
            not_slower = c.runs - c.slower
            said.append(f"Predicted to be no slower than one agent: {c.confidence:.0%}; it was so in {not_slower}.")
    if c.single_runs and c.single_time_ratio is not None:
        of_it = f"{c.single_time_ratio:.2f} times as long as predicted"
        said.append(f"One agent took {of_it} (median of {c.single_runs}){_few(c.single_runs)}.")
    return " ".join(said)


def _few(number: int) -> str:
    return " (too few to say)" if number < FEW else ""


# ---- costs


def _costs(report: HistoryReport) -> Section:
    model = f" ({plain(report.model)})" if report.model else ""
    runs = report.fitted_runs
    few = ", too few to say much" if 0 < runs < FEW else ""
    title = f"What things cost here, for {plain(report.agent)}{model}: from {count(runs, 'run')}{few}"
    rows = tuple(_cost(c) for c in report.costs if c.here != c.published)
    return Section(title, rows, head=("", "published", "here"))


def _cost(c: CostLine) -> Row:
    return Row((NAMES.get(c.name, c.name), _shown(c.name, c.published), _shown(c.name, c.here)))


def _shown(name: str, value: float) -> str:
    if name.endswith("seconds"):
        return f"{value:.2f} s" if value < 9.95 else _time(value)
    if name.endswith("tokens"):
        return f"{value:,.0f}"
    if name == "dollars_per_million":
        return money(value)
    if name in ("failed", "conflict", "broken"):
        return f"{value:.1%}"
    return f"{value:.2f}"


def _left_out(report: HistoryReport) -> Section:
    return Section("Left out", tuple(Row((escaped(s),), tone="calm") for s in report.skipped))
