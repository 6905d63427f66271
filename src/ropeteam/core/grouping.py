"""The static planner: from what is known of the work to units that agents can do, with why they are as they are.

Several ways of sharing the files out are simulated (`core.ways`, `core.trials`); the best by the cautious quantile of
its speed-up is made a plan here, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec.structs import replace

from ropeteam.core import graph, unit_texts
from ropeteam.core.costs import Costs
from ropeteam.core.edge_notes import FLIP_DRAWS, edges, flips
from ropeteam.core.estimate import estimated, play
from ropeteam.core.honouring import bound_of
from ropeteam.core.layers import LAYERS, rank_of
from ropeteam.core.model import Feature, Plan, PlanEstimate, Unit
from ropeteam.core.plan_batches import layered
from ropeteam.core.proposal_owners import pattern_of
from ropeteam.core.sequence import in_sequence
from ropeteam.core.settings import Gate
from ropeteam.core.simulate import quantile as quantile_of
from ropeteam.core.simulate import weathers
from ropeteam.core.survey import Candidate, Explanation, PlannedFile, Survey
from ropeteam.core.trials import Trial, atoms_of, draws_for, trials, tried, work_of

TRIAL_DRAWS: Final = 300
"""Of each way that is tried. All have the same weather, so that their difference needs fewer than each by itself."""
NEARLY: Final = 0.985
"""Of the best: what lies above is noise at so many draws."""
BIG_HUB: Final = 0.15
"""Share of all lines up to which a file that many want a line in may be left to the contract."""


def grouped(
    survey: Survey,
    costs: Costs,
    *,
    feature: Feature,
    workers: int,
    gate: Gate,
    grouping: Literal["auto", "layers"] = "auto",
    mode: Literal["auto", "single", "parallel"] = "auto",
    seed: int = 1,
) -> tuple[Plan, Explanation]:
    """The best plan of the survey's files, predicted. Needs at least one file.

    grouping layers: configuration, models, services and controllers, views and components, whatever is best. mode: with
    `parallel` the fastest plan, whether it pays or not.

    Where none pays, the units are in the order for one agent, which then is the fastest way of all; a notice says what
    the fastest of the others would take.
    """
    quantile = gate.quantile
    work = work_of(survey, costs)
    atoms = atoms_of(survey.files, survey.dependencies, seconds=work.seconds, workers=workers)
    ranks = [rank(file) for file in survey.files]
    bound = bound_of(survey)
    drawn = weathers(work, costs, draws=draws_for(len(survey.files), TRIAL_DRAWS), seed=seed)
    found = trials(
        work, atoms, ranks, costs, workers=workers, at=quantile, seed=seed, draws=TRIAL_DRAWS, bound=bound, drawn=drawn
    )
    whole = atoms_of(survey.files, survey.dependencies)  # one agent has no share that a test could be too large for
    plain = tried(in_sequence(survey, work, whole, ranks), work, costs, drawn, workers=workers, at=quantile)
    found = sorted([*found, plain], key=lambda t: -t.quantile)
    fastest = next((t for t in found if len(t.way.groups) > 1 and not t.way.barriers), plain)
    least = 0.0 if mode == "parallel" else gate.min_speedup
    best = chosen(found, plain, grouping, least=least)
    plan = _plan(best, survey, feature, ranks)
    plan = layered(plan, grouping)
    ids = tuple(dict.fromkeys(r.id for r in feature.requirements))
    plan = unit_texts.serving(plan, survey, feature)
    plan = estimated(plan, survey, costs, workers=workers, quantile=quantile, seed=seed, requirements=ids)
    notices, several = survey.notices, plan
    if best is plain and fastest is not plain and plain.quantile < fastest.quantile:
        several = unit_texts.serving(layered(_plan(fastest, survey, feature, ranks), "auto"), survey, feature)
        several = estimated(several, survey, costs, workers=workers, quantile=quantile, seed=seed, requirements=ids)
        notices = (*notices, _of_fastest(fastest.way.name, several, len(found)))
    why = explained(
        plan,
        survey,
        costs,
        planner="static",
        workers=workers,
        at=quantile,
        seed=seed,
        least=gate.min_speedup,
        several=several,
    )
    return plan, replace(why, candidates=tuple(_candidate(t, best) for t in found), notices=notices)


def explained(
    plan: Plan,
    survey: Survey,
    costs: Costs,
    *,
    planner: Literal["static", "agent", "given"],
    workers: int,
    at: float,
    seed: int,
    least: float,
    several: Plan | None = None,
) -> Explanation:
    """Why the units of any plan are so, what is done about what they build on, how it would fare otherwise. least:
    `gate.min_speedup`. several: the plan that comes nearest to it, where that is another."""
    played = play(plan, survey, costs, workers=workers, seed=seed, draws=FLIP_DRAWS)
    other = played
    if several is not None and several is not plan:
        other = play(several, survey, costs, workers=workers, seed=seed, draws=FLIP_DRAWS)
    estimate = (several or plan).estimate
    shown = estimate.speedup_quantile if estimate is not None else None
    return Explanation(
        planner=planner,
        units=unit_texts.notes(plan, survey),
        edges=edges(played),
        flips=flips(other, costs, workers=workers, at=at, seed=seed, least=least, predicted=shown),
    )


def _of_fastest(name: str, plan: Plan, tried: int) -> str:
    """What one agent was chosen over, though the units that are shown are in its own order."""
    e = plan.estimate or PlanEstimate()
    one, several, fast = e.single.seconds_p50 or 0.0, e.parallel.seconds_p50 or 0.0, e.speedup_quantile or 0.0
    return (
        f"The units are in the order for one agent. Of {tried} ways of sharing them out that were tried the fastest,"
        f" {name}, takes {several / 60:.0f} min instead of {one / 60:.0f}: cautiously {fast:.2f} times as fast,"
        " which is less than several agents need."
    )


def rank(file: PlannedFile) -> int:
    """Its layer; a category that the survey is sure of counts before the path's own words."""
    known = {"config": "config", "model": "models", "service": "services", "view": "views", "test": "tests"}
    layer = known.get(file.category, "")
    return rank_of(Unit(id="x", layer=layer, writes=(file.path,)))


