"""`kill -9` at any moment, then `resume`, twice: the same ending, nothing done twice, nothing left running or lost."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import AT_ONCE, HELD, RESULT, Project, make_project, must_hold, wait_until
from killing import QUICK, comes_to_the_same, everything, gone, kill, kill_run_at, kill_started, killing_git

from repositories import commit_all, git

Make = Callable[..., Project]


def slow(*values: object) -> object:
    """A case for those who have time; the sweep over all git calls is there too."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Project] = []

    def new(**how: object) -> Project:
        how.setdefault("sets", QUICK)
        made.append(make_project(tmp_path, **how))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for p in made:
        p.close()


# ---- the orchestrator, at a git call

MOMENTS = {
    "looking at the repository": ("*rev-parse --path-format=absolute*", 1),
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
    "before the files land": ("read-tree -m -u*", 4),
    "between files and branch": ("update-ref -m ropeteam: land*", 1),
}


IN_SHORT = (
    "between consent and the first event",
    "filling a tree",
    "carrying the snapshot over",
    "composing",
    "before the files land",
    "between files and branch",
)


@pytest.mark.parametrize("moment", [m if m in IN_SHORT else slow(m) for m in MOMENTS])
def test_killed_at_a_git_call(make: Make, moment: str) -> None:
    p = make()
    on, at = MOMENTS[moment]
    assert kill_run_at(p, killing_git(p, at, on)), "that call was never made"
    comes_to_the_same(p)


MOST_CALLS = 165


@pytest.mark.slow
def test_the_sweep_goes_to_the_end(make: Make) -> None:
    p = make()
    assert not kill_run_at(p, killing_git(p, MOST_CALLS))


def sampled(value: int, chosen: bool) -> Any:
    """CI plays a sample of a sweep, `make test-sweeps` all of it."""
    return value if chosen else pytest.param(value, marks=pytest.mark.sweep)


@pytest.mark.slow
@pytest.mark.parametrize("at", [sampled(at, at % 3 == 0) for at in range(1, MOST_CALLS)])
def test_killed_at_any_git_call(make: Make, at: int) -> None:
    """In turn instead of the call and before it: both of every call would take CI past its time."""
    p = make()
    how = ("instead", "then")[at % 2]
    kill_run_at(p, killing_git(p, at, how=how))
    comes_to_the_same(p, attempts=None)


@pytest.mark.slow
@pytest.mark.parametrize("again", [sampled(again, again in (1, 52, 103)) for again in range(1, 120, 17)])
@pytest.mark.parametrize("moment", ["45", "56", "65", "92", "121", "before the files land", "between files and branch"])
def test_killed_again_while_resuming(make: Make, moment: str, again: int) -> None:
    """The late moments have names: how many calls a whole run makes differs by a few from run to run."""
    p = make()
    on, at = MOMENTS[moment] if moment in MOMENTS else ("*", int(moment))
    assert kill_run_at(p, killing_git(p, at, on))
    kill_run_at(p, killing_git(p, again), "resume")
    kill_run_at(p, killing_git(p, 130 - again), "resume")
    comes_to_the_same(p, attempts=None)


@pytest.mark.slow
def test_killed_over_and_over(make: Make) -> None:
    """Each resume gets a little further and is killed again."""
    p = make()
    assert kill_run_at(p, killing_git(p, 40))
    kills = 0
    for at in (12, 20, 28, 36):
        kills += kill_run_at(p, killing_git(p, at), "resume")
    assert kills
    comes_to_the_same(p)


def test_a_resume_waits_for_the_git_of_a_dead_one(make: Make) -> None:
    """It may still be writing: it holds the run's lock until it has ended."""
    p = make()
    env = killing_git(p, 1, "update-ref -m ropeteam: land*", "then hold")
    assert kill_run_at(p, env)
    orphan = wait_until(p.lock_openers, "the orphaned git")
    watched = killing_git(p, 0)
    resumed = p.start("resume", "--json", env=watched)
    wait_until(lambda: asleep(resumed.pid) and Path(watched["KILL_LOG"]).exists(), "resume to wait for the lock")
    let_go = time.time()
    Path(env["KILL_LOG"] + ".go").touch()
    assert p.ended(resumed).json["landed"]
    assert p.events("Resumed")[0]["at"] >= let_go
    gone(*orphan)
    comes_to_the_same(p)


