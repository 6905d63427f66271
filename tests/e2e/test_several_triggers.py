"""Every trigger forced by a real agent in a real repository: what it leads to, what is kept, and where it is told.

Where a trigger makes the run fall back, the agents beside the faulty one wait at a gate until it has fired: so what is
validated and what is left is the same every time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from driving import Done, wait_until
from several_world import INTENT, NEEDS, UNITS, WORK, Several, delivered, fell_back, plan, several, told

from repositories import git

SLOW = pytest.mark.slow
WORKS = "works(); report()"
HELD = f'wait_for("go"); {WORKS}'
BESIDE = {"02-hello": HELD, "04-polite": HELD}
"""Those that are at work when 03-bye fails."""


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Several]:
    with several(tmp_path) as made:
        yield made


def falls(p: Several, does: dict[str, str], *args: str, env: dict[str, str] | None = None) -> Done:
    """Run with these faults; the agents beside go on once a trigger has fired."""
    p.plays(BESIDE | does)
    child = p.begin(*args, env=env)
    p.wait_event("TriggerFired")
    p.open("go")
    return p.end(child)


# ---- one of several fails

GARBLED_LINE = 'works(); report(); print(\'{"event": "usage", "input": "many"}\', flush=True)'
GARBLED_REPORT = 'works(); pathlib.Path(task["report_file"]).write_text("{\\"files\\": [")'
MOVED = 'works(); git("checkout", "-q", "--orphan", "other"); git("add", "-A"); git("commit", "-qm", "mine"); report()'
SYNTAX = 'write("bye.py", "def bye(who:\\n    return 1\\n"); report()'
MARKERS = 'works(); write("NOTES.txt", "<<<<<<< HEAD\\none\\n=======\\ntwo\\n>>>>>>> other\\n"); report()'
STRAYS = 'works(); [write(f"stray{n}.py", "x = 1\\n") for n in range(3)]; report()'


@dataclass(frozen=True)
class Fault:
    """What 03-bye does, and how it is told. more: settings."""

    does: str
    id: str
    words: tuple[str, ...]
    outcome: str = "ok"
    more: tuple[str, ...] = ()
    stray: str = ""


FAULTS = {
    "exit": Fault(
        'write("half.py", "half = 1\\n"); print("no more money", file=sys.stderr); sys.exit(3)',
        "agent_crashed",
        ("exit code 3", "no more money"),
        "crashed",
        stray="half.py",
    ),
    "signal": Fault("works(); os.kill(os.getpid(), signal.SIGSEGV)", "agent_crashed", ("SIGSEGV",), "killed"),
    "stall": Fault(
        "works(); time.sleep(90)",
        "agent_crashed",
        ("no sign of life",),
        "stalled",
        ("--set", "limits.stall_seconds=4"),
    ),
    "empty": Fault("report()", "agent_crashed", ("changed nothing",), "empty"),
    "line": Fault(GARBLED_LINE, "context_corrupted", ("'usage' cannot be read",), "corrupted"),
    "report": Fault(GARBLED_REPORT, "context_corrupted", ("Its report", "cannot be read"), "corrupted"),
    "lie": Fault(
        'works(); report(files=[{"path": "bye.py"}, {"path": "nowhere.py"}])',
        "context_corrupted",
        ("nowhere.py",),
        "corrupted",
    ),
    "head": Fault(MOVED, "context_corrupted", ("no longer descends",), "corrupted"),
    "intent": Fault(
        f'works(); write({INTENT!r}, "# Something else\\n"); report()', "context_corrupted", (INTENT,), "corrupted"
    ),
    "prompt": Fault(
        'works(); pathlib.Path(task["prompt_file"]).write_text("Do nothing.\\n"); report()',
        "context_corrupted",
        ("prompt.md",),
        "corrupted",
    ),
    "syntax": Fault(SYNTAX, "syntax_error", ("bye.py:1",)),
    "markers": Fault(MARKERS, "syntax_error", ("NOTES.txt:1",), stray="NOTES.txt"),
    "anothers": Fault(
        'works(); write("polite.py", "mine = 1\\n"); report()', "file_conflict", ("polite.py of 04-polite",)
    ),
    "strays": Fault(
        STRAYS,
        "undeclared_write",
        ("3 files outside its own, the limit is 2", "stray0.py"),
        more=("--set", "limits.undeclared_files=2"),
        stray="stray1.py",
    ),
    "test": Fault(
        'works(); write("menu.py", "MENU = []\\n"); report()', "batch_validation_failed", ("test_greet_is_first",)
    ),
    "missing": Fault(
        'works(); os.unlink("tests/__init__.py"); report()', "batch_validation_failed", ("tests are gone",)
    ),
    "deleted": Fault(
        'works(); os.unlink("tests/test_menu.py"); report()', "batch_validation_failed", ("test_greet_is_first",)
    ),
}
ALWAYS = ("exit", "head", "syntax", "anothers", "strays", "deleted")


@pytest.mark.parametrize("name", [name if name in ALWAYS else pytest.param(name, marks=SLOW) for name in FAULTS])
def test_one_of_several_fails(p: Several, name: str) -> None:
    fault = FAULTS[name]
    done = falls(p, {"03-bye": fault.does}, *fault.more)
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite")
    assert p.attempts(report)["03-bye"] == [fault.outcome]
    told(p, done, fault.id, *fault.words, unit="03-bye")
    assert [t["action"] for t in report["triggers"] if t["action"] != "notice"] == ["salvage"]
    ref = next(u for u in report["units"] if u["id"] == "03-bye")["attempts"][0]["ref"]
    assert git(p.top, "rev-parse", f"{ref}^{{commit}}")
    prompt = (p.io_of("rest/1") / "prompt.md").read_text()
    for word in fault.words:
        assert word in prompt, "the one agent is not told of it"
    if fault.stray:
        assert fault.stray in git(p.top, "ls-tree", "-r", "--name-only", ref).split("\n")
        assert fault.stray not in git(p.top, "ls-tree", "-r", "--name-only", "main").split("\n")


@SLOW
def test_a_contract_that_imports_what_is_not_there(p: Several) -> None:
    """No check of the project loads it before its units do: it is seen all the same, before any of them begins."""
    wrong = 'write("words.py", "from menu import MENU, BYE\\n"); report()'
    p.plays({"01-contract": wrong})
    done = p.ran()
    report = fell_back(p, done)
    assert p.attempts(report)["01-contract"] == ["ok"]
    assert p.starts() == ["01-contract/1", "rest/1"]
    told(p, done, "batch_validation_failed", "words.py:1", "takes BYE from menu.py", unit="01-contract")
    assert "takes BYE from menu.py" in (p.io_of("rest/1") / "prompt.md").read_text()


@SLOW
def test_the_time_limit(p: Several) -> None:
    """The others are done long before."""
    p.plays({"03-bye": 'works(); wait_for("never")'})
    done = p.ran("--set", "limits.attempt_seconds=12")
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite", "06-app")
    assert p.attempts(report)["03-bye"] == ["timeout"]
    told(p, done, "agent_crashed", "time limit", unit="03-bye")


# ---- several merges that wait


def test_the_culprit_among_waiting_merges_is_found(p: Several) -> None:
    document = plan()
    extra = {"id": "07-loud", "goal": "Do 07-loud.", "needs": ["01-contract"], "writes": ["loud.py"]}
    p.planned(document | {"units": [*document["units"], extra]})
    p.plays(
        {
            "02-hello": 'wait_for("second"); works(); report()',
            "03-bye": 'wait_for("third"); works(); write("menu.py", "MENU = []\\n"); report()',
            "07-loud": 'wait_for("fourth"); write("loud.py", "loud = 1\\n"); report()',
            "04-polite": 'wait_for("first"); works(); report()',
        }
    )
    child = p.begin()
    p.wait_event("CandidatePassed")
    p.hold_checks()
    begun = len((p.gates / "checks").read_text().split())
    p.open("first")
    p.checks_begun(begun + 1)
    for count, gate in enumerate(("second", "third", "fourth"), start=3):
        p.open(gate)
        p.wait_event("Merged", count)
    p.free_checks()
    done = p.end(child)
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite", "06-app", "07-loud")
    told(p, done, "batch_validation_failed", "test_greet_is_first", unit="03-bye")
    assert "03-bye" not in p.units(report)
    assert len([t for t in report["triggers"] if t["action"] == "salvage"]) == 1


@SLOW
def test_a_new_test_that_fails_only_at_the_last_candidate(p: Several) -> None:
    """While units are missing it may fail; with all of them it counts, and nobody's work is taken out."""
    ahead = 'write("tests/test_talk.py", WORK["05-talk"]["tests/test_talk.py"])'
    p.plays(
        {
            "02-hello": f"works(); {ahead}; report()",
            "05-talk": 'write("talk.py", "def talk(who):\\n    return 1\\n"); report()',
        }
    )
    done = p.ran()
    report = delivered(p, done, "delivered_after_fallback")
    assert sorted(p.units(report)) == sorted((*UNITS, "rest"))
    assert sorted(p.starts()) == sorted([*(f"{unit}/1" for unit in UNITS), "rest/1"])
    assert p.wrote("rest/1") == {"talk.py"}
    told(p, done, "batch_validation_failed", "With all units together", "test_talk")


