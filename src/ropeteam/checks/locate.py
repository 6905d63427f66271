"""Which file a test is in, and names that are the same on every tree: both need the tree that was tested."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from ropeteam.core.model import TestResult

_GO_MODULE = re.compile(rb"^module\s+\"?([^\s\"]+)", re.MULTILINE)
_GO_TEST = re.compile(rb"^func (\w+)\(", re.MULTILINE)
_MOST_BYTES = 2_000_000
_CACHED = 20_000


def locate(
    tests: Iterable[TestResult], tree: Path, cwd: str, *, format: str, starts: Sequence[str] = ()
) -> tuple[TestResult, ...]:
    """The tests with `file` relative to the tree, empty where it cannot be told, and no absolute path in their names.

    cwd: where the command ran, relative to the tree. starts: folders below it that module names may start from.
    """
    roots = tuple(dict.fromkeys((f"{tree}/", f"{tree.resolve()}/")))
    finder = _Finder(tree, cwd, format, starts)
    located = []
    for test in tests:
        name, file = test.name, test.file
        for root in roots:
            name, file = name.replace(root, ""), file.replace(root, "")
        located.append(msgspec.structs.replace(test, name=name, file=finder.find(file, name)))
    return tuple(located)


class _Finder:
    def __init__(self, tree: Path, cwd: str, format: str, starts: Sequence[str]) -> None:
        self.tree = tree
        self.cwd = cwd
        self.format = format
        self.starts = ("", *starts)
        self.is_file = lru_cache(_CACHED)(self._is_file)
        self.module = lru_cache(_CACHED)(self._module)
        self.go_tests = lru_cache(_CACHED)(self._go_tests)
        self.go_module = lru_cache(1)(self._go_module)

    def find(self, file: str, name: str) -> str:
        if self.format == "gotest":
            return self._go_file(name)
        if self.format == "cargo" and file:
            return self._rust_file(file, name)
        if file:
            return next((path for path in (self._join(file), file) if self.is_file(path)), "")
        dotted = name.split("::", 1)[0]
        return self.module(dotted) if re.fullmatch(r"[\w.]+", dotted) else ""

    def _join(self, *parts: str) -> str:
        return os.path.normpath("/".join(part for part in (self.cwd, *parts) if part))

    def _is_file(self, path: str) -> bool:
        inside = not path.startswith(("/", "../")) and "\0" not in path
        return inside and os.path.isfile(self.tree / path)  # noqa: PTH113 - no exception for a name that is too long

    def _module(self, dotted: str) -> str:
        """`tests.test_a.TestA.test_x`: the longest beginning that is a Python file."""
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            for start in self.starts:
                path = self._join(start, "/".join(parts[:count]) + ".py")
                if self.is_file(path):
                    return path
        return ""

    def _rust_file(self, file: str, name: str) -> str:
        """A unit test's modules are files below the crate's root file, or stand in it."""
        whole = self._join(file)
        if not self.is_file(whole):
            return ""
        folder = os.path.dirname(whole)  # noqa: PTH120 - a path inside the tree, as text
        modules = name.rsplit(" ", 1)[-1].split("::")[:-1]
        for count in range(len(modules), 0, -1):
            inner = f"{folder}/{'/'.join(modules[:count])}"
            for path in (f"{inner}.rs", f"{inner}/mod.rs"):
                if self.is_file(path):
                    return path
        return whole

    def _go_file(self, name: str) -> str:
        package, _, test = name.partition("::")
        module = self.go_module()
        if not module or not (package + "/").startswith(module + "/"):
            return ""
        folder = self._join(package[len(module) :].strip("/") or ".")
        return self.go_tests(folder).get(test.split("/", 1)[0], "")

    def _go_module(self) -> str:
        found = _GO_MODULE.search(_read(self.tree / self._join("go.mod")))
        return found[1].decode("utf-8", "replace") if found else ""

    def _go_tests(self, folder: str) -> dict[str, str]:
        tests = {}
        for path in sorted((self.tree / folder).glob("*_test.go")):
            relative = os.path.normpath(f"{folder}/{path.name}")
            tests.update({name.decode("utf-8", "replace"): relative for name in _GO_TEST.findall(_read(path))})
        return tests


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe would never end
            return b""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return b""
