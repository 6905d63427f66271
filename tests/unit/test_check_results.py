from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ropeteam.checks import parse
from ropeteam.checks.locate import locate

GOLDEN = Path(__file__).parents[1] / "golden" / "checks"
FORMATS = {
    "unittest.txt": "unittest",
    "pytest.xml": "junit",
    "vitest.xml": "junit",
    "phpunit.xml": "junit",
    "node20.xml": "junit",
    "jest.json": "jest",
    "mocha.tap": "tap",
    "node20.tap": "tap",
    "cargo.txt": "cargo",
    "gotest.jsonl": "gotest",
}


def states(file: str, **replace: str) -> dict[str, str]:
    data = (GOLDEN / file).read_bytes()
    return {test.name: test.state for test in parse(FORMATS[file], data, data, 1)}


def test_pytest():
    assert states("pytest.xml") == {
        "tests.test_broken": "failed",
        "tests/test_a.py::TestA::test_bad": "failed",
        "tests/test_a.py::TestA::test_doc": "passed",
        "tests/test_a.py::TestA::test_error": "failed",
        "tests/test_a.py::TestA::test_expected": "skipped",
        "tests/test_a.py::TestA::test_noise": "passed",
        "tests/test_a.py::TestA::test_ok": "passed",
        "tests/test_a.py::TestA::test_skip": "skipped",
        "tests/test_a.py::TestA::test_sub": "failed",
        "tests/test_a.py::TestB::test_never": "failed",
        "tests/test_p.py::TestX::TestY::test_in": "passed",
        "tests/test_p.py::test_p[1]": "passed",
        "tests/test_p.py::test_p[a b]": "failed",
        "tests/test_p.py::test_late": "failed",  # passes, then fails to clean up: listed twice
        "tests/test_p.py::test_x": "skipped",
        "tests/test_p.py::test_s": "skipped",
        "tests/test_p.py::test_addr": "passed",
    }


def test_unittest_with_noise_subtests_and_broken_modules():
    assert states("unittest.txt") == {
        "tests.test_a.TestA.test_bad": "failed",
        "tests.test_a.TestA.test_doc": "passed",
        "tests.test_a.TestA.test_error": "failed",
        "tests.test_a.TestA.test_expected": "skipped",
        "tests.test_a.TestA.test_noise": "passed",  # its end is unreadable; it is not among the faults
        "tests.test_a.TestA.test_ok": "passed",
        "tests.test_a.TestA.test_skip": "skipped",
        "tests.test_a.TestA.test_sub": "failed",
        "tests.test_a.TestB.setUpClass": "failed",
        "tests.test_broken": "failed",
    }


def test_unittest_before_python_3_11_leaves_the_method_out():
    text = b"test_x (tests.test_a.TestA) ... ok\n\nRan 1 test in 0.0s\n\nOK\n"
    assert [test.name for test in parse("unittest", None, text, 0)] == ["tests.test_a.TestA.test_x"]


def test_unittest_that_broke_off_leaves_the_running_test_failed():
    text = b"test_x (t.A.test_x) ... ok\ntest_y (t.A.test_y) ... Fatal Python error: Segmentation fault\n"
    assert {test.name: test.state for test in parse("unittest", None, text, -11)} == {
        "t.A.test_x": "passed",
        "t.A.test_y": "failed",
    }


def test_a_test_that_prints_ok_and_fails_has_failed():
    text = b"test_x (t.A.test_x) ... ok\nFAIL\n\n====\nFAIL: test_x (t.A.test_x)\n----\nRan 1 test in 0.0s\n"
    assert [test.state for test in parse("unittest", None, text, 1)] == ["failed"]


def test_vitest():
    names = {
        "a.test.ts > sum > adds": "passed",
        "a.test.ts > sum > bad": "failed",
        "a.test.ts > sum > later": "skipped",
    }
    assert states("vitest.xml") == names