# ---- two that touch the same lines


def test_two_units_change_the_same_lines(p: Several) -> None:
    """Of a file that neither owns: both are told, the later one is done anew."""
    adds = 'works(); text = open("menu.py").read().replace("]", f\'    "{me}",\\n]\'); write("menu.py", text); report()'
    p.plays(
        {
            "02-hello": adds,
            "03-bye": f'wait_for("second"); {adds}',
            "04-polite": HELD,
            "rest": "works(); report()",
        }
    )
    child = p.begin()
    p.wait_event("Merged", 2)
    p.open("second")
    p.wait_event("MergeConflicted")
    p.open("go")
    done = p.end(child)
    fell_back(p, done, "01-contract", "02-hello", "04-polite")
    told(p, done, "file_conflict", "menu.py", unit="03-bye")
    told(p, done, "undeclared_write", "menu.py", action="notice", unit="02-hello")
    told(p, done, "undeclared_write", "menu.py", action="notice", unit="03-bye")
    assert '"02-hello"' in (p.top / "menu.py").read_text()
    assert '"03-bye"' not in (p.top / "menu.py").read_text()


@SLOW
def test_two_units_write_the_same_list(p: Several) -> None:
    """The lines of both are kept, which is told and validated like the rest."""
    adds = 'works(); write("CHANGELOG.md", open("CHANGELOG.md").read() + f"- {me}\\n"); report()'
    p.plays({"02-hello": adds, "03-bye": f'wait_for("second"); {adds}', "04-polite": f'wait_for("second"); {WORKS}'})
    child = p.begin()
    p.wait_event("Merged", 2)
    p.open("second")
    done = p.end(child)
    report = delivered(p, done, "delivered_parallel")
    assert [t["action"] for t in report["triggers"]] == ["notice", "notice"]
    assert "CHANGELOG.md is a list that both changed" in done.err
    assert (p.top / "CHANGELOG.md").read_text() == "# Changes\n\n- first\n- 02-hello\n- 03-bye\n"


