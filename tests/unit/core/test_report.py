"""The report is a contract: its fields, its nulls, its size, its times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from worlds import World, started

from ropeteam.core import events as ev
from ropeteam.core.model import (
    AgentReport,
    CheckResult,
    DecisionNote,
    DeviationNote,
    Feature,
    FileChange,
    FileNote,
    Trigger,
    Usage,
)
from ropeteam.core.report import exit_code, report, time_scale
from ropeteam.core.settings import AgentSettings, Limits, Settings

LOG = "02-implementation.md"


def document(w: World) -> dict[str, Any]:
    """As `report --format json` writes it."""
    said: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report(w.state)))
    return said


def missing(wanted: Any, said: Any, where: str = "") -> list[str]:
    """Paths of fields that `wanted` has and `said` has not; of lists the first element stands for all."""
    if isinstance(wanted, dict):
        here = [f"{where}.{k}" for k in wanted if k not in said]
        return here + [m for k in wanted if k in said for m in missing(wanted[k], said[k], f"{where}.{k}")]
    if isinstance(wanted, list) and wanted:
        assert said, f"{where} is empty"
        return missing(wanted[0], said[0], where)
    return []


CONTRACT = msgspec.json.decode(
    """
{"run": "", "state": "ended", "outcome": "", "winner": "", "landed": true, "landed_reason": null, "resume_at": null,
 "base": "", "head": "", "branch": "",
 "units": [{"id": "", "state": "", "attempts": [{"id": "", "agent": "", "outcome": "", "seconds": 301.2,
    "tokens": {"input": 0, "cached": 0, "output": 0}, "cost_usd": 0.0, "ref": ""}]}],
 "triggers": [{"id": "", "unit": "", "at": "", "evidence": "", "action": ""}],
 "files": {"created": [{"path": "", "purpose": ""}], "modified": [], "deleted": []},
 "decisions": [{"decision": "", "rationale": "", "unit": ""}], "deviations": [{"what": "", "why": "", "unit": ""}],
 "checks": [{"name": "", "state": "passed", "baseline": "passed"}],
 "predicted": {"mode": "", "single_seconds_p50": 0.0, "parallel_seconds_p50": 0.0, "speedup_p50": 0.0,
    "speedup_quantile": 0.0},
 "actual": {"seconds": 0.0, "single_seconds_estimated": 0.0, "speedup_estimated": 0.0, "tokens": 0, "cost_usd": 0.0,
    "orchestration_seconds": 0.0}}
