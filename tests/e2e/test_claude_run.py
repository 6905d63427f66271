"""The real claude program implements a feature in a real repository, and each way it can fail ends as it should."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_runs import (
    GREET,
    MODEL,
    NAME,
    NEW,
    REPORT,
    WORK,
    ClaudeRun,
    at_rest,
    claude_run,
    delivered,
    not_delivered,
    parked,
    sample_turns,
    triggers,
)
from driving import DEADLINE, FEATURE, RESULT, alive, must_hold, wait_until

from repositories import files_of, git
from ropeteam import sandbox
from ropeteam.agents.claude import bundled
from ropeteam.demo import recording
from ropeteam.testing.model_server import Broken, EditFile, Shell, Status, StructuredReport, Turn, WriteFile

pytestmark = pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed")

RATE = Status(status=429)
OVERLOADED = Status(status=500)
HANG = Broken(kind="hang")
HELD = Turn(calls=(Shell(command="touch at-it; while [ ! -e go ]; do sleep 0.01; done; rm at-it go"),))
"""The model's shell command waits for a file in the work tree."""


@pytest.fixture
def c(tmp_path: Path) -> Iterator[ClaudeRun]:
    """With the sandbox where it runs."""
    with claude_run(tmp_path) as made:
        yield made


@pytest.fixture(params=["sandbox", pytest.param("no sandbox", marks=pytest.mark.slow)])
def both(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ClaudeRun]:
    with claude_run(tmp_path, sandbox=request.param == "sandbox") as made:
        yield made


# ---- success


def test_a_feature_lands_with_what_it_cost_and_what_was_decided(both: ClaudeRun) -> None:
    both.model(WORK, REPORT)
    said = delivered(both, both.run())

    (attempt,) = said["units"][0]["attempts"]
    assert attempt["agent"] == "claude"
    assert attempt["cost_usd"] == said["actual"]["cost_usd"] > 0.01
    tokens = attempt["tokens"]
    assert sum(tokens.values()) == said["actual"]["tokens"] > 5000
    assert min(tokens["input"], tokens["cached"], tokens["output"]) > 100
    assert said["files"]["created"][0] == {"path": "farewell.py", "purpose": "purpose of farewell.py"}
    assert said["files"]["modified"] == [{"path": "app.py", "purpose": "purpose of app.py"}]
    assert said["decisions"] == [{"decision": "Names are strings", "rationale": "They are typed in.", "unit": "single"}]
    assert said["deviations"] == [{"what": "No farewell by night", "why": "Nobody is up.", "unit": "single"}]
    assert [(check["name"], check["state"], check["added"]) for check in said["checks"]] == [("unittest", "passed", 1)]
    assert (said["triggers"], said["notices"]) == ([], [])

    result = both.p.events("AttemptSucceeded")[0]["result"]
    ((first, *_),) = both.conversations()
    assert result["session"] in first.body["metadata"]["user_id"], "the conversation is the one that is noted"
    assert result["model"].startswith(MODEL)
    log = (both.p.top / f".workspace/features/{FEATURE}/02-implementation.md").read_text()
    assert "No farewell by night" in log


@pytest.mark.slow
def test_the_sample_application_gets_its_planned_feature(tmp_path: Path) -> None:
    with claude_run(tmp_path, sample=True) as c:
        c.model(*sample_turns())
        done = c.run()
        assert done.code == 0, done
        said = at_rest(c, done)
        assert (said["outcome"], said["landed"], said["triggers"]) == ("delivered_single", True, [])
        for path in recording.load().purposes:
            assert (c.p.top / path).read_text() == recording.final(path), path
        (check,) = said["checks"]
        assert (check["state"], check["tests"] > 80, check["added"] > 30) == ("passed", True, True)
        assert len(said["decisions"]) == len(recording.load().report(recording.SINGLE).decisions)
        assert git(c.p.top, "status", "--porcelain") == ""
        assert "Ran 88 tests" in str(c.conversations()[0][-1].body["messages"]), "claude itself ran them"


