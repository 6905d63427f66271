"""Ways of grouping the work, each simulated, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ropeteam.core.costs import Costs
from ropeteam.core.honouring import honouring
from ropeteam.core.likelihoods import is_test_of, pairs, words_of
from ropeteam.core.simulate import Outcomes, Weather, Work, quantile, simulate, weathers
from ropeteam.core.sizes import lines_of, seconds_of
from ropeteam.core.survey import Dependency, PlannedFile, Survey
from ropeteam.core.ways import Way, ways

ENOUGH: Final = 60_000
"""Files times draws of a trial: of more files fewer draws are made, as their sum varies less."""


TOO_LARGE: Final = 1.0
"""Of a worker's share: a test and what it tests that are larger together may be done by two."""


FIRST_LOOK: Final = 60
"""Draws of every way, the same for all. The best are then looked at with all there are."""
LOOKED_AT_AGAIN: Final = 8


class Trial(NamedTuple):
    """A way and what came of it. quantile: the lower quantile of the speed-up."""

    way: Way
    outcomes: Outcomes
    quantile: float
    p50: float


def work_of(survey: Survey, costs: Costs) -> Work:
    """Everything there is to do, from what is known before."""
    sized = [seconds_of(file, costs) for file in survey.files]
    lines = [lines_of(file, costs)[0] for file in survey.files]
    found = pairs(survey.files, lines, survey.dependencies, frozenset(survey.declared))
    return Work(tuple(s for s, _ in sized), tuple(g for _, g in sized), found.edges, found.rest)


def atoms_of(
    files: Sequence[PlannedFile],
    dependencies: Sequence[Dependency] = (),
    *,
    seconds: Sequence[float] = (),
    workers: int = 1,
) -> tuple[tuple[int, ...], ...]:
    """Files that stay together: a test and what it tests, by what is known of it, else by its name; but not where the
    two are more than one worker's share of the work. seconds: of each file; without them nothing is too much."""
    tested = _known_tests(files, dependencies)
    by_words: dict[frozenset[str], list[int]] = {}
    for n, file in enumerate(files):
        if file.category != "test":
            by_words.setdefault(words_of(file.path), []).append(n)
    for n, file in enumerate(files):
        if file.category == "test" and n not in tested:
            subject = is_test_of(file.path, [files[m].path for m in by_words.get(words_of(file.path), ())])
            if subject is not None:
                tested[n] = by_words[words_of(file.path)][subject]
    most = sum(seconds) / max(1, workers) * TOO_LARGE
    held = list(seconds)
    for n, of in sorted(tested.items()) if seconds else ():
        if held[of] + held[n] > most:
            del tested[n]
        else:
            held[of] += held[n]
    groups: dict[int, list[int]] = {}
    for n in range(len(files)):
        groups.setdefault(tested.get(n, n), []).append(n)
    return tuple(tuple(sorted(g)) for g in groups.values())


def _known_tests(files: Sequence[PlannedFile], dependencies: Sequence[Dependency]) -> dict[int, int]:
    """Of each test the file that the survey says it most probably tests."""
    index = {file.path: n for n, file in enumerate(files)}
    best: dict[int, Dependency] = {}
    for d in dependencies:
        if d.kind == "test" and d.path in index and d.on in index:
            n = index[d.path]
            if n not in best or best[n].likelihood < d.likelihood:
                best[n] = d
    return {n: index[d.on] for n, d in best.items() if files[index[d.on]].category != "test"}


def draws_for(files: int, draws: int) -> int:
    return max(60, min(draws, ENOUGH // max(1, files)))


def tried(way: Way, work: Work, costs: Costs, drawn: Sequence[Weather], *, workers: int, at: float) -> Trial:
    """at: the quantile."""
    outcomes = simulate(way.layout, work, costs, drawn, workers=workers)
    speedups = outcomes.speedups
    return Trial(way, outcomes, quantile(speedups, at), quantile(speedups, 0.5))


def trials(
    work: Work,
    atoms: Sequence[Sequence[int]],
    layers: Sequence[int],
    costs: Costs,
    *,
    workers: int,
    at: float,
    seed: int,
    draws: int,
    only_layers: bool = False,
    bound: Sequence[tuple[int, int]] = (),
    drawn: Sequence[Weather] = (),
) -> list[Trial]:
    """Every way with the same weather, the best first, those after them by a first look.

    bound: pairs of files of which the documents say that the first builds on the second; what cannot keep to it is not
    tried.
    drawn: the weather of that seed and so many draws, where the caller has it already.
    """
    drawn = drawn or weathers(work, costs, draws=draws_for(len(work.seconds), draws), seed=seed)
    those = ways(work, atoms, layers, costs, workers, only_layers=only_layers)
    kept = (way for each in those if (way := honouring(each, bound, work, costs)) is not None)
    first = drawn[:FIRST_LOOK]
    found = sorted(
        (tried(way, work, costs, first, workers=workers, at=at) for way in kept),
        key=lambda t: -t.quantile,
    )
    if len(first) < len(drawn):  # the same draws and more, for those that may be the best
        again = [t for n, t in enumerate(found) if n < LOOKED_AT_AGAIN or len(t.way.groups) == 1 or t.way.barriers]
        known = {id(t) for t in again}
        whole = [tried(t.way, work, costs, drawn, workers=workers, at=at) for t in again]
        found = [*sorted(whole, key=lambda t: -t.quantile), *(t for t in found if id(t) not in known)]
    return found
