"""The whole way on real projects: found, measured with its canary, run on a candidate, repeated, compared."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import venv
from pathlib import Path

import pytest
from measuring import measure

from ropeteam import process
from ropeteam.checks import CommandCheck, find
from ropeteam.core.compare import compare, needs_repeat
from ropeteam.core.model import Baseline, CheckResult, FileChange
from ropeteam.core.settings import CheckCommand
from ropeteam.ports import Place

REAL_HOME = Path(os.path.expanduser("~"))


def search_path() -> str:
    """Our own Python first (it has pytest), then where node and cargo are, then the system's programs."""
    folders = [str(Path(sys.executable).parent)]
    folders += [str(Path(found).parent) for name in ("node", "npm", "cargo") if (found := shutil.which(name))]
    return os.pathsep.join([*folders, "/usr/local/bin", "/usr/bin", "/bin"])


def put(tree: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)


class Workshop:
    """Makes trees, finds their checks, and judges a change as a run does."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp = tmp_path
        self.venvs: tuple[str, ...] = ()
        self.env = {"PATH": search_path(), "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
        self.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of our own tests: they take a second to load
        if (REAL_HOME / ".rustup").is_dir():
            self.env["RUSTUP_HOME"] = str(REAL_HOME / ".rustup")
        (tmp_path / "home").mkdir()

    def tree(self, label: str, files: dict[str, str]) -> Path:
        tree = self.tmp / label / "app"
        put(tree, files)
        return tree

    def place(self, tree: Path, seconds: float = 60.0) -> Place:
        return Place(tree=tree, folder=self.tmp / "out", env=self.env, seconds=seconds)

    def command(self, files: dict[str, str]) -> CheckCommand:
        commands = find(
            tuple(files),
            lambda path: files[path].encode() if path in files else None,
            which=lambda name: shutil.which(name, path=self.env["PATH"]),
            venvs=self.venvs,
        )
        assert len(commands) == 1, commands
        return commands[0]

    def baseline(self, files: dict[str, str], *, seconds: float = 60.0, canary: bool = True) -> Baseline:
        check = CommandCheck(self.command(files))
        tree = self.tmp / "base" / "app"
        put(tree, files)
        found = asyncio.run(measure(check, self.place(tree, seconds), tuple(files), canary=canary))
        assert {path: (tree / path).read_text() for path in files} == files, "the canary is taken out again"
        return found

    def judge(
        self,
        before: dict[str, str],
        after: dict[str, str],
        *,
        last: bool = True,
        seconds: float = 60.0,
        canary: bool = True,
    ) -> tuple[Baseline, CheckResult]:
        baseline = self.baseline(before, seconds=seconds, canary=canary)
        changed = changes(before, after)
        check = CommandCheck(self.command(before))
        place = self.place(self.tree("candidate", after), seconds)

        async def runs():
            first = await check.run(place, "candidate")
            if not needs_repeat(baseline, first, changed=changed, last=last):
                return [first]
            return [first, await check.run(place, "candidate")]

        return baseline, compare(baseline, asyncio.run(runs()), changed=changed, last=last)


def changes(before: dict[str, str], after: dict[str, str]) -> list[FileChange]:
    kinds = {path: "modified" for path in before if path in after and before[path] != after[path]}
    kinds |= {path: "deleted" for path in before if path not in after}
    kinds |= {path: "created" for path in after if path not in before}
    return [FileChange(path=path, kind=kind) for path, kind in kinds.items()]  # type: ignore[arg-type]


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


# ---- Python

SHOP = "def total(prices):\n    return sum(prices)\n"
BROKEN_SHOP = "def total(prices):\n    return 0\n"
UNITTEST = {
    "shop/__init__.py": "",
    "shop/cart.py": SHOP,
    "tests/__init__.py": "",
    "tests/test_cart.py": """import unittest
from shop.cart import total

class CartTest(unittest.TestCase):
    def test_total(self):
        print("noise")
        self.assertEqual(total([1, 2]), 3)

    def test_empty(self):
        self.assertEqual(total([]), 0)
""",
    "tests/test_old.py": """import unittest

class OldTest(unittest.TestCase):
    def test_always_failed(self):
        self.fail("as ever")
