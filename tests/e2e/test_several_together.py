"""Several agents and what meets: two triggers, one while draining, the one agent that fails, insurance, strictness,
layers, requests, two runs on one repository, two orchestrators on one run, a check that tests other code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import FEATURE, wait_until
from several_world import INTENT, LOG, RESULT, UNITS, WORK, Several, delivered, fell_back, plan, several, told

from repositories import commit_all, files_of, git, write_files

SLOW = pytest.mark.slow
HELD = 'wait_for("go"); works(); report()'
CRASHES = 'works(); print("no more money", file=sys.stderr); sys.exit(3)'
NEVER = 'works(); opens(me); wait_for("never")'


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Several]:
    with several(tmp_path) as made:
        yield made


def until_fired(p: Several, count: int = 1, *, id: str = "") -> None:
    def fired() -> bool:
        return len([e for e in p.events("TriggerFired") if id in ("", e["trigger"]["id"])]) >= count

    wait_until(fired, f"trigger number {count} {id}")


# ---- two triggers


def test_two_at_once(p: Several) -> None:
    """Both are told, both are done anew, and nothing else."""
    together = f'opens(me); wait_for("both"); {CRASHES}'
    p.plays({"02-hello": together, "03-bye": together, "04-polite": HELD})
    child = p.begin()
    p.at("02-hello")
    p.at("03-bye")
    p.open("both")
    until_fired(p, 2)
    p.open("go")
    done = p.end(child)
    fell_back(p, done, "01-contract", "04-polite")
    for unit in ("02-hello", "03-bye"):
        told(p, done, "agent_crashed", "no more money", unit=unit)


@SLOW
def test_two_merges_break_the_checks(p: Several) -> None:
    """In one candidate: one culprit is found, then the other, and the third work is kept."""
    document = plan()
    extra = {"id": "07-loud", "goal": "Do 07-loud.", "needs": ["01-contract"], "writes": ["loud.py"]}
    p.planned(document | {"units": [*document["units"], extra]})
    p.plays(
        {
            "02-hello": 'wait_for("second"); works(); write("menu.py", "MENU = []\\n"); report()',
            "03-bye": 'wait_for("third"); works(); os.unlink("tests/__init__.py"); report()',
            "04-polite": 'wait_for("fourth"); works(); report()',
            "07-loud": 'wait_for("first"); write("loud.py", "loud = 1\\n"); report()',
        }
    )
    child = p.begin()
    p.wait_event("CandidatePassed")
    p.hold_checks()
    p.open("first")
    p.wait_event("Merged", 2)
    for count, gate in enumerate(("second", "third", "fourth"), start=3):
        p.open(gate)
        p.wait_event("Merged", count)
    p.free_checks()
    done = p.end(child)
    report = fell_back(p, done, "01-contract", "04-polite", "07-loud")
    told(p, done, "batch_validation_failed", "test_greet_is_first", unit="02-hello")
    told(p, done, "batch_validation_failed", "tests", unit="03-bye")
    assert [t["action"] for t in report["triggers"] if t["action"] != "notice"] == ["salvage", "salvage"]


@pytest.mark.parametrize(
    ("does", "id"),
    [
        ('write("hello.py", "def hello(:\\n"); report()', "syntax_error"),
        pytest.param('works(); report(files=[{"path": "nowhere.py"}])', "context_corrupted", marks=SLOW),
    ],
    ids=["syntax", "lie"],
)
def test_another_one_while_draining(p: Several, does: str, id: str) -> None:
    """It concerns its own unit only: the third is merged and validated all the same."""
    p.plays({"02-hello": f'wait_for("go"); {does}', "03-bye": CRASHES, "04-polite": f'wait_for("last"); {HELD}'})
    child = p.begin()
    until_fired(p)
    p.open("go")
    until_fired(p, 2)
    assert p.ropeteam("status", "--json").json["state"] == "draining"
    p.open("last")
    done = p.end(child)
    fell_back(p, done, "01-contract", "04-polite")
    told(p, done, "agent_crashed", "no more money", unit="03-bye")
    told(p, done, id, unit="02-hello")


# ---- the one agent


def test_the_one_agent_fails_and_succeeds_at_its_second_try(p: Several) -> None:
    """From the first one's snapshot, and told what it failed on."""
    p.plays({"03-bye": CRASHES, "04-polite": HELD, "02-hello": HELD, "rest/1": 'works("03-bye"); sys.exit("too hard")'})
    child = p.begin()
    until_fired(p)
    p.open("go")
    done = p.end(child)
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite", rest=2)
    assert p.attempts(report)["rest"] == ["crashed", "ok"]
    assert p.wrote("rest/1") == set(WORK["03-bye"])
    assert p.wrote("rest/2") == set(WORK["05-talk"]) | set(WORK["06-app"])
    told(p, done, "agent_crashed", "too hard", action="retry", unit="rest")
    prompt = (p.io_of("rest/2") / "prompt.md").read_text()
    assert "too hard" in prompt
    assert "no more money" in prompt


