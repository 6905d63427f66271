"""Patterns of owned paths: what they match, whether two of them can meet, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropeteam.core import patterns

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
# Few letters, so that patterns and paths meet often.
PIECES = st.sampled_from(
    ["a", "b", ".a", ".", "*", "**", "?", "[ab]", "[!a]", "[a-b]x", "\\*", "ab", "a.b", "[[:alpha:]]"]
)
PARTS = st.lists(PIECES, min_size=1, max_size=3).map("".join).filter(lambda part: part not in (".", ".."))
PATTERNS = st.builds(
    lambda before, parts, after: before + "/".join(parts) + after,
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**"]),
).filter(lambda pattern: not patterns.problem(pattern))
NAMES = st.text("ab.*x", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "owned", "others"),
    [
        ("app/models/*.py", ["app/models/a.py", "app/models/a.py/b"], ["app/models/x/a.py", "x/app/models/a.py"]),
        ("app/", ["app/a", "app/b/c", "x/app/a"], ["app", "apps/a"]),
        ("/app/", ["app/a"], ["x/app/a", "app"]),
        ("/x", ["x", "x/y"], ["a/x", "xy"]),
        ("**/y", ["y", "a/y", "a/b/y", "y/z"], ["ay", "a/yy"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/z"], ["a/xb", "b"]),
        ("*.md", ["x.md", "docs/x.md", ".md"], ["x.mdx"]),
        ("README.md", ["README.md", "docs/README.md"], ["README.mdx"]),
        ("docs/?.md", ["docs/a.md"], ["docs/ab.md", "docs//.md"]),
        ("[ab]/[!c]x", ["a/ax", "b/.x"], ["c/ax", "a/cx", "a/x"]),
        ("\\!a", ["!a"], ["a", "\\!a"]),
        ("a\\ ", ["a "], ["a"]),
        ("a  ", ["a"], ["a  "]),
        ("**", ["a", "a/b"], []),
        ("caf\u00e9/*", ["caf\u00e9/x"], ["cafe/x"]),
        ("*", ["\udcff", "a\nb"], []),
    ],
)
def test_what_a_pattern_owns(pattern, owned, others) -> None:
    assert patterns.problem(pattern) == ""
    assert [path for path in owned if not patterns.owns((pattern,), path)] == []
    assert [path for path in others if patterns.owns((pattern,), path)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("/", "only a slash"),
        ("!a", "no taking away"),
        ("#a", "comment"),
        ("../a", "leads out of the repository"),
        ("a/../b", "leads out of the repository"),
        ("a/..", "leads out of the repository"),
        ("a/\\../b", "leads out of the repository"),
        ("./a", "`.` as a part"),
        ("a//b", "empty part"),
        ("//a", "empty part"),
        ("a//", "empty part"),
        ("/etc/passwd", "absolute path"),
        ("/home/me/repo/a.py", "absolute path"),
        ("C:\\repo\\a.py", "absolute path"),
        ("~/a", "absolute path"),
        (".git/config", "belongs to git"),
        ("/.git", "belongs to git"),
        ("a\nb", "line break"),
        ("a\0b", "NUL"),
        ("a\\", "ends in a backslash"),
        ("a[b", "without its `]`"),
        ("a[[:word:]]", "a class that does not exist"),
        ("a\ud800", "not valid Unicode"),
        ("a" * 1_001, "longer than 1,000"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(pattern, said) -> None:
    assert said in patterns.problem(pattern)


def test_what_cannot_be_used_owns_nothing_and_meets_nothing() -> None:
    for pattern in ("a[b", "a\\", "a\ud800"):
        assert not patterns.owns((pattern,), "a[b")
        assert patterns.shared(pattern, "**") is None
        assert patterns.prefix(pattern) == ""


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("app/models/*.py", "app/", "app/models/.py"),
        ("app/*.py", "app/m*", "app/m.py"),
        ("app/*.py", "app/*/x", "app/.py/x"),
        ("*.py", "*.md", ".py/.md"),
        ("a/**", "**/b", "a/b"),
        ("/x", "x", "x"),
        ("a?c", "ab*", "abc"),
        ("[ab]", "[bc]", "b"),
        ("**", "a/b", "a/b"),
        ("\\*", "*", "*"),
    ],
)
def test_two_patterns_meet_at_a_path(a, b, path) -> None:
    found = patterns.shared(a, b)
    assert found is not None
    assert len(found) == len(path)
    assert patterns.owns((a,), found)
    assert patterns.owns((b,), found)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("app/*.py", "app/*.html"),
        ("app/models/", "app/views/"),
        ("/a", "/b"),
        ("a/*", "b/*"),
        ("[ab]x/y", "[cd]x/y"),
        ("/a?", "/a"),
        ("/?", "/??"),
    ],
)
def test_two_patterns_do_not_meet(a, b) -> None:
    assert patterns.shared(a, b) is None
    assert not patterns.overlap(b, a)


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("*.py", "*.md", None),
        ("README.md", "*.py", None),
        ("tests/**/*.py", "**/*.sql", None),
        ("app/*.py", "app/", "app/.py"),
        ("App.xcodeproj", "App.xcodeproj/project.pbxproj", "App.xcodeproj/project.pbxproj"),
        ("*.d", "conf.d/x", "conf.d/x"),
        ("src", "src/*.py", "src/.py"),
        ("*.md", "docs/*", "docs/.md"),
        ("app/", "docs/", None),
        ("app/", "README.md", None),
        ("src/*", "tests/", None),
        ("src/tests/", "tests", "src/tests/x"),
        ("app/*.py", "models.py", "app/models.py"),
        ("models.py", "/app/models.py", "app/models.py"),
        ("Makefile", "**", "Makefile"),
        ("*.md", "docs/", "docs/.md"),
    ],
)
def test_far_fetched_meetings_do_not_count_as_a_clash(a, b, path) -> None:
    assert patterns.clash(a, b) == path
    assert (patterns.clash(b, a) is None) == (path is None)


@RELAXED
@given(PATTERNS, PATTERNS, PATHS)
def test_patterns_that_match_one_path_overlap(a, b, path) -> None:
    if patterns.owns((a,), path) and patterns.owns((b,), path):
        assert patterns.overlap(a, b)


@RELAXED
@given(PATTERNS, PATTERNS)
def test_where_two_patterns_meet_both_own(a, b) -> None:
    path = patterns.shared(a, b)
    assert patterns.overlap(b, a) == (path is not None)
    if path is not None:
        assert patterns.owns((a,), path)
        assert patterns.owns((b,), path)
        assert not {"", ".", ".."} & set(path.split("/"))
    closer = patterns.clash(a, b)
    if closer is not None:
        assert path is not None
        assert patterns.owns((a,), closer)
        assert patterns.owns((b,), closer)


@RELAXED
@given(PATHS, PATHS)
def test_literal_paths_overlap_where_one_is_the_other_or_holds_it(a, b) -> None:
    one, other = (f"/{path.replace('*', 'c')}" for path in (a, b))
    assert patterns.overlap(one, other) == (one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/"))


@RELAXED
@given(PATTERNS, PATHS)
def test_what_is_owned_begins_with_the_prefix(pattern, path) -> None:
    if patterns.owns((pattern,), path):
        assert path.startswith(patterns.prefix(pattern))
