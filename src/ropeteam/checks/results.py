"""What a runner printed or wrote, as test results. Whatever comes in, nothing here raises: garbage is no results.

Names must be the same on every tree and in every run: no line numbers, no addresses, and (`ropeteam.checks.locate`)
no absolute paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from ropeteam.checks.junit import parse_junit
from ropeteam.core.model import TestResult

State = Literal["passed", "failed", "skipped"]

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_NAME_CHARS = 500


def parse(format: str, results: bytes | None, stdout: bytes, exit_code: int | None) -> tuple[TestResult, ...]:
    """Read results of a `CheckCommand.format`. results: the file it wrote, None when there is none. stdout: its
    output, both streams in one. Empty when it lists no tests or cannot be understood."""
    try:
        if format == "junit":
            return merged(_clean(parse_junit(results or b"")))
        if format == "jest":
            return merged(_clean(numbered(_jest(results or b""))))
        text = stdout.decode("utf-8", "replace")
        if format == "gotest":
            return merged(_clean(_gotest(stdout)))
        if format == "cargo":
            return merged(_clean(_cargo(text)))
        if format == "unittest":
            return merged(_clean(_unittest(text, exit_code)))
        if format == "tap":
            return merged(_clean(numbered(_tap(text))))
    except (ValueError, RecursionError, MemoryError):
        return ()
    return ()


def _clean(tests: Iterable[TestResult]) -> Iterator[TestResult]:
    for test in tests:
        name = _ADDRESS.sub("0x", test.name.encode("utf-8", "replace").decode())[:_NAME_CHARS].strip()
        if name:
            yield TestResult(name=name, state=test.state, file=test.file)


def merged(tests: Iterable[TestResult]) -> tuple[TestResult, ...]:
    """One result a name: a failure beats a pass, a pass beats a skip (a test that passes and fails to clean up)."""
    rank = {"skipped": 0, "passed": 1, "failed": 2}
    best: dict[str, TestResult] = {}
    for test in tests:
        if test.name not in best or rank[test.state] > rank[best[test.name].state]:
            best[test.name] = test
    return tuple(best.values())


def numbered(tests: Iterable[TestResult]) -> Iterator[TestResult]:
    """For runners whose names need not be unique: the second of a name is `name #2`."""
    seen: dict[str, int] = {}
    for test in tests:
        count = seen[test.name] = seen.get(test.name, 0) + 1
        yield test if count == 1 else TestResult(name=f"{test.name} #{count}", state=test.state, file=test.file)


# ---- go test -json


class _GoLine(msgspec.Struct, frozen=True, kw_only=True):
    Action: str = ""
    Package: str = ""
    Test: str = ""


def _gotest(output: bytes) -> Iterator[TestResult]:
    decoder = msgspec.json.Decoder(_GoLine)
    states: dict[str, State] = {}
    ends: dict[str, State] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    for line in output.splitlines():
        if not line.startswith(b"{"):
            continue
        try:
            event = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        name = f"{event.Package}::{event.Test}"
        if event.Test and event.Action == "run":
            states.setdefault(name, "failed")  # until it is said to have ended: a panic ends the whole package
        elif event.Test and event.Action in ends:
            states[name] = ends[event.Action]
    return (TestResult(name=name, state=state) for name, state in states.items())


# ---- cargo test

_CARGO_TARGET = re.compile(r"^\s*Running (?:unittests )?(\S+) \((?:.*[/\\])?([\w-]+?)(?:-[0-9a-f]{16})?(?:\.exe)?\)$")
_CARGO_DOC = re.compile(r"^\s*Doc-tests (\S+)$")
_CARGO_TEST = re.compile(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)\b")
_CARGO_FAILED = re.compile(r"^---- (.+?)(?: - should panic)? stdout ----$")
_DOC_LINE = re.compile(r" \(line \d+\)$")


def _cargo(text: str) -> Iterator[TestResult]:
    crate, file = "", ""
    states: dict[str, State] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
    for line in text.splitlines():
        if found := _CARGO_TARGET.match(line):
            file, crate = found[1], found[2]
        elif found := _CARGO_DOC.match(line):
            file, crate = "", f"{found[1]} (doc)"
        elif found := _CARGO_TEST.match(line):
            yield _cargo_result(crate, file, found[1], states[found[2]])
        elif found := _CARGO_FAILED.match(line):
            yield _cargo_result(crate, file, found[1], "failed")


def _cargo_result(crate: str, file: str, test: str, state: State) -> TestResult:
    where = file or (test.split(" - ", 1)[0] if " - " in test else "")
    return TestResult(name=f"{crate} {file} {_DOC_LINE.sub('', test)}".replace("  ", " "), state=state, file=where)


# ---- python -m unittest -v

_UNITTEST_HEAD = re.compile(r"^\s*([\w.]+) \(([\w.<>]+)\)(?: [\[(].*[\])])?(?: \.\.\. (.*))?$")
_UNITTEST_END = re.compile(r"(?:^|\.\.\. )(ok|FAIL|ERROR|expected failure|unexpected success|skipped\b.*)$")
_UNITTEST_FAULT = re.compile(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): ([\w.]+) \(([\w.<>]+)\)")
_UNITTEST_STATES: dict[str, State] = {
    "ok": "passed",
    "FAIL": "failed",
    "ERROR": "failed",
    "unexpected success": "failed",
    "expected failure": "skipped",
}


def _unittest(text: str, exit_code: int | None) -> Iterator[TestResult]:
    """Every test prints a head and, perhaps lines later (its own output, its docstring), how it ended. The faults are
    listed again at the end, which settles those whose end the test's own output made unreadable."""
    states: dict[str, State | None] = {}
    current, faults = "", set()
    whole = False
    for line in text.splitlines():
        if found := _UNITTEST_FAULT.match(line):
            faults.add(_unittest_name(found[1], found[2]))
            continue
        whole = whole or line.startswith("Ran ")
        if found := _UNITTEST_HEAD.match(line):
            current = _unittest_name(found[1], found[2])
            states.setdefault(current, None)
        if current and (end := _UNITTEST_END.search(line)):
            state = _UNITTEST_STATES.get(end[1], "skipped")
            if states[current] != "failed":
                states[current] = state
            current = ""
    for name in faults:
        states[name] = "failed"
    for name, known in states.items():
        if known is not None or whole:
            yield TestResult(name=name, state=known or "passed")
        elif exit_code != 0:
            yield TestResult(name=name, state="failed")  # it was running when the run broke off


