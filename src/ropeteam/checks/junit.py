"""JUnit XML as pytest, PHPUnit, vitest, `node --test`, mocha and jest-junit write it. Read from the code under test, so
not trusted: bounded in size, no document type (entities), and whatever is wrong with it makes it no results at all."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Literal
from xml.etree import ElementTree

from ropeteam.core.model import TestResult

State = Literal["passed", "failed", "skipped"]

_MOST_BYTES = 64_000_000
_MOST_TESTS = 500_000
_PATH = re.compile(r"[/\\].*\.\w+$|^[\w.-]+\.(test|spec)\.\w+$")
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def parse_junit(data: bytes) -> list[TestResult]:
    """The results in a JUnit file; none when it is not a whole, plain JUnit file."""
    if not data.strip() or len(data) > _MOST_BYTES or _DOCTYPE.search(data[:4096]):
        return []
    try:
        return list(_cases(data))
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return []


def _cases(data: bytes) -> Iterator[TestResult]:
    suites: list[ElementTree.Element] = []
    seen: dict[str, int] = {}
    for event, element in ElementTree.iterparse(io.BytesIO(data), events=("start", "end")):
        tag = element.tag.rsplit("}", 1)[-1]
        if tag == "testsuite":
            if event == "start":
                suites.append(element)
            else:
                suites.pop()
                element.clear()
        elif tag == "testcase" and event == "end":
            name, file = _name_and_file(element, suites)
            if not file:  # such a runner's names need not be unique
                seen[name] = seen.get(name, 0) + 1
                name = name if seen[name] == 1 else f"{name} #{seen[name]}"
            yield TestResult(name=name, state=_state(element), file=file)
            element.clear()
            if len(seen) > _MOST_TESTS:
                raise ValueError("too many tests")


def _state(case: ElementTree.Element) -> State:
    tags = {child.tag.rsplit("}", 1)[-1] for child in case}
    if tags & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in tags else "passed"


def _name_and_file(case: ElementTree.Element, suites: list[ElementTree.Element]) -> tuple[str, str]:
    name, where = case.get("name", ""), case.get("classname", "")
    file = case.get("file", "") or next((suite.get("file", "") for suite in reversed(suites) if suite.get("file")), "")
    if not file and _PATH.search(where):
        file = where  # vitest
    if where == "test" and not case.get("class"):  # node: the groups are nested suites
        return " > ".join([*(suite.get("name", "") for suite in suites), name]), file
    module = re.sub(r"\.py$", "", file).replace("/", ".").replace("\\", ".")
    if file.endswith(".py") and where.startswith(module):  # pytest: its own way to name a test
        inside = where[len(module) :].strip(".").replace(".", "::")
        return "::".join(part for part in (file, inside, name) if part), file
    if file == where and file:
        return f"{file} > {name}", file
    return "::".join(part for part in (case.get("class") or where, name) if part), file