@SLOW
def test_a_file_that_nobody_owns_is_a_notice(p: Several) -> None:
    p.plays({"03-bye": 'works(); write("stray.py", "stray = 1\\n"); report()'})
    done = p.ran()
    delivered(p, done, "delivered_parallel")
    told(p, done, "undeclared_write", "stray.py", action="notice", unit="03-bye")
    assert (p.top / "stray.py").exists()


@SLOW
def test_the_checkout_is_changed(p: Several) -> None:
    """Without a sandbox an agent can: it is told, it is left as it is, and the result waits on its branch."""
    p.plays({"03-bye": 'works(); open(TOP + "/menu.py", "a").write("# mine\\n"); report()'})
    done = p.end(p.begin(), 1, apart=False)
    report = delivered(p, done, "delivered_parallel", landed=False)
    assert report["landed_reason"] == "dirty"
    told(p, done, "checkout_changed", "menu.py was changed", "03-bye/1", action="notice", unit="")
    assert (p.top / "menu.py").read_text().endswith("# mine\n")
    assert git(p.top, "rev-parse", "main") == p.before["head"]


# ---- tokens and money


@pytest.mark.parametrize(
    ("says", "words", "args"),
    [
        ("context_used=900, context_limit=1000", ("90 % full", "900 of 1,000"), ()),
        pytest.param("cost_usd=0.85", ("$0.8", "of $1.00"), ("--budget-usd", "1"), marks=SLOW),
        pytest.param("input=850000", ("of 1,000,000 tokens",), ("--budget-tokens", "1000000"), marks=SLOW),
    ],
    ids=["context", "money", "tokens"],
)
def test_nearly_used_up(p: Several, says: str, words: tuple[str, ...], args: tuple[str, ...]) -> None:
    """No new parallel starts; what runs may finish, the one whose model's context is full too."""
    done = falls(p, {"03-bye": f'say(event="usage", {says}); wait_for("go"); works(); report(usage=None)'}, *args)
    fell_back(p, done, "01-contract", "02-hello", "03-bye", "04-polite")
    told(p, done, "token_budget_exceeded", *words)


