"""The work in the order in which a person would do it: as the documents have it, else layer by layer.

It is one of the ways that are tried, and the one that is shown, and given to the one agent, where sharing out does not
pay: then nothing is won by units that only balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ropeteam.core.layers import LAYERS
from ropeteam.core.simulate import Layout, Piece, Work
from ropeteam.core.survey import Survey
from ropeteam.core.ways import Way

MOST: Final = 8
"""So many units at most: the smallest neighbours are one then."""
SMALL: Final = 0.08
"""Share of the work under which a unit is joined to the nearest one."""
BUILDS_ON: Final = 0.3
"""Likelihood from which on a unit waits for an earlier one."""
WIRING: Final = LAYERS.index("wiring")


def in_sequence(survey: Survey, work: Work, atoms: Sequence[Sequence[int]], ranks: Sequence[int]) -> Way:
    """Units in their order, each waiting for those before it that it probably builds on."""
    steps = {f.step for f in survey.files if f.step}
    by_step = len(steps) > 1 and sum(1 for f in survey.files if f.step) * 2 >= len(survey.files)
    keys = _by_step(survey, work, atoms) if by_step else _by_layer(survey, atoms, ranks)
    groups = _joined(_gathered(atoms, keys), work)
    pieces = tuple(
        Piece(tuple(sorted(group)), needs=tuple(m for m in range(n) if _builds_on(group, groups[m], work)))
        for n, group in enumerate(groups)
    )
    name, why = (
        ("in the documents' order", "the steps of the documents, in their order")
        if by_step
        else ("layer by layer", "configuration, models, services, views, and at the end what ties them together")
    )
    return Way(name, why, tuple(p.files for p in pieces), Layout(pieces))


def _gathered(atoms: Sequence[Sequence[int]], keys: Mapping[int, int]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for n, atom in enumerate(atoms):
        found.setdefault(keys[n], []).extend(atom)
    return [found[key] for key in sorted(found)]


def _by_step(survey: Survey, work: Work, atoms: Sequence[Sequence[int]]) -> dict[int, int]:
    """Of each atom its step; what no step names goes where most of what it is tied to is, else to the last."""
    keys: dict[int, int] = {}
    places = _places(survey)
    for n, atom in enumerate(atoms):
        steps = [places[f] for f in atom if places[f] and survey.files[f].category != "test"]
        steps = steps or [places[f] for f in atom if places[f]]  # tests are done with what they test
        if steps:
            keys[n] = max(steps)
    step_of = {f: keys[n] for n, atom in enumerate(atoms) if n in keys for f in atom}
    ties: dict[int, dict[int, float]] = {}
    for i, j, p in work.edges:
        for one, other in ((i, j), (j, i)):
            if other in step_of:
                of = ties.setdefault(one, {})
                of[step_of[other]] = of.get(step_of[other], 0.0) + p
    last = max(step_of.values())
    for n, atom in enumerate(atoms):
        if n not in keys:
            tied: dict[int, float] = {}
            for f in atom:
                for step, p in ties.get(f, {}).items():
                    tied[step] = tied.get(step, 0.0) + p
            keys[n] = max(tied, key=lambda s: (tied[s], s), default=last)
    return keys


def _places(survey: Survey) -> list[int]:
    """Of each file its step, 0 for none; where tasks stand in phases and stories, those, in their order: a story is
    one piece of work, and stories may be done side by side."""
    phases = list(dict.fromkeys(s.phase for s in survey.steps if s.phase and s.files))
    if len(phases) < 2:
        return [file.step for file in survey.files]
    of = {path: phases.index(s.phase) + 1 for s in reversed(survey.steps) if s.phase in phases for path in s.files}
    return [of.get(file.path, 0) for file in survey.files]


def _by_layer(survey: Survey, atoms: Sequence[Sequence[int]], ranks: Sequence[int]) -> dict[int, int]:
    """Of each atom the layer of its code. Files that many want a line in come last, where there are two or more: then
    what they name is there."""
    hubs = [f for f, file in enumerate(survey.files) if file.hub and file.status == "M"]
    tests = LAYERS.index("tests")
    keys = {}
    for n, atom in enumerate(atoms):
        code = [ranks[f] for f in atom if ranks[f] != tests] or [tests]
        late = all(f in hubs for f in atom) and len(hubs) > 1 and code != [LAYERS.index("config")]
        keys[n] = WIRING if late else max(code)
    return keys


def _joined(groups: list[list[int]], work: Work) -> list[list[int]]:
    """Without units that are not worth an agent's reading-in."""
    total = sum(work.seconds)
    while len(groups) > 1:
        sizes = [sum(work.seconds[f] for f in group) for group in groups]
        least = min(range(len(groups)), key=sizes.__getitem__)
        if len(groups) <= MOST and sizes[least] >= SMALL * total:
            break
        near = least - 1 if least == len(groups) - 1 else least + 1
        if 0 < least < len(groups) - 1 and sizes[least - 1] < sizes[least + 1]:
            near = least - 1
        low, high = sorted((least, near))
        groups = [*groups[:low], groups[low] + groups[high], *groups[high + 1 :]]
    return groups


def _builds_on(group: Sequence[int], earlier: Sequence[int], work: Work) -> bool:
    one, other = set(group), set(earlier)
    none = 1.0
    for i, j, p in work.edges:
        if i in one and j in other:
            none *= 1.0 - p
    return 1.0 - none >= BUILDS_ON
