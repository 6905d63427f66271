from __future__ import annotations

import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.checks import confirm_with, inspect

GOOD = [
    ("a.py", "def f(x):\n    return x\n"),
    ("a.py", "match x:\n    case 1: pass\n"),
    ("a.py", "# -*- coding: latin-1 -*-\nx = '\\d'\n"),
    ("a.pyi", "def f() -> int: ...\n"),
    ("a.js", "export default function f() { return <p>{x}</p> }\n"),
    ("a.js", "const {a, ...b} = await import('x'); a?.b ?? c;\n"),
    ("a.mjs", "import x from 'y';\n"),
    ("a.cjs", "module.exports = 1\n"),
    ("a.jsx", "export const A = () => <><B {...p}/></>;\n"),
    ("a.ts", "export const f = <T,>(x: T): x is T & {a?: string} => true; type A = `a${string}`;\n"),
    ("a.ts", "enum E { A = 1 } abstract class C<T extends object> { private readonly x!: number }\n"),
    ("a.tsx", "export function A<T>({x}: {x: T}) { return <div>{x as any}</div> }\n"),
    ("a.php", "<h1><?= $x ?></h1>\n<?php\nfinal class A { public function __construct(private readonly int $x) {} }\n"),
    ("a.go", "package a\n\nfunc F[T any](x T) (T, error) { return x, nil }\n"),
    ("A.java", 'record A(int x) { String s() { return """\n  x""" ; } }\n'),
    ("a.rb", "class A\n  def f = puts(1)\nend\n"),
    ("a.json", '{"a": [1, 2.5e3, null, "\\u00e9"]}'),
    ("a.json", "\ufeff{}"),
    ("a.json", '{ // why\n "a": 1, /* b */ }'),
    ("tsconfig.json", '{"a": 1,}'),
    (".vscode/settings.json", '{"a": 1,}'),
    ("a.toml", "[a]\nb = 1\n"),
    ("a.vue", "<template><p>{{ x }}</p></template>\n<script setup lang='ts'>\nconst x: number = 1\n</script>\n"),
    ("a.vue", "<template><p/></template>\n<style>a{</style>\n"),
    ("a.vue", "<script setup lang='ts' generic=\"T extends A<B>, C\">\nconst x: T = 1\n</script>\n"),
    ("a.jsx", 'export const A = () => <p class="x" for="y">it is</p>;\n'),
    ("a.ts", "export type * as A from 'a'\nexport type * from 'b'\n"),
    ("a.ts", "await f<typeof import('./x')>(\n  1,\n)\ndeclare module 'x' {\n  global {\n    var a: 1\n  }\n}\n"),
    ("link.js", "../../wasm/imports.js"),
    ("a.d.ts", "beyond the grammar ((("),
    ("empty.json", ""),
    ("empty.py", "\n"),
    # not looked at
    ("a.rs", "fn f( {"),
    ("notes.md", "((("),
    ("tests/fixtures/broken.py", "def f(:\n"),
    ("templates/{{ name }}.py", "def {{ f }}(:\n"),
    ("a.js.erb", "<% x %>"),
    ("flow.js", "// @flow\nfunction f(x: ?number) {}\n"),
    ("data.json", "\0\0 not text"),
]
BAD = [
    ("a.py", "def f(x:\n    return x\n", 1),
    ("a.py", "x = 1\n  y = 2\n", 2),
    ("a.py", "x = 1\nreturn x\n", 2),
    ("a.py", "class A:\n", 1),
    ("a.js", "const a = 1;\nfunction f( { return 1 }}\n", 2),
    ("a.mjs", "import {a from 'x';\n", 1),
    ("a.jsx", "const A = () => <p>\n", 1),
    ("a.ts", "const a: = 1;\n", 1),
    ("a.ts", "interface A {\n  a: string\n", None),
    ("a.tsx", "const A = <p>{x</p>;\n", 1),
    ("a.php", "<?php\nfunction f( { }\n", 2),
    ("a.go", "package a\n\nfunc F( {\n}\n", 3),
    ("A.java", "class A {\n  int f( { }\n}\n", 2),
    ("a.rb", "class A\n  def f(\nend\n", None),
    ("a.json", '{"a": 1,}', 1),
    ("a.json", '{\n"a": 1\n"b": 2}', 3),
    ("a.json", '{"url": "http://x", "b": 1,}', 1),
    ("a.toml", "[a]\nb = \n", 2),
    ("a.ts", "export type * as A from 'a'\nlet x = = 1\n", 2),
    ("a.jsx", 'const a = 1;\nconst A = () => <p class="x">{</p>;\n', 2),
    ("a.vue", "<template/>\n<script>\nlet x = 1\nlet y = = 2\n</script>\n", 4),
]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_what_is_whole_or_not_to_be_judged_is_not_found(path, text):
    assert inspect({path: text.encode()}, {}) == ()