""",
}


def test_unittest_unchanged(workshop):
    baseline, result = workshop.judge(UNITTEST, UNITTEST)
    assert (baseline.gate, baseline.why_not) == (True, "")
    assert [(test.name, test.state, test.file) for test in baseline.run.tests] == [
        ("tests.test_cart.CartTest.test_empty", "passed", "tests/test_cart.py"),
        ("tests.test_cart.CartTest.test_total", "passed", "tests/test_cart.py"),
        ("tests.test_old.OldTest.test_always_failed", "failed", "tests/test_old.py"),
    ]
    assert (result.state, result.baseline, result.tests) == ("passed", "failed", 3)


def test_unittest_broken_by_the_change(workshop):
    _, result = workshop.judge(UNITTEST, {**UNITTEST, "shop/cart.py": BROKEN_SHOP})
    assert (result.state, result.failing) == ("failed", ("tests.test_cart.CartTest.test_total",))
    assert "AssertionError: 0 != 3" in result.output


def test_unittest_broken_module(workshop):
    _, result = workshop.judge(UNITTEST, {**UNITTEST, "shop/cart.py": "def (:\n"})
    assert result.state == "failed"
    assert set(result.failing) >= {"tests.test_cart.CartTest.test_total", "tests.test_cart.CartTest.test_empty"}


def test_unittest_tests_removed_and_renamed_in_their_file(workshop):
    renamed = UNITTEST["tests/test_cart.py"].replace("test_total", "test_sum")
    _, result = workshop.judge(UNITTEST, {**UNITTEST, "tests/test_cart.py": renamed})
    assert (result.state, result.removed, result.added) == ("passed", ("tests.test_cart.CartTest.test_total",), 1)


def test_unittest_file_of_tests_deleted(workshop):
    after = {path: text for path, text in UNITTEST.items() if path != "tests/test_cart.py"}
    _, result = workshop.judge(UNITTEST, after)
    assert (result.state, len(result.removed)) == ("passed", 2)


def test_unittest_tests_lost_without_their_file_being_touched(workshop):
    after = {path: text for path, text in UNITTEST.items() if path != "tests/__init__.py"}
    _, result = workshop.judge(UNITTEST, after)
    assert (result.state, result.removed) == ("failed", ())


def test_unittest_new_test_that_fails_counts_at_the_last_candidate(workshop):
    more = {
        "tests/test_new.py": "import unittest\n\nclass T(unittest.TestCase):\n    def test_new(self): self.fail()\n"
    }
    _, early = workshop.judge(UNITTEST, {**UNITTEST, **more}, last=False)
    assert (early.state, early.why) == ("passed", "1 new test failing so far: tests.test_new.T.test_new")
    _, late = workshop.judge(UNITTEST, {**UNITTEST, **more})
    assert (late.state, late.failing) == ("failed", ("tests.test_new.T.test_new",))


def test_a_suite_that_ignores_the_code_is_no_gate(workshop):
    files = {
        "shop/cart.py": SHOP,
        "tests/test_x.py": "import unittest\n\nclass T(unittest.TestCase):\n    def test_x(self): pass\n",
    }
    baseline, result = workshop.judge(files, {**files, "shop/cart.py": BROKEN_SHOP})
    assert not baseline.gate
    assert baseline.why_not.startswith("it does not notice a syntax error in every source file (1)")
    assert (result.state, result.baseline, result.why) == ("no_gate", "no_gate", baseline.why_not)


def test_the_canary_can_be_left_out(workshop):
    files = {
        "shop/cart.py": SHOP,
        "tests/test_x.py": "import unittest\nclass T(unittest.TestCase):\n def test_x(self): pass\n",
    }
    baseline, result = workshop.judge(files, files, canary=False)
    assert (baseline.gate, result.state) == (True, "passed")


PYTEST = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "shop.py": SHOP,
    "tests/test_cart.py": "from shop import total\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
    "tests/test_other.py": "import pytest\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_x(x):\n    assert x\n",
}


def test_pytest_unchanged(workshop):
    baseline, result = workshop.judge(PYTEST, PYTEST)
    assert baseline.gate
    assert {test.name: test.file for test in baseline.run.tests} == {
        "tests/test_cart.py::test_total": "tests/test_cart.py",
        "tests/test_other.py::test_x[1]": "tests/test_other.py",
        "tests/test_other.py::test_x[2]": "tests/test_other.py",
    }
    assert (result.state, result.tests, result.added) == ("passed", 3, 0)


def test_pytest_broken_by_the_change(workshop):
    _, result = workshop.judge(PYTEST, {**PYTEST, "shop.py": BROKEN_SHOP})
    assert (result.state, result.failing) == ("failed", ("tests/test_cart.py::test_total",))
    assert "assert 0 == 3" in result.output


def test_pytest_a_file_that_cannot_be_read_does_not_hide_the_others(workshop):
    new = {"tests/test_new.py": "import shop.nothing\n"}
    _, early = workshop.judge(PYTEST, {**PYTEST, **new}, last=False)
    assert (early.state, early.tests) == ("passed", 4)
    _, late = workshop.judge(PYTEST, {**PYTEST, **new})
    assert (late.state, late.failing) == ("failed", ("tests.test_new",))


def test_pytest_that_cannot_be_started_by_the_candidate_fails(workshop):
    _, result = workshop.judge(
        PYTEST, {**PYTEST, "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--nonsense'\n"}
    )
    assert result.state == "failed"
    assert "unrecognized arguments: --nonsense" in result.why


def test_pytest_that_cannot_be_started_before_is_not_run(workshop):
    files = {**PYTEST, "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--nonsense'\n"}
    baseline, result = workshop.judge(files, files)
    assert not baseline.run.ran
    assert (result.state, result.baseline) == ("not_run", "not_run")
    assert "unrecognized arguments: --nonsense" in result.why


def test_first_tests_of_a_project(workshop):
    files = {"pyproject.toml": "[tool.pytest.ini_options]\n", "shop.py": SHOP}
    test = {"test_shop.py": "from shop import total\n\ndef test_total():\n    assert total([1]) == 1\n"}
    _, result = workshop.judge(files, {**files, **test})
    assert (result.state, result.added) == ("no_gate", 1)
    _, result = workshop.judge(files, {**files, **test, "shop.py": BROKEN_SHOP})
    assert (result.state, result.failing) == ("failed", ("test_shop.py::test_total",))


def environment(tree: Path, *, packages: str = "", code: Path | None = None) -> None:
    """A virtual environment in the tree; with pytest by `packages`, with an editable install of `code`."""
    venv.create(tree / ".venv", with_pip=False, symlinks=True)
    site = next((tree / ".venv" / "lib").glob("python*/site-packages"))
    if packages:
        (site / "packages.pth").write_text(f"{packages}\n")
    if code:
        (site / "__editable__.shop.pth").write_text(f"{code}\n")


SRC_LAYOUT = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "src/shop.py": SHOP,
    "tests/test_cart.py": "from shop import total\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}


def test_no_pytest_in_the_projects_environment_is_not_run(workshop):
    workshop.venvs = (".venv",)
    environment(workshop.tmp / "base" / "app")
    baseline, result = workshop.judge(SRC_LAYOUT, SRC_LAYOUT)
    assert (baseline.run.ran, result.state) == (False, "not_run")
    assert "No module named pytest" in result.why


def test_an_editable_install_of_another_checkout_is_no_gate(workshop):
    own = str(Path(pytest.__file__).parents[1])
    checkout = workshop.tree("checkout", SRC_LAYOUT)
    workshop.venvs = (".venv",)
    environment(workshop.tmp / "base" / "app", packages=own, code=checkout / "src")
    environment(workshop.tmp / "candidate" / "app", packages=own, code=checkout / "src")
    baseline, result = workshop.judge(SRC_LAYOUT, {**SRC_LAYOUT, "src/shop.py": BROKEN_SHOP})
    assert [test.state for test in baseline.run.tests] == ["passed"]
    assert (baseline.gate, result.state) == (False, "no_gate")
    assert (checkout / "src/shop.py").read_text() == SHOP


def test_an_editable_install_of_the_tree_itself_is_a_gate(workshop):
    own = str(Path(pytest.__file__).parents[1])
    workshop.venvs = (".venv",)
    for label in ("base", "candidate"):
        tree = workshop.tmp / label / "app"
        environment(tree, packages=own, code=tree / "src")
    baseline, result = workshop.judge(SRC_LAYOUT, {**SRC_LAYOUT, "src/shop.py": BROKEN_SHOP})
    assert (baseline.gate, result.state) == (True, "failed")


# ---- flaky, hanging, crashing

FLAKY = """import os, unittest
from shop import total

