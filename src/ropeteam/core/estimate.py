"""A plan with what it does not state itself: how long each unit takes, how long both ways take, and how sure that is.

All of it comes from `core.simulate`, played with what the survey knows of the plan's files. What a plan states itself
stays as it is, and what is simulated goes by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.fitting import work_tokens
from ropeteam.core.layers import rank_of
from ropeteam.core.model import Confidence, Plan, PlanEstimate, SideEstimate, Unit, UnitEstimate
from ropeteam.core.patterns import owns
from ropeteam.core.simulate import Layout, Outcomes, Piece, Work, quantile, reading_of, simulate, weathers
from ropeteam.core.sizes import lines_of
from ropeteam.core.survey import PlannedFile, Survey
from ropeteam.core.trials import draws_for, work_of

DRAWS: Final = 1_000
"""Of a plan that is shown: the lower quartile of the speed-up is then good to about 0.02."""
P90: Final = 1.2816
"""Standard deviations above the median below which nine of ten are."""
UNCOVERED: Final = 0.5
UNRESOLVED: Final = 0.8
"""What the confidence is at most where a requirement is nobody's, and where a path is not known (ARCHITECTURE)."""
MOST_WIDER: Final = 4.0
"""By how much a stated p90 can widen the spread of a file, at most: a bound for slips of the pen."""
_CATEGORIES: Final = ("config", "model", "service", "view", "test", "service")


class Played(NamedTuple):
    """A plan as it was simulated. survey: with a file for each pattern that matches none. pieces: of each unit, in the
    plan's order. lines: expected of each file."""

    plan: Plan
    survey: Survey
    work: Work
    layout: Layout
    outcomes: Outcomes
    lines: tuple[float, ...]


def estimated(
    plan: Plan,
    survey: Survey,
    costs: Costs,
    *,
    workers: int,
    quantile: float = 0.25,
    seed: int = 1,
    requirements: Sequence[str] = (),
    draws: int = DRAWS,
) -> Plan:
    """The plan with everything that can be predicted of it. plan: no cycle, laid out in batches.

    quantile: of the speed-up, which the gate looks at. requirements: ids that the feature has.
    """
    played = play(plan, survey, costs, workers=workers, seed=seed, draws=draws)
    units = tuple(_unit(played, n, costs) for n in range(len(plan.units)))
    plan = replace(plan, units=units)
    sure = plan.confidence or _calibrated(confidence(played, requirements), costs)
    return replace(plan, confidence=sure, estimate=_sides(played, plan, costs, workers=workers, at=quantile))


def play(plan: Plan, survey: Survey, costs: Costs, *, workers: int, seed: int, draws: int = DRAWS) -> Played:
    """Both ways, so many times."""
    survey = _with_all(plan, survey)
    work, layout = work_of(survey, costs), _layout(plan, survey, costs)
    work, layout = _as_stated(plan, work, layout, costs)
    drawn = weathers(work, costs, draws=draws_for(len(work.seconds), draws), seed=seed)
    found = simulate(layout, work, costs, drawn, workers=workers)
    return Played(plan, survey, work, layout, found, tuple(lines_of(f, costs)[0] for f in survey.files))


# ---- the plan by index


def _with_all(plan: Plan, survey: Survey) -> Survey:
    """With a file for each pattern of a unit that owns none of those known: of a plan that somebody gave."""
    more: dict[str, PlannedFile] = {}
    for unit in plan.units:
        for pattern in unit.writes:
            if "**" in pattern and pattern.strip("/*") == "":
                continue  # everything: it does what is left over
            if not any(owns((pattern,), file.path) for file in survey.files):
                path = pattern.lstrip("/")
                category = _CATEGORIES[rank_of(replace(unit, layer="", writes=(pattern,)))]
                more.setdefault(path, PlannedFile(path=path, status="A", category=category))
    return replace(survey, files=(*survey.files, *more.values())) if more else survey


def owners(plan: Plan, survey: Survey) -> list[int]:
    """Of each file the unit that owns it: the last one in the plan's order, so that what a contract only declares is
    with whoever fills it in. Files of no unit go to the last."""
    order = {id: n for n, id in enumerate(graph.order(plan))}
    ranked = sorted(range(len(plan.units)), key=lambda n: -order[plan.units[n].id])
    own = [n for n in ranked if "**" not in plan.units[n].writes] or ranked
    found = []
    for file in survey.files:
        found.append(next((n for n in own if owns(plan.units[n].writes, file.path)), ranked[0]))
    return found