@pytest.mark.parametrize(("path", "text", "line"), BAD)
def test_a_new_broken_file_is_found(path, text, line):
    (finding,) = inspect({path: text.encode()}, {})
    assert (finding.path, finding.check) == (path, "syntax")
    assert finding.message.startswith("does not parse: ")
    assert line is None or finding.line == line


@pytest.mark.parametrize(("path", "text", "line"), BAD)
def test_the_differential_rule(path, text, line):
    good = next(text for name, text in GOOD if name.rsplit(".", 1)[1] == path.rsplit(".", 1)[1]).encode()
    bad = text.encode()
    assert len(inspect({path: bad}, {path: [good]})) == 1
    assert len(inspect({path: bad}, {path: [good, good]})) == 1
    assert inspect({path: bad}, {path: [bad]}) == ()
    assert inspect({path: bad}, {path: [good, bad]}) == ()
    assert inspect({path: good}, {path: [bad]}) == ()


CONFLICT = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\nd\n"


@pytest.mark.parametrize(
    "text",
    [
        CONFLICT,
        CONFLICT.replace("\n", "\r\n"),
        CONFLICT.replace("=======", "||||||| base\nx\n======="),
        CONFLICT.replace(" ours", "").replace(" theirs", ""),
        CONFLICT.removesuffix("\nd\n"),
        "<<<<<<< a\n=======\n>>>>>>> b",
        "Title\n=======\n\n" + CONFLICT,
    ],
    ids=range(7),
)
@pytest.mark.parametrize("path", ["notes.md", "a.py", "Makefile", "a.txt"])
def test_left_markers_are_found_in_any_text(path, text):
    (finding,) = inspect({path: text.encode()}, {})
    assert finding.check == "markers"
    assert text.splitlines()[finding.line - 1].startswith("<<<<<<<")


@pytest.mark.parametrize(
    "text",
    [
        "Title\n=======\n\ntext\n",
        "<<<<<<< a\n\n>>>>>>> b\n",
        ">>>>>>> b\n=======\n<<<<<<< a\n",
        "    <<<<<<< a\n    =======\n    >>>>>>> b\n",
        "<<<<<<<<<< a\n==========\n>>>>>>>>>> b\n",
        "x <<<<<<< a\n=======\n>>>>>>> b\n",
        "<<<<<<< a\n======= x\n>>>>>>> b\n",
        CONFLICT.replace("a\n", "\0\n", 1),
    ],
    ids=range(8),
)
def test_what_only_looks_like_markers(text):
    assert inspect({"notes.rst": text.encode()}, {}) == ()


def test_markers_that_a_parent_has_are_no_news():
    content = CONFLICT.encode()
    assert inspect({"a.md": content}, {"a.md": [b"plain\n", content]}) == ()
    assert len(inspect({"a.md": content}, {"a.md": [b"plain\n"]})) == 1


def test_the_languages_own_checker_has_the_last_word():
    bad = {"a.go": b"package a\nfunc F( {\n"}
    assert inspect(bad, {}, confirm=lambda path, content: False) == ()
    assert len(inspect(bad, {}, confirm=lambda path, content: True)) == 1
    assert len(inspect(bad, {}, confirm=lambda path, content: None)) == 1


def test_the_checker_is_asked_only_about_what_is_suspect():
    asked = []
    inspect({"a.py": b"x = 1\n"}, {}, confirm=lambda path, content: asked.append(path))
    assert asked == []


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_node_as_the_second_opinion():
    confirm = confirm_with(shutil.which)
    assert confirm("a.js", b"import x from 'y'; await x;\n") is False
    assert confirm("a.js", b"const x = require('y'); with (x) {}\n") is False
    assert confirm("a.js", b"function f( {\n") is True
    assert confirm("a.cjs", b"import x from 'y';\n") is True
    assert confirm("a.ts", b"let x: number\n") is None


def test_without_a_checker_nobody_can_say():
    confirm = confirm_with(lambda name: None)
    for path in ("a.py", "a.js", "a.php", "a.go", "a.rb", "a.java", "a.json"):
        assert confirm(path, b"x") is None


def test_a_checker_that_cannot_be_started_says_nothing():
    assert confirm_with(lambda name: "/nonexistent/program")("a.php", b"<?php") is None


@given(st.sampled_from([path for path, _ in GOOD]), st.binary(max_size=200))
def test_any_contents_do_not_raise(path, content):
    assert all(finding.path == path for finding in inspect({path: content}, {}))


HOSTILE = [
    b"(" * 100_000,
    b"[" * 100_000,
    b"{" * 100_000,
    b"-" * 200_000,
    b"a." * 100_000,
    b"a." * 9_000 + b"b=1\n",
    b"<<<<<<< \n" * 20_000 + b">>>>>>> x\n",
    b">>>>>>> x\n<<<<<<< y\n" + b"=======\n" * 50_000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("path", ["a.py", "a.js", "a.ts", "a.json", "a.toml", "a.php"])
def test_hostile_contents_take_no_long_time(path, content):
    began = time.process_time()
    assert len(inspect({path: content}, {path: [content]})) == 0
    assert time.process_time() - began < 10
