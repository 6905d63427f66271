from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.core.compare import compare, needs_repeat
from ropeteam.core.model import Baseline, CheckResult, CheckRun, FileChange
from ropeteam.core.model import TestResult as Result


def run(text: str = "", code: int | None = None, problem: str = "", **more: object) -> CheckRun:
    """`run("a+ b- c~")`: a passed, b failed, c skipped; every test in `tests/<first letter>.py` unless it has a `?`."""
    states = {"+": "passed", "-": "failed", "~": "skipped"}
    tests = []
    for word in text.split():
        name = word.rstrip("+-~?")
        file = "" if "?" in word else f"tests/test_{name[0]}.py"
        tests.append(Result(name=name, state=states[word.rstrip("?")[-1]], file=file))  # type: ignore[arg-type]
    if code is None and not problem:
        code = 1 if any(test.state == "failed" for test in tests) else 0
    return CheckRun(name="pytest", exit_code=code, tests=tuple(tests), problem=problem, seconds=1.0, output=text)


def changed(*paths: str) -> list[FileChange]:
    """`-path` is deleted, `+path` created, else modified."""
    kinds = {"-": "deleted", "+": "created"}
    return [FileChange(path=path.lstrip("+-"), kind=kinds.get(path[0], "modified")) for path in paths]  # type: ignore[arg-type]


def judge(before: CheckRun, *runs: CheckRun, paths: Sequence[str] = (), last: bool = True) -> CheckResult:
    return compare(Baseline(run=before), runs, changed=changed(*paths), last=last)


GONE = run(problem="stopped at its time limit of 5 s")

ROWS = [
    # the baseline alone decides
    ("never ran before", run(problem="No module named pytest"), [run("a+")], {}, "not_run"),
    ("not run afterwards", run("a+"), [], {}, "not_run"),
    ("exit only, failed before, good now", run(code=1), [run(code=0)], {}, "no_gate"),
    ("exit only, failed before, stopped now", run(code=1), [GONE], {}, "no_gate"),
    ("no test passed before", run("a-"), [run("a+")], {}, "no_gate"),
    ("all skipped before", run("a~"), [run("a+")], {}, "no_gate"),
    ("no tests before, new ones pass", run(code=5), [run("n+")], {}, "no_gate"),
    ("no tests before, new ones fail, last", run(code=5), [run("n-"), run("n-")], {}, "failed"),
    ("no tests before, new ones fail, not last", run(code=5), [run("n-")], {"last": False}, "no_gate"),
    ("no tests before, a new one is flaky", run(code=5), [run("n-"), run("n+")], {}, "no_gate"),
    # only an exit code
    ("exit only, same", run(code=0), [run(code=0)], {}, "passed"),
    ("exit only, broken", run(code=0), [run(code=2), run(code=2)], {}, "failed"),
    ("exit only, flaky", run(code=0), [run(code=2), run(code=0)], {}, "flaky"),
    ("exit only, then stopped", run(code=0), [GONE, GONE], {}, "failed"),
    ("exit only, stopped once", run(code=0), [GONE, run(code=0)], {}, "flaky"),
    ("exit only, killed by a signal", run(code=0), [run(code=-9)], {}, "failed"),
    # test by test
    ("all the same", run("a+ b- c~"), [run("a+ b- c~")], {}, "passed"),
    ("one breaks", run("a+ b+"), [run("a+ b-"), run("a+ b-")], {}, "failed"),
    ("one breaks, its file was changed", run("a+"), [run("a-")], {"paths": ["tests/test_a.py"]}, "failed"),
    ("one fails once", run("a+ b+"), [run("a+ b-"), run("a+ b+")], {}, "flaky"),
    ("they take turns", run("a+ b+"), [run("a+ b-"), run("a- b+")], {}, "flaky"),
    ("failed before, fails", run("a+ b-"), [run("a+ b-")], {}, "passed"),
    ("failed before, mended", run("a+ b-"), [run("a+ b+")], {}, "passed"),
    ("failed before, gone", run("a+ b-"), [run("a+")], {}, "passed"),
    ("missing, file untouched", run("a+ b+"), [run("a+")], {}, "failed"),
    ("missing, file changed", run("a+ b+"), [run("a+")], {"paths": ["tests/test_b.py"]}, "passed"),
    ("missing, file deleted", run("a+ b+"), [run("a+")], {"paths": ["-tests/test_b.py"]}, "passed"),
    ("missing, another file changed", run("a+ b+"), [run("a+")], {"paths": ["tests/test_c.py"]}, "failed"),
    ("missing, file unknown, no test changed", run("a+ b+?"), [run("a+")], {"paths": ["app.py"]}, "failed"),
    ("missing, file unknown, a test changed", run("a+ b+?"), [run("a+")], {"paths": ["tests/x.py"]}, "passed"),
    ("missing, file unknown, a test created", run("a+ b+?"), [run("a+")], {"paths": ["+tests/x.py"]}, "failed"),
    ("missing, file unknown, tests stand in source", run("a+ b+?"), [run("a+")], {"paths": ["src/lib.rs"]}, "passed"),
    ("missing once", run("a+ b+"), [run("a+"), run("a+ b+")], {}, "flaky"),
    ("missing, then failing", run("a+ b+"), [run("a+"), run("a+ b-")], {"paths": ["tests/test_b.py"]}, "failed"),
    ("skipped now", run("a+ b+"), [run("a+ b~")], {}, "failed"),
    ("skipped now by who changed its file", run("a+ b+"), [run("a+ b~")], {"paths": ["tests/test_b.py"]}, "passed"),
    ("its cases changed", run("a+ b[1]+"), [run("a+ b[2]+")], {"paths": ["app.py"]}, "passed"),
    ("its cases changed and the new one fails", run("a+ b[1]+"), [run("a+ b[2]-")], {"paths": ["app.py"]}, "failed"),
    ("a case is gone", run("a+ b[1]+ b[2]+"), [run("a+ b[1]+")], {"paths": ["app.py"]}, "failed"),
    ("all tests gone", run("a+"), [run(code=5)], {"paths": ["-tests/test_a.py"]}, "failed"),
    ("all tests gone, exit 0", run("a+"), [run(code=0)], {}, "failed"),
    ("all tests gone once", run("a+"), [run(code=139), run("a+")], {}, "flaky"),
    ("new test passes", run("a+"), [run("a+ n+")], {}, "passed"),
    ("new test fails at the last", run("a+"), [run("a+ n-"), run("a+ n-")], {}, "failed"),
    ("new test fails before the last", run("a+"), [run("a+ n-")], {"last": False}, "passed"),
    ("new test fails once", run("a+"), [run("a+ n-"), run("a+ n+")], {}, "flaky"),
    ("new test fails, then is not there", run("a+"), [run("a+ n-"), run("a+")], {}, "failed"),
    ("skipped before, fails at the last", run("a+ s~"), [run("a+ s-")], {}, "failed"),
    ("skipped before, fails before the last", run("a+ s~"), [run("a+ s-")], {"last": False}, "passed"),
    # whole runs
    ("exit code that no test explains", run("a+"), [run("a+", code=2)], {}, "failed"),
    ("the same unexplained code as before", run("a+", code=2), [run("a+", code=2)], {}, "passed"),
    ("another unexplained code", run("a+ b-", code=1), [run("a+ b+", code=-11)], {}, "failed"),
    ("mended, and a code that may be another's", run("a+ b-", code=1), [run("a+ b+", code=1)], {}, "passed"),
    ("cannot be run any more", run("a+"), [run(problem="x"), run(problem="x")], {}, "failed"),
    ("stopped, then a failure", run("a+ b+"), [GONE, run("a+ b-")], {}, "failed"),
    ("a failure, then stopped", run("a+ b+"), [run("a+ b-"), GONE], {}, "failed"),
    ("a failure, then another crash", run("a+ b+"), [run("a- b+"), run("a+ b+", code=-11)], {}, "failed"),
    ("stopped, a failure, clean", run("a+ b+"), [GONE, run("a- b+"), run("a+ b+")], {}, "flaky"),
]


