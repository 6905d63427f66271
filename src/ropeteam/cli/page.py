"""The closing report as a page: a headline, sections of rows, what to do next."""

from __future__ import annotations

from typing import Final

from ropeteam.cli import page_together
from ropeteam.cli.page_parts import Page, Row, Section, Tone
from ropeteam.cli.page_plan import way_in_words
from ropeteam.cli.plain import count, duration, escaped, money, number, plain, whole
from ropeteam.core.model import LandedReason, SideEstimate
from ropeteam.core.report import AttemptLine, CheckLine, FileLine, Report, TriggerLine
from ropeteam.core.triggers import SENTENCES

MARKS: Final = {"created": "+", "modified": "~", "deleted": "-"}

ACTIONS: Final = {
    "single": "One agent did it from the start.",
    "salvage": "What is validated was kept; what was left went to one agent.",
    "strict": "Everything was stopped; one agent went on from the last checkpoint.",
    "retry": "It was tried again.",
    "notice": "Nothing was done about it: you should know it.",
    "park": "The run was parked; everything is kept.",
    "stop": "The run was stopped; everything is kept.",
}

NOT_LANDED: Final[dict[LandedReason, str]] = {
    "asked": "It was left on a branch, as you wanted.",
    "include_dirty": "It was left on a branch: your changes that were not committed are its first commit.",
    "moved": "It was left on a branch: yours moved on while the run was at work.",
    "dirty": "It was left on a branch: your checkout has changes that are not committed.",
    "in_the_way": "It was left on a branch: files that git does not track are in its way.",
    "other_branch": "It was left on a branch: another one, or none, is checked out now.",
    "unsupported": "It was left on a branch: landing into this checkout is not supported.",
}


def page(report: Report, *, branch: str = "") -> Page:
    """What a report says. branch: the user's branch, as far as it is known."""
    tone, headline = _headline(report, branch)
    several = page_together.several(report)
    to_do, asked = page_together.requests(report)
    attempts = Section("Attempts", tuple(_attempt(a) for u in report.units for a in u.attempts))
    return Page(
        headline=headline,
        tone=tone,
        below=f"{report.outcome or report.state} · feature {_feature(report)} · run {report.run} · {_agents(report)}",
        lead=page_together.lead(report),
        sections=tuple(
            s
            for s in (
                to_do,
                page_together.units(report),
                _files(report),
                _said("Decisions", [(d.decision, d.rationale) for d in report.decisions]),
                _said("Deviations from the plan", [(d.what, d.why) for d in report.deviations]),
                Section("Checks", tuple(_check(c) for c in report.checks) or _no_checks(report)),
                Section(
                    "What went differently", tuple(_trigger(t, report) for t in report.triggers if t.action != "single")
                ),
                page_together.set_aside(report) if several else attempts,
                asked,
                _decision(report),
                page_together.figures(report) if several else _figures(report),
                _list("Documents", report.documents),
                Section("Good to know", tuple(Row((plain(n),)) for n in report.notices)),
            )
            if s.rows
        ),
        next=tuple(_next(report)),
    )


def _feature(report: Report) -> str:
    """Its name, with the parts that the run was about."""
    return escaped(report.feature) + (f" ({', '.join(escaped(p) for p in report.parts)})" if report.parts else "")


# ---- the first line


def _headline(report: Report, branch: str) -> tuple[Tone, str]:
    if report.error:
        return "bad", f"Not delivered: something failed in ropeteam itself: {plain(report.error)}"
    match report.outcome:
        case None:
            return "calm", _standing(report)
        case "cancelled":
            return "calm", "Cancelled. Your branch is as it was; everything that was made is kept."
        case "not_delivered":
            return "bad", "Not delivered. Your branch is as it was; everything that was made is kept."
        case _:
            who, where = page_together.by_whom(report), _where(report, branch)
            unsure = [c for c in report.checks if c.state in ("no_gate", "not_run")]
            if not report.checks:
                return "calm", f"Delivered{who}{where} No check of the project's own was there to test it."
            if unsure:
                names = ", ".join(f"{plain(c.name)}: {c.state}" for c in unsure)
                return "calm", f"Delivered{who}{where} Not every check could tell ({names})."
            return "good", f"Delivered{who}{where} {_passed(report)}"


def _where(report: Report, branch: str) -> str:
    if report.landed:
        return f" and landed on {escaped(branch)}." if branch else " and landed on your branch."
    return f", on the branch {escaped(report.branch)}." if report.branch else "."