def _unittest_name(method: str, where: str) -> str:
    """Python before 3.11 leaves the method out of what stands in the parentheses."""
    where = where.removeprefix("unittest.loader._FailedTest").lstrip(".")
    return where if f".{where}".endswith(f".{method}") else f"{where}.{method}".lstrip(".")


# ---- TAP

_TAP_LINE = re.compile(r"^( *)(not )?ok\b *(\d+)?(?: - | -$| )?(.*)$")
_TAP_NOTE = re.compile(r"\s#\s*(skip|todo)\b.*$", re.IGNORECASE)
_TAP_SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
_TAP_BLOCK = re.compile(r"^( *)(---|\.\.\.)\s*$")


def _tap(text: str) -> Iterator[TestResult]:
    above: list[tuple[int, str]] = []
    parents: set[tuple[str, ...]] = set()
    in_block = False
    for line in text.splitlines():
        if block := _TAP_BLOCK.match(line):
            in_block = block[2] == "---"
        elif in_block:
            continue
        elif found := _TAP_SUBTEST.match(line):
            above = [one for one in above if one[0] < len(found[1])]
            above.append((len(found[1]), found[2].strip()))
        elif found := _TAP_LINE.match(line):
            indent = len(found[1])
            above = [one for one in above if one[0] < indent]
            path = tuple(name for _, name in above)
            note = _TAP_NOTE.search(found[4])
            title = (found[4][: note.start()] if note else found[4]).strip() or found[3] or ""
            parents.add(path)
            if (*path, title) in parents:
                continue  # the closing line of a group: its tests were listed one by one
            state: State = "skipped" if note else ("failed" if found[2] else "passed")
            yield TestResult(name=" > ".join((*path, title)), state=state)


# ---- jest --json


class _JestTest(msgspec.Struct, frozen=True, kw_only=True):
    fullName: str = ""
    title: str = ""
    status: str = ""


class _JestFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    status: str = ""
    assertionResults: list[_JestTest] = []


class _JestRun(msgspec.Struct, frozen=True, kw_only=True):
    testResults: list[_JestFile] = []


def _jest(results: bytes) -> Iterator[TestResult]:
    try:
        run = msgspec.json.decode(results, type=_JestRun)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    for file in run.testResults:
        if not file.assertionResults and file.status == "failed":
            yield TestResult(name=file.name, state="failed", file=file.name)
        for test in file.assertionResults:
            state: State = "skipped"
            if test.status in ("passed", "failed"):
                state = "passed" if test.status == "passed" else "failed"
            yield TestResult(name=f"{file.name} > {test.fullName or test.title}", state=state, file=file.name)
