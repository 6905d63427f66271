"""What is foreseen of a feature as a page: the decision, the gate, both ways, units in their batches; and why."""

from __future__ import annotations

import dataclasses as dc
import re
from typing import Final

from ropeteam.cli.page_parts import Page, Row, Section, Tone
from ropeteam.cli.plain import count, escaped, money, plain, shortened, whole
from ropeteam.core.decide import minutes
from ropeteam.core.foreseen import Foreseen
from ropeteam.core.graph import width
from ropeteam.core.model import Plan, SideEstimate, TriggerId, Unit

BAR: Final = 20
"""Columns of the bars that show both ways: as long as nine of ten take, solid to the median."""
SHOWN_PATHS: Final = 5
LONGEST_ID: Final = 18


def plan_page(foreseen: Foreseen, *, explain: bool = False, next: tuple[Row, ...] = ()) -> Page:
    """The page. explain: with why the plan is as it is. next: what can be done now."""
    from ropeteam.cli.page_plan_why import why

    plan = foreseen.plan
    reasons = Section("Why", tuple(Row((whole(r),)) for r in foreseen.reasons))
    units = (_units(foreseen, plan), _chain(plan), _owners(plan, explain=explain)) if plan is not None else ()
    body = (gate(foreseen), both_ways(foreseen), *units)
    sections = (reasons, *body, *(why(foreseen) if explain else ()), _notices(foreseen))
    return Page(
        headline=plain(foreseen.sentence),
        tone="good" if foreseen.decision.mode == "parallel" else "calm",
        below=_below(foreseen),
        sections=tuple(s for s in sections if s.rows),
        next=next,
    )


def in_short(foreseen: Foreseen) -> tuple[str, ...]:
    """The decision, its reasons and both ways in a few lines: before a run."""
    plan, e = foreseen.plan, foreseen.plan.estimate if foreseen.plan is not None else None
    lines = [plain(foreseen.sentence), *(whole(r) for r in foreseen.reasons)]
    if plan is not None and e is not None:
        alone = foreseen.decision.mode == "single" and width(plan) < 2  # its units are not those of several
        shape = f"{count(len(plan.units), 'unit')} in {count(len(plan.batches), 'batch', 'batches')}"
        ways = [("One agent", e.single), ("Several agents" if alone else f"Several agents ({shape})", e.parallel)]
        said = [f"{name}: {words}" for name, way in ways[: len(plan.units)] if (words := way_in_words(way))]
        meant = (" (from the median to what one of ten exceeds)", "")
        lines += [f"{words}{more}." for words, more in zip(said, meant, strict=False)]
    return (*lines, *(whole(n) for n in foreseen.why.notices))


def way_in_words(way: SideEstimate) -> str:
    """`14–22 min, $1.20–2.10, 410k tokens`, as far as it is known: from the median to what one of ten exceeds."""
    parts = []
    if way.seconds_p50 is not None:
        parts.append(span(way.seconds_p50, way.seconds_p90))
    if way.cost_usd_p50:
        parts.append(dollars(way.cost_usd_p50, way.cost_usd_p90))
    if way.tokens_p50:
        parts.append(f"{amount(way.tokens_p50)} tokens")
    return ", ".join(parts)


def _below(foreseen: Foreseen) -> str:
    by = {"static": "planned without a model", "given": "the plan was given"}.get(foreseen.why.planner)
    by = by or f"planned by {plain(foreseen.agent) or 'an agent'}"
    base = f" · at {foreseen.base[:10]}" if foreseen.base else ""
    run = f" · run {plain(foreseen.run)}" if foreseen.run else ""
    parts = f" ({', '.join(escaped(p) for p in foreseen.parts)})" if foreseen.parts else ""
    return f"feature {escaped(foreseen.feature)}{parts}{base} · {by}{run}"


# ---- the decision in figures