@SLOW
def test_the_one_agents_work_breaks_a_test(p: Several) -> None:
    breaks = 'works(); write("menu.py", "MENU = []\\n"); report()'
    mends = 'write("menu.py", \'MENU = [\\n    "greet",\\n]\\n\'); report()'
    p.plays({"03-bye": CRASHES, "04-polite": HELD, "02-hello": HELD, "rest/1": breaks, "rest/2": mends})
    child = p.begin()
    until_fired(p)
    p.open("go")
    done = p.end(child)
    fell_back(p, done, "01-contract", "02-hello", "04-polite", rest=2)
    told(p, done, "batch_validation_failed", "test_greet_is_first", action="retry", unit="rest")
    assert "test_greet_is_first" in (p.io_of("rest/2") / "prompt.md").read_text()


def test_the_one_agent_fails_twice_and_resume_makes_one_more(p: Several) -> None:
    p.plays(
        {
            **{"03-bye": CRASHES, "04-polite": HELD, "02-hello": HELD},
            "rest/1": 'works("03-bye"); sys.exit("too hard")',
            "rest/2": 'works("05-talk"); sys.exit("still too hard")',
            "rest/3": 'write("half.py", "half = 1\\n"); sys.exit("no")',
            "rest/4": 'os.unlink("half.py"); works(); report()',
        }
    )
    child = p.begin()
    until_fired(p)
    p.open("go")
    done = p.end(child, 1)
    report = done.json
    assert (report["outcome"], report["landed"], report["branch"]) == ("not_delivered", False, None)
    assert p.attempts(report)["rest"] == ["crashed", "crashed"]
    told(p, done, "agent_crashed", "still too hard", action="stop", unit="rest")
    log = (p.top / LOG).read_text()
    for ref in report["kept"]:
        assert git(p.top, "rev-parse", ref)
        assert ref in log
    assert {u.partition("/")[0] for u in (r.rpartition(p.run() + "/")[2] for r in report["kept"])} == {
        *("01-contract", "02-hello", "03-bye", "04-polite", "rest"),
    }
    assert git(p.top, "rev-parse", "main") == p.before["head"]
    assert "✗ blocked" in (p.top / INTENT).read_text()
    assert "ropeteam resume" in p.ropeteam("report").out
    p.look()  # with its documents now
    done = p.resumed(code=1)
    assert (done.json["outcome"], p.attempts(done.json)["rest"]) == ("not_delivered", ["crashed"] * 3)
    p.look()
    done = p.resumed()
    report = fell_back(p, done, "01-contract", "02-hello", "04-polite", rest=4)
    assert p.wrote("rest/4") == set(WORK["06-app"])
    assert "✓ done" in (p.top / INTENT).read_text()  # in place: it had been changed there before


# ---- insurance


def test_the_belay_wins_without_a_trigger(p: Several) -> None:
    p.plays({"02-hello": NEVER, "03-bye": NEVER, "04-polite": NEVER, "belay": f'wait_for("belay"); {HELD}'})
    child = p.begin("--belay")
    for unit in ("02-hello", "03-bye", "04-polite"):
        p.at(unit)
    p.open("belay", "go")
    done = p.end(child)
    report = delivered(p, done, "delivered_single", winner="belay")
    assert sorted(p.starts()) == ["01-contract/1", "02-hello/1", "03-bye/1", "04-polite/1", "belay/1"]
    assert report["triggers"] == []
    assert p.wrote("belay/1") == set(RESULT)
    for unit in ("02-hello", "03-bye", "04-polite"):
        assert set(WORK[unit]) <= set(
            git(p.top, "ls-tree", "-r", "--name-only", f"refs/ropeteam/{p.run()}/{unit}/1").split()
        )
    assert git(p.top, "show", f"refs/ropeteam/{p.run()}/integration:words.py")
    subjects = git(p.top, "log", "--format=%s", f"{report['base']}..main").split("\n")
    assert len(subjects) == 2, subjects  # the belay's work and the log


