"""What a run did, as its section of `02-implementation.md`, and that log with the section in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ropeteam.core.model import Feature, RunOutcome, Section
from ropeteam.core.report import CheckLine, FileLine, Report, RequestLine, TriggerLine, UnitLine
from ropeteam.core.timing import Actual
from ropeteam.documents.lines import BOM, newline_of, one_line

SHOWN_FILES = 500
SHOWN_TESTS = 20

_OUTCOMES: dict[RunOutcome, str] = {
    "delivered_parallel": "delivered, in parallel",
    "delivered_after_fallback": "delivered, after falling back to one agent",
    "delivered_single": "delivered, by one agent",
    "not_delivered": "not delivered; everything is kept",
    "cancelled": "cancelled; everything is kept",
}


# ---- the section


def section(report: Report, chosen: Sequence[Section] = ()) -> str:
    """What a run did, as Markdown without markers; `with_section` puts it into the log.

    chosen: the parts, extensions or changes that the run was about: each gets a heading of its own, the first one with
    what was done under it.
    """
    date = report.started_at[:10]
    headings = [f"## {one.kind.capitalize()}: {one_line(one.name)} ({date})" for one in chosen]
    first = one_line(chosen[0].name) if chosen else ""
    parts = [
        headings[0] if headings else f"## Run {report.run} ({date})",
        "\n".join(_head(report, named=not headings)),
        _list("Units", (_unit(u) for u in report.units)) if _several(report) else "",
        _list("Files Created", _files(report.files.created)),
        _list("Files Modified", _files(report.files.modified)),
        _list("Files Deleted", _files(report.files.deleted)) if report.files.deleted else "",
        _list("Architectural Decisions", (_of(report, d.unit, d.decision, d.rationale) for d in report.decisions)),
        _list("Deviations from Plan", (_of(report, d.unit, d.what, d.why) for d in report.deviations)),
        _list("What Fell Back", (_trigger(t) for t in report.triggers)),
        _list("Still to Do by Hand", (_request(r) for r in left)) if (left := _left(report)) else "",
        _list("Checks", (_check(c) for c in report.checks)),
        _time_and_cost(report),
        _list("Notices", (one_line(notice) for notice in report.notices)) if report.notices else "",
        *(f"{heading}\n\n- In the same run as {first}: see there." for heading in headings[1:]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report, *, named: bool) -> list[str]:
    """named: the heading has the run's id already."""
    lines = [f"Generated: {report.started_at.replace('T', ' ').replace('Z', ' UTC')}"]
    if not named:
        lines.append(f"Run: {report.run}")
    if report.outcome is not None:
        lines.append(f"Outcome: {_OUTCOMES[report.outcome]} (`{report.outcome}`)")
    if report.decision is not None:
        why = "; ".join(one_line(reason).rstrip(".") for reason in report.decision.reasons)
        ids = ", ".join(f"`{trigger}`" for trigger in report.decision.triggers)
        lines.append(f"Mode: {report.decision.mode}" + (f" ({ids})" if ids else "") + (f": {why}" if why else ""))
    lines.append(f"Agent: {one_line(report.agent)}")
    lines.append(f"Base: {report.base[:12]}")
    if report.outcome is not None and not report.outcome.startswith("delivered"):
        lines += [f"Kept: {_code(ref)}" for ref in report.kept]
    return [f"- {line}" for line in lines]


def _files(files: tuple[FileLine, ...]) -> list[str]:
    shown = [f"{_code(file.path)}" + (f" - {one_line(file.purpose)}" if file.purpose else "") for file in files]
    more = len(shown) - SHOWN_FILES
    return [*shown[:SHOWN_FILES], f"and {more} more"] if more > 0 else shown


def _pair(what: str, why: str) -> str:
    return f"{one_line(what).rstrip('.:')}: {one_line(why)}" if why.strip() else one_line(what)


def _several(report: Report) -> bool:
    return report.decision is not None and report.decision.mode == "parallel"