def asleep(pid: int) -> bool:
    """Whether a process sleeps for a time, and does not wait for something to happen."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text()


# ---- the orchestrator, right after an event


@pytest.mark.slow
@pytest.mark.parametrize("count", range(1, 13))
def test_killed_after_an_event(make: Make, count: int) -> None:
    p = make()
    child = p.start(*p.run_args())
    wait_until(lambda: len(p.rows()) >= count, f"{count} events")
    kill_started(child)
    comes_to_the_same(p, attempts=None)


@pytest.mark.slow
def test_killed_right_after_the_first_event(make: Make) -> None:
    p = make()
    child = p.start(*p.run_args())
    p.wait_event("RunStarted")
    kill_started(child)
    comes_to_the_same(p)


# ---- while the project's own commands run: they do it


def killing_check(p: Project, at: int, *, failing: int = 0) -> tuple[str, ...]:
    """Settings of a check that kills the orchestrator when it is run for the `at`-th time, and then waits for ever.

    failing: at which time it fails.
    """
    script = p.folder / "agent" / "check.sh"
    compiles = 'compile(open("app.py").read(), "", "exec")'
    script.write_text(
        f"echo $$ >>{p.folder}/checked\n"
        f"number=$(wc -l <{p.folder}/checked)\n"
        f"if [ $number = {at} ]; then kill -9 $(cat {p.home}/runs/*.lock); sleep 600; fi\n"
        f"[ $number != {failing} ] && exec {sys.executable} -I -S -c '{compiles}'\n"
    )
    return (f'checks.commands=[{{name="own",argv=["sh","{script}"]}}]',)


@pytest.mark.parametrize("at", [1, slow(2), 3, slow(4)], ids=["baseline", "canary", "candidate", "candidate again"])
def test_killed_while_a_check_runs(make: Make, at: int) -> None:
    p = make(sets=())
    p.sets += killing_check(p, at, failing=3 if at == 4 else 0)
    child = p.start(*p.run_args())
    assert p.ended(child).code == -9
    comes_to_the_same(p)
    gone(*(int(pid) for pid in (p.folder / "checked").read_text().split()))


@pytest.mark.slow
def test_killed_while_a_tree_is_set_up(make: Make) -> None:
    p = make()
    once = f"test -e {p.folder}/once || {{ touch {p.folder}/once; kill -9 $(cat {p.home}/runs/*.lock); sleep 600; }}"
    p.sets += (f'checks.setup=["{once.replace(chr(34), chr(39))}"]',)
    assert p.ended(p.start(*p.run_args())).code == -9
    comes_to_the_same(p)


# ---- while the agent works

SANDBOXES = pytest.mark.parametrize("sandbox", [False, True], ids=["open", "sandbox"])


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", [False, slow(True)], ids=["open", "sandbox"])
def test_the_agent_ends_before_the_resume(make: Make, sandbox: bool) -> None:
    p = make(does=HELD, sandbox=sandbox)
    child = p.start(*p.run_args())
    io = p.wait_agent()
    kill_started(child)
    wrapper = p.wrapper()
    must_hold(p, at_rest=False)
    (io / "go").touch()
    gone(wrapper)
    comes_to_the_same(p)


@pytest.mark.slow
@SANDBOXES
def test_the_agent_still_runs_at_the_resume(make: Make, sandbox: bool) -> None:
    p = make(does=HELD, sandbox=sandbox)
    child = p.start(*p.run_args())
    io = p.wait_agent()
    kill_started(child)
    before = p.agents()
    resumed = p.start("resume", "--json")
    p.wait_event("Resumed")
    assert p.agents() == before
    (io / "go").touch()
    assert p.ended(resumed).code == 0
    comes_to_the_same(p)


@pytest.mark.slow
def test_killed_while_the_agent_stands_still(make: Make) -> None:
    """Its work is kept now and then, and it is frozen meanwhile: whoever goes on thaws it."""
    p = make(sets=(*QUICK, "limits.snapshot_seconds=1"), does=HELD)
    assert kill_run_at(p, killing_git(p, 1, "add -A*"))
    agents = p.agents()
    assert {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in agents} == {"T"}
    resumed = p.start("resume", "--json")
    p.wait_event("Resumed")
    (p.io() / "go").touch()
    assert p.ended(resumed).code == 0
    gone(*agents)
    comes_to_the_same(p)


@pytest.mark.slow
def test_the_agent_outlives_several_orchestrators(make: Make) -> None:
    p = make(does=HELD)
    child = p.start(*p.run_args())
    io = p.wait_agent()
    before = p.agents()
    for number in (1, 2, 3):
        kill_started(child)
        child = p.start("resume")
        p.wait_event("Resumed", number)
    assert p.agents() == before
    (io / "go").touch()
    assert p.ended(child).code == 0
    comes_to_the_same(p)


@SANDBOXES
@pytest.mark.parametrize("order", [slow("wrapper first"), "orchestrator first"])
def test_everybody_is_killed(make: Make, sandbox: bool, order: str) -> None:
    """A new attempt in a new tree, from what the first one left; it does not count as a failure."""
    p = make(does=HELD, sandbox=sandbox)
    child = p.start(*p.run_args())
    p.wait_agent()
    wrapper, agents = p.wrapper(), p.agents()
    assert agents
    if order == "wrapper first":
        os.kill(child.pid, 19)  # SIGSTOP: it must not see what happens
        kill(wrapper, *agents)
        kill_started(child)
    else:
        kill_started(child)
        kill(wrapper, *agents)
    gone(wrapper, *agents)
    must_hold(p)
    p.agent(AT_ONCE)
    comes_to_the_same(p, attempts=2)
    lost = p.events("AttemptLost")
    assert len(lost) == 1
    second = p.events("AttemptStarted")[1]
    assert second["start"] == lost[0]["result"]["commit"]
    assert git(p.top, "show", f"{second['start']}:farewell.py") == "half = True"


@pytest.mark.slow
def test_orchestrator_and_wrapper_are_killed(make: Make) -> None:
    """What the agent had started goes too, before anything of its tree is looked at."""
    p = make(does='import subprocess; subprocess.Popen(["sleep", "600"], start_new_session=True); ' + HELD)
    child = p.start(*p.run_args())
    p.wait_agent()
    agents = p.agents()
    assert len(agents) >= 2
    kill_started(child)
    kill(p.wrapper())
    p.agent(AT_ONCE)
    comes_to_the_same(p, attempts=2)
    gone(*agents)


@pytest.mark.parametrize(
    ("who", "sandbox"), [("wrapper", False), slow("agent", False), slow("wrapper", True), ("agent", True)]
)
def test_the_orchestrator_lives_and_sees_it(make: Make, who: str, sandbox: bool) -> None:
    """Its agent, or the wrapper, was killed: the attempt has failed, and there is a second one."""
    p = make(does=HELD, sandbox=sandbox)
    child = p.start(*p.run_args("--json"))
    p.wait_agent()
    wrapper, agents = p.wrapper(), p.agents()
    p.agent(AT_ONCE)
    kill(*([wrapper] if who == "wrapper" else agents))
    done = p.ended(child)
    assert done.code == 0, done
    assert done.json["outcome"] == "delivered_single"
    assert [a["outcome"] for a in done.json["units"][0]["attempts"]][1:] == ["ok"]
    assert [t["id"] for t in done.json["triggers"]] == ["agent_crashed"]
    gone(wrapper, *agents)
    must_hold(p)


def test_killed_between_the_start_of_an_attempt_and_its_process(make: Make) -> None:
    """Journalled first, started second: here it stands between them, at a pipe in the place of the wrapper's log."""
    p = make()
    p.sets += ("checks.setup=['test ! -d ../../log || test -e ../../../held || mkfifo ../../log/wrapper.err']",)
    child = p.start(*p.run_args())
    p.wait_event("AttemptStarted")
    wait_until(lambda: (p.io().parent / "log" / "spec.json").exists(), "the start of the wrapper")
    (p.io().parent.parent / "held").touch()
    kill_started(child)
    comes_to_the_same(p, attempts=2)
    assert p.starts() == ["single/2"]


