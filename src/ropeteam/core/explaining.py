"""Why a plan is as it is, and what would have to change for the other decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.estimate import unordered
from ropeteam.core.model import Plan
from ropeteam.core.plan_layout import Laid, laid
from ropeteam.core.settings import Gate
from ropeteam.core.simulate import Layout, Piece, course, quantile, simulate, weathers
from ropeteam.core.survey import Candidate, EdgeNote, Explanation, Survey, UnitNote
from ropeteam.core.trials import Trial

SHOWN: Final = 0.05
"""Least likelihood of a dependency between two units that is worth a line."""
MOST_EDGES: Final = 60
MOST_EVIDENCE: Final = 3
FLIP_DRAWS: Final = 200


def explained(plan: Plan, survey: Survey, tried: Sequence[Trial], costs: Costs) -> Explanation:
    here = laid(plan, survey, costs)
    return Explanation(
        planner="static",
        candidates=tuple(_candidate(t, n == 0) for n, t in enumerate(tried)),
        units=tuple(_unit_note(plan, n, here) for n in range(len(plan.units))),
        edges=edge_notes(plan, here, survey),
    )


def _candidate(trial: Trial, chosen: bool) -> Candidate:
    several = trial.outcomes.parallel
    pieces = trial.way.layout.pieces
    return Candidate(
        name=trial.way.name,
        units=len(pieces),
        width=_width(trial.way.layout),
        seconds_p50=round(quantile(several, 0.5), 1),
        seconds_p90=round(quantile(several, 0.9), 1),
        speedup_p50=round(trial.p50, 3),
        speedup_quantile=round(trial.quantile, 3),
        chosen=chosen,
        why=trial.way.why,
    )


def _width(layout: Layout) -> int:
    """The largest number of pieces of one depth: as many can surely run at once."""
    depth: dict[int, int] = {}

    def of(number: int) -> int:
        if number not in depth:
            depth[number] = 1 + max((of(need) for need in layout.pieces[number].needs), default=0)
        return depth[number]

    levels = [of(n) for n in range(len(layout.pieces))]
    return max((levels.count(level) for level in set(levels)), default=0)


def _unit_note(plan: Plan, number: int, here: Laid) -> UnitNote:
    unit, piece = plan.units[number], here.layout.pieces[number]
    if number == here.contract:
        count = len(here.layout.declared)
        return UnitNote(
            unit=unit.id,
            reasons=(
                f"It declares {count} {'file' if count == 1 else 'files'} on which files of several units build.",
            ),
        )
    seconds = sum(here.work.seconds[f] for f in piece.files)
    total = sum(here.work.seconds) or 1.0
    reasons = [f"{len(piece.files)} files, {seconds:.0f} s of work: {seconds / total:.0%} of all."]
    inside = set(piece.files)
    bound = sum(p for i, j, p in here.work.edges if i in inside and j in inside)
    if bound >= 0.5:
        reasons.append(f"About {bound:.1f} dependencies are to be expected among its own files: they stay together.")
    tests = sum(here.files[f].category == "test" for f in inside)
    if tests and tests < len(inside):
        reasons.append("A test is beside what it tests." if tests == 1 else f"{tests} tests are beside what they test.")
    hubs = [here.files[f].path for f in piece.files if here.files[f].hub]
    if hubs:
        reasons.append(f"It alone owns {', '.join(hubs[:3])}, in which many parts of a feature want a line.")
    return UnitNote(unit=unit.id, reasons=tuple(reasons))


def edge_notes(plan: Plan, here: Laid, survey: Survey) -> tuple[EdgeNote, ...]:
    """What is known of dependencies between units, the likeliest first."""
    way = course(here.layout, here.work)
    sentences: dict[tuple[str, str], list[str]] = {}
    for d in survey.dependencies:
        if d.evidence:
            sentences.setdefault((d.path, d.on), []).append(d.evidence)
    clean: dict[tuple[int, int, str], float] = {}
    told: dict[tuple[int, int, str], list[tuple[float, str]]] = {}
    for i, j, p in here.work.edges:
        one, other = way.owner[i], way.owner[j]
        if one == other:
            continue
        handled = "order" if not unordered(way, i, j) else "contract" if j in here.layout.declared else "risk"
        key = (one, other, handled)
        clean[key] = clean.get(key, 1.0) * (1.0 - p)
        paths = here.files[i].path, here.files[j].path
        for said in sentences.get(paths, [f"{paths[0]} on {paths[1]}, by their names, kinds and sizes ({p:.0%})."]):
            told.setdefault(key, []).append((p, said))
    notes: list[EdgeNote] = []
    for key, none in sorted(clean.items(), key=lambda item: item[1]):
        if 1.0 - none < SHOWN or len(notes) == MOST_EDGES:
            break
        one, other, handled = key
        evidence = [said for _, said in sorted(told[key], key=lambda t: (-t[0], t[1]))]
        notes.append(
            EdgeNote(
                unit=plan.units[one].id,
                on=plan.units[other].id,
                likelihood=round(1.0 - none, 3),
                handled=handled,  # type: ignore[arg-type]
                evidence=tuple(dict.fromkeys(evidence))[:MOST_EVIDENCE],
            )
        )
    return tuple(notes)


# ---- the other decision


def flips(plan: Plan, survey: Survey, costs: Costs, gate: Gate, *, workers: int, seed: int = 1) -> tuple[str, ...]:
    """What would have to change for the other decision, a sentence each; empty when nothing that is tried does."""
    blank = replace(plan, confidence=None, estimate=None)
    if graph.width(plan) < 2:
        return ("With files that can be worked on side by side there would be something to share out.",)
    here = laid(blank, survey, costs)
    now = _fast(here, costs, gate, workers, seed)
    if now is None:
        return ()
    passes = now >= gate.min_speedup
    found = []
    for said, changed, other in _changes(here, costs, passes):
        value = _fast(changed, other, gate, workers, seed)
        if value is not None and (value >= gate.min_speedup) != passes:
            found.append(f"{said}: {value:.2f} times instead of {now:.2f} (the lower quantile).")
    if not found:
        word = "less" if passes else "more"
        found.append(
            f"Nothing that was tried changes it alone: the speed-up (lower quantile) is {now:.2f}, and {word} than"
            f" {gate.min_speedup:.2f} is needed."
        )
    return tuple(found)


def _fast(here: Laid, costs: Costs, gate: Gate, workers: int, seed: int) -> float | None:
    if not here.files:
        return None
    drawn = weathers(here.work, costs, draws=FLIP_DRAWS, seed=seed)
    outcomes = simulate(here.layout, here.work, costs, drawn, workers=workers)
    return quantile(outcomes.speedups, gate.quantile)


def _changes(here: Laid, costs: Costs, passes: bool) -> list[tuple[str, Laid, Costs]]:
    work = here.work
    largest = max(range(len(work.seconds)), key=work.seconds.__getitem__)
    if passes:
        return [
            (
                "If an agent read itself in for twice as long",
                here,
                replace(costs, reading_seconds=costs.reading_seconds * 2),
            ),
            ("If the whole work were half as long", _scaled(here, 0.5), costs),
            (f"If {here.files[largest].path} took three times as long", _file_scaled(here, largest, 3.0), costs),
            ("If the checks took five minutes", here, replace(costs, validation_seconds=300.0)),
        ]
    sure = work._replace(edges=(), rest=0.0)
    return [
        (
            "If it were known that units build on nothing but what the plan orders and declares",
            here._replace(work=sure),
            costs,
        ),
        (
            "If an agent read itself in for half as long",
            here,
            replace(costs, reading_seconds=costs.reading_seconds / 2),
        ),
        ("If the whole work were twice as long", _scaled(here, 2.0), costs),
        (f"If {here.files[largest].path} took half as long", _file_scaled(here, largest, 0.5), costs),
        ("If the checks took no time", here, replace(costs, validation_seconds=0.0)),
        ("If the times of units were known exactly", _exact(here), replace(costs, sigma=0.0, common_sigma=0.0)),
    ]


def _scaled(here: Laid, factor: float) -> Laid:
    pieces = tuple(Piece(p.files, p.needs, p.extra * factor, p.reading) for p in here.layout.pieces)
    seconds = tuple(s * factor for s in here.work.seconds)
    return here._replace(work=here.work._replace(seconds=seconds), layout=here.layout._replace(pieces=pieces))


def _file_scaled(here: Laid, file: int, factor: float) -> Laid:
    seconds = tuple(s * factor if n == file else s for n, s in enumerate(here.work.seconds))
    return here._replace(work=here.work._replace(seconds=seconds))


def _exact(here: Laid) -> Laid:
    return here._replace(work=here.work._replace(sigmas=(0.0,) * len(here.work.sigmas)))