@pytest.mark.slow
@pytest.mark.parametrize("variable", [False, True], ids=["home", "CLAUDE_CONFIG_DIR"])
def test_a_claude_in_a_folder_of_the_home_obeys_the_users_settings_and_cannot_change_them(
    c: ClaudeRun, variable: bool
) -> None:
    if not sandbox.available().ok:
        pytest.skip("no sandbox here")
    home = Path(c.p.env["HOME"])
    settings = home / "profiles" / "work" if variable else home / ".claude"
    if variable:
        c.p.env["CLAUDE_CONFIG_DIR"] = str(settings)
    (settings / "skills").mkdir(parents=True)
    (settings / "CLAUDE.md").write_text("Words of the user's for every session.\n")
    (settings / "settings.json").write_text("{}")
    before = files_of(settings)
    (home / "tools").mkdir()
    claude = home / "tools" / "claude"
    claude.symlink_to(bundled() or "")
    plant = f"echo '{{}}' > {settings}/settings.local.json\nmkdir {settings}/hooks\necho bad >> {settings}/CLAUDE.md\n"
    done = Turn(calls=(WriteFile(path="plant", content=plant), Shell(command="sh plant; rm plant")))
    c.model(done, WORK, REPORT)
    delivered(c, c.run("--set", f'agent.claude.argv=["{claude}"]'))
    assert "Words of the user's for every session." in c.conversations()[0][0].text
    assert "Read-only file system" in str(c.conversations()[0][1].body["messages"])
    assert files_of(settings) == before
    session = c.p.events("AttemptSucceeded")[0]["result"]["session"]
    folder = Path(c.p.events("AttemptStarted")[0]["folder"])
    assert list((folder / "home" / "projects").rglob(f"{session}.jsonl"))


@pytest.mark.slow
def test_all_attempts_share_the_system_prompt_and_are_told_their_own_first(c: ClaudeRun) -> None:
    c.model(Turn(calls=(*NEW, EditFile(path="app.py", find="hello", replace="goodbye"))), REPORT, mend(), REPORT)
    delivered(c, c.run(), "ok", "ok")

    (first, *_), (second, *_) = c.conversations()
    assert first.system == second.system
    assert "Greet people by their name." in first.system
    assert "Plain Python, tested with unittest." in first.system
    for one, tree in zip((first, second), c.p.events("AttemptStarted"), strict=True):
        (message,) = one.body["messages"]
        place = tree.get("at_path") or tree["tree"]
        assert place in str(message)
        assert place not in one.system
        assert "REQ-001" in str(message)
    assert "did not pass" not in first.text
    assert second.text.count("Attempt single/1 did not pass.") == 1
    assert "'hello' not found in 'goodbye'" in second.text, "the failing output"
    report = c.p.report()["units"][0]["attempts"]
    assert report[1]["tokens"]["cached"] > report[0]["tokens"]["cached"], "the second reads what the first has paid for"


def mend() -> Turn:
    return Turn(calls=(EditFile(path="app.py", find='"goodbye"', replace='f"hello {name}"'),))


@pytest.mark.slow
def test_broken_tests_are_mended_by_the_second_try(c: ClaudeRun) -> None:
    c.model(Turn(calls=(*NEW, EditFile(path="app.py", find="hello", replace="goodbye"))), REPORT, mend(), REPORT)
    said = delivered(c, c.run(), "ok", "ok")

    assert triggers(said) == [("batch_validation_failed", "retry")]
    assert "test_greets" in said["triggers"][0]["evidence"]
    assert c.kept("single/1", "app.py") == 'def greet(name):\n    return "goodbye"\n'


@pytest.mark.slow
def test_tests_that_stay_broken_are_not_delivered_and_kept(c: ClaudeRun) -> None:
    c.model(
        Turn(calls=(*NEW, EditFile(path="app.py", find="hello", replace="goodbye"))),
        REPORT,
        Turn(calls=(EditFile(path="app.py", find="goodbye", replace="good night"),)),
        REPORT,
    )
    said = not_delivered(c, c.run(), "ok", "ok")
    assert triggers(said) == [("batch_validation_failed", "retry"), ("batch_validation_failed", "stop")]
    assert "good night" in c.kept("single/2", "app.py")

    c.model(Turn(calls=(EditFile(path="app.py", find='"good night"', replace='f"hello {name}"'),)), REPORT)
    delivered(c, c.resume(), "ok", "ok", "ok", again=True)


