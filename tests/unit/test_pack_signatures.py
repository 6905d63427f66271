"""What files offer, language by language: golden, and never an exception whatever is in a file.

`UPDATE_GOLDEN=1 pytest tests/unit/test_pack_signatures.py` writes the golden file anew; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.core.pack import LONGEST_SIGNATURE
from ropeteam.packing.signatures import LARGEST, MOST, signatures

GOLDEN = Path(__file__).parent.parent / "golden/pack"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.*.txt"))}


def shown(path: str, content: bytes) -> str:
    return "".join(f"{one.line:3} {'  ' * one.depth}{one.text}\n" for one in signatures(path, content))


def test_golden_signatures() -> None:
    text = "\n".join(f"=== {name}\n{shown(name, content)}" for name, content in SAMPLES.items())
    golden = GOLDEN / "signatures.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_lines_are_those_of_the_file_and_values_are_left_out(name: str) -> None:
    content = SAMPLES[name]
    lines = content.decode().split("\n")
    found = signatures(name, content)
    assert found
    for one in found:
        assert 1 <= one.line <= len(lines)
        word = one.text.split(" @")[0].split(" #[")[0].split("(")[0].split()[-1].strip("@.:;{}<>,…=")
        near = "\n".join(lines[one.line - 1 : one.line + 4])
        assert word.split("<")[0] in near or one.text.startswith(("fields:", "cases:", "export default")), one
        assert "secret" not in one.text
        assert "sk-" not in one.text


@given(
    name=st.sampled_from(sorted(SAMPLES)),
    cut=st.integers(0, 1500),
    put=st.binary(max_size=12) | st.sampled_from([b"{", b"(", b'"""', b"`", b"<script>", b"\xff\xfe", b"class "]),
)
@settings(max_examples=60, deadline=None)
def test_broken_files_never_raise(name: str, cut: int, put: bytes) -> None:
    content = SAMPLES[name]
    for broken in (content[:cut], content[:cut] + put + content[cut:], put + content):
        for one in signatures(name, broken):
            assert one.text == " ".join(one.text.split())
            assert len(one.text) <= LONGEST_SIGNATURE
            assert one.text.isprintable()


@pytest.mark.parametrize("ending", ["py", "ts", "rb", "go", "java", "php", "js", "vue", "rs", "unknown", ""])
def test_deep_many_huge_and_binary(ending: str) -> None:
    deep = b"(" * 20_000 + b"{" * 20_000
    assert isinstance(signatures(f"a.{ending}", deep), tuple)
    many = b"".join(b"def f%d(): pass\n" % n for n in range(2 * MOST))
    assert len(signatures(f"a.{ending}", many)) <= MOST
    assert signatures(f"a.{ending}", b"class A:\n  pass\n" * LARGEST) == ()
    assert signatures(f"a.{ending}", b"\x89PNG\0\0class A: pass") == ()
    assert signatures(f"a.{ending}", b"") == ()


@pytest.mark.parametrize(
    ("path", "line", "shown"),
    [
        ("a.rs", b'pub const KEY: &str = "dummy";', "pub const KEY: &str"),
        ("a.cs", b'public static string Key = @"dummy";', "public static string Key"),
        ("a.kt", b'fun send(to: String = "all") {', 'fun send(to: String = "all")'),
    ],
)
def test_the_text_that_a_constant_holds_is_not_shown(path: str, line: bytes, shown: str) -> None:
    assert [each.text for each in signatures(path, line + b"\n")] == [shown]
