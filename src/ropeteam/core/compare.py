"""What a check says of a candidate, read as a change against the baseline.

The first row that fits decides::

    baseline                      candidate (its first run, then its repetitions)            result
    ----------------------------  ---------------------------------------------------------  -------
    was not run (`problem`)       anything                                                   not_run
    cannot tell (`gate` False)    anything                                                   no_gate
    anything else                 was not run at all (no runs)                               not_run
    lists tests, none passed; or  last candidate: a new test fails and never passes          failed
      lists none and exit != 0    anything else                                              no_gate
    something passed, or it       a test counts against it (below)                           failed
      lists no tests and exit 0   every run has a fault (below), or some have and none is    failed
                                    without fault and flaky tests
                                  in some run something failed that did not in another       flaky
                                  nothing of all that                                        passed

A *fault* of a whole run: it could not be run or was stopped at its time limit (the baseline could be run, so the
candidate broke it); the baseline lists tests and it lists none; a non-zero exit code that no failing test explains
(a collection error, a crash, a coverage limit) where the baseline ended with 0, or with another code.

What a *test* is on the baseline and in those runs of the candidate that list tests::

    baseline     candidate                                          counts
    passed       passed in every run                                no
    passed       passed in some run                                 no: flaky
    passed       missing or skipped in every run, and its file was  no: removed, listed
                   changed or deleted by the change
    passed       missing, and another case `name[..]` of the same   no: removed, listed
                   test is new and passes (its cases changed)
    passed       anything else                                      yes
    failed       anything                                           no
    skipped/none fails in some run and passes in none               at the last candidate; else shown in `why`
    skipped/none fails in some run and passes in another            no: flaky
    skipped/none anything else                                      no

Where a test's file is not known, a change of any test file stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from ropeteam.core.model import Baseline, CheckResult, CheckRun, CheckState, FileChange
from ropeteam.core.paths import is_test, suffix

State = Literal["passed", "failed", "skipped", "missing"]

_TESTS_INSIDE_SOURCE = frozenset({"rs"})
"""Languages whose tests stand in the files they test."""

_SHOWN = 3
"""How many names a sentence holds."""


class _Tests(msgspec.Struct, frozen=True, kw_only=True):
    """Every test, put where the table in the module's docstring puts it."""

    failing: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    new_failing: tuple[str, ...] = ()
    added: int = 0
    counted: int = 0


def compare(baseline: Baseline, runs: Sequence[CheckRun], *, changed: Sequence[FileChange], last: bool) -> CheckResult:
    """Judge `runs` (the first run on the candidate, then its repetitions) by the table above.

    changed: what the candidate changed since the base commit. last: the whole feature is in it.
    """
    name, before = baseline.run.name, _baseline_state(baseline)
    seconds = sum(run.seconds for run in runs)
    if not baseline.run.ran:
        why = f"it could not be run before the change: {baseline.run.problem or 'no reason given'}"
        return CheckResult(name=name, state="not_run", baseline=before, seconds=seconds, why=why)
    if not baseline.gate:
        return CheckResult(name=name, state="no_gate", baseline=before, seconds=seconds, why=baseline.why_not)
    if not runs:
        return CheckResult(name=name, state="not_run", baseline=before, why="it was not run after the change")
    tests = _sort_tests(baseline.run, runs, changed)
    failing = tests.failing + (tests.new_failing if last else ())
    state: CheckState
    if not _tells(baseline.run):
        state = "failed" if last and tests.new_failing else "no_gate"
        why = _why_failed(failing, "") if state == "failed" else _why_no_gate(baseline.run, tests)
    else:
        fault = _standing_fault(baseline.run, runs, failing, tests)
        shaky = bool(tests.flaky) or any(_fault(baseline.run, run) for run in runs)
        state = "failed" if failing or fault else ("flaky" if shaky else "passed")
        why = _why_failed(failing, fault) if state == "failed" else _why_delivered(baseline, tests, shaky, last)
    return CheckResult(
        name=name,
        state=state,
        baseline=before,
        failing=failing,
        removed=tests.removed,
        flaky=tests.flaky,
        added=tests.added,
        tests=tests.counted,
        seconds=seconds,
        why=why,
        output="" if state == "passed" else _output(baseline.run, runs),
    )


def needs_repeat(baseline: Baseline, run: CheckRun, *, changed: Sequence[FileChange], last: bool) -> bool:
    """Whether this one run would condemn the candidate, so that it is worth another try."""
    return compare(baseline, [run], changed=changed, last=last).state == "failed"


# ---- the baseline by itself


def _baseline_state(baseline: Baseline) -> CheckState:
    if not baseline.run.ran:
        return "not_run"
    if not baseline.gate:
        return "no_gate"
    failed = baseline.run.exit_code != 0 or any(test.state == "failed" for test in baseline.run.tests)
    return "failed" if failed else "passed"


def _tells(before: CheckRun) -> bool:
    """Whether something worked before that a change could break."""
    if before.tests:
        return any(test.state == "passed" for test in before.tests)
    return before.exit_code == 0


# ---- whole runs


def _fault(before: CheckRun, run: CheckRun) -> str:
    """Why this run as a whole is worse than the one before the change; empty when it is not."""
    if not run.ran:
        return f"it ran before the change and does not any more: {run.problem or 'no reason given'}"
    if before.tests and not run.tests:
        return f"all {len(before.tests)} tests are gone (exit code {run.exit_code})"
    explained = any(test.state == "failed" for test in run.tests)
    if run.exit_code != 0 and run.exit_code != before.exit_code and not explained:
        return f"it ended with exit code {run.exit_code}, before the change with {before.exit_code}"
    return ""