# ---- the provider


@pytest.mark.slow
def test_a_rate_limit_is_waited_for_once_then_parks_and_resume_goes_on(c: ClaudeRun) -> None:
    c.model(Turn(calls=NEW), faults=[None, RATE], forever=True)
    said = parked(c, c.run(), "rate", "rate")
    assert triggers(said) == [("agent_crashed", "retry"), ("quota_exhausted", "park")]
    assert "429" in said["triggers"][1]["evidence"]
    assert c.kept("single/2", "farewell.py") == RESULT["farewell.py"]

    c.model(Turn(calls=(GREET,)), REPORT)
    said = delivered(c, c.resume(), "rate", "rate", "ok")
    assert len(c.conversations()[0]) == 2, "what was there was not written again"


@pytest.mark.slow
def test_a_rate_limit_with_a_far_end_parks_at_once_and_says_until_when(c: ClaudeRun) -> None:
    window = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": "1900000000",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    del c.p.env["ANTHROPIC_API_KEY"]
    c.p.env["CLAUDE_CODE_OAUTH_TOKEN"] = "dummy"
    c.model(WORK, faults=[None, Status(status=429, headers=window)], forever=True)
    done = c.run()
    said = parked(c, done, "rate")
    assert triggers(said) == [("quota_exhausted", "park")]
    assert said["resume_at"] == "2030-03-17T17:46:40Z"

    c.model(REPORT)
    delivered(c, c.resume(), "rate", "ok")


@pytest.mark.slow
def test_an_overload_is_waited_for_once_and_not_counted(c: ClaudeRun) -> None:
    c.model(WORK, REPORT, faults=[None, OVERLOADED])
    said = delivered(c, c.run(), "overload", "ok")

    assert triggers(said) == [("agent_crashed", "retry")]
    assert "500" in said["triggers"][0]["evidence"]
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]


@pytest.mark.slow
def test_an_overload_that_claude_sits_out_by_itself_is_no_trigger(tmp_path: Path) -> None:
    with claude_run(tmp_path, retries=3) as c:
        c.model(WORK, REPORT, faults=[None, OVERLOADED, Broken(kind="cut")])
        said = delivered(c, c.run())
        assert said["triggers"] == []


@pytest.mark.slow
def test_an_overload_without_end_is_not_delivered(c: ClaudeRun) -> None:
    c.model(WORK, faults=[None, OVERLOADED], forever=True)
    said = not_delivered(c, c.run(), "overload", "overload", "overload", "overload")
    assert [action for _, action in triggers(said)] == ["retry", "retry", "retry", "stop"]

    c.model(REPORT)
    delivered(c, c.resume(), "overload", "overload", "overload", "overload", "ok", again=True)


@pytest.mark.slow
def test_a_refused_log_in_parks_at_once(c: ClaudeRun) -> None:
    c.model(WORK, faults=[None, Status(status=401)], forever=True)
    said = parked(c, c.run(), "auth")
    assert triggers(said) == [("agent_not_usable", "park")]
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]

    c.model(REPORT)
    delivered(c, c.resume(), "auth", "ok")


@pytest.mark.slow
def test_a_refused_log_in_is_not_tried_for_a_minute(tmp_path: Path) -> None:
    """claude itself would ask seven times."""
    with claude_run(tmp_path, retries=6) as c:
        c.model(faults=[Status(status=401)], forever=True)
        parked(c, c.run(), "auth")
        assert sum(len(one) for one in c.conversations()) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cut", "garbage", "empty", "sse_error"])
def test_an_answer_that_breaks_off_or_is_none_is_asked_for_again_by_claude(c: ClaudeRun, kind: Any) -> None:
    c.model(WORK, REPORT, faults=[None, Broken(kind=kind)])
    said = delivered(c, c.run())
    assert said["triggers"] == []


@pytest.mark.slow
def test_a_stream_that_is_cut_is_no_trigger_once_claude_has_it_whole(c: ClaudeRun) -> None:
    c.model(WORK, REPORT, faults=[Broken(kind="cut")])
    said = delivered(c, c.run())
    assert said["triggers"] == []