def declared(plan: Plan, survey: Survey, owner: Sequence[int]) -> frozenset[int]:
    """Files whose interfaces the contract declares: it writes them first, and another one owns them; or it says that it
    provides them."""
    if plan.contract is None:
        return frozenset()
    unit = plan.unit(plan.contract)
    return frozenset(
        n
        for n, file in enumerate(survey.files)
        if plan.units[owner[n]].id != unit.id and (owns(unit.writes, file.path) or file.path in unit.provides)
    )


def _layout(plan: Plan, survey: Survey, costs: Costs) -> Layout:
    owner = owners(plan, survey)
    spoken_for = declared(plan, survey, owner)
    number = {unit.id: n for n, unit in enumerate(plan.units)}
    needs, before = graph.needs(plan), graph.ancestors(plan)
    pieces = tuple(
        Piece(
            tuple(f for f, o in enumerate(owner) if o == n),
            needs=tuple(number[i] for i in needs[unit.id]),
            reading=costs.fork_reading if plan.contract in before[unit.id] else None,
        )
        for n, unit in enumerate(plan.units)
    )
    return Layout(pieces, spoken_for)


def _as_stated(plan: Plan, work: Work, layout: Layout, costs: Costs) -> tuple[Work, Layout]:
    """With the work of a unit as long as the plan itself says, and with that of declaring in the contract. Where it has
    room for the usual reading-in that is left open, so that the same layout can be tried with other costs. How large
    its files may be is no longer a question then: its p90 says how much its time may vary, beyond what any unit's does.
    """
    seconds, sigmas, pieces = list(work.seconds), list(work.sigmas), []
    for unit, piece in zip(plan.units, layout.pieces, strict=True):
        own = sum(seconds[f] for f in piece.files)
        spoken_for = layout.declared if unit.id == plan.contract else ()
        extra = costs.contract_share * sum(work.seconds[f] for f in spoken_for)
        stated = unit.estimate.seconds_p50 if unit.estimate is not None else None
        if stated is None:
            pieces.append(piece._replace(extra=extra))
            continue
        reading = min(costs.reading_seconds, stated / 2)
        left = max(stated - reading - costs.tree_seconds, stated / 10)
        wider = _wider(unit, [(seconds[f], sigmas[f]) for f in piece.files], costs)
        for f in piece.files:
            seconds[f] *= left / own
            sigmas[f] *= wider
        extra = 0.0 if piece.files else left
        pieces.append(piece._replace(extra=extra, reading=reading if reading < costs.reading_seconds else None))
    return work._replace(seconds=tuple(seconds), sigmas=tuple(sigmas)), layout._replace(pieces=tuple(pieces))


def _wider(unit: Unit, files: Sequence[tuple[float, float]], costs: Costs) -> float:
    """By what to multiply the log-sigmas of its files (seconds and log-sigma each), so that the unit's time spreads as
    its own p50 and p90 say; 0 where they leave nothing, or there is no p90."""
    now = sum((s * g) ** 2 for s, g in files) / (sum(s for s, _ in files) ** 2 or 1.0)
    e = unit.estimate
    if e is None or e.seconds_p90 <= e.seconds_p50 or not now:
        return 0.0
    wanted = (math.log(e.seconds_p90 / e.seconds_p50) / P90) ** 2 - costs.sigma**2
    return min(MOST_WIDER, math.sqrt(max(0.0, wanted) / now))


# ---- what is said of it


def _unit(played: Played, n: int, costs: Costs) -> Unit:
    unit, piece = played.plan.units[n], played.layout.pieces[n]
    stated = unit.estimate
    reading = reading_of(piece, costs)
    seconds = [played.work.seconds[f] for f in piece.files]
    work = sum(seconds) + piece.extra
    sizes = sum((s * played.work.sigmas[f]) ** 2 for s, f in zip(seconds, piece.files, strict=True))
    spread = costs.sigma**2 + (sizes / work**2 if work else 0.0)
    p50 = reading + work + costs.tree_seconds
    tokens = work_tokens(costs, len(piece.files), sum(played.lines[f] for f in piece.files))
    given = stated or UnitEstimate(seconds_p50=round(p50, 1))
    return replace(
        unit,
        estimate=replace(
            given,
            seconds_p90=given.seconds_p90 or round(given.seconds_p50 * math.exp(P90 * math.sqrt(spread)), 1),
            tokens_p50=given.tokens_p50 or float(round(tokens)),
        ),
    )


