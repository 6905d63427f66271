"""Stopping a run: Ctrl-C and other signals, `cancel` from anywhere, agents that do not want to stop, a full disk."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import AT_ONCE, HELD, Done, Project, make_project, must_hold, wait_until
from killing import QUICK, comes_to_the_same, everything, gone, is_as_undisturbed, kill_started, killing_git

from repositories import git

Make = Callable[..., Project]


def slow(*values: object) -> object:
    """A case for those who have time."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Project] = []

    def new(*sets: str, **how: Any) -> Project:
        made.append(make_project(tmp_path, sets=(*QUICK, *sets), **how))
        return made[-1]

    yield new
    for p in made:
        p.close()


def kept(p: Project, path: str, attempt: str = "single/1") -> str:
    """A file of an attempt's snapshot."""
    return git(p.top, "show", f"refs/ropeteam/{p.run()}/{attempt}:{path}")


def held(p: Project) -> subprocess.Popen[bytes]:
    """A run whose agent has done half of its work and waits."""
    child = p.start(*p.run_args("--json"))
    p.wait_agent()
    return child


def stopped_cleanly(p: Project, agents: list[int]) -> None:
    """Whatever the agent had made is kept, and it is gone; the user's side is as it was."""
    gone(*agents)
    assert kept(p, "farewell.py") == "half = True"
    must_hold(p)


def changes_nothing(p: Project, *command: str, code: int) -> Done:
    rows, view = p.rows(), everything(p)
    done = p.ropeteam(*command)
    assert done.code == code, done
    assert (p.rows(), everything(p)) == (rows, view)
    return done


# ---- signals


@pytest.mark.parametrize("sandbox", [slow(False), True], ids=["open", "sandbox"])
@pytest.mark.parametrize("number", [signal.SIGINT, slow(signal.SIGTERM), slow(signal.SIGHUP)])
def test_interrupted_while_the_agent_works(make: Make, number: int, sandbox: bool) -> None:
    p = make(does=HELD, sandbox=sandbox)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    child.send_signal(number)
    done = p.ended(child)
    assert (done.code, done.json["state"], done.json["outcome"]) == (130, "interrupted", None), done
    stopped_cleanly(p, agents)
    assert p.ropeteam("wait", "--json").code == 4
    p.agent(AT_ONCE)
    again = p.ropeteam("resume", "--json")
    assert again.code == 0, again
    assert again.json["triggers"] == []
    second = p.events("AttemptStarted")[1]
    assert second["start"] == p.events("AttemptFailed")[0]["result"]["commit"]
    must_hold(p)
    changes_nothing(p, "resume", code=0)


def test_interrupted_while_a_check_runs(make: Make) -> None:
    p = make()
    waits = f"test -e {p.folder}/go || {{ echo $$ >>{p.folder}/checking; sleep 600; }}"
    p.sets += (f"checks.commands=[{{name='slow',argv=['sh','-c','{waits}']}}]",)
    child = p.start(*p.run_args("--json"))
    p.wait_event("Merged")
    pid = int(wait_until(lambda: _text(p.folder / "checking"), "the check"))
    child.send_signal(signal.SIGINT)
    done = p.ended(child)
    assert (done.code, done.json["state"]) == (130, "interrupted"), done
    gone(pid)
    must_hold(p)
    (p.folder / "go").touch()
    comes_to_the_same(p)


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


STUBBORN = "import signal; signal.signal(signal.SIGTERM, lambda *_: note('asked')); "


def test_interrupted_twice(make: Make) -> None:
    """The second time it leaves at once; what still runs is taken over by `resume`."""
    p = make("limits.grace_seconds=30", does=STUBBORN + HELD)
    child = held(p)
    child.send_signal(signal.SIGINT)
    p.wait_agent("asked")
    child.send_signal(signal.SIGINT)
    done = p.ended(child)
    assert done.code == 130, done
    agents = p.agents()
    assert agents
    must_hold(p, at_rest=False)
    resumed = p.start("resume", "--json")
    p.wait_event("Resumed")
    assert p.agents() == agents
    (p.io() / "go").touch()
    done = p.ended(resumed)
    assert done.code == 0, done
    gone(*agents)
    is_as_undisturbed(p, done)
    changes_nothing(p, "resume", code=0)