@pytest.mark.slow
def test_streams_that_are_always_cut_are_an_overload(c: ClaudeRun) -> None:
    c.model(WORK, faults=[None, Broken(kind="cut")], forever=True)
    not_delivered(c, c.run("--set", "limits.tries=1"), "overload", "overload")
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]


# ---- what claude does


@pytest.mark.slow
def test_a_denied_permission_is_a_notice_and_the_tree_decides(both: ClaudeRun) -> None:
    both.model(Turn(calls=(WriteFile(path="../outside.txt", content="no"),)), WORK, REPORT)
    said = delivered(both, both.run())
    assert said["triggers"] == []
    assert any("not allowed" in notice and "Write" in notice for notice in said["notices"]), said["notices"]
    assert not list(both.p.trees.rglob("outside.txt"))


@pytest.mark.slow
def test_the_turn_limit_is_a_failed_try_and_the_next_one_goes_on(c: ClaudeRun) -> None:
    c.model(Turn(calls=NEW), Turn(calls=(GREET,)), REPORT)
    said = delivered(c, c.run("--set", "limits.turns=2"), "turns", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]
    assert "turns" in said["triggers"][0]["evidence"]
    assert len(c.conversations()[1]) == 1, "the second only had to report"


@pytest.mark.slow
def test_the_money_limit_ends_the_run_and_more_money_goes_on(c: ClaudeRun) -> None:
    long = Turn(text="word " * 20_000, calls=(Shell(command="true"),))  # 25,000 tokens, $0.38
    c.model(WORK, long, REPORT)
    said = not_delivered(c, c.run("--budget-usd", "0.3"), "budget")
    assert ("token_budget_exceeded", "stop") in triggers(said)
    assert 0.3 < said["actual"]["cost_usd"] < 0.6
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]

    c.model(REPORT)
    delivered(c, c.resume("--budget-usd", "5"), "budget", "ok", again=True)


@pytest.mark.slow
def test_a_run_without_a_report_is_judged_by_its_tree(c: ClaudeRun) -> None:
    c.model(WORK, Turn(text="All done."), Turn(text="Really."))
    said = delivered(c, c.run())
    assert any("no report" in notice for notice in said["notices"]), said["notices"]
    assert (said["decisions"], said["triggers"]) == ([], [])
    assert [file["path"] for file in said["files"]["created"]] == ["farewell.py", "tests/test_farewell.py"]


@pytest.mark.slow
def test_a_report_that_cannot_be_read_is_not_relied_on(c: ClaudeRun) -> None:
    bad = Turn(calls=(StructuredReport(content={"files": 3}),))
    c.model(WORK, *[bad] * 5, REPORT)
    said = delivered(c, c.run(), "corrupted", "ok")
    assert triggers(said) == [("context_corrupted", "retry")]


@pytest.mark.slow
def test_a_report_of_a_file_that_nobody_wrote_is_not_relied_on(c: ClaudeRun) -> None:
    lie = {"files": [{"path": "never.py", "purpose": "?"}], "decisions": [], "deviations": []}
    c.model(WORK, Turn(calls=(StructuredReport(content=lie),)), REPORT)
    said = delivered(c, c.run(), "corrupted", "ok")
    assert triggers(said) == [("context_corrupted", "retry")]
    assert "never.py" in said["triggers"][0]["evidence"]


@pytest.mark.slow
def test_nothing_done_is_a_failed_try(c: ClaudeRun) -> None:
    empty = Turn(calls=(StructuredReport(content={"files": [], "decisions": [], "deviations": []}),))
    c.model(empty, WORK, REPORT)
    said = delivered(c, c.run(), "empty", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]


# ---- processes


@pytest.mark.slow
def test_a_hanging_agent_is_ended_and_tried_again(c: ClaudeRun) -> None:
    c.model(WORK, REPORT, faults=[None, HANG])
    said = delivered(c, c.run("--set", "limits.stall_seconds=12"), "stalled", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]
    assert "no sign of life" in said["triggers"][0]["evidence"]


@pytest.mark.slow
def test_a_time_limit_ends_an_agent_at_work(c: ClaudeRun) -> None:
    c.model(WORK, REPORT, faults=[None, HANG])
    said = delivered(c, c.run("--set", "limits.attempt_seconds=10"), "timeout", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]