@pytest.mark.parametrize("waits", [False, pytest.param(True, marks=SLOW)], ids=["early", "drained"])
def test_the_belay_wins_after_a_trigger(p: Several, waits: bool) -> None:
    """It is the fallback: no other one agent is begun while it lives."""
    p.plays({"02-hello": HELD, "03-bye": CRASHES, "04-polite": HELD, "belay": 'wait_for("belay"); works(); report()'})
    child = p.begin("--belay")
    until_fired(p)
    if waits:
        p.open("go")
        wait_until(lambda: p.ropeteam("status", "--json").json["state"] == "running", "the end of the draining")
    p.open("belay")
    done = p.end(child)
    report = delivered(p, done, "delivered_after_fallback", winner="belay")
    assert [s for s in p.starts() if s.startswith("rest")] == []
    told(p, done, "agent_crashed", "no more money", unit="03-bye")
    assert set(p.units(report)) >= {"01-contract", "belay"}
    assert report["actual"]["insurance_usd"] > 0


@SLOW
def test_the_belay_fails_and_the_one_agent_does_it(p: Several) -> None:
    p.plays({"02-hello": HELD, "03-bye": CRASHES, "04-polite": HELD, "belay": f'wait_for("belay"); {CRASHES}'})
    child = p.begin("--belay")
    until_fired(p)
    p.open("go", "belay")
    done = p.end(child)
    fell_back(p, done, "01-contract", "02-hello", "04-polite")
    told(p, done, "agent_crashed", "no more money", action="notice", unit="belay")


@SLOW
def test_the_belay_fails_and_nothing_else_does(p: Several) -> None:
    p.plays({"belay": CRASHES})
    done = p.ran("--belay")
    delivered(p, done, "delivered_parallel")
    told(p, done, "agent_crashed", "no more money", action="notice", unit="belay")


# ---- to the letter


def test_strict(p: Several) -> None:
    """Everything is stopped and kept; the one agent goes on from the last checkpoint."""
    p.plays({"02-hello": NEVER, "03-bye": f'wait_for("now"); {CRASHES}', "04-polite": NEVER})
    child = p.begin("--set", "fallback=strict")
    p.at("02-hello")
    p.at("04-polite")
    p.open("now")
    done = p.end(child)
    report = fell_back(p, done, "01-contract")
    told(p, done, "agent_crashed", "no more money", action="strict", unit="03-bye")
    assert (p.attempts(report)["02-hello"], p.attempts(report)["04-polite"]) == (["killed"], ["killed"])
    assert "hello.py" in git(p.top, "ls-tree", "-r", "--name-only", f"refs/ropeteam/{p.run()}/02-hello/1")


@SLOW
def test_layers(p: Several) -> None:
    """A layer begins once the one before is validated as a whole, whatever its units need."""
    layer = {"02-hello": "models", "03-bye": "models", "04-polite": "services", "05-talk": "views", "06-app": "views"}
    document = plan()
    p.planned(document | {"units": [u | {"layer": layer.get(u["id"], "config")} for u in document["units"]]})
    p.plays({"03-bye": 'wait_for("bye"); works(); report()'})
    child = p.begin("--set", "plan.grouping=layers")
    p.wait_event("CandidatePassed", 2)  # 02-hello, which is all that 05-talk's neighbour 04-polite would not need
    assert sorted(e["attempt"] for e in p.events("AttemptStarted")) == ["01-contract/1", "02-hello/1", "03-bye/1"]
    p.open("bye")
    done = p.end(child)
    report = delivered(p, done, "delivered_parallel")
    batch = {u["id"]: u["batch"] for u in report["units"]}
    assert [batch[unit] for unit in UNITS] == [1, 2, 2, 3, 4, 4]
    order = [e.get("attempt", e.get("commit", ""))[:2] for e in p.events("AttemptStarted")]
    assert [sorted(order[:1]), sorted(order[1:3]), order[3:4], sorted(order[4:])] == [
        ["01"],
        ["02", "03"],
        ["04"],
        ["05", "06"],
    ]


@SLOW
def test_one_agent_with_a_plan(p: Several) -> None:
    """It is given the batches in their order."""
    done = p.ran(mode="single")
    report = delivered(p, done, "delivered_single", winner="single")
    assert (report["triggers"], p.starts()) == ([], ["single/1"])
    prompt = (p.io_of("single/1") / "prompt.md").read_text()
    places = [prompt.index(f"Do {unit}.") for unit in UNITS]
    assert places == sorted(places)


# ---- requests


