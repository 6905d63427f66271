"""What the closing report says of several agents: how it came out, the units, what is left to do, both ways in time."""

from __future__ import annotations

from typing import Final

from ropeteam.cli.falls import fell
from ropeteam.cli.page_parts import Row, Section, Tone
from ropeteam.cli.plain import count, duration, escaped, money, number, plain
from ropeteam.core.report import AttemptLine, Report, RequestLine, TriggerLine, UnitLine

ALIKE: Final = 0.02
"""Share of the time within which two ways are called equally long."""

SHOWN_ASIDE: Final = 3
FALLS: Final = ("salvage", "strict")
WHOLE: Final = ("single", "rest", "belay", "plan")


def _clock(report: Report) -> str:
    return f" ({plain(report.clock)})" if report.clock else ""


def several(report: Report) -> bool:
    return report.decision is not None and report.decision.mode == "parallel"


def by_whom(report: Report) -> str:
    """The words between `Delivered` and where it is."""
    if not several(report):
        return ""
    if report.winner == "belay":
        return " by the belay"
    return {
        "delivered_parallel": " by several agents",
        "delivered_after_fallback": " after falling back to one agent",
    }.get(report.outcome or "", "")


def lead(report: Report) -> str:
    """What is to be known beside the headline: what fell back, how long it took beside one agent."""
    if not several(report) or report.outcome in (None, "cancelled"):
        return ""
    pieces = [u for u in report.units if u.id not in WHOLE]
    done = sum(u.state == "validated" for u in pieces)
    fall = next((t for t in report.triggers if t.action in FALLS), None)
    said = []
    if report.outcome == "not_delivered":
        said.append(f"{done} of {count(len(pieces), 'unit')} hold and are kept.")
    elif fall is not None:
        said.append(f"{fell(fall.id, fall.unit, fall.evidence)} {_went_on(report, done, len(pieces))}")
    elif report.winner == "belay":
        said.append("It worked on the whole feature beside the units, and was done before them.")
    return " ".join([*said, _beside_one_agent(report)]).strip()


def _went_on(report: Report, done: int, number: int) -> str:
    if report.winner == "belay":
        return "The belay, which worked on the whole feature from the start, was delivered."
    if not any(u.id == "rest" for u in report.units):
        return f"All {count(number, 'unit')} hold all the same."
    return f"{done} of {count(number, 'unit')} were kept, and one agent did the rest."


def _beside_one_agent(report: Report) -> str:
    """Whether it was worth it, in plain words."""
    took, alone = report.actual.seconds, report.actual.single_seconds_estimated
    if report.outcome == "not_delivered" or alone is None or not took:
        return ""
    measured = any(u.id == "belay" and u.attempts and u.attempts[-1].outcome == "ok" for u in report.units)
    other = f"{'' if measured else 'about '}{duration(alone)}"
    of_it = "as the belay measured it" if measured else "reckoned from what was measured"
    label = _clock(report)
    if took > alone * (1 + ALIKE):
        return (
            f"It was slower than one agent would have been: it took {duration(took)}, one agent takes {other},"
            f" {of_it}{label}."
        )
    if took >= alone * (1 - ALIKE):
        return f"It took {duration(took)}, no less than one agent would have: {other}, {of_it}{label}."
    return (
        f"It took {duration(took)}; one agent would have taken {other}, {of_it}: {alone / took:.1f} times as"
        f" long{label}."
    )


# ---- sections


def units(report: Report) -> Section:
    if not several(report):
        return Section("Units", ())
    mixed = len(agents(report)) > 1
    rows = tuple(_unit(u, mixed=mixed) for u in report.units)
    head = ("unit", "what", *(("agent",) if mixed else ()), "state", "tries", "time", "tokens", "cost")
    return Section(f"Units{_clock(report)}", rows, head=head, left=4 if mixed else 3)


def agents(report: Report) -> tuple[str, ...]:
    """Who was at work, in the order of the units, each with its model where the settings name one."""
    return tuple(dict.fromkeys(by(a) for u in report.units for a in u.attempts if a.agent))


def by(a: AttemptLine) -> str:
    return plain(f"{a.agent} {a.model}" if a.model else a.agent)


def _unit(u: UnitLine, *, mixed: bool) -> Row:
    measured = [a for a in u.attempts if a.used is not None]
    tokens, cost = sum(a.used or 0 for a in measured), sum(a.cost_usd or 0.0 for a in measured)
    known = bool(measured) or not u.attempts
    tones: dict[str, Tone] = {"validated": "good", "ejected": "calm", "failed": "calm", "superseded": "calm"}
    seconds = sum(a.seconds for a in u.attempts)
    titles = {
        "rest": "what was left",
        "belay": "the whole feature, as insurance",
        "single": "the whole feature",
        "plan": "the plan",
    }
    figures = (
        (duration(seconds), number(tokens if known else None), money(cost if known else None))
        if u.attempts
        else ("", "", "")
    )
    title = plain(u.title or titles.get(u.id, ""))
    who = (", ".join(dict.fromkeys(by(a) for a in u.attempts)),) if mixed else ()
    return Row((u.id, title, *who, u.state, str(len(u.attempts)), *figures), tone=tones.get(u.state, ""))


def set_aside(report: Report) -> Section:
    """Attempts whose work is not in the result, with what keeps it."""
    rows = []
    for id, outcome, ref in _aside(report):
        rows.append(Row((id, outcome, escaped(ref) or "nothing was written"), tone="calm"))
    return Section("Kept, not in the result", tuple(rows))