def _of(report: Report, unit: str, what: str, why: str) -> str:
    """With the unit whose agent said it, where there are several."""
    return f"{_pair(what, why)} ({one_line(unit)})" if _several(report) else _pair(what, why)


def _unit(unit: UnitLine) -> str:
    title = f" {one_line(unit.title)}" if unit.title else ""
    tries = f", {len(unit.attempts)} attempts" if len(unit.attempts) > 1 else ""
    took = f", {_duration(sum(a.seconds for a in unit.attempts))}" if unit.attempts else ""
    refs = [_code(a.ref) for a in unit.attempts if a.ref] if unit.state != "validated" else []
    kept = f"; kept: {', '.join(refs)}" if refs else ""
    return f"`{unit.id}`{title}: {unit.state}{tries}{took}{kept}"


def _left(report: Report) -> list[RequestLine]:
    """Requests that nobody saw to, in a run whose units are what was delivered."""
    return [r for r in report.requests if not r.done] if report.winner != "belay" else []


def _request(request: RequestLine) -> str:
    return f"{_code(request.path)}: {one_line(request.what) or 'a change'} (asked for by `{one_line(request.unit)}`)"


def _trigger(trigger: TriggerLine) -> str:
    where = f" in {one_line(trigger.unit)}" if trigger.unit else ""
    return f"`{trigger.id}`{where}, {trigger.at}: {one_line(trigger.evidence)} (action: {trigger.action})"


def _check(check: CheckLine) -> str:
    words = f"{one_line(check.name)}: {check.state} (before: {check.baseline})"
    if check.tests:
        words += f", {check.tests} tests" + (f", {check.added} of them new" if check.added else "")
    if check.why:
        words += f". {one_line(check.why)}"
    for label, tests in (("Failing", check.failing), ("Removed", check.removed)):
        if tests:
            more = f" and {len(tests) - SHOWN_TESTS} more" if len(tests) > SHOWN_TESTS else ""
            words += f" {label}: {', '.join(_code(test) for test in tests[:SHOWN_TESTS])}{more}."
    return words


def _time_and_cost(report: Report) -> str:
    p, actual = report.predicted, report.actual
    several = _several(report)
    lines = _both_ways(report) if several else _one_way(report)
    if p.planning_seconds is not None or actual.planning_seconds >= 1:
        foreseen = "" if p.planning_seconds is None else f" (predicted: {_duration(p.planning_seconds)})"
        lines.append(f"Planning: {_duration(actual.planning_seconds)}{foreseen}")
    tokens = p.parallel_tokens_p50 if several else p.single_tokens_p50
    cost = p.parallel_cost_usd_p50 if several else p.single_cost_usd_p50
    lines += [
        f"Tokens: {'not known' if actual.tokens is None else f'{actual.tokens:,}'}"
        + ("" if tokens is None else f" (predicted: {tokens:,.0f})"),
        f"Cost: {_usd(actual.cost_usd)}" + ("" if cost is None else f" (predicted: {cost:.2f} USD)"),
    ]
    if any(u.id == "belay" for u in report.units):
        lines.append(f"Of it the belay, as insurance: {_usd(actual.insurance_usd)}")
    if report.clock:
        lines.append(f"Clock: {one_line(report.clock)}")
    return _list("Time and Cost", lines)


def _usd(dollars: float | None) -> str:
    return "not known" if dollars is None else f"{dollars:.2f} USD"


def _one_way(report: Report) -> list[str]:
    p, actual = report.predicted, report.actual
    foreseen = _duration(p.single_seconds_p50) if p.single_seconds_p50 is not None else "not estimated"
    if p.parallel_seconds_p50 is not None:
        foreseen += f"; several agents {_duration(p.parallel_seconds_p50)}"
    return [f"Predicted: {foreseen}", _so_far(actual)]