class T(unittest.TestCase):
    def test_steady(self):
        self.assertEqual(total([1]), 1)

    def test_flaky(self):
        with open(os.environ["COUNTER"], "a") as file:
            file.write("x")
        count = os.path.getsize(os.environ["COUNTER"])
        self.assertNotIn(count, [int(n) for n in os.environ["FAILS_AT"].split()])
"""


@pytest.mark.parametrize(
    ("fails_at", "state", "flaky", "failing"),
    [("2", "flaky", ("tests.test_a.T.test_flaky",), ()), ("2 3", "failed", (), ("tests.test_a.T.test_flaky",))],
)
def test_a_failure_is_retried_before_it_condemns(workshop, fails_at, state, flaky, failing):
    files = {"shop.py": SHOP, "tests/__init__.py": "", "tests/test_a.py": FLAKY}
    workshop.env |= {"COUNTER": str(workshop.tmp / "counter"), "FAILS_AT": fails_at}
    _, result = workshop.judge(files, files)  # in the canary's run no test is read, so it counts nothing
    assert (result.state, result.flaky, result.failing) == (state, flaky, failing)


HANGING = {**UNITTEST, "shop/cart.py": SHOP + "import time\ntime.sleep(1000)\n"}


def test_a_candidate_that_hangs_has_failed(workshop):
    _, result = workshop.judge(UNITTEST, HANGING, seconds=1.5)
    assert result.state == "failed"
    assert result.why == "it ran before the change and does not any more: stopped at its time limit of 1.5 s"


def test_a_check_that_hangs_before_is_not_run(workshop):
    baseline, result = workshop.judge(HANGING, UNITTEST, seconds=1.0)
    assert (baseline.run.exit_code, result.state) == (None, "not_run")
    assert "stopped at its time limit of 1 s" in result.why


def test_a_runner_that_dies_has_failed(workshop):
    after = {**PYTEST, "shop.py": SHOP + "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"}
    _, result = workshop.judge(PYTEST, after)
    assert result.state == "failed"
    assert result.why == "all 3 tests are gone (exit code -11)"


# ---- other languages

needs_node = pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="node is not installed")
NODE = {
    "package.json": '{"scripts": {"test": "node --test test/"}}',
    "cart.js": "exports.total = (prices) => prices.reduce((a, b) => a + b, 0)\n",
    "test/cart.test.js": """const {test, describe, it} = require('node:test')