def test_phpunit():
    found = states("phpunit.xml")
    assert found["Tests\\Unit\\CartTest::testAdd"] == "passed"
    assert found['Tests\\Unit\\CartTest::testTotal with data set "many"'] == "failed"
    assert found["Tests\\Unit\\CartTest::testThrows"] == "failed"
    assert len(found) == 5


def test_jest_with_a_file_that_cannot_be_loaded():
    assert states("jest.json") == {
        "/tree/a.test.js > sum adds": "passed",
        "/tree/a.test.js > sum bad": "failed",
        "/tree/a.test.js > sum later": "skipped",
        "/tree/a.test.js > sum t": "skipped",
        "/tree/a.test.js > adds": "passed",
        "/tree/b.test.js": "failed",
    }


@pytest.mark.parametrize("file", ["node20.xml", "node20.tap"])
def test_node_whose_names_are_not_unique(file):
    one = {"adds": "passed", "s > inner": "passed", "s > bad": "failed", "s > sk": "skipped", "s > td": "skipped"}
    assert states(file) == {**one, **{f"{name} #2": state for name, state in one.items()}}


def test_mocha():
    assert states("mocha.tap") == {
        "top  level": "passed",
        "sum adds": "passed",
        "sum bad": "failed",
        "sum later": "skipped",
    }


def test_cargo_has_no_line_numbers_in_names():
    assert states("cargo.txt") == {
        "demo src/lib.rs tests::ig": "skipped",
        "demo src/lib.rs tests::ok": "passed",
        "demo src/lib.rs tests::bad": "failed",
        "demo src/lib.rs tests::sp": "passed",
        "integ tests/integ.rs it": "passed",
        "demo (doc) src/lib.rs - add": "passed",
    }


def test_go_counts_a_test_that_a_panic_ended_as_failed():
    assert states("gotest.jsonl") == {
        "example.com/shop/cart::TestAdd": "passed",
        "example.com/shop/cart::TestTotals": "failed",
        "example.com/shop/cart::TestTotals/empty": "passed",
        "example.com/shop/cart::TestTotals/many": "failed",
        "example.com/shop/cart::TestSlow": "skipped",
        "example.com/shop/pay::TestPanics": "failed",
    }


def test_addresses_do_not_make_names_differ():
    xml = (
        '<testsuite><testcase classname="t" file="t.py" name="test_x[&lt;O object at 0x7f12ab34cd56&gt;]"/></testsuite>'
    )
    assert parse("junit", xml.encode(), b"", 0)[0].name == "t.py::test_x[<O object at 0x>]"


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"not xml",
        BOMB,
        b"<testsuite><testcase name='x'/>",
        b"<testsuite>" * 200_000,
        b"\xff\xfe<\0t\0>\0",
        b'<?xml version="1.0" encoding="nonsense"?><testsuite/>',
        "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE x [<!ENTITY a 'b'>]><t/>".encode("utf-16"),
        b"<testcase/></testsuite>",
        b"<a><testcase name='x'></testsuite></a>",
        b"\0" * 1000,
    ],
    ids=range(12),
)
def test_what_is_not_whole_junit_is_no_results(data):
    assert parse("junit", data, b"", 0) == ()