@pytest.mark.slow
def test_interrupted_before_the_agent_was_there(make: Make) -> None:
    p = make()
    p.sets += (f"checks.setup=['test -e {p.folder}/go || {{ touch {p.folder}/there; sleep 600; }}']",)
    child = p.start(*p.run_args("--json"))
    wait_until((p.folder / "there").exists, "the set-up")
    child.send_signal(signal.SIGINT)
    done = p.ended(child)
    assert (done.code, done.json["state"]) == (130, "interrupted"), done
    must_hold(p)
    (p.folder / "go").touch()
    comes_to_the_same(p)


# ---- cancel


@pytest.mark.parametrize("sandbox", [False, slow(True)], ids=["open", "sandbox"])
def test_cancelled_from_another_process(make: Make, sandbox: bool) -> None:
    p = make(does=HELD, sandbox=sandbox)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    said = p.ropeteam("cancel", "--json")
    done = p.ended(child)
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    assert (done.code, done.json["outcome"]) == (1, "cancelled"), done
    assert [t["id"] for t in done.json["triggers"]] == ["cancelled"]
    stopped_cleanly(p, agents)
    assert changes_nothing(p, "resume", "--json", code=1).json == done.json
    assert changes_nothing(p, "cancel", "--json", code=0).json == done.json
    assert changes_nothing(p, "wait", "--json", code=1).json == done.json
    assert changes_nothing(p, "land", code=2).out == ""


def test_cancelled_with_nobody_driving(make: Make) -> None:
    """The orchestrator was killed, its agent lives: `cancel` does by itself what is to be done."""
    p = make(does=HELD)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    kill_started(child)
    said = p.ropeteam("cancel", "--json")
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    stopped_cleanly(p, agents)
    changes_nothing(p, "resume", code=1)


@pytest.mark.slow
def test_cancelled_with_everybody_dead(make: Make) -> None:
    p = make(does=HELD)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    kill_started(child)
    for pid in agents:
        subprocess.run(["kill", "-9", str(pid)], check=False)
    gone(*agents)
    said = p.ropeteam("cancel", "--json")
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    stopped_cleanly(p, agents)
    assert len(p.starts()) == 1


@pytest.mark.slow
def test_cancelled_while_interrupted(make: Make) -> None:
    p = make(does=HELD)
    child = held(p)
    child.send_signal(signal.SIGINT)
    assert p.ended(child).code == 130
    said = p.ropeteam("cancel", "--json")
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    stopped_cleanly(p, [])
    changes_nothing(p, "resume", code=1)


@pytest.mark.slow
def test_cancelled_when_it_has_ended(make: Make) -> None:
    p = make()
    assert p.ropeteam(*p.run_args()).code == 0
    said = changes_nothing(p, "cancel", "--json", code=1)
    assert said.json["outcome"] == "delivered_single"


def test_cancelled_while_a_resume_begins(make: Make) -> None:
    """It holds the run already, and does not listen yet."""
    p = make(does=HELD)
    kill_started(held(p))
    env = killing_git(p, 1, "*config --list*", "hold")
    resumed = p.start("resume", "--json", env=env)
    wait_until(Path(env["KILL_LOG"] + ".done").exists, "resume to begin")
    asking = p.start("cancel", "--json")
    wait_until(lambda: p.asked() == ["cancel"], "the request")
    Path(env["KILL_LOG"] + ".go").touch()
    assert p.ended(resumed).json["outcome"] == "cancelled"
    assert p.ended(asking).code == 0
    stopped_cleanly(p, [])


@pytest.mark.slow
def test_a_resume_overrules_a_cancel_that_nobody_heard(make: Make) -> None:
    p = make(does=HELD)
    child = held(p)
    child.send_signal(signal.SIGSTOP)
    asking = p.start("cancel", "--json")
    wait_until(lambda: p.asked() == ["cancel"], "the request")
    refused = p.ropeteam("resume")
    assert (refused.code, p.asked()) == (2, ["cancel"]), refused  # somebody drives it, who will hear that
    kill_started(child)
    resumed = p.start("resume", "--json")
    p.wait_event("Resumed")
    (p.io() / "go").touch()
    is_as_undisturbed(p, p.ended(resumed))
    said = p.ended(asking)
    assert (said.code, said.json["outcome"]) == (1, "delivered_single"), said