def _aside(report: Report) -> list[tuple[str, str, str]]:
    """(attempt, how it ended, ref)."""
    found: list[tuple[str, str, str]] = []
    for u in report.units:
        if report.outcome is None and u.state not in ("ejected", "failed"):  # it may still be taken
            continue
        whole = report.winner == "belay" and u.id != "belay"
        counting = u.state == "validated" and not whole
        for a in u.attempts[:-1] if counting else u.attempts:
            ended = "done, and not taken" if a.outcome == "ok" else a.outcome or "running"
            found.append((a.id, ended, a.ref))
    return found


def requests(report: Report) -> tuple[Section, Section]:
    """Those that somebody saw to, and those that nobody did: promises that are not kept."""
    if report.winner == "belay":  # none of their work is in the result
        return Section("", ()), Section("", ())
    over = report.outcome is not None
    done = [r for r in report.requests if r.done or not over]
    still = [r for r in report.requests if not r.done and over]
    return (
        Section("Still to do by hand", tuple(_request(r, "asked for it, nobody did it") for r in still)),
        Section("Asked of each other", tuple(_request(r, "asked for it") for r in done)),
    )


def _request(r: RequestLine, by: str) -> Row:
    return Row((escaped(r.path), plain(r.what) or "a change", f"{r.unit} {by}."), code=True)


def done_about(report: Report, t: TriggerLine) -> str | None:
    """What came of a fall, where the general words would be wrong."""
    if t.action not in FALLS or not several(report):
        return None
    if report.winner == "belay":
        return "The belay went on and was delivered; what the units made is kept."
    if not any(u.id == "rest" for u in report.units):
        return (
            "What is validated is kept."
            if report.outcome is None
            else "What is validated was kept; no more was needed."
        )
    return None


def figures(report: Report) -> Section:
    """Both ways, predicted and actual."""
    p, a = report.predicted, report.actual
    none = "no prediction"
    words = [(p.speedup_p50, "typically"), (p.speedup_quantile, "cautiously")]
    gain = ", ".join(f"{word} {times:.2f}" for times, word in words if times is not None)
    alone = f"about {duration(a.single_seconds_estimated)}" if a.single_seconds_estimated is not None else ""
    speedup = f"{a.speedup_estimated:.2f}" if a.speedup_estimated is not None else ""
    rows = [
        Row(("several agents", _seconds(p.parallel_seconds_p50) or none, duration(a.seconds))),
        Row(("one agent", _seconds(p.single_seconds_p50) or none, alone)),
        Row(("times as fast", gain or none, speedup)),
        # what the plan states is no quotient of the two lines above
        *([Row(("", "(median of simulated ratios)", ""))] if p.speedup_p50 is not None else []),
        *_held(report),
        Row(("of the time orchestration", "", duration(a.orchestration_seconds))),
        Row(("the last validation", "", duration(a.validation_seconds))),
        *planning(report),
        Row(
            ("tokens", f"{p.parallel_tokens_p50:,.0f}" if p.parallel_tokens_p50 is not None else none, number(a.tokens))
        ),
        Row(
            ("cost", money(p.parallel_cost_usd_p50) if p.parallel_cost_usd_p50 is not None else none, money(a.cost_usd))
        ),
    ]
    if any(u.id == "belay" for u in report.units):
        rows.append(Row(("of it the belay, as insurance", "", money(a.insurance_usd))))
    return Section(f"Predicted and actual{_clock(report)}", tuple(rows), head=("", "predicted", "actual"))


def _held(report: Report) -> list[Row]:
    """Whether what the decision went by came true."""
    p, a = report.predicted, report.actual
    came = a.speedup_estimated
    rows = []
    if p.speedup_quantile is not None and came is not None:
        said = "held" if came >= p.speedup_quantile else "did not hold"
        rows.append(Row(("the cautious prediction", f"{p.speedup_quantile:.2f}", said)))
    if p.confidence is not None:
        alone = a.single_seconds_estimated
        said = "" if alone is None else "yes" if a.seconds <= alone else "no"
        rows.append(Row(("no slower than one agent", f"{p.confidence:.0%} sure", said)))
    return rows


def planning(report: Report) -> list[Row]:
    """What it took until the decision, where that was predicted, or took long."""
    foreseen, took = report.predicted.planning_seconds, report.actual.planning_seconds
    if foreseen is None and took < 1:
        return []
    return [Row(("planning", _seconds(foreseen) or "no prediction", duration(took)))]


def _seconds(value: float | None) -> str:
    return duration(value) if value is not None else ""


# ---- what to do next


def to_look_at(report: Report) -> list[Row]:
    """Work that is not in the result, and how to see it."""
    if not several(report) or report.outcome is None:
        return []
    rows = []
    delivered = report.outcome.startswith("delivered") and report.winner != "belay"
    if not delivered and any(u.state == "validated" and u.id not in WHOLE for u in report.units):
        ref = f"refs/ropeteam/{report.run}/integration"
        rows.append(
            Row((f"git log --stat {report.base[:10]}..{ref}", "shows what the units made and holds"), code=True)
        )
    kept = [(id, ref) for id, _, ref in _aside(report) if ref and (delivered or not id.startswith("single"))]
    for id, ref in kept[:SHOWN_ASIDE]:
        what = f"shows the work of {id}, which is not in the result"
        rows.append(Row((f"git show --stat -p {escaped(ref)}", what), code=True))
    return rows
