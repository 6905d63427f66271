"""`kill -9` of the orchestrator of nine units: a sample of what `make bench-kills` does 200 times."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from driving import Project
from nine_units import Undisturbed, Where, kill_and_resume, nine_units, undisturbed

SECONDS = 0.2


class Place(NamedTuple):
    project: Project
    reference: Undisturbed


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    with nine_units(tmp_path_factory.mktemp("undisturbed"), seconds=SECONDS) as p:
        return undisturbed(p)


@pytest.fixture
def place(tmp_path: Path, reference: Undisturbed) -> Iterator[Place]:
    with nine_units(tmp_path, seconds=SECONDS) as p:
        yield Place(p, reference)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("where", "seed"),
    [
        ("anywhere", 1),
        ("twice", 2),
        ("with the wrappers", 3),
        *(pytest.param(where, 4, marks=pytest.mark.slow) for where in ("landing", "twice", "with the wrappers")),
        *(pytest.param("anywhere", seed, marks=pytest.mark.slow) for seed in range(5, 9)),
    ],
)
def test_killed_and_resumed_it_comes_to_the_same(place: Place, where: Where, seed: int) -> None:
    found = kill_and_resume(place.project, random.Random(seed), where, place.reference)
    assert found.faults == []
    assert (found.same, found.left) == (True, 0)
    assert found.killed + found.too_late >= 1