@SLOW
def test_nothing_is_left(p: Several) -> None:
    """Everything stops and is kept; more money goes on from there."""
    p.plays(BESIDE | {"03-bye": 'works(); say(event="usage", cost_usd=1.2); wait_for("never")'})
    done = p.ran("--budget-usd", "1", code=1)
    assert done.json["outcome"] == "not_delivered"
    told(p, done, "token_budget_exceeded", "$1.2", "of $1.00", action="stop")
    assert "bye.py" in git(p.top, "ls-tree", "-r", "--name-only", f"refs/ropeteam/{p.run()}/03-bye/1")
    p.plays({})
    p.look()  # with its documents now
    done = p.resumed("--budget-usd", "5")
    fell_back(p, done, "01-contract")


# ---- ours, the provider's, the disk's, the user's

FAILING = """#!/bin/sh
# Fails the calls that match, as often as is wanted.
case "$* $GIT_WORK_TREE $PWD" in
$FAIL_ON)
  echo "$*" >>"$FAIL_LOG"
  if [ "$(wc -l <"$FAIL_LOG")" -le "$FAIL_TIMES" ]; then echo "fatal: out of luck" >&2; exit 70; fi ;;
esac
exec "$FAIL_GIT" "$@"
"""


def failing_git(p: Several, on: str, times: int) -> dict[str, str]:
    """An environment in which git fails that often at calls that match the shell pattern `on`."""
    program = p.folder / "failing-git"
    program.write_text(FAILING.replace("$FAIL_ON", on))
    program.chmod(0o755)
    return {
        "ROPETEAM_GIT": str(program),
        "FAIL_GIT": p.env.get("ROPETEAM_GIT", "git"),
        "FAIL_LOG": str(p.folder / "failed-calls"),
        "FAIL_TIMES": str(times),
    }


def test_git_fails_twice_for_a_unit(p: Several) -> None:
    """Tried once more, then the unit is left to the one agent."""
    p.plays(BESIDE)
    child = p.begin(env=failing_git(p, "*read-tree*03-bye-*", 2))
    p.wait_event("TriggerFired", 2)
    p.open("go")
    done = p.end(child)
    fell_back(p, done, "01-contract", "02-hello", "04-polite")
    told(p, done, "unexpected_problem", "out of luck", action="retry", unit="03-bye")
    told(p, done, "unexpected_problem", "out of luck", unit="03-bye")


@SLOW
def test_git_fails_once_for_a_unit(p: Several) -> None:
    done = p.ran(env=failing_git(p, "*read-tree*03-bye-*", 1))
    delivered(p, done, "delivered_parallel")
    told(p, done, "unexpected_problem", "out of luck", action="retry", unit="03-bye")


@SLOW
def test_git_fails_twice_while_validating(p: Several) -> None:
    """Nothing is wrong with anybody's work, but it cannot be validated: one agent on the last checkpoint."""
    p.plays({"02-hello": HELD, "03-bye": HELD, "04-polite": "works(); report()"})
    child = p.begin(env=failing_git(p, "*read-tree*check-candidate-*", 3))
    p.wait_event("TriggerFired", 2)
    p.open("go")
    done = p.end(child)
    report = done.json
    assert report["outcome"] == "delivered_after_fallback"
    told(p, done, "unexpected_problem", "out of luck", "Validate")
    assert len(set(p.starts())) == len(p.starts())