def _both_ways(report: Report) -> list[str]:
    p, actual = report.predicted, report.actual
    ways = [("several agents", p.parallel_seconds_p50), ("one agent", p.single_seconds_p50)]
    known = [f"{name} {_duration(seconds)}" for name, seconds in ways if seconds is not None]
    foreseen = ", ".join(known) or "not estimated"
    if p.speedup_p50 is not None:
        cautiously = f", cautiously {p.speedup_quantile:.2f}" if p.speedup_quantile is not None else ""
        foreseen += f", typically {p.speedup_p50:.2f} times as fast{cautiously} (median of simulated ratios)"
    if p.confidence is not None:
        foreseen += f"; {p.confidence:.0%} sure that several are no slower"
    lines = [
        f"Predicted: {foreseen}",
        _so_far(actual),
    ]
    if actual.single_seconds_estimated is not None:
        alone = f"One agent, reckoned from what was measured: {_duration(actual.single_seconds_estimated)}"
        times = f" ({actual.speedup_estimated:.2f} times as fast)" if actual.speedup_estimated is not None else ""
        slower = actual.speedup_estimated is not None and actual.speedup_estimated < 1
        lines.append(alone + (" (several agents were slower)" if slower else times))
        if p.speedup_quantile is not None and actual.speedup_estimated is not None:
            held = "held" if actual.speedup_estimated >= p.speedup_quantile else "did not hold"
            lines.append(f"The cautious prediction {held}: {p.speedup_quantile:.2f} times as fast")
    return lines


def _so_far(actual: Actual) -> str:
    """The log is written, and committed, before the result lands: the report's figures have the landing too."""
    took, ours = _duration(actual.seconds), _duration(actual.orchestration_seconds)
    return f"Actual: {took}, of it orchestration {ours} (before landing)"


def _duration(seconds: float) -> str:
    """As the report prints it (`cli.plain.duration`)."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _list(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([f"### {heading}", *(f"- {line}" for line in list(lines) or ["none"])])


def _code(words: str) -> str:
    words = one_line(words)
    if "`" not in words:
        return f"`{words}`"
    fence = "`" * (max(len(run) for run in re.findall("`+", words)) + 1)
    return f"{fence} {words} {fence}"


def with_section(existing: str | None, feature: Feature, run: str, section: str) -> str:
    """The log with the run's section in it: in the place of the same run's earlier one, else at the end."""
    opening, closing = f"<!-- ropeteam run {run} -->", f"<!-- ropeteam end {run} -->"
    block = f"{opening}\n{section.strip()}\n{closing}"
    before = existing or ""
    newline = newline_of(before)
    block = block.replace("\r\n", "\n").replace("\n", newline)
    found = _section_of(before, opening, closing)
    if found is not None:
        return before[: found[0]] + block + before[found[1] :]
    if not before.removeprefix(BOM).strip():
        title = one_line(feature.title or feature.name)
        return f"{before}# Implementation Log - {title}{newline * 2}{block}{newline}"
    return before + _gap(before, newline) + block + newline


def _section_of(log: str, opening: str, closing: str) -> tuple[int, int] | None:
    """Where a run's section begins and ends. Without its closing line: up to the next section or heading of its level,
    so that nothing of anybody else's is taken for it."""
    start = _line_start(log, opening, 0)
    if start is None:
        return None
    body = start + len(opening)
    end = _line_start(log, closing, body)
    if end is not None:
        return start, end + len(closing)
    heading = re.compile(r"^#{1,2} .*$", re.MULTILINE).search(log, body)  # its own
    after = re.compile(r"^(?:#{1,2} |<!-- ropeteam run )", re.MULTILINE).search(log, heading.end() if heading else body)
    stop = after.start() if after else len(log)
    return start, start + len(log[start:stop].rstrip())


def _line_start(log: str, marker: str, at: int) -> int | None:
    found = re.compile(rf"^{re.escape(marker)}[ \t]*\r?$", re.MULTILINE).search(log, at)
    return found.start() if found else None


def _gap(before: str, newline: str) -> str:
    """What is missing to an empty line at the end."""
    if before.endswith(newline * 2):
        return ""
    return newline if before.endswith("\n") else newline * 2