def chosen(found: Sequence[Trial], plain: Trial, grouping: Literal["auto", "layers"], *, least: float) -> Trial:
    """The best where it is fast enough to be done by several agents; else the order that a person would take. Of nearly
    equal ones the one with fewer units."""
    if grouping == "layers":
        return next((t for t in found if t.way.barriers), plain)
    several = [t for t in found if len(t.way.groups) > 1 and not t.way.barriers and t.quantile >= least]
    near = [t for t in several if t.quantile >= several[0].quantile * NEARLY]
    return min(near, key=lambda t: (len(t.way.groups), -t.quantile), default=plain)


def _candidate(t: Trial, best: Trial) -> Candidate:
    seconds = t.outcomes.parallel
    pieces = t.way.layout.pieces
    plan = Plan(units=tuple(Unit(id=str(n), needs=tuple(map(str, p.needs))) for n, p in enumerate(pieces)))
    return Candidate(
        name=t.way.name,
        units=len(pieces),
        width=graph.width(plan),
        seconds_p50=round(quantile_of(seconds, 0.5), 1),
        seconds_p90=round(quantile_of(seconds, 0.9), 1),
        speedup_p50=round(t.p50, 2),
        speedup_quantile=round(t.quantile, 2),
        chosen=t is best,
        why=t.way.why,
    )


# ---- by index to a plan