def test_a_line_in_a_file_of_a_unit_that_is_done(p: Several) -> None:
    """Done at the end by a unit of its own."""
    wish = {"path": "words.py", "what": "Add LOUD = 'LOUD'."}
    louder = WORK["01-contract"]["words.py"] + 'LOUD = "LOUD"\n'
    p.plays({"02-hello": f"works(); report(requests=[{wish!r}])", "wiring": f'write("words.py", {louder!r}); report()'})
    done = p.ran()
    report = delivered(p, done, "delivered_parallel", result=RESULT | {"words.py": louder})
    assert report["triggers"] == []
    assert sorted(p.units(report)) == sorted((*UNITS, "wiring"))
    assert "Add LOUD = 'LOUD'." in (p.io_of("wiring/1") / "prompt.md").read_text()
    assert report["requests"] == [wish | {"unit": "02-hello", "done": True}]
    starts = [e["attempt"] for e in p.events("AttemptStarted")]
    assert starts[-1] == "wiring/1"


def test_a_line_in_a_file_of_a_unit_that_has_not_begun(p: Several) -> None:
    """Its agent is told; nobody else is needed."""
    wish = {"path": "app.py", "what": "Say hello with a capital H."}
    p.plays({"02-hello": f"works(); report(requests=[{wish!r}])", "03-bye": HELD, "04-polite": HELD})
    child = p.begin()
    p.wait_event("CandidatePassed", 2)
    p.open("go")
    done = p.end(child)
    report = delivered(p, done, "delivered_parallel")
    assert sorted(p.units(report)) == sorted(UNITS)
    assert "Say hello with a capital H." in (p.io_of("06-app/1") / "prompt.md").read_text()
    assert "Say hello with a capital H." not in (p.io_of("05-talk/1") / "prompt.md").read_text()
    assert report["requests"] == [wish | {"unit": "02-hello", "done": True}]


@SLOW
def test_a_request_and_a_fall(p: Several) -> None:
    """The one agent is given it."""
    wish = {"path": "words.py", "what": "Add LOUD = 'LOUD'."}
    louder = WORK["01-contract"]["words.py"] + 'LOUD = "LOUD"\n'
    p.plays(
        {
            "02-hello": f'wait_for("go"); works(); report(requests=[{wish!r}])',
            "03-bye": CRASHES,
            "04-polite": HELD,
            "rest": f'works(); write("words.py", {louder!r}); report()',
        }
    )
    child = p.begin()
    until_fired(p)
    p.open("go")
    done = p.end(child)
    report = delivered(p, done, "delivered_after_fallback", result=RESULT | {"words.py": louder})
    assert "Add LOUD = 'LOUD'." in (p.io_of("rest/1") / "prompt.md").read_text()
    assert report["requests"] == [wish | {"unit": "02-hello", "done": True}]
    assert [s for s in p.starts() if s.startswith("wiring")] == []


# ---- two at a time


def test_two_runs_on_one_repository(p: Several) -> None:
    """Neither knows of the other; the one that lands second finds its branch moved, and lands on it when asked."""
    other = "farewell"
    document = {
        "units": [
            {"id": name, "goal": f"Do {name}.", "needs": [], "writes": [f"{name}.py"]} for name in ("left", "right")
        ]
    }
    folder = f".workspace/features/{other}"
    documents = {"01-intent.md": "# Say farewell\n\nTo both sides.\n", "01-research.md": "# Research\n\nNone.\n"}
    write_files(p.top, {f"{folder}/{name}": text for name, text in documents.items()})
    commit_all(p.top)
    p.look()
    (p.folder / "other.json").write_text(json.dumps(document))
    side = 'wait_for("other"); write(me + ".py", me + " = 1\\n"); report()'
    p.plays({"02-hello": HELD, "03-bye": HELD, "04-polite": HELD, "left": side, "right": side})
    args = [
        str(p.folder / "other.json") if a == str(p.plan_file) else other if a == FEATURE else a for a in p.run_args()
    ]
    first, second = p.begin(), p.start(*args, "--json")
    wait_until(lambda: len({e["attempt"] for e in p.events("AttemptStarted")}) == 6, "six agents at work")
    runs = {run for run, _, _ in p.rows()}
    assert len(runs) == 2
    p.open("other")
    done = p.ended(second, 150.0)
    assert done.code == 0, done
    assert (done.json["outcome"], done.json["landed"]) == ("delivered_parallel", True)
    landed = git(p.top, "rev-parse", "main")
    p.open("go")
    done = p.ended(first, 150.0)
    assert done.code == 1, done
    report = done.json
    assert (report["outcome"], report["landed_reason"]) == ("delivered_parallel", "moved")
    assert git(p.top, "rev-parse", "main") == landed
    done = p.ropeteam("land", report["run"], "--json")
    assert done.code == 0, done
    for path, text in RESULT.items():
        assert (p.top / path).read_text() == text
    assert (p.top / "left.py").exists()
    assert git(p.top, "status", "--porcelain") == ""
    assert sorted(p.starts()) == sorted([*(f"{unit}/1" for unit in UNITS), "left/1", "right/1"])
    assert not p.processes()
    for run in runs:
        assert git(p.top, "for-each-ref", f"refs/ropeteam/{run}/")