def _passed(report: Report) -> str:
    flaky = [plain(c.name) for c in report.checks if c.state == "flaky"]
    number = count(len(report.checks), "check")
    return f"{number} passed." if not flaky else f"{number} passed, with flaky tests in {', '.join(flaky)}."


def _standing(report: Report) -> str:
    match report.state:
        case "parked":
            when = f" It can go on at {report.resume_at}." if report.resume_at else ""
            return f"Parked. Everything is kept.{when}"
        case "interrupted" if report.decision is not None and not _begun(report):
            return "Planned. Nothing has been begun yet."
        case "interrupted":
            return "Interrupted. Everything is kept."
        case "planning":
            return "Being prepared."
        case _:
            return "At work."


def _begun(report: Report) -> bool:
    return any(u.attempts for u in report.units if u.id != "plan")


# ---- sections


def _decision(report: Report) -> Section:
    """Parallel or single, why, and what was predicted of both ways."""
    d, p = report.decision, report.predicted
    if d is None:
        return Section("", ())
    one = SideEstimate(
        seconds_p50=p.single_seconds_p50,
        seconds_p90=p.single_seconds_p90,
        tokens_p50=p.single_tokens_p50,
        cost_usd_p50=p.single_cost_usd_p50,
        cost_usd_p90=p.single_cost_usd_p90,
    )
    several = SideEstimate(
        seconds_p50=p.parallel_seconds_p50,
        seconds_p90=p.parallel_seconds_p90,
        tokens_p50=p.parallel_tokens_p50,
        cost_usd_p50=p.parallel_cost_usd_p50,
        cost_usd_p90=p.parallel_cost_usd_p90,
    )
    reasons = tuple(whole(reason) for reason in d.reasons if reason != "One agent does it.")
    rows = [Row((id, reason), tone="calm") for id, reason in zip(d.triggers, reasons, strict=False)]
    if more := reasons[len(rows) :]:
        rows.append(Row(("why", " ".join(more))))
    predicted = len(rows)
    ways = (("one agent", one), ("several agents", several))
    rows += [Row((f"predicted of {name}", f"{said}.")) for name, way in ways if (said := way_in_words(way))]
    if len(rows) > predicted:
        rows.append(Row(("", "Predictions go from the median to what one of ten exceeds.")))
    if d.reading:
        rows.append(Row(("reading", _reading(report, d.reading))))
    return Section(f"Decided: {'several agents' if d.mode == 'parallel' else 'one agent'}", tuple(rows))


def _reading(report: Report, expected: str) -> str:
    """How they were to read, and how many did go on from another's conversation."""
    forks = sum(a.fork is not None for u in report.units for a in u.attempts)
    return f"{expected} {count(forks, 'attempt')} went on from another's." if forks else expected


def _files(report: Report) -> Section:
    def rows(kind: str, files: tuple[FileLine, ...]) -> list[Row]:
        return [Row((f"{MARKS[kind]} {escaped(f.path)}", plain(f.purpose)), code=True) for f in files]

    f = report.files
    number = len(f.created) + len(f.modified) + len(f.deleted)
    parts = [(len(f.created), "created"), (len(f.modified), "modified"), (len(f.deleted), "deleted")]
    shown = ", ".join(f"{n} {what}" for n, what in parts if n)
    all_rows = rows("created", f.created) + rows("modified", f.modified) + rows("deleted", f.deleted)
    return Section(f"{count(number, 'file')}: {shown}", tuple(all_rows))


def _said(title: str, pairs: list[tuple[str, str]]) -> Section:
    return Section(title, tuple(Row((plain(what), plain(why))) for what, why in pairs))


def _list(title: str, paths: tuple[str, ...]) -> Section:
    return Section(title, tuple(Row((escaped(p),), code=True) for p in paths))


def _no_checks(report: Report) -> tuple[Row, ...]:
    if report.outcome is None or not report.outcome.startswith("delivered"):
        return ()
    why = "No check was found or configured (checks.commands): only syntax and merge markers were looked at."
    return (Row(("none", why), tone="calm"),)


def _check(c: CheckLine) -> Row:
    tones: dict[str, Tone] = {"passed": "good", "failed": "bad"}
    said = [plain(c.name)]
    if c.tests:
        added = f", {c.added:,} of them new" if c.added else ""
        said.append(f"({count(c.tests, 'test')}{added})")
    if c.state != c.baseline:
        said.append(f"before: {c.baseline}.")
    said += [whole(c.why)] if c.why else []
    named = all(plain(name) in plain(c.why) for name in c.failing)
    said += ["" if named else _tests("failing", c.failing), _tests("removed by the feature", c.removed)]
    return Row((c.state, " ".join(part for part in said if part)), tone=tones.get(c.state, "calm"))