def _plan(trial: Trial, survey: Survey, feature: Feature, ranks: Sequence[int]) -> Plan:
    """Units in an order in which one agent could do them too: what is needed first, then by layer."""
    layout, files = trial.way.layout, survey.files
    groups = [list(piece.files) for piece in layout.pieces]
    contract = 0 if trial.way.contract else None
    if contract is not None:
        groups[contract] = _hubs(layout.declared, groups, survey)
        groups = [g if n == contract else [f for f in g if f not in groups[contract]] for n, g in enumerate(groups)]
    left = [n for n, group in enumerate(groups) if group or n == contract]
    needs = {n: [m for m in layout.pieces[n].needs if m in left] for n in left}
    order = _in_order(left, needs, {n: _middle(groups[n], ranks, survey) for n in left}, contract)
    named = unit_texts.ids(
        [groups[n] for n in order], survey, ranks, contract=order.index(contract) if contract in order else None
    )
    id_of = dict(zip(order, named, strict=True))
    units = []
    for n in order:
        spoken = sorted(layout.declared) if n == contract else []
        writes = tuple(files[f].pattern or pattern_of(files[f].path) for f in dict.fromkeys((*groups[n], *spoken)))
        unit = Unit(
            id=id_of[n],
            kind="contract" if n == contract else "unit",
            layer="config" if n == contract else LAYERS[_most(groups[n], ranks, survey)],
            needs=tuple(id_of[m] for m in order if m in needs[n]),
            writes=writes,
        )
        units.append(unit_texts.told(unit, groups[n], spoken, survey, feature, ranks))
    return Plan(units=tuple(units), contract=id_of[contract] if contract is not None else None)


def _hubs(spoken_for: frozenset[int], groups: Sequence[Sequence[int]], survey: Survey) -> list[int]:
    """Files that several units want a line in, and that are small: whoever declares the interfaces registers them too.
    Such a file with two writers is where agents most often meet (37 to 42 % of features of several units)."""
    total = sum(f.lines or 0 for f in survey.files) or 1
    owner = {f: n for n, group in enumerate(groups) for f in group}
    index = {file.path: n for n, file in enumerate(survey.files)}
    wanted: dict[int, set[int]] = {}
    for d in survey.dependencies:
        i, j = index.get(d.path), index.get(d.on)
        if i is None or j is None:
            continue
        for hub, other in ((i, j), (j, i)):
            if survey.files[hub].hub and other in owner:
                wanted.setdefault(hub, set()).add(owner[other])
    return sorted(
        n
        for n, file in enumerate(survey.files)
        if file.hub
        and file.status == "M"
        and file.category not in ("docs", "test")
        and (file.lines or 0) <= BIG_HUB * total
        and n not in spoken_for
        and len(wanted.get(n, ())) > 1
    )


def _in_order(
    left: Sequence[int], needs: dict[int, list[int]], ranks: dict[int, tuple[float, int]], contract: int | None
) -> list[int]:
    done: list[int] = []
    open_ = set(left)
    while open_:
        ready = [n for n in open_ if all(m in done for m in needs[n])]
        nearest = min(ready, key=lambda n: (n != contract, ranks[n]))
        done.append(nearest)
        open_.remove(nearest)
    return done


def _middle(group: Sequence[int], ranks: Sequence[int], survey: Survey) -> tuple[float, int]:
    """Where its work is in the documents' own sequence, else among the layers."""
    steps = [survey.files[f].step for f in group if survey.files[f].step]
    mean = sum(ranks[f] for f in group) / len(group) if group else 0.0
    return (min(steps) if steps else mean, min(group, default=0))


def _most(group: Sequence[int], ranks: Sequence[int], survey: Survey) -> int:
    """The layer that most of its lines are in; tests only where there is nothing else."""
    lines: dict[int, float] = {}
    for f in group:
        lines[ranks[f]] = lines.get(ranks[f], 0.0) + (survey.files[f].lines or 20)
    tests = LAYERS.index("tests")
    return max(lines, key=lambda r: (r != tests, lines[r]), default=LAYERS.index("services"))


def whole(feature: Feature) -> Plan:
    """One unit that owns everything: where nothing is known of the files."""
    unit = Unit(
        id="01-feature",
        title=feature.title or feature.name,
        goal="The whole feature.",
        writes=("**",),
        requirements=tuple(dict.fromkeys(r.id for r in feature.requirements)),
    )
    return replace(layered(Plan(units=(unit,)), "auto"), barriers=False)