def gate(foreseen: Foreseen) -> Section:
    """What must hold for several agents, beside what is predicted."""
    plan, asked = foreseen.plan, foreseen.gate
    e = plan.estimate if plan is not None else None
    if plan is None or e is None:
        return Section("", ())
    q = asked.quantile if e.gate_quantile is None else e.gate_quantile
    fast, alone = e.speedup_quantile, e.single.seconds_p50
    sure = plan.confidence.value if plan.confidence is not None else None
    lower = "its lower quartile" if q == 0.25 else f"exceeded in {1 - q:.0%} of cases"
    rows = (
        _asked(
            foreseen,
            "speedup_below_minimum",
            f"times as fast ({lower})",
            None if fast is None else f"{fast:.2f}",
            f"{asked.min_speedup:.2f}",
            holds=fast is None or fast >= asked.min_speedup,
        ),
        _asked(
            foreseen,
            "confidence_below_minimum",
            "sure to take no longer than one agent",
            None if sure is None else f"{sure:.1%}",
            f"{asked.min_confidence:.1%}",
            holds=sure is None or sure >= asked.min_confidence,
        ),
        _asked(
            foreseen,
            "sequential_time_below_minimum",
            "time of one agent",
            None if alone is None else exact(alone, asked.min_sequential_seconds),
            exact(asked.min_sequential_seconds, alone),
            holds=alone is None or alone >= asked.min_sequential_seconds,
        ),
    )
    return Section("What several agents need", rows, head=("", "at least", "predicted", ""))


def _asked(foreseen: Foreseen, id: TriggerId, what: str, predicted: str | None, least: str, *, holds: bool) -> Row:
    d = foreseen.decision
    holds = holds and id not in (*d.triggers, *d.overridden)
    mark = "overridden" if id in d.overridden else "" if predicted is None else "✓" if holds else "✗"
    tone: Tone = "" if predicted is None else "good" if holds else "calm"
    return Row((what, least, predicted or "not known", mark), tone=tone)


def both_ways(foreseen: Foreseen) -> Section:
    """Time, cost and tokens of one agent and of several, from the median to what one of ten exceeds."""
    e = foreseen.plan.estimate if foreseen.plan is not None else None
    if e is None:
        return Section("", ())
    ways = (("one agent", e.single), ("several agents", e.parallel))
    longest = max((w.seconds_p90 or w.seconds_p50 or 0.0 for _, w in ways), default=0.0)
    if not longest:
        return Section("Predicted", (Row(("Nothing can be predicted of this plan.",)),))
    rows = [
        Row(
            (
                name,
                bar(way, longest),
                span(way.seconds_p50, way.seconds_p90),
                dollars(way.cost_usd_p50, way.cost_usd_p90),
                amount(way.tokens_p50) if way.tokens_p50 else "",
            )
        )
        for name, way in ways
    ]
    return told(Section("Predicted: the median, and what one of ten exceeds", tuple(rows), head=HEAD, left=2))


HEAD: Final = ("", "", "time", "cost", "tokens")


def exact(seconds: float, other: float | None) -> str:
    """In whole minutes, unless it would look like the other and is not."""
    alike = other is not None and other != seconds and minutes(seconds) == minutes(other)
    return f"{seconds:.0f} s" if alike else minutes(seconds)


def bar(way: SideEstimate, longest: float) -> str:
    """Solid to the median, light to what one of ten exceeds."""
    middle, most = way.seconds_p50 or 0.0, max(way.seconds_p90 or 0.0, way.seconds_p50 or 0.0)
    solid, all_ = (round(BAR * seconds / longest) for seconds in (middle, most))
    return "█" * max(solid, 1 if middle else 0) + "░" * (all_ - solid)


def span(middle: float | None, most: float | None) -> str:
    """`14–22 min`, `90 s – 3 min`, `1.1–2.2 h`: in little room."""
    if middle is None:
        return "not known"
    low, high = in_brief(middle), in_brief(most) if most else ""
    if not high or high == low:
        return low
    (number, kind), (_, same) = low.split(), high.split()
    return f"{number}–{high}" if kind == same else f"{low} – {high}"