"""
)

SAID = AgentReport(
    files=(FileNote(path="a.py", purpose="the total"),),
    decisions=(DecisionNote(decision="cents", rationale="no rounding"),),
    deviations=(DeviationNote(what="no cache", why="not needed"),),
)


def test_every_field_of_the_contract_is_there() -> None:
    w = World().begin().baseline().fail("crashed", report=SAID)
    w.begin().succeed(report=SAID).merge().validate().compose(LOG).land()
    assert missing(CONTRACT, document(w)) == []


def test_every_field_is_there_from_the_first_moment_with_nulls() -> None:
    w = World(plan_at_once=False)
    said = document(w)
    assert {k for k in CONTRACT if k not in said} == set()
    nulls = {k for k, v in said.items() if v is None}
    assert nulls == {"outcome", "winner", "landed_reason", "resume_at", "head", "branch", "decision"}
    assert said["state"] == "planning"
    assert said["landed"] is False
    assert said["units"] == []
    assert set(said["predicted"]) >= set(CONTRACT["predicted"])
    assert set(said["predicted"].values()) == {None}
    assert said["actual"]["single_seconds_estimated"] is None
    assert said["actual"]["speedup_estimated"] is None


def test_nothing_is_predicted_before_anything_can_be_estimated() -> None:
    predicted = document(World().to_end())["predicted"]
    assert predicted.pop("mode") == "single"
    assert set(predicted.values()) == {None}


def test_what_landed_has_no_branch_and_no_reason() -> None:
    said = document(World().to_end())
    assert (said["state"], said["outcome"], said["winner"]) == ("ended", "delivered_single", "single")
    assert (said["landed"], said["landed_reason"], said["branch"]) == (True, None, None)
    assert said["head"] == "merged-work-of-single/1+documents"


def test_what_was_left_has_its_branch_and_the_reason() -> None:
    said = document(World(started(land="no")).to_land().leave())
    assert (said["landed"], said["landed_reason"]) == (False, "asked")
    assert said["branch"] == "ropeteam/checkout-7f3a"


@pytest.mark.parametrize("name", ["shop/checkout", "a/b/c"])
def test_a_slash_in_a_features_name_becomes_a_dash_in_its_branch(name: str) -> None:
    w = World(started(land="no", feature=Feature(name=name, source="workspace"))).to_land().leave()
    assert document(w)["branch"] == f"ropeteam/{name.replace('/', '-')}-7f3a"


def test_a_run_that_was_not_delivered_names_every_ref() -> None:
    w = World().begin().baseline().fail("crashed", kept=("refs/ropeteam/run/single/1-stash",))
    w.begin().fail("stalled").write()
    said = document(w)
    assert (said["outcome"], said["winner"], said["head"]) == ("not_delivered", None, None)
    refs = ["refs/ropeteam/run/single/1", "refs/ropeteam/run/single/1-stash", "refs/ropeteam/run/single/2"]
    assert said["kept"] == refs
    assert [u["state"] for u in said["units"]] == ["failed"]
    assert [a["outcome"] for a in said["units"][0]["attempts"]] == ["crashed", "stalled"]


def test_the_state_of_the_unit_follows_its_newest_attempt() -> None:
    w = World()

    def state() -> str:
        return str(document(w)["units"][0]["state"])

    assert state() == "pending"
    w.begin().baseline()
    assert state() == "running"
    w.fail("crashed")
    assert state() == "pending"  # another try is due
    w.begin().succeed()
    assert state() == "ended"
    w.merge().validate()
    assert state() == "validated"


def test_a_parked_run_says_when_it_can_go_on() -> None:
    w = World().begin().baseline()
    w.fail("rate", retry_at=datetime(2026, 11, 22, 18, 30, tzinfo=UTC).timestamp())
    said = document(w)
    assert (said["state"], said["outcome"], said["resume_at"]) == ("parked", None, "2026-11-22T18:30:00Z")


def test_triggers_are_told_with_id_unit_time_evidence_and_action() -> None:
    w = World().begin().baseline().fail("stalled", evidence="No event for 600 s.")
    (said,) = document(w)["triggers"]
    assert said == {
        "id": "agent_crashed",
        "unit": "single",
        "at": datetime.fromtimestamp(w.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "evidence": "No event for 600 s.",
        "action": "retry",
    }


def test_files_come_from_the_tree_of_the_newest_snapshot_and_purposes_from_what_was_said() -> None:
    first = (FileChange(path="a.py", kind="created"), FileChange(path="gone.py", kind="created"))
    second = (
        FileChange(path="a.py", kind="created"),
        FileChange(path="b.py", kind="modified"),
        FileChange(path="c.py", kind="deleted"),
    )
    w = World().begin().baseline().fail("crashed", changes=first, report=SAID)
    w.begin().succeed(changes=second, report=AgentReport(files=(FileNote(path="never.py", purpose="a claim"),)))
    assert document(w)["files"] == {
        "created": [{"path": "a.py", "purpose": "the total"}],
        "modified": [{"path": "b.py", "purpose": ""}],
        "deleted": [{"path": "c.py", "purpose": ""}],
    }


def test_what_two_attempts_say_alike_is_said_once() -> None:
    w = World().begin().baseline().fail("crashed", report=SAID).begin().succeed(report=SAID)
    assert len(document(w)["decisions"]) == 1
    assert document(w)["deviations"] == [{"what": "no cache", "why": "not needed", "unit": "single"}]


def test_notices_tell_what_decides_nothing() -> None:
    feature = Feature(name="checkout", source="stdin", notices=("01-intent.md has no requirements.",))
    w = World(started(feature=feature)).begin().baseline()
    w.succeed(notices=("A permission was denied.",), ignored=tuple(f"build/{i}" for i in range(9)))
    told = document(w)["notices"]
    assert told[:2] == ["01-intent.md has no requirements.", "single/1: A permission was denied."]
    assert "build/4" in told[2]
    assert "build/5" not in told[2]
    w.merge().validate().compose().land(write=False)
    w.happen(ev.DocumentsWritten(problem="read-only"))
    assert document(w)["notices"][-1] == "The run's documents could not be written: read-only"


def test_checks_keep_the_names_of_at_most_twenty_tests() -> None:
    checks = (
        CheckResult(name="pytest", state="failed", baseline="passed", failing=tuple(f"t{i}" for i in range(50))),
        CheckResult(name="lint", state="no_gate", baseline="failed", why="it failed before"),
        CheckResult(name="e2e", state="not_run", baseline="not_run", why="no browser"),
    )
    w = World().to_validate()
    w.happen(ev.CandidateFailed(commit=w.find(ev.Validate).commit, checks=checks))
    said = document(w)["checks"]
    assert len(said[0]["failing"]) == 20
    assert [(c["name"], c["state"], c["baseline"]) for c in said] == [
        ("pytest", "failed", "passed"),
        ("lint", "no_gate", "failed"),
        ("e2e", "not_run", "not_run"),
    ]
    assert said[2]["why"] == "no browser"


# ---- figures


def test_money_and_tokens_are_those_of_all_attempts() -> None:
    w = World().begin().baseline()
    w.fail("crashed", usage=Usage(input=100, cached=50, output=10, cost_usd=0.25))
    w.begin().succeed(usage=Usage(input=1, cached=2, output=3, cost_usd=0.5)).merge()
    said = document(w)
    assert said["actual"]["tokens"] == 166
    assert said["actual"]["cost_usd"] == 0.75
    assert said["units"][0]["attempts"][1]["tokens"] == {"input": 1, "cached": 2, "output": 3}


def test_usage_that_was_only_reported_on_the_way_is_not_lost() -> None:
    w = World().begin(input=70, cost_usd=0.7).baseline().fail("killed")
    assert document(w)["actual"]["cost_usd"] == 0.7


def test_the_seconds_are_the_agent_the_checks_and_what_is_ours() -> None:
    w = World()
    w.happen(ev.BaselineMeasured(commit="base", checks=()), after=2.0)
    w.happen(ev.AttemptStarted(attempt="single/1", tree="/t", folder="/f", start="base", agent="command"), after=1.0)
    w.succeed(seconds=100.0)
    w.happen(ev.Merged(attempt="single/1", onto="base", commit="m"), after=0.5)
    w.happen(ev.CandidatePassed(commit="m", checks=()), after=40.0)
    w.happen(ev.Composed(tip="m", head="m"), after=0.5)
    w.happen(ev.Landed(head="m", branch="main"), after=0.5)
    w.happen(ev.DocumentsWritten(), after=0.5)
    actual = report(w.state).actual
    assert actual.seconds == pytest.approx(145.0)
    assert actual.orchestration_seconds == pytest.approx(5.0)
    assert (actual.single_seconds_estimated, actual.speedup_estimated) == (actual.seconds, 1.0)


def test_waiting_for_the_baseline_is_a_check() -> None:
    w = World().begin().succeed().merge()
    w.happen(ev.BaselineMeasured(commit="base", checks=()), after=30.0)
    w.validate().compose().land()
    assert report(w.state).actual.orchestration_seconds < 10.0


def test_waiting_for_the_users_answer_is_no_time_of_the_run() -> None:
    w = World(started(land="ask")).to_land()
    before = report(w.state).actual
    w.now += 3600.0
    w.answer(True)
    assert report(w.state).actual.seconds == before.seconds
    assert report(w.state).actual.orchestration_seconds == before.orchestration_seconds


def test_the_answer_may_come_after_a_crash() -> None:
    w = World(started(land="ask")).to_land()
    w.now += 3600.0
    w.resume()
    w.now += 3600.0
    w.answer(True).land()
    assert report(w.state).actual.seconds < 100.0


SCRIPTED = Settings(agents={"scripted": AgentSettings(time_scale=60.0), "command": AgentSettings(time_scale=9.0)})


def test_the_scripted_agents_time_is_scaled_back_and_labelled() -> None:
    w = World(started(settings=SCRIPTED, agent="scripted")).to_merge()
    said = report(w.state)
    assert said.units[0].attempts[0].seconds == 3600.0
    assert said.clock == "scripted agent: its time counts 60-fold"
    plain = World(started()).to_merge()
    assert said.actual.seconds == pytest.approx(report(plain.state).actual.seconds + 59 * 60.0)
    assert said.actual.orchestration_seconds == report(plain.state).actual.orchestration_seconds


def test_no_other_agents_time_is_scaled() -> None:
    w = World(started(settings=SCRIPTED, agent="command")).to_merge()
    assert time_scale(w.state) == 1.0
    assert report(w.state).clock == ""


# ---- size


def test_the_report_of_eight_files_is_short_enough_for_a_caller_that_pays_by_the_token() -> None:
    names = ["price", "order", "stock", "tax", "mail", "cart", "user", "audit"]
    files = [f"src/shop/checkout/{name}_service.py" for name in names]
    said = AgentReport(
        files=tuple(FileNote(path=f, purpose="Validates and stores one step of the checkout.") for f in files),
        decisions=tuple(
            DecisionNote(
                decision=f"Money is held in whole cents ({i}).", rationale="No rounding on the way to the bank."
            )
            for i in range(3)
        ),
        deviations=(DeviationNote(what="No cache for prices.", why="The research file says they change hourly."),) * 2,
    )
    changes = tuple(FileChange(path=f, kind="created" if i % 2 else "modified") for i, f in enumerate(files))
    w = (
        World()
        .begin()
        .baseline()
        .fail("stalled", evidence="No output and no event for 600 s.", changes=changes, report=said)
    )
    w.begin().succeed(
        changes=changes, report=said, usage=Usage(input=123_456, cached=1_234_567, output=23_456, cost_usd=3.21)
    )
    w.merge()
    checks = tuple(
        CheckResult(name=n, state="passed", baseline="passed", tests=214, added=12, seconds=12.5)
        for n in ("pytest", "ruff", "mypy")
    )
    w.happen(ev.CandidatePassed(commit=w.find(ev.Validate).commit, checks=checks))
    w.compose(".workspace/features/checkout/02-implementation.md", ".workspace/features/checkout/01-intent.md").land()
    size = len(msgspec.json.encode(report(w.state)))
    assert size < 6000, size


# ---- exit codes


def test_the_exit_code_says_how_it_stands() -> None:
    running = World().begin().baseline()
    assert exit_code(running.state) == 4
    parked = World().begin().baseline().fail("auth")
    assert exit_code(parked.state) == 4
    failed = World(started(limits=Limits(tries=1))).begin().baseline().fail("crashed").write()
    assert exit_code(failed.state) == 1
    cancelled = World().begin().baseline().cancel().fail("killed")
    assert exit_code(cancelled.state) == 1
    broken = World().to_validate().break_(ev.Validate).break_(ev.Validate).write()
    assert exit_code(broken.state) == 3
    assert report(broken.state).error == "git ended with 128"
    refused = World().to_land().refuse("dirty").leave()
    assert exit_code(refused.state) == 1
    assert exit_code(World(started(land="no")).to_land().leave().state) == 0


def test_a_notice_does_not_change_the_exit_code() -> None:
    w = World().begin().baseline()
    w.happen(ev.TriggerFired(trigger=Trigger(id="checkout_changed", evidence="README.md")))
    w.succeed().merge().validate().compose(LOG).land()
    assert exit_code(w.state) == 0
    assert w.triggers() == [("checkout_changed", "notice")]
