"""Host mode through the command line: a program plays the host, real git and real orchestrators do the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from host_world import hosted
from several_world import UNITS, delivered


@pytest.mark.slow
def test_a_whole_run_of_six_units(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        run = p.hosting()
        answer = p.drive()
        assert (answer["run"], answer["state"], answer["outcome"], answer["landed"]) == (
            run,
            "ended",
            "delivered_parallel",
            True,
        )
        report = delivered(p, p.done(), "delivered_parallel")
        assert p.units(report) == list(UNITS)