const assert = require('node:assert')
const {total} = require('../cart')
test('total', () => assert.equal(total([1, 2]), 3))
describe('nothing', () => { it('is free', () => assert.equal(total([]), 0)) })
""",
}


@needs_node
def test_node_through_npm(workshop):
    broken = {**NODE, "cart.js": "exports.total = (prices) => 0\n"}
    baseline, result = workshop.judge(NODE, broken)
    assert [test.name for test in baseline.run.tests] == ["total", "nothing > is free"]
    assert baseline.gate
    assert (result.state, result.failing) == ("failed", ("total",))
    assert "0 == 3" in result.output


@needs_node
def test_node_below_the_root_with_a_new_broken_file(workshop):
    files = {f"web/{path}": text for path, text in NODE.items()}
    after = {**files, "web/test/new.test.js": "require('./nothing')\n"}
    _, result = workshop.judge(files, after)
    assert (result.state, len(result.failing)) == ("failed", 1)
    assert result.failing[0].endswith("web/test/new.test.js")


@needs_node
def test_npm_script_whose_runner_is_not_installed_is_not_run(workshop):
    files = {"package.json": '{"scripts": {"test": "jest"}}', "cart.js": ""}
    baseline, result = workshop.judge(files, files)
    assert (baseline.run.ran, result.state) == (False, "not_run")
    assert "jest" in result.why


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_tells_by_its_exit_code_only(workshop):
    files = {"Makefile": "test:\n\tpython3 shop.py\n", "shop.py": "assert 1 + 1 == 2\n"}
    baseline, result = workshop.judge(files, files)
    assert (baseline.gate, result.state) == (True, "passed")
    _, result = workshop.judge(files, {**files, "shop.py": "assert 1 + 1 == 3\n"})
    assert (result.state, result.failing) == ("failed", ())
    assert result.why == "it ended with exit code 2, before the change with 0"


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_that_failed_before_cannot_tell(workshop):
    files = {"Makefile": "test:\n\tpython3 shop.py\n", "shop.py": "assert 0\n"}
    baseline, result = workshop.judge(files, {**files, "shop.py": ""})
    assert (baseline.gate, result.state, result.baseline) == (True, "no_gate", "failed")


def _cargo_works() -> bool:
    """A rustup without a tool chain for this home folder has a `cargo` that does nothing."""
    return shutil.which("cargo") is not None and process.run(["cargo", "--version"], timeout=60).returncode == 0


@pytest.mark.skipif(not _cargo_works(), reason="cargo is not installed, or has no tool chain here")
def test_cargo(workshop):
    files = {
        "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": "pub mod cart;\n",
        "src/cart.rs": "pub fn total(a: i32, b: i32) -> i32 { a + b }\n#[cfg(test)]\nmod tests {\n"
        "    #[test]\n    fn adds() { assert_eq!(super::total(1, 2), 3) }\n}\n",
        "tests/whole.rs": "#[test]\nfn works() { assert_eq!(shop::cart::total(0, 0), 0) }\n",
    }
    baseline, result = workshop.judge(files, {**files, "src/cart.rs": files["src/cart.rs"].replace("a + b", "a - b")})
    assert {test.name: test.file for test in baseline.run.tests} == {
        "shop src/lib.rs cart::tests::adds": "src/cart.rs",
        "whole tests/whole.rs works": "tests/whole.rs",
    }
    assert baseline.gate
    assert (result.state, result.failing) == ("failed", ("shop src/lib.rs cart::tests::adds",))