@pytest.mark.slow
def test_who_cancels_does_it_himself_when_the_orchestrator_dies(make: Make) -> None:
    p = make(does=HELD)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    child.send_signal(signal.SIGSTOP)
    asking = p.start("cancel", "--json")
    wait_until(lambda: p.asked() == ["cancel"], "the request")
    kill_started(child)
    said = p.ended(asking)
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    stopped_cleanly(p, agents)


# ---- agents that do not want to end

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
FLOOD = (
    "import threading; threading.Thread(target=lambda: [print('x' * 99) for _ in iter(int, 1)], daemon=True).start(); "
)
FORKS = "import subprocess; subprocess.Popen(['setsid', 'sh', '-c', 'trap \"\" TERM; while :; do sleep 1; done']); "
CHILDREN = {"deaf": DEAF, "flooding": FLOOD, "forking away": FORKS, "all of it": DEAF + FLOOD + FORKS}


@pytest.mark.parametrize("sandbox", [False, slow(True)], ids=["open", "sandbox"])
@pytest.mark.parametrize("kind", ["all of it", slow("deaf"), slow("flooding"), slow("forking away")])
def test_stubborn_agents_are_stopped(make: Make, kind: str, sandbox: bool) -> None:
    p = make("limits.log_bytes=200000", does=CHILDREN[kind] + HELD, sandbox=sandbox)
    child = held(p)
    agents = [*p.agents(), p.wrapper()]
    assert p.ropeteam("cancel").code == 0
    assert p.ended(child).code == 1
    stopped_cleanly(p, agents)
    assert sum(f.stat().st_size for f in p.trees.rglob("log/out.*")) < 300_000


def test_what_an_agent_leaves_running_is_ended(make: Make) -> None:
    p = make(does=FORKS + AT_ONCE)
    done = p.ropeteam(*p.run_args("--json"))
    is_as_undisturbed(p, done)


@pytest.mark.parametrize(
    ("limit", "does", "outcome"),
    [
        slow("limits.stall_seconds=0.6", HELD, "stalled"),
        ("limits.attempt_seconds=1", FLOOD + HELD, "timeout"),
        slow("limits.stall_seconds=0.6", DEAF + FORKS + HELD, "stalled"),
    ],
    ids=["stall", "time", "stall of stubborn ones"],
)
def test_limits_of_time(make: Make, limit: str, does: str, outcome: str) -> None:
    """Too long or without a sign of life: stopped, kept, tried once more from there, and then not delivered."""
    p = make(limit, does=does)
    done = p.ropeteam(*p.run_args("--json"))
    assert (done.code, done.json["outcome"]) == (1, "not_delivered"), done
    attempts = done.json["units"][0]["attempts"]
    assert [a["outcome"] for a in attempts] == [outcome] * 2
    assert [t["action"] for t in done.json["triggers"]] == ["retry", "stop"]
    must_hold(p)
    for attempt in attempts:
        assert git(p.top, "show", f"{attempt['ref']}:farewell.py") == "half = True"
    p.agent(AT_ONCE)
    again = p.ropeteam("resume", "--json")  # one more, from the newest snapshot
    assert (again.code, again.json["outcome"], again.json["landed"]) == (0, "delivered_single", True), again
    assert len(again.json["units"][0]["attempts"]) == 3
    must_hold(p)
    changes_nothing(p, "resume", code=0)


# ---- no room


def test_parked_because_the_disk_is_nearly_full(make: Make) -> None:
    """The limit here is more than any disk has: it stays so, and `resume` parks again, but `cancel` ends it."""
    p = make("limits.free_bytes=1000000000000000000")
    done = p.ropeteam(*p.run_args("--json"))
    assert (done.code, done.json["state"]) == (4, "parked"), done
    assert done.json["triggers"][0]["id"] == "disk_nearly_full"
    assert "MB" in done.json["triggers"][0]["evidence"]
    must_hold(p)
    assert p.ropeteam("wait").code == 4
    again = p.ropeteam("resume", "--json")
    assert (again.code, again.json["state"]) == (4, "parked"), again
    must_hold(p)
    said = p.ropeteam("cancel", "--json")
    assert (said.code, said.json["outcome"]) == (0, "cancelled"), said
    must_hold(p)