def in_brief(seconds: float) -> str:
    """`90 s`, `63 min`, `2.2 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"


def span_in_minutes(middle: float, most: float) -> str:
    """`1.5–2.8`, `14–22`: where a column says that it is minutes."""
    low, high = (f"{s / 60:.1f}" if s < 570 else f"{s / 60:.0f}" for s in (middle, most or middle))
    return low if low == high else f"{low}–{high}"


def dollars(middle: float | None, most: float | None) -> str:
    """`$1.20–2.10`."""
    if not middle:
        return ""
    if middle < 0.01:
        return money(middle)
    low, high = f"${middle:.2f}", f"{most or middle:.2f}"
    return low if low == f"${high}" else f"{low}–{high}"


def amount(number: float) -> str:
    """`950`, `12k`, `1.2M`."""
    if number < 1_000:
        return f"{number:.0f}"
    return f"{number / 1_000:,.0f}k" if number < 999_500 else f"{number / 1_000_000:,.1f}M"


# ---- the units


def _units(foreseen: Foreseen, plan: Plan) -> Section:
    short = short_names(plan)
    in_order = len(plan.units) > 1 and foreseen.decision.mode == "single" and width(plan) < 2
    rows: list[Row] = []
    for number, ids in enumerate(plan.batches or (tuple(u.id for u in plan.units),), start=1):
        if len(plan.batches) > 1 and not in_order:
            rows.append(Row((f"batch {number}",), tone="dim"))
        rows += [_unit(plan.unit(id), short) for id in ids]
    title = count(len(plan.units), "unit")
    if in_order:
        title += ", in this order for the one agent"
    elif len(plan.units) > 1:
        title += f" in {count(len(plan.batches), 'batch', 'batches')}, at most {width(plan)} at once"
    return told(Section(title, tuple(rows), ("unit, layer", "what", "after", "files", "minutes", "tokens"), left=3))


def told(section: Section) -> Section:
    """A table without the columns in which nothing stands."""
    kept = [i for i in range(len(section.head)) if any(len(r.cells) > i and r.cells[i] for r in section.rows)]
    rows = tuple(dc.replace(r, cells=tuple(r.cells[i] for i in kept if i < len(r.cells))) for r in section.rows)
    head, left = tuple(section.head[i] for i in kept), sum(i < section.left for i in kept)
    return dc.replace(section, rows=rows, head=head, left=left)


def _unit(u: Unit, short: dict[str, str]) -> Row:
    e = u.estimate
    time = span_in_minutes(e.seconds_p50, e.seconds_p90) if e is not None else ""
    used = amount(e.tokens_p50) if e is not None and e.tokens_p50 else ""
    files = "any" if "**" in u.writes else str(len(u.writes))
    what = plain(u.title or u.goal)
    name = shortened(u.id, LONGEST_ID) + (f"\n{plain(u.layer)}" if u.layer else "")
    return Row((name, what, " ".join(short.get(n, n) for n in u.needs), files, time, used))


def short_names(plan: Plan) -> dict[str, str]:
    """Of each unit what it is named by where there is little room: its number, where all have one."""
    numbers = {u.id: m[0] for u in plan.units if (m := re.match(r"\d+(?=-)", u.id))}
    alone = len(set(numbers.values())) == len(plan.units)
    return numbers if alone else {u.id: u.id for u in plan.units}


def _owners(plan: Plan, *, explain: bool) -> Section:
    rows = []
    for u in plan.units:
        shown = u.writes if explain else u.writes[:SHOWN_PATHS]
        more = f" and {len(u.writes) - len(shown)} more" if len(u.writes) > len(shown) else ""
        rows.append(Row((u.id, ", ".join(escaped(p.removeprefix("/")) for p in shown) + more)))
    return Section("Who owns what", tuple(rows))


def _chain(plan: Plan) -> Section:
    path = plan.estimate.critical_path if plan.estimate is not None else ()
    whole_plan = len(path) == len(plan.units)
    return Section("The end hangs on", (Row((" → ".join(path),)),) if len(path) > 1 and not whole_plan else ())


def _notices(foreseen: Foreseen) -> Section:
    said = (*foreseen.outlook.survey.notices, *foreseen.why.notices)
    if foreseen.outlook.ask_agent:
        said = (foreseen.outlook.ask_agent, *said)
    return Section("Good to know", tuple(Row((whole(n),)) for n in dict.fromkeys(said)))
