"""Work trees that are overlays, through the command line: a run, a reboot in the middle, cleaning up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import HELD, RESULT, Project, make_project, must_hold
from killing import QUICK, kill, kill_started

from ropeteam.git import mounts

OVERLAY = "trees.method=overlay"


def mounted(folder: Path) -> list[str]:
    return [place for place in mounts._ours() if place.startswith(os.fspath(folder))]


@pytest.fixture(params=["sandbox", "no sandbox"])
def p(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    if why := mounts.problem(tmp_path):
        pytest.skip(why)
    made = make_project(tmp_path, sandbox=request.param == "sandbox", sets=(*QUICK, OVERLAY))
    yield made
    made.close()
    mounts.unmount_below(tmp_path)


def test_a_run_in_overlays_and_its_cleaning(p: Project) -> None:
    done = p.ropeteam(*p.run_args("--json"))
    assert (done.code, done.json["outcome"]) == (0, "delivered_single"), done
    must_hold(p)
    (started,) = p.events("AttemptStarted")
    assert mounted(p.trees) == [started["tree"]], "those of the checks are gone"
    assert (Path(started["tree"]) / "farewell.py").read_text() == RESULT["farewell.py"]
    cleaned = p.ropeteam("clean", "--json")
    assert cleaned.code == 0, cleaned
    assert mounted(p.trees) == []
    assert not Path(started["tree"]).exists()


def test_after_a_reboot_the_work_is_still_there(p: Project) -> None:
    p.agent(HELD)
    child = p.start(*p.run_args("--json"))
    p.wait_agent()
    kill_started(child)
    kill(p.wrapper())
    tree = p.events("AttemptStarted")[0]["tree"]
    mounts.unmount_below(Path(tree))
    p.agent('assert pathlib.Path("farewell.py").read_text() == "half = True\\n"; everything(); report()')
    done = p.ropeteam("resume", "--json")
    assert (done.code, done.json["outcome"]) == (0, "delivered_single"), done
    assert [event["attempt"] for event in p.events("AttemptStarted")] == ["single/1", "single/2"]
    assert tree in mounted(p.trees)
    must_hold(p)


def test_overlays_that_are_wanted_and_do_not_work(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mount").write_text("#!/bin/sh\necho not today >&2\nexit 32\n")
    (tmp_path / "bin/mount").chmod(0o755)
    p = make_project(tmp_path, sets=(*QUICK, OVERLAY))
    p.env["PATH"] = f"{tmp_path / 'bin'}:{p.env['PATH']}"
    try:
        done = p.ropeteam(*p.run_args("--json"))
        assert done.code == 2, done
        assert "trees.method" in done.out + done.err, done
        assert p.rows() == []
        looked = p.ropeteam("doctor")
        assert "each is a checkout" in looked.out, looked
        must_hold(p)
    finally:
        p.close()