def _standing_fault(before: CheckRun, runs: Sequence[CheckRun], failing: Sequence[str], tests: _Tests) -> str:
    """The fault of a whole run that no clean run excuses; empty when there is none."""
    faults = [fault for run in runs if (fault := _fault(before, run))]
    if not faults:
        return ""
    watched = set(tests.flaky) | set(failing)
    for run in runs:
        states = _states(run)
        if not _fault(before, run) and all(states.get(name) == "passed" for name in watched):
            return ""
    return faults[-1]


# ---- test by test


def _states(run: CheckRun) -> dict[str, State]:
    """Name -> state; where a name comes twice, a failure is what counts."""
    states: dict[str, State] = {}
    for test in run.tests:
        if states.get(test.name) != "failed":
            states[test.name] = test.state
    return states


def _sort_tests(before: CheckRun, runs: Sequence[CheckRun], changed: Sequence[FileChange]) -> _Tests:
    listed = [_states(run) for run in runs if run.ran and run.tests]
    if not listed:
        return _Tests()
    old = _states(before)
    files = {test.name: test.file for test in before.tests}
    touched = _Touched(changed)
    new_cases = {case for name in _passing_in_all(listed) if name not in old and (case := _case_of(name))}
    failing, removed, flaky = [], [], []
    for name, state in old.items():
        if state != "passed":
            continue
        now: list[State] = [states.get(name, "missing") for states in listed]
        if all(one == "passed" for one in now):
            continue
        gone = all(one in ("missing", "skipped") for one in now)
        if "passed" in now:
            flaky.append(name)
        elif gone and (touched.excuses(files[name]) or _case_of(name) in new_cases):
            removed.append(name)
        else:
            failing.append(name)
    new_failing, new_flaky = _new_failures(old, listed)
    return _Tests(
        failing=tuple(failing),
        removed=tuple(removed),
        flaky=(*flaky, *new_flaky),
        new_failing=new_failing,
        added=len({name for states in listed for name in states} - set(old)),
        counted=len(listed[-1]),
    )


def _new_failures(old: dict[str, State], listed: Sequence[dict[str, State]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tests that are new (or were skipped) and fail: those that pass in no run, and those that pass in one."""
    names = {name: None for states in listed for name, state in states.items() if state == "failed"}
    new = {
        name: any(states.get(name) == "passed" for states in listed)
        for name in names
        if old.get(name, "skipped") == "skipped"
    }
    return tuple(name for name in new if not new[name]), tuple(name for name in new if new[name])


def _passing_in_all(listed: Sequence[dict[str, State]]) -> Iterator[str]:
    for name, state in listed[-1].items():
        if state == "passed" and all(states.get(name) == "passed" for states in listed):
            yield name


def _case_of(name: str) -> str:
    """`test_x[1-a]` is a case of `test_x`; empty for a test without cases."""
    return name.split("[", 1)[0] if name.endswith("]") else ""


class _Touched:
    """The files a change touched, asked whether that explains that a test is gone."""

    def __init__(self, changed: Sequence[FileChange]) -> None:
        self.paths = {change.path for change in changed if change.kind != "created"}
        self.some_test = any(is_test(path) or suffix(path) in _TESTS_INSIDE_SOURCE for path in self.paths)

    def excuses(self, file: str) -> bool:
        return file in self.paths if file else self.some_test


# ---- sentences


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _count(number: int, singular: str) -> str:
    return f"{number} {singular}{'' if number == 1 else 's'}"


def _why_failed(failing: Sequence[str], fault: str) -> str:
    parts = [f"{_count(len(failing), 'test')} failing: {_names(failing)}"] if failing else []
    return "; ".join([*parts, fault] if fault else parts)


def _why_no_gate(before: CheckRun, tests: _Tests) -> str:
    if not before.tests and before.exit_code != 0 and not tests.counted:
        return f"it failed before the change already (exit code {before.exit_code}) and cannot tell tests apart"
    new = f"; {_count(tests.added, 'new test')}, {len(tests.new_failing)} failing" if tests.added else ""
    what = "no test passed" if before.tests else "there were no tests"
    return f"{what} before the change, so nothing could be seen to break{new}"


def _why_delivered(baseline: Baseline, tests: _Tests, shaky: bool, last: bool) -> str:
    parts = []
    if tests.flaky:
        parts.append(f"failed once and passed when repeated: {_names(tests.flaky)}")
    elif shaky:
        parts.append("failed once and passed when repeated")
    if tests.removed:
        parts.append(f"{_count(len(tests.removed), 'test')} removed with changed files: {_names(tests.removed)}")
    if tests.new_failing and not last:
        parts.append(f"{_count(len(tests.new_failing), 'new test')} failing so far: {_names(tests.new_failing)}")
    if baseline.why_not:
        parts.append(baseline.why_not)
    return "; ".join(parts)


def _output(before: CheckRun, runs: Sequence[CheckRun]) -> str:
    """The output that shows most: of the last run that is worse than before, else of the last."""
    bad = [run for run in runs if run.exit_code != 0]
    return (bad or [*runs] or [before])[-1].output