# ---- while documents are written


def test_killed_while_documents_are_written(make: Make) -> None:
    """They are not tracked here, so they are written in place, after landing. A pipe in their place holds it there."""
    p = make(does=HELD)
    folder = p.top / ".workspace" / "features" / "greeting"
    git(p.top, "rm", "-q", "-r", "--cached", ".workspace")
    git(p.top, "commit", "-q", "-m", "plans are private")
    (p.top / ".git" / "info").mkdir()
    (p.top / ".git" / "info" / "exclude").write_text(".workspace\n")
    p.look()
    child = p.start(*p.run_args())
    io = p.wait_agent()
    log = folder / "02-implementation.md"
    os.mkfifo(log)
    (io / "go").touch()
    p.wait_event("Landed")
    kill_started(child)
    log.unlink()
    comes_to_the_same(p, tracked=False)


# ---- while a kept result is landed later


def kept_result(make: Make) -> Project:
    """A run whose result was left on a branch, and a user who has gone on."""
    p = make()
    done = p.ropeteam(*p.run_args("--json", "--land", "no"))
    assert (done.code, done.json["landed"]) == (0, False), done
    (p.top / "mine.txt").write_text("gone on\n")
    commit_all(p.top, "gone on")
    return p


def lands_later(p: Project, *before: str) -> None:
    """`land` does what is left of it; a landing that was cut off in the middle is finished by `resume` as well."""
    must_hold(p)
    if before:
        assert p.ropeteam(*before).code == 0
    done = p.ropeteam("land", "--json")
    assert (done.code, done.json["landed"]) == (0, True), done
    assert git(p.top, "log", "--format=%s", f"{p.before['head']}..main").split("\n")[-1] == "gone on"
    assert git(p.top, "rev-list", "--count", f"{p.before['head']}..main") == "3"
    assert git(p.top, "status", "--porcelain") == ""
    assert (p.top / "farewell.py").read_text() == RESULT["farewell.py"]
    must_hold(p)
    rows, view = p.rows(), everything(p)
    assert p.ropeteam("land", "--json").json == done.json
    assert (p.rows(), everything(p)) == (rows, view)


