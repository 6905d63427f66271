"""Host mode through the command line: a program plays the host, real git and real orchestrators do the rest."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from driving import wait_until
from host_world import Hosted, hosted
from several_world import RESULT, UNITS, WORK, delivered

from markdown_pages import GUIDE, block
from repositories import git
from ropeteam import locks
from ropeteam.journal import Journal

pytestmark = pytest.mark.slow


def kill_the_orchestrator(p: Hosted) -> None:
    pid = p.holder()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not p.lock_openers(), "the lock to be free")


def shown(p: Hosted, ref: str, path: str) -> str:
    return git(p.top, "show", f"{ref}:{path}")


def test_six_units_two_at_a_time(tmp_path: Path) -> None:
    with hosted(tmp_path, sets=("workers=2",)) as p:
        run = p.hosting()
        first = p.unit(lambda: p.take("--by", "one"))
        assert (first["id"], first["kind"], first["writes"], first["needs"]) == (
            "01-contract",
            "contract",
            ["words.py"],
            [],
        )
        assert first["tree"] in Path(first["prompt_file"]).read_text()
        assert first["prompt_file"] in first["prompt"]
        p.does(first)
        assert p.hand_in(first["attempt"]).json["accepted"] is True
        p.wait_event("CandidatePassed")
        p.wait_event("AttemptOffered", 3)
        both = [p.start("take", "--json", "--wait", "30") for _ in range(2)]  # two takers at once
        units = [p.ended(child).json["unit"] for child in both]
        assert sorted(u["id"] for u in units) == ["02-hello", "03-bye"]
        waits = p.take(wait=0)
        assert (waits["wait_seconds"] > 0, sorted(waits["out"])) == (True, ["02-hello/1", "03-bye/1"])
        for unit in units:
            p.does(unit)
            text = json.dumps({"usage": {"input": 100, "cost_usd": 0.5}, "files": []})
            p.hands(unit, text)
        answer = p.drive()
        assert (answer["run"], answer["state"], answer["outcome"], answer["landed"]) == (
            run,
            "ended",
            "delivered_parallel",
            True,
        )
        report = delivered(p, p.done(), "delivered_parallel")
        assert p.units(report) == list(UNITS)
        assert (report["actual"]["tokens"], report["actual"]["cost_usd"]) == (200, 1.0)
        assert [u["attempts"][0]["tokens"] is None for u in report["units"]] == [True, False, False, True, True, True]
        assert report["triggers"] == []
        page = p.ropeteam("report").out
        assert "not known" in page
        assert len(p.events("AttemptStarted")) == 6


def test_an_overdue_unit_gets_a_successor_and_what_comes_late_is_kept(tmp_path: Path) -> None:
    with hosted(tmp_path, sets=("limits.host_seconds=2",)) as p:
        p.hosting(mode="single")
        first = p.unit()
        p.does(first, "01-contract")
        second = p.unit()
        assert (second["attempt"], second["tree"] != first["tree"]) == ("single/2", True)
        assert (Path(second["tree"]) / "words.py").read_text() == WORK["01-contract"]["words.py"]  # from its snapshot
        p.does(first)
        late = p.hand_in(first["attempt"])
        assert (late.code, late.json["accepted"]) == (1, False)
        assert shown(p, late.json["kept"], "talk.py") + "\n" == WORK["05-talk"]["talk.py"]
        p.does(second)
        p.hands(second)
        assert p.drive()["outcome"] == "delivered_single"
        report = p.done().json
        assert p.attempts(report) == {"single": ["timeout", "ok"]}
        assert report["triggers"] == []  # nobody failed
        assert late.json["kept"] in report["kept"]
        assert any(late.json["kept"] in n for n in report["notices"])


def test_what_nobody_is_at_work_on_any_more_is_given_back_and_begun_anew(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        p.hosting(mode="single")
        first = p.unit()
        p.does(first, "01-contract")
        back = p.hand_in(first["attempt"], "--abandon")
        assert (back.code, back.json["abandoned"]) == (0, True)
        second = p.unit()
        assert (second["attempt"], second["tree"] != first["tree"]) == ("single/2", True)
        assert (Path(second["tree"]) / "words.py").read_text() == WORK["01-contract"]["words.py"]  # from its snapshot
        assert p.hand_in(first["attempt"]).code == 1
        p.does(second)
        p.hands(second)
        assert p.drive()["outcome"] == "delivered_single"
        report = p.done().json
        assert p.attempts(report) == {"single": ["timeout", "ok"]}
        assert report["triggers"] == []


def test_cancelling_fences_and_keeps(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        p.hosting(mode="single")
        unit = p.unit()
        p.does(unit, "01-contract")
        assert p.ropeteam("cancel", "--json").json["outcome"] == "cancelled"
        (Path(unit["tree"]) / "late.py").write_text("late = True\n")
        late = p.hand_in(unit["attempt"])
        assert (late.code, late.json["accepted"]) == (1, False)
        assert shown(p, late.json["kept"], "late.py") == "late = True"
        again = p.hand_in(unit["attempt"])
        assert (again.code, again.json["error"]["code"]) == (2, "handed_in_already")
        answer = p.asks()
        assert (answer["done"], answer["outcome"], answer["why"]) == (True, "cancelled", "You asked for it.")
        report = p.done().json
        (ref,) = [a["ref"] for u in report["units"] for a in u["attempts"]]
        assert shown(p, ref, "words.py") + "\n" == WORK["01-contract"]["words.py"]
        (Path(unit["tree"]) / "later.py").write_text("later = True\n")
        p.ropeteam("clean")
        assert not Path(unit["tree"]).exists()
        assert shown(p, late.json["kept"], "later.py") == "later = True"


def test_the_orchestrator_may_die_at_any_moment(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        p.hosting(mode="single")
        p.wait_event("AttemptOffered")
        kill_the_orchestrator(p)  # while it is offered
        first = p.unit(p.take)  # it is handed out at once; somebody drives the run again
        p.wait_event("AttemptStarted")
        kill_the_orchestrator(p)  # while it is with a subagent
        p.does(first)
        assert p.hand_in(first["attempt"]).json["accepted"] is True  # while nobody drives
        while not p.take().get("done"):  # somebody drives it again
            pass
        assert p.drive()["outcome"] == "delivered_single"
        report = p.done().json
        assert p.attempts(report) == {"single": ["ok"]}
        assert len(p.events("AttemptOffered")) == len(p.events("AttemptStarted")) == 1


def test_what_was_taken_while_nobody_drove_is_not_lost_by_a_cancel(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        run = p.hosting(mode="single")
        p.wait_event("AttemptOffered")
        kill_the_orchestrator(p)
        journal = Journal(p.home / "journal.sqlite")
        offer = journal.offers(run).all()[0]
        assert journal.offers(run).take(offer.attempt, "me", 1.0)  # and the taker died before it could start anybody
        journal.close()
        (Path(offer.unit.tree) / "mine.py").write_text("mine = True\n")
        assert "left alone" in p.ropeteam("clean").out
        assert p.ropeteam("cancel", "--json").json["outcome"] == "cancelled"
        (attempt,) = [a for u in p.done().json["units"] for a in u["attempts"]]
        assert shown(p, attempt["ref"], "mine.py") == "mine = True"


def test_work_that_does_not_do_is_tried_again(tmp_path: Path) -> None:
    with hosted(tmp_path, sets=("limits.tries=4",)) as p:
        p.hosting(mode="single")
        first = p.unit()
        p.hands(first)  # nothing was done
        second = p.unit()
        p.does(second)
        Path(second["report_file"]).write_text('{"files": [{"path": "never.py"}]}')
        p.hands(second)  # the report lies
        third = p.unit()
        assert (Path(third["tree"]) / "talk.py").exists()
        (Path(third["tree"]) / "app.py").write_text("def greet(name):\n    return 'moo'\n")
        p.hands(third)  # a check fails
        fourth = p.unit()
        assert "test_greets" in Path(fourth["prompt_file"]).read_text()
        p.does(fourth)
        p.hands(fourth)
        assert p.drive()["outcome"] == "delivered_single"
        done = p.done()
        assert p.attempts(done.json) == {"single": ["empty", "corrupted", "ok", "ok"]}
        assert [t["id"] for t in done.json["triggers"]] == [
            "agent_crashed",
            "context_corrupted",
            "batch_validation_failed",
        ]


def test_the_host_in_the_guide(tmp_path: Path) -> None:
    with hosted(tmp_path) as p:
        run = p.hosting(mode="single")
        (tmp_path / "host.py").write_text(block(GUIDE / "host-mode.md", "python", "host.py").text)
        lines = [
            "import pathlib, re, sys",
            "prompt = sys.stdin.read()",
            "task = pathlib.Path(re.search(r'the file (\\S+)\\.', prompt)[1]).read_text()",
            "tree = pathlib.Path(re.search(r'Work in `([^`]+)`', task)[1])",
            f"for path, text in {dict(RESULT)!r}.items():",
            "    (tree / path).write_text(text)",
        ]
        (tmp_path / "subagent.py").write_text("\n".join(lines))
        done = subprocess.run(
            [sys.executable, tmp_path / "host.py", run, sys.executable, tmp_path / "subagent.py"],
            cwd=p.top,
            env=p.env | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), p.env["PATH"]))},
            stdout=subprocess.PIPE,
            text=True,
            timeout=100,
            check=True,
        )
        assert json.loads(done.stdout.splitlines()[-1])["outcome"] == "delivered_single", done.stdout
        delivered(p, p.done(), "delivered_single", winner="single")


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(4))
def test_an_orchestrator_that_is_killed_all_the_time_hands_out_each_unit_once(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = random.Random(seed)
    with hosted(tmp_path) as p:
        for name, value in p.env.items():  # who takes starts an orchestrator, which gets our environment
            monkeypatch.setenv(name, value)
        lock = p.home / "runs" / f"{p.hosting()}.lock"
        over = threading.Event()

        def kills() -> None:
            for _ in range(15):
                if over.wait(draws.uniform(0.3, 4.0)):
                    return
                pid = locks.holder(lock)
                if pid and pid != os.getpid() and locks.held(lock):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killing = threading.Thread(target=kills)
        killing.start()
        try:
            assert p.drive()["outcome"] == "delivered_parallel"
        finally:
            over.set()
            killing.join()
        report = delivered(p, p.done(), "delivered_parallel")
        assert p.attempts(report) == {unit: ["ok"] for unit in UNITS}
        assert report["triggers"] == []