@pytest.mark.parametrize(("before", "runs", "more", "state"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_row_of_the_table(before, runs, more, state):
    assert judge(before, *runs, **more).state == state


def test_a_check_that_cannot_tell_is_no_gate_whatever_the_candidate_does():
    cannot = Baseline(run=run("a+"), gate=False, why_not="it tests other code")
    for after in ([run("a+")], [run("a-")], [GONE], []):
        result = compare(cannot, after, changed=(), last=True)
        assert (result.state, result.baseline, result.why) == ("no_gate", "no_gate", "it tests other code")


def test_names_and_numbers_are_in_the_result():
    result = judge(run("a+ b+ c+ d-"), run("a- c+ n+"), run("a- c- n+"), paths=["tests/test_b.py"])
    assert (result.failing, result.removed, result.flaky) == (("a",), ("b",), ("c",))
    assert (result.added, result.tests, result.seconds, result.baseline) == (1, 3, 2.0, "failed")
    assert result.why == "1 test failing: a"
    assert result.output == "a- c- n+"


def test_a_broken_new_test_is_shown_before_the_last_candidate():
    assert judge(run("a+"), run("a+ n-"), last=False).why == "1 new test failing so far: n"


def test_long_lists_are_shortened_in_the_sentence_only():
    before, after = run("a+ b+ c+ d+ e+"), run("a- b- c- d- e-")
    result = judge(before, after)
    assert result.why == "5 tests failing: a, b, c and 2 more"
    assert result.failing == ("a", "b", "c", "d", "e")


def test_a_canary_that_was_left_out_is_said():
    result = compare(Baseline(run=run("a+"), why_not="no source file"), [run("a+")], changed=(), last=True)
    assert (result.state, result.why) == ("passed", "no source file")


def test_a_baseline_that_failed_says_so():
    result = judge(run(code=2), run(code=0))
    assert "failed before the change already (exit code 2)" in result.why


def test_a_repeat_is_needed_only_where_it_could_change_the_verdict():
    base = Baseline(run=run("a+ b-"))
    assert needs_repeat(base, run("a- b-"), changed=(), last=False)
    assert needs_repeat(base, GONE, changed=(), last=False)
    assert not needs_repeat(base, run("a+ b-"), changed=(), last=True)
    assert needs_repeat(base, run("a+ b- n-"), changed=(), last=True)
    assert not needs_repeat(base, run("a+ b- n-"), changed=(), last=False)


# ---- properties

NAMES = st.sampled_from(["a", "b", "c", "d[1]", "d[2]", "e"])
STATES = st.sampled_from(["passed", "failed", "skipped"])
FILES = st.sampled_from(["", "tests/test_a.py", "tests/test_b.py"])


@st.composite
def check_runs(draw: st.DrawFn) -> CheckRun:
    if draw(st.integers(0, 9)) == 0:
        return CheckRun(name="pytest", problem="stopped", seconds=1.0)
    states = draw(st.dictionaries(NAMES, STATES, max_size=6))
    tests = tuple(Result(name=name, state=state, file=draw(FILES)) for name, state in states.items())
    code = draw(st.sampled_from([0, 1, 2, -11])) if draw(st.booleans()) else int("failed" in states.values())
    return CheckRun(name="pytest", exit_code=code, tests=tests, seconds=1.0)


BASELINES = st.builds(
    lambda run, gate: Baseline(run=run, gate=gate, why_not="" if gate else "why"), check_runs(), st.booleans()
)
CHANGES = st.lists(
    st.builds(
        FileChange,
        path=st.sampled_from(["app.py", "tests/test_a.py", "tests/test_b.py"]),
        kind=st.sampled_from(["created", "modified", "deleted"]),
    ),
    max_size=3,
)
RUNS = st.lists(check_runs(), min_size=1, max_size=3)


def passing(run: CheckRun) -> set[str]:
    return {test.name for test in run.tests if test.state == "passed"}


@given(BASELINES, st.integers(1, 3), CHANGES, st.booleans())
def test_identical_runs_never_fail(baseline, times, changes, last):
    result = compare(baseline, [baseline.run] * times, changed=changes, last=last)
    if not baseline.run.ran:
        assert result.state == "not_run"
    else:
        assert result.state in ("passed", "no_gate")
        assert (result.failing, result.removed, result.flaky, result.added) == ((), (), (), 0)


@given(BASELINES, RUNS, CHANGES, st.booleans())
def test_what_could_not_tell_never_passes(baseline, runs, changes, last):
    result = compare(baseline, runs, changed=changes, last=last)
    if not baseline.run.ran:
        assert result.state == "not_run"
        assert result.why
    elif not baseline.gate:
        assert result.state == "no_gate"
    elif not passing(baseline.run) and (baseline.run.tests or baseline.run.exit_code != 0):
        assert result.state in ("no_gate", "failed")
    if result.state in ("not_run", "no_gate", "failed"):
        assert result.why


@given(BASELINES, RUNS, CHANGES, st.booleans())
def test_never_delivered_while_a_test_that_passed_fails_in_every_run(baseline, runs, changes, last):
    result = compare(baseline, runs, changed=changes, last=last)
    broken = passing(baseline.run)
    for run_ in runs:
        broken &= {test.name for test in run_.tests if test.state == "failed"}
    if broken and baseline.gate and baseline.run.ran and all(run_.ran for run_ in runs):
        assert result.state == "failed"
        assert broken <= set(result.failing)


@given(BASELINES, RUNS, CHANGES, st.booleans())
def test_a_test_is_in_one_list_at_most_and_none_that_failed_before(baseline, runs, changes, last):
    result = compare(baseline, runs, changed=changes, last=last)
    lists = [set(result.failing), set(result.removed), set(result.flaky)]
    assert sum(map(len, lists)) == len(set().union(*lists))
    assert not set().union(*lists) & {test.name for test in baseline.run.tests if test.state == "failed"}
    assert set(result.removed) <= passing(baseline.run)


@given(BASELINES, RUNS, CHANGES)
def test_the_last_candidate_is_judged_no_milder(baseline, runs, changes):
    early = compare(baseline, runs, changed=changes, last=False)
    late = compare(baseline, runs, changed=changes, last=True)
    if early.state == "failed":
        assert late.state == "failed"
    assert set(early.failing) <= set(late.failing)


@given(BASELINES, check_runs(), CHANGES, st.booleans())
def test_a_run_like_the_baseline_excuses_what_came_before_unless_a_test_is_new(baseline, first, changes, last):
    result = compare(baseline, [first, baseline.run], changed=changes, last=last)
    if baseline.run.ran and baseline.gate and passing(baseline.run):
        new = {test.name for test in first.tests} - passing(baseline.run)
        assert result.state in ("passed", "flaky") or set(result.failing) <= new


@given(BASELINES, check_runs(), CHANGES, st.booleans())
def test_only_what_is_condemned_is_repeated(baseline, run_, changes, last):
    state = compare(baseline, [run_], changed=changes, last=last).state
    assert needs_repeat(baseline, run_, changed=changes, last=last) == (state == "failed")
    assert state != "flaky" or baseline.run.exit_code is not None