@pytest.mark.parametrize("before", [(), slow(("resume",))], ids=["land", "resume"])
def test_land_is_killed_between_files_and_branch(make: Make, before: tuple[str, ...]) -> None:
    p = kept_result(make)
    assert kill_run_at(p, killing_git(p, 1, "update-ref -m ropeteam: land*"), "land")
    lands_later(p, *before)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["instead", "then"])
@pytest.mark.parametrize("at", [sampled(at, at % 6 == 1) for at in range(1, 100, 2)])
def test_land_is_killed_at_any_git_call(make: Make, at: int, how: str) -> None:
    p = kept_result(make)
    kill_run_at(p, killing_git(p, at, how=how), "land")
    lands_later(p)


# ---- two of them, and what has ended


def test_two_orchestrators_on_one_run(make: Make) -> None:
    p = make(does=HELD)
    child = p.start(*p.run_args())
    io = p.wait_agent()
    p.wait_event("BaselineMeasured")
    rows = len(p.rows())
    for command in (("resume",), ("resume", "--detach"), ("land",)):
        refused = p.ropeteam(*command)
        assert refused.code == 2, refused
        if command != ("land",):
            assert f"pid {child.pid}" in refused.err, refused
    refused = p.ropeteam("resume", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "run_busy"), refused
    assert len(p.rows()) == rows
    (io / "go").touch()
    assert p.ended(child).code == 0
    comes_to_the_same(p)


@pytest.mark.slow
def test_many_resumes_at_once(make: Make) -> None:
    p = make(does=HELD)
    child = p.start(*p.run_args())
    io = p.wait_agent()
    kill_started(child)
    resumes = [p.start("resume", "--json") for _ in range(3)]
    wait_until(lambda: sum(r.poll() is not None for r in resumes) == 2, "all but one to be refused")
    (io / "go").touch()
    codes = sorted(p.ended(r).code for r in resumes)
    assert codes == [0, 2, 2]
    comes_to_the_same(p)


def test_two_runs_on_one_repository(make: Make) -> None:
    """One is killed, the other lands; the first goes on, and leaves its result on a branch: the tip has moved."""
    p = make(does=HELD)
    first = p.start(*p.run_args("--json"))
    io = p.wait_agent()
    run = p.run()
    kill_started(first)
    p.agent(AT_ONCE)
    second = p.ropeteam(*p.run_args("--json"))
    assert (second.code, second.json["landed"]) == (0, True), second
    (io / "go").touch()
    done = p.ropeteam("resume", run, "--json")
    said = done.json
    assert (done.code, said["outcome"], said["landed_reason"]) == (1, "delivered_single", "moved"), done
    assert git(p.top, "rev-parse", "main") == second.json["head"]
    assert git(p.top, "rev-parse", said["branch"]) == said["head"]
    assert git(p.top, "status", "--porcelain") == " M .workspace/features/greeting/02-implementation.md"
    for one in (run, second.json["run"]):
        assert git(p.top, "for-each-ref", "--count=1", f"refs/ropeteam/{one}/single/1") != ""
    wait_until(lambda: not p.processes(), "the end of all of it")