def test_no_results_file_is_no_results():
    assert parse("junit", None, b"", 0) == ()
    assert parse("jest", None, b"", 0) == ()
    assert parse("exit", b"x", b"ok 1 - a", 0) == ()


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_garbled_results_never_raise(file, data):
    content = bytearray((GOLDEN / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    tests = parse(FORMATS[file], bytes(content), bytes(content), data.draw(st.sampled_from([0, 1, None])))
    assert len({test.name for test in tests}) == len(tests)
    assert all(test.name and test.name.encode() for test in tests)


@given(st.sampled_from(sorted(set(FORMATS.values()))), st.binary())
@example("tap", b"# Subtest: \nok\n ok\n")
@example("gotest", b'{"Test": "\\ud800", "Action": "pass"}')
@example("jest", b'{"testResults": null}')
def test_any_bytes_never_raise(format, data):
    assert isinstance(parse(format, data, data, 0), tuple)


# ---- which file a test is in


def located(tmp_path: Path, format: str, data: bytes, cwd: str = "", **more) -> dict[str, str]:
    tests = parse(format, data, data, 1)
    return {test.name: test.file for test in locate(tests, tmp_path, cwd, format=format, **more)}


def put(tree: Path, **files: str) -> None:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)


def test_absolute_paths_become_the_trees_own(tmp_path):
    put(tmp_path, **{"web/a.test.js": "", "web/b.test.js": ""})
    data = (GOLDEN / "jest.json").read_bytes().replace(b"/tree", str(tmp_path / "web").encode())
    files = located(tmp_path, "jest", data, cwd="web")
    assert files["web/a.test.js > sum adds"] == "web/a.test.js"
    assert files["web/b.test.js"] == "web/b.test.js"


def test_a_tree_behind_a_link_is_recognised(tmp_path):
    put(tmp_path, **{"real/a.test.js": ""})
    (tmp_path / "link").symlink_to("real")
    data = (GOLDEN / "jest.json").read_bytes().replace(b"/tree", str(tmp_path / "real").encode())
    tests = locate(parse("jest", data, b"", 1), tmp_path / "link", "", format="jest")
    assert tests[0].name == "a.test.js > sum adds"


def test_relative_paths_start_where_the_command_ran(tmp_path):
    put(tmp_path, **{"server/tests/test_a.py": ""})
    xml = b'<testsuite><testcase classname="tests.test_a" name="test_x" file="tests/test_a.py"/></testsuite>'
    assert located(tmp_path, "junit", xml, cwd="server") == {"tests/test_a.py::test_x": "server/tests/test_a.py"}


def test_modules_become_files(tmp_path):
    put(tmp_path, **{"tests/test_a.py": "", "other/test_b.py": ""})
    text = (
        b"test_x (tests.test_a.TestA.test_x) ... ok\ntest_y (test_b.B.test_y) ... ok\ntest_z (gone.B.test_z) ... ok\n"
    )
    assert located(tmp_path, "unittest", text, starts=["other"]) == {
        "tests.test_a.TestA.test_x": "tests/test_a.py",
        "test_b.B.test_y": "other/test_b.py",
        "gone.B.test_z": "",
    }


def test_go_packages_become_files(tmp_path):
    put(
        tmp_path,
        **{
            "api/go.mod": "module example.com/shop\n",
            "api/cart/cart_test.go": "package cart\nfunc TestAdd(t *testing.T) {}\n",
            "api/cart/totals_test.go": "package cart\nfunc TestTotals(t *testing.T) {}\n",
        },
    )
    files = located(tmp_path, "gotest", (GOLDEN / "gotest.jsonl").read_bytes(), cwd="api")
    assert files["example.com/shop/cart::TestAdd"] == "api/cart/cart_test.go"
    assert files["example.com/shop/cart::TestTotals/many"] == "api/cart/totals_test.go"
    assert files["example.com/shop/pay::TestPanics"] == ""


def test_rust_modules_become_files(tmp_path):
    put(tmp_path, **{"src/lib.rs": "", "src/a/b.rs": "", "src/c/mod.rs": "", "tests/it.rs": ""})
    text = b"""     Running unittests src/lib.rs (target/debug/deps/demo-8348ca7a80742723)
test a::b::tests::x ... ok
test c::tests::y ... ok
test tests::z ... ok
     Running tests/it.rs (target/debug/deps/it-8348ca7a80742723)
test w ... ok
"""
    assert list(located(tmp_path, "cargo", text).values()) == [
        "src/a/b.rs",
        "src/c/mod.rs",
        "src/lib.rs",
        "tests/it.rs",
    ]


@pytest.mark.parametrize("file", ["../outside.py", "/etc/passwd", "no/such.py", "x\0y", "a" * 5000])
def test_paths_that_lead_nowhere_are_not_known(tmp_path, file):
    from ropeteam.core.model import TestResult as Result

    (tmp_path.parent / "outside.py").write_text("")
    assert locate([Result(name="x", state="passed", file=file)], tmp_path, "", format="junit")[0].file == ""
