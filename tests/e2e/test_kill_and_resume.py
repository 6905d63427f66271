"""`kill -9` at any moment, then `resume`, twice: the same ending, nothing done twice, nothing left running or lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import Project, make_project
from killing import QUICK, comes_to_the_same, kill_run_at, killing_git


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path, sets=QUICK)
    yield made
    made.close()


MOMENTS = {
    "looking at the repository": ("rev-parse --path-format=absolute*", 1),
    "making our repository": ("init --bare*", 1),
    "between consent and the first event": ("symbolic-ref -q HEAD", 1),
    "keeping the base": ("update-ref*/base *", 2),
    "making a tree": ("init -q*", 1),
    "filling a tree": ("read-tree -m -u*", 2),
    "taking the snapshot": ("add -A*", 1),
    "carrying the snapshot over": ("index-pack*", 1),
    "keeping the snapshot": ("update-ref*/single/1 *", 2),
    "merging": ("update-ref*/single/1-merged *", 1),
    "making the candidate's tree": ("read-tree -m -u*", 3),
    "composing": ("hash-object*", 2),
    "keeping the result": ("update-ref*/result *", 2),
    "before the files land": ("read-tree -m -u*", 4),
    "between files and branch": ("update-ref -m ropeteam: land*", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_git_call(p: Project, moment: str) -> None:
    on, at = MOMENTS[moment]
    assert kill_run_at(p, killing_git(p, at, on.replace(" ", "\\ "))), "that call was never made"
    comes_to_the_same(p)