def test_two_orchestrators_on_one_run(p: Several) -> None:
    """The second is refused, while the first lives and when two go on at once."""
    p.plays({"02-hello": HELD, "03-bye": HELD, "04-polite": HELD})
    child = p.begin()
    p.wait_event("AttemptStarted", 4)
    before = files_of(p.top), git(p.top, "for-each-ref", "refs/heads")
    # there is nothing to land yet, which is said before anybody asks who drives it
    for command, code in (("resume", "run_busy"), ("land", "user_error")):
        refused = p.ropeteam(command, p.run(), "--json")
        assert refused.code == 2, refused
        assert refused.json["error"]["code"] == code
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    both = [p.start("resume", "--json") for _ in range(2)]
    wait_until(lambda: any(one.poll() is not None for one in both), "one of them is refused")
    assert (files_of(p.top), git(p.top, "for-each-ref", "refs/heads")) == before
    p.open("go")
    ended = sorted((p.ended(one, 150.0) for one in both), key=lambda done: done.code)
    assert [done.code for done in ended] == [0, 2], ended
    assert ended[1].json["error"]["code"] == "run_busy"
    report = delivered(p, ended[0], "delivered_parallel")
    assert all(outcomes == ["ok"] for outcomes in p.attempts(report).values())
    assert sorted(p.starts()) == [f"{unit}/1" for unit in UNITS]


# ---- checks that test other code


def test_a_linked_environment_that_tests_the_users_checkout(tmp_path: Path) -> None:
    """The canary notices it on the base: the check has no say, and the closing line tells."""
    with several(tmp_path, sets=("checks.canary=true",)) as p:
        moved = ("app.py", "menu.py")
        (p.top / "src").mkdir()
        git(p.top, "mv", *moved, "src")
        (p.top / ".gitignore").write_text("__pycache__/\n.venv\n")
        commit_all(p.top)
        env = p.folder / "env"
        packages = env / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        packages.mkdir(parents=True)
        (env / "bin").mkdir()
        (env / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        (env / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
        (packages / "__editable__.talk.pth").write_text(f"{p.top}/src\n")
        (p.top / ".venv").symlink_to(env)
        p.look()
        document = plan()
        p.planned(
            document
            | {
                "units": [
                    u | {"writes": [w if w.startswith("tests/") else f"src/{w}" for w in u["writes"]]}
                    for u in document["units"]
                ]
            }
        )
        place = 'w if w.startswith("tests/") else "src/" + w'
        p.plays(dict.fromkeys(UNITS, f"[write({place}, text) for w, text in WORK[me].items()]; report(files=[])"))
        argv = json.dumps([".venv/bin/python", "-m", "unittest", "discover", "-v"])
        check = f'checks.commands=[{{name="tests",argv={argv},format="unittest"}}]'
        done = p.ran("--set", check)
        report = done.json
        assert (report["outcome"], report["landed"]) == ("delivered_parallel", True)
        (found,) = report["checks"]
        assert (found["state"], found["baseline"]) == ("no_gate", "no_gate"), found
        page = p.ropeteam("report").out
        assert "tests: no_gate" in page.split("\n")[0], page
        assert "tests other code" in " ".join(page.split())


def test_a_set_up_has_the_slot_of_its_agent(tmp_path: Path) -> None:
    """Set-ups of several trees run side by side: each has the database of its own agent, and checks have theirs."""
    setup = """checks.setup=['mkdir -p __pycache__ && printf %s "$DB" > __pycache__/db']"""
    with several(tmp_path, sets=(setup, 'trees.env={DB="app_{slot}"}')) as p:
        done = p.end(p.begin())
        delivered(p, done, "delivered_parallel")
        begun = p.events("AttemptStarted")
        assert len({event["slot"] for event in begun}) > 1
        for event in begun:
            assert (Path(event["tree"]) / "__pycache__" / "db").read_text() == f"app_{event['slot']}"