def test_a_killed_agent_is_tried_again_from_what_it_left(both: ClaudeRun) -> None:
    both.model(WORK, REPORT, faults=[None, HANG])
    child = both.p.start(*both.args())
    both.server.wait_for_request(NAME, 2)
    os.kill(both.claude(), signal.SIGKILL)
    said = delivered(both, both.p.ended(child), "killed", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]
    assert "SIGKILL" in said["triggers"][0]["evidence"]
    assert both.kept("single/1", "farewell.py") == RESULT["farewell.py"]


@pytest.mark.slow
def test_a_killed_wrapper_takes_its_agent_along(both: ClaudeRun) -> None:
    both.model(WORK, HELD, REPORT)
    child = both.p.start(*both.args())
    tree = Path(both.p.wait_event("AttemptStarted")["tree"])
    wait_until((tree / "at-it").exists, "the shell command of claude")
    before = both.claudes()
    assert before
    os.kill(both.p.wrapper(), signal.SIGKILL)
    both.p.wait_event("AttemptFailed")
    assert not any(alive(pid) for pid in before)
    said = delivered(both, both.p.ended(child), "killed", "ok")
    assert triggers(said) == [("agent_crashed", "retry")]


def test_a_killed_orchestrator_leaves_an_agent_that_resume_takes_over(both: ClaudeRun) -> None:
    both.model(WORK, HELD, REPORT)
    child = both.p.start(*both.args())
    tree = Path(both.p.wait_event("AttemptStarted")["tree"])
    wait_until((tree / "at-it").exists, "the shell command of claude")
    claude = both.claude()
    child.kill()
    child.wait(DEADLINE)
    assert alive(claude)
    must_hold(both.p, at_rest=False)

    again = both.p.start("resume", "--json")
    both.p.wait_event("Resumed")
    (tree / "go").touch()
    said = delivered(both, both.p.ended(again))
    assert said["triggers"] == []
    assert said["actual"]["cost_usd"] > 0.01, "what was said while nobody listened is counted too"
    assert len(both.conversations()) == 1
    rows = both.p.rows()
    assert both.resume().code == 0
    assert both.p.rows() == rows


@pytest.mark.slow
def test_an_agent_that_ended_while_nobody_looked_is_collected(c: ClaudeRun) -> None:
    c.model(WORK, HELD, REPORT)
    child = c.p.start(*c.args())
    tree = Path(c.p.wait_event("AttemptStarted")["tree"])
    wait_until((tree / "at-it").exists, "the shell command of claude")
    child.kill()
    child.wait(DEADLINE)
    (tree / "go").touch()
    wait_until(lambda: not c.claudes(), "the end of claude")
    said = delivered(c, c.resume())
    assert said["decisions"]
    assert len(c.conversations()) == 1


@pytest.mark.slow
def test_orchestrator_and_agent_killed_together(c: ClaudeRun) -> None:
    c.model(WORK, REPORT, faults=[None, HANG])
    child = c.p.start(*c.args())
    c.server.wait_for_request(NAME, 2)
    for pid in (child.pid, c.p.wrapper()):
        os.kill(pid, signal.SIGKILL)
    child.wait(DEADLINE)
    wait_until(lambda: not c.claudes(), "the end of claude, which goes with its wrapper")
    said = delivered(c, c.resume(), "killed", "ok")
    assert said["triggers"] == [], "not the agent's fault"
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]


@pytest.mark.slow
def test_cancel_stops_claude_and_keeps_its_work(c: ClaudeRun) -> None:
    c.model(WORK, HELD, REPORT)
    child = c.p.start(*c.args())
    tree = Path(c.p.wait_event("AttemptStarted")["tree"])
    wait_until((tree / "at-it").exists, "the shell command of claude")
    assert c.p.ropeteam("cancel").code == 0
    done = c.p.ended(child)
    assert done.code == 1
    said = at_rest(c, done)
    assert said["outcome"] == "cancelled"
    assert c.kept("single/1", "farewell.py") == RESULT["farewell.py"]
    assert c.resume().json == said
