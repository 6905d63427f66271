"""`ropeteam run` and what follows it, as a user and a script see it: outputs, exit codes, what lands."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cli_world import CRASH, WORK, World, until, waiting

from repositories import git
from ropeteam.core.report import Report


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    yield made
    made.end()


def run_it(world: World, *more: str) -> tuple[str, ...]:
    return ("run", "times", *world.scripted, *more)


def test_a_feature_lands_and_json_is_the_only_thing_on_standard_output(world: World) -> None:
    done = world.run(*run_it(world, "--yes", "--json"))
    assert done.code == 0, done.err
    report = msgspec.json.decode(done.out, type=Report)
    assert (report.outcome, report.landed, report.winner) == ("delivered_single", True, "single")
    assert [f.path for f in report.files.created] == ["tests/test_times.py", "times.py"]
    assert report.actual.cost_usd == 0.25
    assert "single/1: scripted is at work." in done.err
    assert git(world.repo, "log", "-1", "--format=%s %an", "main~1") == "Multiplication Test User"
    assert (world.repo / "times.py").exists()
    assert git(world.repo, "status", "--porcelain") == ""


def test_the_closing_report_says_what_happened_and_what_comes_next(world: World) -> None:
    done = world.run(*run_it(world, "--yes"))
    assert done.code == 0, done.err
    first = done.out.splitlines()[0]
    assert first == "✓ Delivered and landed on main. 1 check passed."
    for words in (
        "+ times.py",
        "multiplies",
        "A module of its own",
        "No operator",
        "passed  unittest (2 tests, 1 of them new)",
        "single/1",
        "1,500 tokens, $0.25",
        "Decided: one agent",
        "predicted of one agent",
        "git log --stat",
    ):
        assert words in done.out
    assert "02-implementation.md" in done.out


def test_quiet_prints_one_line(world: World) -> None:
    done = world.run(*run_it(world, "--yes", "--quiet"))
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert done.out.startswith("Delivered and landed on main.")


def test_without_consent_and_terminal_nothing_is_done(world: World) -> None:
    before = git(world.repo, "for-each-ref")
    done = world.run(*run_it(world, "--json"))
    assert done.code == 2
    assert done.json["error"]["code"] == "consent_needed"
    assert "--yes" in done.json["error"]["hint"]
    assert git(world.repo, "for-each-ref") == before
    assert world.run("status").code == 2  # there is no run


def test_consent_is_asked_for_once_and_the_landing_each_time(world: World) -> None:
    first = world.at_terminal(*run_it(world), answers=[("Go on? [Y/n]", "\n"), ("Land it on main? [Y/n]", "n\n")])
    assert first.code == 0
    assert "plays a recording" in first.screen
    assert "unittest  python3 -m unittest discover -v (found from tests/test_calc.py)" in first.screen
    assert "+ times.py" in first.screen
    assert "git switch ropeteam/times-" in first.screen
    assert not (world.repo / "times.py").exists()
    second = world.at_terminal(*run_it(world), answers=[("Land it on main? [Y/n]", "perhaps\n"), ("[Y/n]", "\n")])
    assert second.code == 0
    assert "Go on?" not in second.screen
    assert (world.repo / "times.py").exists()


def test_consent_says_how_many_agents_work_at_once(world: World, tmp_path: Path) -> None:
    units = [{"id": id, "goal": "x", "writes": [f"{id}.py"]} for id in ("one", "two")]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"units": units}))
    asked = ("--plan", str(plan), "--workers", "3", "--belay", "--mode", "parallel")
    done = world.at_terminal(*run_it(world, *asked), answers=[("Go on? [Y/n]", "n\n")])
    assert done.code == 2
    seen = " ".join(done.screen.split())
    assert "up to 4 agents, one of them on the whole feature as insurance (--belay)" in seen
    assert "Several agents, as asked (--mode parallel)" in seen or "Overridden: " in seen
    assert "from the median to what one of ten exceeds" in seen
    assert "up to 4 times as fast as one" in seen
    alone = world.at_terminal(*run_it(world), answers=[("Go on? [Y/n]", "n\n")])
    assert "one agent" in alone.screen
    assert "up to" not in alone.screen


def test_no_consent_means_nothing_happens(world: World) -> None:
    done = world.at_terminal(*run_it(world), answers=[("Go on? [Y/n]", "n\n")])
    assert done.code == 2
    assert "You did not agree: nothing was done." in done.screen
    assert git(world.repo, "for-each-ref", "refs/ropeteam") == ""


def test_ctrl_c_at_the_question_keeps_the_result(world: World) -> None:
    done = world.at_terminal(*run_it(world), answers=[("Go on? [Y/n]", "\n"), ("Land it on main? [Y/n]", "\x03")])
    assert done.code == 130
    assert "Interrupted. Everything is kept." in done.screen
    again = world.run("resume", "--yes", "--json")
    assert again.code == 0, again.err
    assert again.json["landed"] is True
    assert len(again.json["units"][0]["attempts"]) == 1


def test_a_result_that_was_kept_lands_later_on_a_branch_that_moved(world: World) -> None:
    kept = world.run(*run_it(world, "--yes", "--land", "no", "--json"))
    assert kept.code == 0
    assert (kept.json["landed"], kept.json["landed_reason"]) == (False, "asked")
    assert git(world.repo, "rev-parse", kept.json["branch"]) == kept.json["head"]
    (world.repo / "README.md").write_text("new\n")
    git(world.repo, "add", "README.md")
    git(world.repo, "commit", "-q", "-m", "moved on")
    landed = world.run("land", kept.json["run"], "--json")
    assert landed.code == 0, landed.out + landed.err
    assert landed.json["landed"] is True
    subjects = git(world.repo, "log", "--format=%s", "-3", "main").splitlines()
    assert subjects == ["Log the implementation of Multiplication", "Multiplication", "moved on"]
    assert (world.repo / "times.py").exists()


def test_landing_needs_a_clean_checkout(world: World) -> None:
    kept = world.run(*run_it(world, "--yes", "--land", "no", "--json"))
    (world.repo / "calc.py").write_text("changed = 1\n")
    refused = world.run("land", kept.json["run"], "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "dirty"
    assert (world.repo / "calc.py").read_text() == "changed = 1\n"


def test_a_landing_that_was_wanted_and_refused_is_1(world: World) -> None:
    world.plays(waiting(world))
    child = world.start(*run_it(world, "--yes", "--json"))
    until(lambda: world.run("status", "--json").code == 0 and world.working(), "an agent at work")
    (world.repo / "calc.py").write_text("changed = 1\n")
    world.gate.touch()
    done = world.finished(child)
    assert done.code == 1, done.err
    assert (done.json["outcome"], done.json["landed"]) == ("delivered_single", False)
    assert done.json["landed_reason"] == "dirty"
    assert (world.repo / "calc.py").read_text() == "changed = 1\n"


def test_what_fails_twice_is_not_delivered_and_resume_tries_once_more(world: World) -> None:
    head = git(world.repo, "rev-parse", "main")
    world.plays(CRASH, third=WORK)
    done = world.run(*run_it(world, "--yes", "--json"))
    assert done.code == 1, done.err
    assert done.json["outcome"] == "not_delivered"
    assert [t["id"] for t in done.json["triggers"] if t["action"] != "single"] == ["agent_crashed", "agent_crashed"]
    assert git(world.repo, "rev-parse", "main") == head
    text = world.run("report").out
    assert text.startswith("✗ Not delivered. Your branch is as it was")
    assert f"ropeteam resume {done.json['run']}" in text
    again = world.run("resume", "--json")
    assert again.code == 0, again.err
    assert again.json["outcome"] == "delivered_single"
    assert len(again.json["units"][0]["attempts"]) == 3


def test_ctrl_c_interrupts_and_resume_goes_on(world: World) -> None:
    world.plays(waiting(world), second=WORK)
    child = world.start(*run_it(world, "--yes", "--json"))
    until(lambda: world.run("status", "--json").code == 0 and world.working(), "an agent at work")
    child.send_signal(signal.SIGINT)
    done = world.finished(child)
    assert done.code == 130, done.err
    assert (done.json["state"], done.json["outcome"]) == ("interrupted", None)
    assert world.run("wait").code == 4
    assert "ropeteam resume" in world.run("status").out
    again = world.run("resume", "--json")
    assert again.code == 0, again.err
    assert again.json["landed"] is True


def test_a_killed_orchestrator_is_seen_and_its_agent_taken_over(world: World) -> None:
    world.plays(waiting(world))
    child = world.start(*run_it(world, "--yes", "--json"))
    until(lambda: world.run("status", "--json").code == 0 and world.working(), "an agent at work")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    until(lambda: "Abandoned" in world.run("status").out, "an abandoned run")
    left_alone = world.run("clean")
    assert "left alone" in left_alone.out, left_alone.out
    world.gate.touch()
    again = world.run("resume", "--json")
    assert again.code == 0, again.err
    assert len(again.json["units"][0]["attempts"]) == 1
    assert (world.repo / "times.py").exists()


def test_detached_runs_are_followed_waited_for_and_listed(world: World) -> None:
    world.plays(waiting(world))
    begun = world.run(*run_it(world, "--yes", "--detach", "--json"))
    assert begun.code == 0, begun.err
    run = begun.json["run"]
    assert begun.json == {"run": run}
    until(world.working, "an agent at work")
    assert world.run("wait", "--timeout", "0.2", "--quiet").code == 5
    assert world.run("resume", run, "--json").json["error"]["code"] == "run_busy"
    assert world.run("clean", run).code == 2
    until(lambda: "At the gate" in world.run("status").out, "what the agent says")
    follower = world.start("attach", run)
    world.gate.touch()
    assert world.run("wait", run, "--json").json["landed"] is True
    followed = world.finished(follower)
    assert followed.code == 0
    assert "single/1: scripted is at work." in followed.err
    assert followed.out.startswith("✓ Delivered and landed on main.")
    listed = world.run("status", "--all", "--json").json["runs"]
    assert [(line["run"], line["outcome"]) for line in listed] == [(run, "delivered_single")]
    assert f"{run}  delivered_single  landed" in world.run("status", "--all").out


def test_ctrl_c_while_attached_leaves_the_run_going(world: World) -> None:
    world.plays(waiting(world))
    run = world.run(*run_it(world, "--yes", "--detach", "--json")).json["run"]
    followed = world.at_terminal("attach", answers=[("At the gate", "\x03")])
    assert followed.code == 0
    assert "The run goes on." in followed.screen
    world.gate.touch()
    assert world.run("wait", run, "--json").json["outcome"] == "delivered_single"


def test_cancel_stops_what_another_process_drives(world: World) -> None:
    world.plays(waiting(world))
    child = world.start(*run_it(world, "--yes", "--json"))
    until(lambda: world.run("status", "--json").code == 0 and world.working(), "an agent at work")
    cancelled = world.run("cancel", "--json")
    assert cancelled.code == 0, cancelled.err
    assert cancelled.json["outcome"] == "cancelled"
    done = world.finished(child)
    assert (done.code, done.json["outcome"]) == (1, "cancelled")
    assert world.run("cancel", "--quiet").code == 0
    assert world.run("resume", "--json").json["outcome"] == "cancelled"
    assert not (world.repo / "times.py").exists()


def test_cancel_comes_too_late_for_a_run_that_has_ended(world: World) -> None:
    world.run(*run_it(world, "--yes"))
    late = world.run("cancel", "--json")
    assert late.code == 1
    assert late.json["outcome"] == "delivered_single"
    assert "had ended before" in late.err


def test_standard_input_is_a_feature(world: World) -> None:
    done = world.run("run", "-", *world.scripted, "--yes", "--json", stdin="# Multiplication\n\nA function times.\n")
    assert done.code == 0, done.err
    assert done.json["feature"] == "stdin"
    assert done.json["documents"] == []


def test_names_that_are_no_text_are_kept_and_shown(world: World) -> None:
    name = os.fsdecode(b"caf\xe9 \x1b[31m.txt")
    odd = [sys_python(), "-c", "open(b'caf\\xe9 \\x1b[31m.txt', 'w').write('x')"]
    world.plays([{"do": "command", "argv": odd}, *WORK])
    done = world.run(*run_it(world, "--yes", "--json"))
    assert done.code == 0, done.err
    assert name in [f["path"] for f in done.json["files"]["created"]]
    text = world.run("report").out
    assert "+ caf\\xe9 \\x1b[31m.txt" in text
    assert "\x1b" not in text
    assert (world.repo / name).exists()


def sys_python() -> str:
    import sys

    return sys.executable


def test_changes_that_are_not_committed_are_taken_along_on_demand(world: World) -> None:
    (world.repo / "calc.py").write_text("def add(a, b):\n    return b + a\n")
    refused = world.run(*run_it(world, "--yes", "--json"))
    assert refused.code == 2
    assert refused.json["error"]["code"] == "dirty"
    assert "calc.py" in refused.json["error"]["message"]
    done = world.run(*run_it(world, "--yes", "--include-dirty", "--json"))
    assert done.code == 0, done.err
    assert (done.json["landed"], done.json["landed_reason"]) == (False, "include_dirty")
    assert "return b + a" in git(world.repo, "show", f"{done.json['branch']}:calc.py")
    assert (world.repo / "calc.py").read_text() == "def add(a, b):\n    return b + a\n"


def test_a_budget_that_is_used_up_ends_the_run(world: World) -> None:
    world.plays([*WORK[:-1], {"do": "exit", "code": 3}])
    done = world.run(*run_it(world, "--yes", "--budget-usd", "0.2", "--json"))
    assert done.code == 1, done.err
    assert "token_budget_exceeded" in [t["id"] for t in done.json["triggers"]]
    assert len(done.json["units"][0]["attempts"]) == 1


def test_a_reader_of_the_progress_that_goes_away_does_not_end_the_run(world: World) -> None:
    world.plays(waiting(world))
    child = world.start(*run_it(world, "--yes"))
    until(lambda: world.run("status", "--json").code == 0 and world.working(), "an agent at work")
    assert child.stderr is not None
    assert child.stdout is not None
    child.stderr.close()
    child.stdout.close()
    world.gate.touch()
    child.wait(60)
    assert (child.returncode, world.status()["landed"]) == (0, True)