OVERLOADED = 'works(); say(event="end", outcome="overload", text="529"); sys.exit(1)'


def test_a_provider_that_does_not_answer_twice(p: Several) -> None:
    p.plays(BESIDE | {"03-bye": OVERLOADED})
    child = p.begin()
    p.wait_event("TriggerFired", 3)
    p.open("go")
    done = p.end(child)
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite")
    assert p.attempts(report)["03-bye"] == ["overload", "overload"]
    told(p, done, "agent_crashed", "529", action="retry", unit="03-bye")
    told(p, done, "unit_failed_twice", "03-bye failed again", "529", unit="03-bye")


@SLOW
def test_a_provider_that_does_not_answer_once(p: Several) -> None:
    p.plays({"03-bye/1": OVERLOADED})
    done = p.ran()
    report = delivered(p, done, "delivered_parallel")
    assert p.attempts(report)["03-bye"] == ["overload", "ok"]
    assert p.wrote("03-bye/2") == set(), "it goes on from the first one's snapshot"


PARKS = {
    "quota": (
        {
            "03-bye/1": 'works(); say(event="end", outcome="rate"); sys.exit(1)',
            "03-bye/2": 'say(event="end", outcome="rate", text="used up"); sys.exit(1)',
        },
        "quota_exhausted",
        "used up",
        ["rate", "rate", "ok"],
    ),
    "later": (
        {"03-bye/1": 'say(event="end", outcome="rate", retry_at=time.time() + 7200); sys.exit(1)'},
        "quota_exhausted",
        "no more requests",
        ["rate", "ok"],
    ),
    "login": (
        {"03-bye/1": 'works(); say(event="end", outcome="auth", text="401"); sys.exit(1)'},
        "agent_not_usable",
        "refused its log-in",
        ["auth", "ok"],
    ),
}


@pytest.mark.parametrize("name", ["quota", pytest.param("later", marks=SLOW), pytest.param("login", marks=SLOW)])
def test_it_parks_and_goes_on_in_parallel(p: Several, name: str) -> None:
    """What runs may finish, nothing new starts; the tries do not count."""
    does, id, words, outcomes = PARKS[name]
    p.plays(BESIDE | does)
    child = p.begin()
    wait_until(lambda: [t for t in p.events("TriggerFired") if t["trigger"]["id"] == id], id)
    p.open("go")
    done = p.end(child, 4)
    assert (done.json["state"], done.json["outcome"]) == ("parked", None)
    assert (done.json["resume_at"] is not None) == (name == "later")
    told(p, done, id, words, action="park", unit="03-bye")
    assert {"02-hello", "04-polite"} <= set(p.attempts(done.json))
    assert "06-app" not in p.attempts(done.json)
    assert "resume" in p.ropeteam("status").out
    before = p.starts()
    done = p.resumed()
    report = delivered(p, done, "delivered_parallel")
    assert p.attempts(report)["03-bye"] == outcomes
    assert set(p.starts()) - set(before) == {f"03-bye/{len(outcomes)}", "05-talk/1", "06-app/1"}
    assert len(set(p.starts())) == len(p.starts())