def _tests(what: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(plain(n) for n in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{what}: {shown}{more}." if names else ""


def _trigger(t: TriggerLine, report: Report) -> Row:
    sentence = SENTENCES.get(t.id, "")  # type: ignore[call-overload]
    unit = f" ({t.unit})" if t.unit else ""
    done = page_together.done_about(report, t) or ACTIONS.get(t.action, "")
    if (t.id, t.action) == ("plan_refused", "notice"):
        done = "The static plan counted."
    said = " ".join(p for p in (sentence, whole(t.evidence), done) if p)
    return Row((f"{t.id}{unit}", said), tone="calm")


def _cost(a: AttemptLine) -> tuple[str, ...]:
    return (money(a.cost_usd) if a.cost_usd is not None else "cost not known",)


def _agents(report: Report) -> str:
    """The run's own, or all that were at work."""
    names = tuple(dict.fromkeys(a.agent for u in report.units for a in u.attempts if a.agent))
    return f"agents {', '.join(names)}" if len(names) > 1 else f"agent {report.agent}"


def _attempt(a: AttemptLine) -> Row:
    used = [count(a.used or 0, "token"), *_cost(a)] if a.used is not None else ["tokens not known"]
    parts = [page_together.by(a), a.outcome or "running", duration(a.seconds), *used]
    return Row((a.id, ", ".join(p for p in parts if p), escaped(a.ref)), tone="" if a.outcome == "ok" else "calm")


def _figures(report: Report) -> Section:
    """Of one agent; what several would have taken stands beside it where it was predicted."""
    p, a = report.predicted, report.actual
    none = "no prediction yet" if p.single_seconds_p50 is None else "no prediction"
    label = f" ({plain(report.clock)})" if report.clock else ""
    seconds, tokens, cost = p.single_seconds_p50, p.single_tokens_p50, p.single_cost_usd_p50
    rows = [
        Row((f"time{label}", duration(seconds) if seconds is not None else none, duration(a.seconds))),
        Row(("of it orchestration", "", duration(a.orchestration_seconds))),
        *page_together.planning(report),
        Row(("tokens", f"{tokens:,.0f}" if tokens is not None else none, number(a.tokens))),
        Row(("cost", money(cost) if cost is not None else none, money(a.cost_usd))),
    ]
    if p.parallel_seconds_p50 is not None:
        rows.insert(1, Row(("several agents instead", duration(p.parallel_seconds_p50), "")))
    return Section("Predicted and actual", tuple(rows), head=("", "predicted", "actual"))


# ---- what to do next


def _next(report: Report) -> list[Row]:
    run = report.run
    resume = Row((f"ropeteam resume {run}", "goes on"), code=True)
    show = [Row((f"git diff {report.base[:10]} {r}", "shows what was kept"), code=True) for r in report.kept[-1:]]
    aside = page_together.to_look_at(report)
    show = aside or show
    clean = Row((f"ropeteam clean {run}", "removes its work trees; what they hold stays under refs"), code=True)
    if report.outcome is None and report.state not in ("parked", "interrupted"):
        return [
            Row((f"ropeteam attach {run}", "follows it"), code=True),
            Row((f"ropeteam cancel {run}", "stops it and keeps everything"), code=True),
        ]
    if report.outcome is None:
        return [resume, *show]
    if report.outcome == "not_delivered":
        again = Row((f"ropeteam resume {run}", "makes one more attempt, from what was kept"), code=True)
        return [again, *show]
    if report.outcome == "cancelled":
        return [*show, clean]
    if report.landed:
        commits = f"{report.base[:10]}..{(report.head or '')[:10]}"
        return [Row((f"git log --stat {commits}", "shows the commits"), code=True), *aside, clean]
    return [*_not_landed(report), *aside]


def _not_landed(report: Report) -> list[Row]:
    why = NOT_LANDED[report.landed_reason] if report.landed_reason else "It has not landed."
    detail = plain(report.landed_detail)
    rows = [Row((f"{why} {detail}".strip(),))]
    if report.branch:
        branch = escaped(report.branch)
        rows.append(Row((f"git switch {branch}", "looks at it"), code=True))
        if report.landed_reason == "unsupported":
            rows.append(Row((f"git merge --ff-only {branch}", "puts it on your branch"), code=True))
    if report.landed_reason != "unsupported":
        rows.append(Row((f"ropeteam land {report.run}", "puts it on the branch that is checked out"), code=True))
    return rows
