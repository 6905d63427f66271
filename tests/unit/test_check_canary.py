from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ropeteam.checks import cure, inspect, poison
from ropeteam.core.paths import is_source, is_test

SOURCES = {
    "app.py": b"#!/usr/bin/env python3\n# -*- coding: latin-1 -*-\n'''doc'''\n",
    "src/a.js": b"module.exports = 1\n",
    "src/a.tsx": b"export const A = 1",
    "src/a.php": b"<h1>x</h1>\n<?php\ndeclare(strict_types=1);\n",
    "src/short.php": b"<?= 1 ?>",
    "src/a.vue": b"<template><p/></template>\n<script setup>\nlet x\n</script>\n",
    "src/a.go": b"package a\n",
    "src/A.java": b"class A {}\n",
    "src/a.rb": b"x = 1\n__END__\n",
    "src/empty.py": b"",
    "src/crlf.py": b"x = 1\r\n",
    "src/bom.ts": b"\xef\xbb\xbflet x = 1\n",
}
OTHERS = {
    "tests/test_a.py": b"x = 1\n",
    "src/a.test.js": b"x\n",
    "conftest.py": b"",
    "setup.py": b"",
    "vite.config.ts": b"",
    "README.md": b"",
    "page.php": b"<h1>no code</h1>",
    "style.vue": b"<style></style>",
    "data.json": b"{}",
}


@pytest.fixture
def tree(tmp_path):
    for path, content in {**SOURCES, **OTHERS}.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_bytes(content)
    return tmp_path / "tree"


def contents(tree: Path) -> dict[str, bytes]:
    return {path: (tree / path).read_bytes() for path in {**SOURCES, **OTHERS}}


def test_every_source_file_gets_a_syntax_error_and_loses_it_again(tree):
    (tree / "app.py").chmod(0o755)
    files = [*SOURCES, *OTHERS]
    assert poison(tree, files) == len(SOURCES)
    after = contents(tree)
    assert {path for path in files if after[path] != {**SOURCES, **OTHERS}[path]} == set(SOURCES)
    assert {finding.path for finding in inspect({path: after[path] for path in SOURCES}, {})} == set(SOURCES)
    assert (tree / "app.py").stat().st_mode & 0o777 == 0o755
    assert poison(tree, files) == 0, "once is enough"
    cure(tree, files)
    assert contents(tree) == {**SOURCES, **OTHERS}


def test_the_language_itself_refuses_it(tree):
    poison(tree, ["app.py"])
    assert subprocess.run([sys.executable, tree / "app.py"], capture_output=True).returncode == 1


def test_nothing_outside_the_tree_is_touched(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("linked.py", "hard.py", "folder.py"):
        (outside / name).write_bytes(b"x = 1\n")
    (tree / "linked.py").symlink_to(outside / "linked.py")
    (tree / "folder").symlink_to(outside)
    os.link(outside / "hard.py", tree / "hard.py")
    files = ["linked.py", "folder/folder.py", "hard.py", "../outside/folder.py", "gone.py", "x\0.py", "a" * 400 + ".py"]
    assert poison(tree, files) == 1
    assert (tree / "hard.py").read_bytes() != b"x = 1\n"
    assert all((outside / name).read_bytes() == b"x = 1\n" for name in ("linked.py", "hard.py", "folder.py"))


@pytest.mark.parametrize(
    "path",
    """tests/a.py test_a.py a/b/a_test.py conftest.py app/tests.py src/__tests__/a.js a.test.ts a.spec.jsx a.cy.ts
    pkg/a_test.go tests/Unit/CartTest.php src/test/java/A.java CartTests.cs a_spec.rb spec/models/a.rb tests/it.rs
    src/tests.rs testdata/x.go e2e/login.ts fixtures/a.py a_test.exs""".split(),  # noqa: SIM905
)
def test_what_is_a_test(path):
    assert is_test(path)
    assert not is_source(path)


@pytest.mark.parametrize(
    "path",
    """app.py src/contest.py src/latest.js attest/a.go Latest.java src/testing/kit.py inspect/a.rb protest.py lib/a.ex
    src/index.ts app/Models/User.php src/App.vue a.c a.H main.swift src/test_helpers/../a.py""".split(),  # noqa: SIM905
)
def test_what_is_source(path):
    assert is_source(path)
    assert not is_test(path)


@pytest.mark.parametrize(
    "path",
    """README.md setup.py manage.py vite.config.ts jest.config.js gulpfile.js types.d.ts build.rs Makefile a.json
    .eslintrc.js noext dir.py/file view.blade.php""".split(),  # noqa: SIM905
)
def test_what_is_neither(path):
    assert not is_source(path)
    assert not is_test(path)