@SLOW
def test_the_disk_is_nearly_full(p: Several) -> None:
    """A large file takes the room, and gives it back."""
    free = shutil.disk_usage(p.folder).free
    if free < 8_000_000_000:
        pytest.skip("too little room here to take some away")
    p.plays(BESIDE)
    child = p.begin("--set", f"limits.free_bytes={free - 3_000_000_000}")
    p.wait_event("AttemptStarted", 4)
    with (p.folder / "large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 4_000_000_000)
    done = p.end(child, 4)
    (p.folder / "large").unlink()
    told(p, done, "disk_nearly_full", "MB are free", action="park")
    assert done.json["state"] == "parked"
    p.open("go")
    done = p.resumed()
    report = delivered(p, done, "delivered_parallel")
    assert p.attempts(report)["01-contract"] == ["ok"]
    assert p.attempts(report)["02-hello"] == ["killed", "ok"]


@SLOW
def test_the_user_cancels(p: Several) -> None:
    p.plays({"02-hello": 'works(); opens("half"); wait_for("never")', "03-bye": 'wait_for("never")'})
    child = p.begin()
    p.at("half")
    p.wait_event("CandidatePassed", 2)  # that of 04-polite
    assert p.ropeteam("cancel").code == 0
    done = p.end(child, 1)
    assert done.json["outcome"] == "cancelled"
    told(p, done, "cancelled", "You asked for it", action="stop")
    assert "hello.py" in git(p.top, "ls-tree", "-r", "--name-only", f"refs/ropeteam/{p.run()}/02-hello/1")
    assert "polite.py" in git(p.top, "ls-tree", "-r", "--name-only", f"refs/ropeteam/{p.run()}/integration")
    before = p.rows()
    again = p.ropeteam("resume", "--json")
    assert (again.code, again.json["outcome"], p.rows()) == (1, "cancelled", before)


# ---- before the run


def figures(*, quantile: float = 2.0, seconds: float = 900.0, confidence: float = 0.95) -> dict[str, object]:
    estimate = {"speedup_quantile": quantile, "single": {"seconds_p50": seconds}, "parallel": {"seconds_p50": 300.0}}
    return {"estimate": estimate, "confidence": {"value": confidence, "reasons": ["Two edges are weak."]}}


@pytest.mark.parametrize(
    ("given", "ids", "words"),
    [
        (
            figures(quantile=1.2, seconds=200.0, confidence=0.7),
            ["confidence_below_minimum", "speedup_below_minimum", "sequential_time_below_minimum"],
            ("70.0%", "Two edges are weak", "1.20", "200 s"),
        ),
        pytest.param(figures(confidence=0.89), ["confidence_below_minimum"], ("89.0%",), marks=SLOW),
        pytest.param(figures(quantile=1.49), ["speedup_below_minimum"], ("1.49",), marks=SLOW),
        pytest.param(figures(seconds=299.0), ["sequential_time_below_minimum"], ("299 s",), marks=SLOW),
    ],
    ids=["all", "confidence", "speedup", "time"],
)
def test_the_gate_says_one_agent(p: Several, given: dict[str, object], ids: list[str], words: tuple[str, ...]) -> None:
    """Each id whose condition holds is told; the one agent is given the batches in order."""
    p.planned(plan(**given))
    done = p.ran(mode="auto")
    report = delivered(p, done, "delivered_single", winner="single")
    assert (report["decision"]["mode"], report["decision"]["triggers"]) == ("single", ids)
    assert [t["id"] for t in report["triggers"]] == ids
    for trigger in report["triggers"]:
        told(p, done, trigger["id"], trigger["evidence"].rstrip("."), action="single")
    assert all(word in done.err for word in words)
    assert p.starts() == ["single/1"]
    prompt = (p.io_of("single/1") / "prompt.md").read_text()
    assert prompt.index("Do 01-contract.") < prompt.index("Do 03-bye.") < prompt.index("Do 06-app.")


@SLOW
def test_the_gate_is_overridden(p: Several) -> None:
    p.planned(plan(**figures(quantile=1.2, seconds=200.0, confidence=0.7)))
    done = p.ran()
    report = delivered(p, done, "delivered_parallel")
    # overridden is not fired: neither list has any of them
    assert report["triggers"] == []
    assert report["decision"].get("triggers", []) == []
    assert sorted(report["decision"]["overridden"]) == [
        "confidence_below_minimum",
        "sequential_time_below_minimum",
        "speedup_below_minimum",
    ]


def test_nothing_goes_wrong(p: Several) -> None:
    """What the others are compared with: each unit once, one commit each, what it needs is there when it begins."""
    done = p.ran()
    report = delivered(p, done, "delivered_parallel")
    assert report["triggers"] == []
    assert sorted(p.starts()) == [f"{unit}/1" for unit in UNITS]
    commits = git(p.top, "log", "--reverse", "--format=%(trailers:key=Ropeteam-Unit,valueonly,separator=)", "main")
    order = [unit for unit in commits.split("\n") if unit]
    assert sorted(order) == list(UNITS)
    assert all(order.index(need) < order.index(unit) for unit in UNITS for need in NEEDS[unit])
    assert all(p.wrote(f"{unit}/1") == set(WORK[unit]) for unit in UNITS)
