"""A run on its own: `--detach`, and what others see of it with `wait`, `attach` and `status`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import AT_ONCE, HELD, Project, alive, make_project, must_hold, wait_until
from killing import QUICK, comes_to_the_same, gone, is_as_undisturbed, kill, kill_started

from repositories import git

Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Project] = []

    def new(*sets: str, **how: Any) -> Project:
        made.append(make_project(tmp_path, sets=(*QUICK, *sets), **how))
        return made[-1]

    yield new
    for p in made:
        if p.rows() and alive(p.holder()):
            kill(p.holder())
        p.close()


def detached(p: Project, *more: str) -> str:
    """Start the run on its own; gives its id."""
    done = p.ropeteam(*p.run_args("--detach", "--json", *more))
    assert done.code == 0, done
    assert list(done.json) == ["run"]
    return str(done.json["run"])


def comes_to_the_same_after_wait(p: Project) -> None:
    assert p.ropeteam("wait", "--quiet").code == 0
    comes_to_the_same(p)


def test_it_ends_by_itself(make: Make) -> None:
    p = make()
    run = detached(p)
    done = p.ropeteam("wait", run, "--json")
    is_as_undisturbed(p, done)
    assert p.run() == run
    must_hold(p)


@pytest.mark.slow
def test_the_id_is_all_that_is_printed(make: Make) -> None:
    p = make()
    done = p.ropeteam(*p.run_args("--detach"))
    assert done.out == f"{p.run()}\n"
    assert p.ropeteam("wait", "--quiet").code == 0
    comes_to_the_same(p)


@pytest.mark.slow
def test_it_outlives_whoever_started_it(make: Make) -> None:
    """It is in a session of its own: a hang-up of the terminal does not reach it."""
    p = make(does=HELD)
    detached(p)
    io = p.wait_agent()
    driver = p.holder()
    stat = Path(f"/proc/{driver}/stat").read_text().rpartition(")")[2].split()
    assert int(stat[3]) == driver  # its session
    assert Path(f"/proc/{driver}/fd/0").readlink() == Path("/dev/null")
    (io / "go").touch()
    comes_to_the_same_after_wait(p)


def test_wait_gives_up_after_its_timeout(make: Make) -> None:
    p = make(does=HELD)
    detached(p)
    io = p.wait_agent()
    done = p.ropeteam("wait", "--timeout", "0.2", "--json")
    assert (done.code, done.json["state"], done.json["outcome"]) == (5, "running", None), done
    (io / "go").touch()
    comes_to_the_same_after_wait(p)


@pytest.mark.slow
def test_wait_ends_as_the_run_does(make: Make) -> None:
    p = make(does="import sys; sys.exit(3)")
    detached(p)
    done = p.ropeteam("wait", "--json")
    assert (done.code, done.json["outcome"]) == (1, "not_delivered"), done
    must_hold(p)
    p.agent(AT_ONCE)
    assert p.ropeteam("resume", "--detach").out == f"{p.run()}\n"
    p.wait_event("Resumed", 2)  # the driver began with one too
    done = p.ropeteam("wait", "--json")
    assert (done.code, done.json["outcome"], done.json["landed"]) == (0, "delivered_single", True), done
    must_hold(p)


def test_attach_follows_it_and_can_be_left(make: Make) -> None:
    p = make(does=HELD)
    detached(p)
    io = p.wait_agent()
    leaving, staying = p.start("attach"), p.start("attach", "--json")
    wait_until(lambda: "at work" in (p.output / "err.1").read_text(), "something to see")
    leaving.send_signal(signal.SIGINT)
    left = p.ended(leaving)
    assert left.code == 0, left
    assert "The run goes on" in left.err
    assert alive(p.holder())
    (io / "go").touch()
    done = p.ended(staying)
    is_as_undisturbed(p, done)
    assert "Landed on main" in done.err


def test_cancelled(make: Make) -> None:
    p = make(does=HELD)
    run = detached(p)
    p.wait_agent()
    agents, waiting = p.agents(), p.start("wait", "--json")
    assert p.ropeteam("cancel", run).code == 0
    done = p.ended(waiting)
    assert (done.code, done.json["outcome"]) == (1, "cancelled"), done
    gone(*agents, p.holder())
    must_hold(p)


@pytest.mark.slow
def test_cancelled_at_once(make: Make) -> None:
    """Whether its driver has begun or not: nothing is delivered, and nothing is left running."""
    p = make()
    run = detached(p, "--set", "checks.setup=['sleep 600']")
    said = p.ropeteam("cancel", run, "--json")
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    log = p.home / "runs" / f"{run}.log"
    wait_until(lambda: "cancelled" in log.read_text().lower(), "the driver's last word")
    must_hold(p)
    assert git(p.top, "rev-parse", "HEAD") == p.before["head"]


@pytest.mark.slow
def test_interrupted(make: Make) -> None:
    """A signal to the driver: as Ctrl-C, and `wait` says that it can go on."""
    p = make(does=HELD)
    detached(p)
    p.wait_agent()
    os.kill(p.holder(), signal.SIGTERM)
    done = p.ropeteam("wait", "--json")
    assert (done.code, done.json["state"]) == (4, "interrupted"), done
    p.agent(AT_ONCE)
    done = p.ropeteam("resume", "--json")
    assert (done.code, done.json["landed"]) == (0, True), done
    must_hold(p)


@pytest.mark.slow
def test_the_driver_is_killed(make: Make) -> None:
    p = make(does=HELD)
    detached(p)
    io = p.wait_agent()
    kill(p.holder())
    gone(p.holder())
    status = p.ropeteam("status")
    assert "Abandoned" in status.out, status
    assert p.ropeteam("resume", "--detach").code == 0
    (io / "go").touch()
    comes_to_the_same_after_wait(p)


@pytest.mark.slow
def test_wait_tells_that_nobody_drives_it(make: Make) -> None:
    p = make(does=HELD)
    detached(p)
    p.wait_agent()
    kill(p.holder())
    done = p.ropeteam("wait", "--json")
    assert (done.code, done.json["outcome"]) == (4, None), done
    assert "ropeteam resume" in done.err


@pytest.mark.slow
def test_killed_before_there_is_a_driver(make: Make) -> None:
    """The run is journalled, and whoever should have started its driver is gone."""
    p = make()
    child = p.start(*p.run_args("--detach"))
    p.wait_event("RunStarted")
    kill_started(child)
    if p.rows() and len(p.rows()) > 1:  # it was faster
        assert p.ropeteam("wait").code == 0
    wait_until(lambda: len(p.rows()) > 1 or not p.lock_openers(), "a driver or none")
    done = p.ropeteam("resume", "--json")
    if done.code == 2:  # the driver lives after all
        done = p.ropeteam("wait", "--json")
    is_as_undisturbed(p, done)
