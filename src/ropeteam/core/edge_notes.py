"""What a plan does about the dependencies between its units, and how it would fare under other conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.estimate import Played, owners
from ropeteam.core.simulate import quantile, simulate, weathers
from ropeteam.core.survey import EdgeNote, Survey

LEAST: Final = 0.15
"""Dependencies between units less likely than this are counted, and not told one by one."""
MOST_EVIDENCE: Final = 3
SURE: Final = 0.5
FLIP_DRAWS: Final = 100
SHARED_READING: Final = 30.0
"""Seconds a unit reads itself in where agents share a prompt or a conversation (estimation.md: 75 -> 30)."""


def edges(played: Played) -> tuple[EdgeNote, ...]:
    """One for each pair of units, the likeliest first."""
    plan, layout = played.plan, played.layout
    ids = [unit.id for unit in plan.units]
    owner, before = owners(plan, played.survey), graph.ancestors(plan)
    pairs: dict[tuple[int, int], list[tuple[float, int, int]]] = {}
    for i, j, p in played.work.edges:
        if owner[i] != owner[j]:
            pairs.setdefault((owner[i], owner[j]), []).append((p, i, j))
    found = []
    for (one, other), known in pairs.items():
        none = 1.0
        for p, _, _ in known:
            none *= 1.0 - p
        if 1.0 - none < LEAST:
            continue
        known.sort(reverse=True)
        open_ = [(p, i, j) for p, i, j in known if j not in layout.declared]
        waits, first = ids[other] in before[ids[one]], ids[one] in before[ids[other]]
        handled = "order" if waits else "contract" if not open_ else "against" if first else "risk"
        found.append(
            EdgeNote(
                unit=ids[one],
                on=ids[other],
                likelihood=round(1.0 - none, 3),
                handled=handled,  # type: ignore[arg-type]
                evidence=tuple(_evidence(known[:MOST_EVIDENCE], played.survey)),
            )
        )
    return tuple(sorted(found, key=lambda e: (-e.likelihood, e.unit, e.on)))


def _evidence(known: Sequence[tuple[float, int, int]], survey: Survey) -> Iterator[str]:
    told = {(d.path, d.on): d.evidence for d in survey.dependencies if d.evidence}
    for p, i, j in known:
        one, other = survey.files[i].path, survey.files[j].path
        why = told.get((one, other), "").rstrip(".")
        yield f"{one} on {other}, {p:.0%}" + (f": {why}" if why else " (as alike files of real features)")


def flips(
    played: Played, costs: Costs, *, workers: int, at: float, seed: int, least: float, predicted: float | None = None
) -> tuple[str, ...]:
    """The same plan under other conditions: the cautious speed-up that would come of each, and whether one of them gets
    to the other side of `least`. predicted: the speed-up that the plan shows; the others are in proportion to it, so
    that they compare with the figure above them and not with another sample."""
    if len(played.plan.units) < 2:
        return ("With one unit nothing can be shared out: several files that do not build on each other could.",)

    def cautious(costs: Costs, workers: int, sure: bool = False) -> float:
        work = played.work
        if sure:
            kept = tuple((i, j, 1.0) for i, j, p in work.edges if p >= SURE)
            work = work._replace(edges=kept, rest=0.0)
        drawn = weathers(work, costs, draws=FLIP_DRAWS, seed=seed)
        return quantile(simulate(played.layout, work, costs, drawn, workers=workers).speedups, at)

    sampled = cautious(costs, workers)
    now = predicted if predicted is not None else sampled
    scale = now / sampled if sampled else 1.0
    quicker = replace(costs, reading_seconds=min(SHARED_READING, costs.reading_seconds))
    larger = replace(
        costs,
        reading_seconds=costs.reading_seconds / 2,
        validation_seconds=costs.validation_seconds / 2,
        repair_seconds=costs.repair_seconds / 2,
    )  # of a work twice as long, what is done once is half as much
    ways = [
        ("if every dependency were declared (`needs`, `provides`)", cautious(costs, workers, True)),
        (f"if agents read themselves in in {quicker.reading_seconds:.0f} s", cautious(quicker, workers)),
        ("if the same work were twice as long", cautious(larger, workers)),
    ]
    if workers < len(played.plan.units):
        ways.append((f"with {len(played.plan.units)} workers", cautious(costs, len(played.plan.units))))
    found = [(name, round(value * scale, 2)) for name, value in ways]
    told = "; ".join(f"{name}, {value:.2f}" for name, value in found)
    turned = any((value >= least) != (now >= least) for _, value in found)
    side = (
        "is the least for several agents" if turned else "is the least for several agents: none of these changes that"
    )
    return (f"The cautious speed-up is {now:.2f}; {told}. {least:.2f} {side}.",)