def _sides(played: Played, plan: Plan, costs: Costs, *, workers: int, at: float) -> PlanEstimate:
    given = plan.estimate or PlanEstimate()
    o, lines = played.outcomes, sum(played.lines)
    speedups = o.speedups
    alone = work_tokens(costs, len(played.survey.files), lines)
    several = sum(u.estimate.tokens_p50 for u in plan.units if u.estimate is not None)
    return PlanEstimate(
        workers=given.workers if given.workers is not None else workers,
        gate_quantile=given.gate_quantile if given.gate_quantile is not None else at,
        speedup_quantile=_or(given.speedup_quantile, quantile(speedups, at), 3),
        speedup_p50=_or(given.speedup_p50, quantile(speedups, 0.5), 3),
        single=_side(given.single, o.single, alone, costs),
        parallel=_side(given.parallel, o.parallel, several, costs),
        critical_path=given.critical_path or graph.critical_path(plan),
    )


def _side(given: SideEstimate, seconds: Sequence[float], tokens: float, costs: Costs) -> SideEstimate:
    """Money follows tokens, and these spread as the time does."""
    p50, p90 = quantile(seconds, 0.5), quantile(seconds, 0.9)
    cost = (given.tokens_p50 if given.tokens_p50 is not None else tokens) * costs.dollars_per_million / 1e6
    return SideEstimate(
        seconds_p50=_or(given.seconds_p50, p50, 1),
        seconds_p90=_or(given.seconds_p90, p90, 1),
        tokens_p50=_or(given.tokens_p50, tokens, 0),
        cost_usd_p50=_or(given.cost_usd_p50, cost, 4),
        cost_usd_p90=_or(given.cost_usd_p90, cost * (p90 / p50 if p50 else 1.0), 4),
    )


def _or(given: float | None, found: float, digits: int) -> float:
    return given if given is not None else round(found, digits)


# ---- how sure it is


def confidence(played: Played, requirements: Iterable[str] = ()) -> Confidence:
    """P(several agents take no longer than one) in the simulation, at most what is known of the plan allows."""
    plan, o = played.plan, played.outcomes
    count = len(o.single)
    won = round(o.no_slower * count)
    value = o.no_slower
    reasons = [f"Several agents took no longer than one in {won:,} of {count:,} simulated runs."]
    risky = at_risk(played)
    if risky:
        reasons.append(_open_edges(played, risky))
    covered = {r for unit in plan.units for r in unit.requirements}
    missing = [r for r in requirements if r not in covered] if covered else []
    if missing:
        value = min(value, UNCOVERED)
        reasons.append(f"No unit serves {_names(missing)}: at most {UNCOVERED:.0%}.")
    if played.survey.unresolved:
        value = min(value, UNRESOLVED)
        many = len(played.survey.unresolved)
        first = played.survey.unresolved[0].rstrip(".")
        reasons.append(f"{many} path{'s' * (many > 1)} cannot be resolved ({first}): at most {UNRESOLVED:.0%}.")
    return Confidence(value=round(value, 3), reasons=tuple(reasons))


def _calibrated(sure: Confidence, costs: Costs) -> Confidence:
    """With a word on what earlier runs changed about it: what was simulated has the correction in it."""
    if abs(costs.optimism - 1.0) < 0.005:
        return sure
    told = f"Calibrated by history: times of several agents count {costs.optimism:.2f}-fold, as earlier runs here took."
    return replace(sure, reasons=(*sure.reasons, told))


def at_risk(played: Played) -> list[tuple[int, int, float]]:
    """Dependencies that may be there and that the plan neither orders nor declares: (file, on, likelihood), the most
    likely first."""
    plan, layout = played.plan, played.layout
    owner = owners(plan, played.survey)
    before = graph.ancestors(plan)
    ids = [unit.id for unit in plan.units]
    found = [
        (i, j, p)
        for i, j, p in played.work.edges
        if owner[i] != owner[j] and j not in layout.declared and ids[owner[j]] not in before[ids[owner[i]]]
    ]
    return sorted(found, key=lambda e: (-e[2], e[0], e[1]))


def _open_edges(played: Played, risky: Sequence[tuple[int, int, float]]) -> str:
    expected = sum(p for _, _, p in risky) + played.work.rest
    i, j, p = risky[0]
    files = played.survey.files
    return (
        f"About {expected:.{0 if expected >= 3 else 1}f} dependencies between units are expected that nothing declares,"
        " the likeliest: "
        f"{files[i].path} on {files[j].path} ({p:.0%})."
    )


def _names(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
