"""Merges, rebases and commits in the object store."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_world import AT, RUN, World, world

from repositories import files_of, write_files
from ropeteam import git
from ropeteam.errors import BadRepository

pytestmark = pytest.mark.usefixtures("users_home")

LINES = "".join(f"line {number}\n" for number in range(20))


def work(w: World, name: str, files: dict[str, str | bytes]) -> str:
    tree = w.tree()
    write_files(tree.path, files)
    return w.snapshot(tree, name).commit


def merge(w: World, onto: str, tip: str, at: float = AT) -> git.Merge:
    return git.merge(w.store, onto=onto, tip=tip, base=w.base, message="Unit\n\nWith a body", at=at, facts=w.facts)


def test_clean_merges_are_linear_and_the_users(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": LINES, "b.txt": "b\n"})
    one = work(w, "one/1", {"a.txt": LINES.replace("line 2\n", "line two\n"), "one.txt": "1"})
    two = work(w, "two/1", {"a.txt": LINES.replace("line 17\n", "line seventeen\n")})
    first = merge(w, w.base, one)
    assert first.commit is not None
    second = merge(w, first.commit, two, AT + 1)
    assert second.commit is not None
    git.keep(w.store, second.commit, f"{RUN}/integration")
    merged = w.shown(second.commit, "a.txt") or b""
    assert b"line two\n" in merged
    assert b"line seventeen\n" in merged
    said = w.git("log", "--format=%an|%ae|%cn|%at|%s|%b", f"{w.base}..{second.commit}").splitlines()
    assert said[0] == f"Test User|user@example.org|Test User|{AT + 1:.0f}|Unit|With a body"
    assert w.git("rev-list", "--min-parents=2", second.commit) == ""
    assert merge(w, w.base, one) == first
    assert merge(w, second.commit, one).commit == second.commit


def test_conflicts_name_their_paths(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": LINES, "b.txt": "b\n", "gone.txt": LINES, "odd\n\udcff": "o\n"})
    one = work(w, "one/1", {"a.txt": "one\n", "gone.txt": LINES + "more\n", "odd\n\udcff": "1\n", "both.txt": "1\n"})
    tree = w.tree()
    write_files(tree.path, {"a.txt": "two\n", "odd\n\udcff": "2\n", "both.txt": "2\n"})
    (tree.path / "gone.txt").unlink()
    two = w.snapshot(tree, "two/1").commit
    merged = merge(w, one, two)
    assert merged.commit is None
    assert sorted(merged.conflicts) == sorted(["a.txt", "both.txt", "gone.txt", "odd\n\udcff"])


def test_file_against_folder_and_link_conflict(tmp_path: Path) -> None:
    w = world(tmp_path)
    one = work(w, "one/1", {"thing": "a file\n"})
    two = work(w, "two/1", {"thing/inside.txt": "a folder\n"})
    merged = merge(w, one, two)
    assert merged.commit is None
    assert any(path.startswith("thing") for path in merged.conflicts)


def test_base_decides_not_the_history(tmp_path: Path) -> None:
    """Work on top of an earlier snapshot brings only what came after it."""
    w = world(tmp_path, {"a.txt": LINES, "b.txt": "b\n"})
    one = work(w, "one/1", {"a.txt": LINES.replace("line 2\n", "line two\n")})
    tree = w.tree(one)
    write_files(tree.path, {"b.txt": "changed\n"})
    two = w.snapshot(tree, "two/1", start=one)
    other = work(w, "three/1", {"c.txt": "c\n"})
    merged = git.merge(w.store, onto=other, tip=two.commit, base=one, message="m", at=AT, facts=w.facts)
    assert merged.commit is not None
    assert {change.path for change in git.changes(w.store, other, merged.commit)} == {"b.txt"}


def test_attributes_of_the_repository_hold_in_merges(tmp_path: Path) -> None:
    attributes = {
        ".gitattributes": "log.txt merge=union\n",
        "sub/.gitattributes": "/*.list merge=union\n*.bin -merge\n",
    }
    w = world(
        tmp_path, {"log.txt": "0\n", "sub/x.list": "0\n", "x.list": "0\n", "sub/deep/y.list": "0\n", **attributes}
    )
    files = ("log.txt", "sub/x.list")
    one = work(w, "one/1", dict.fromkeys(files, "0\n1\n"))
    two = work(w, "two/1", dict.fromkeys(files, "0\n2\n"))
    merged = merge(w, one, two)
    assert merged.commit is not None
    assert git.read_file(w.store, merged.commit, "sub/x.list") == b"0\n1\n2\n"
    one = work(w, "one/2", {"x.list": "1\n", "sub/deep/y.list": "1\n"})
    two = work(w, "two/2", {"x.list": "2\n", "sub/deep/y.list": "2\n"})
    assert sorted(merge(w, one, two).conflicts) == ["sub/deep/y.list", "x.list"]


def test_binary_files_and_pointers_conflict_and_are_never_mixed(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n"
    w = world(
        tmp_path, {"x.bin": pointer.format("0" * 64), ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
    )
    one = work(w, "one/1", {"x.bin": pointer.format("1" * 64), "b": b"\0one"})
    two = work(w, "two/1", {"x.bin": pointer.format("2" * 64), "b": b"\0two"})
    assert sorted(merge(w, one, two).conflicts) == ["b", "x.bin"]


def test_rebase_keeps_messages_authors_and_dates(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": LINES, "b.txt": "b\n"})
    first = merge(w, w.base, work(w, "one/1", {"one.txt": "1"})).commit
    assert first is not None
    tree = w.tree(first)
    write_files(tree.path, {"a.txt": LINES.replace("line 2\n", "line two\n")})
    second = w.snapshot(tree, "two/1", start=first, at=AT + 7).commit
    write_files(w.top, {"a.txt": LINES.replace("line 19\n", "line nineteen\n")})
    w.git("commit", "-q", "-a", "-m", "by the user meanwhile")
    onto = w.git("rev-parse", "HEAD")
    moved = git.rebase(w.store, head=second, base=w.base, onto=onto, facts=w.facts)
    assert moved.commit is not None
    git.keep(w.store, moved.commit, f"{RUN}/landing")
    form = "--format=%an %ae %at %cn %ct %s"
    assert w.git("log", form, f"{onto}..{moved.commit}") == w.git("log", form, f"{w.base}..{second}")
    assert w.git("rev-parse", f"{moved.commit}~2") == onto
    assert git.rebase(w.store, head=second, base=w.base, onto=onto, facts=w.facts) == moved
    assert git.rebase(w.store, head=second, base=w.base, onto=w.base, facts=w.facts).commit == second


def test_rebase_stops_at_a_conflict_and_passes_over_what_is_there(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": LINES})
    head = merge(w, w.base, work(w, "one/1", {"a.txt": "agent\n"})).commit
    assert head is not None
    write_files(w.top, {"a.txt": "agent\n"})
    w.git("commit", "-q", "-a", "-m", "the same by hand")
    onto = w.git("rev-parse", "HEAD")
    assert git.rebase(w.store, head=head, base=w.base, onto=onto, facts=w.facts).commit == onto
    write_files(w.top, {"a.txt": "otherwise\n"})
    w.git("commit", "-q", "-a", "-m", "otherwise")
    onto = w.git("rev-parse", "HEAD")
    assert git.rebase(w.store, head=head, base=w.base, onto=onto, facts=w.facts) == git.Merge(None, ("a.txt",))


def test_commit_files_sets_only_these(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "run.sh": "#!/bin/sh\n", "docs/x.md": "x\n"})
    tree = w.tree()
    (tree.path / "run.sh").chmod(0o755)
    start = w.snapshot(tree).commit
    files = {"docs/x.md": b"dos\r\n", "docs/new/y.md": b"y", "run.sh": b"#!/bin/sh\necho\n"}
    commit = git.commit_files(w.store, parent=start, files=files, message="Documents", at=AT, facts=w.facts)
    git.keep(w.store, commit, f"{RUN}/result")
    assert {path: w.shown(commit, path) for path in files} == files
    assert {change.path for change in git.changes(w.store, start, commit)} == set(files)
    assert w.git("ls-tree", commit, "run.sh").startswith("100755")
    again = git.commit_files(w.store, parent=commit, files=files, message="Documents", at=AT + 1, facts=w.facts)
    assert again == commit


def test_a_dirty_checkout_as_a_commit(tmp_path: Path) -> None:
    feature = ".workspace/features/x"
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b", "c.txt": "c", f"{feature}/01-intent.md": "i"})
    write_files(w.top, {"a.txt": "changed", "b.txt": "staged", "new.txt": "staged new", "loose.txt": "untracked"})
    write_files(w.top, {f"{feature}/01-intent.md": "edited", f"{feature}/more.md": "added"})
    w.git("add", "b.txt", "new.txt", f"{feature}/more.md")
    write_files(w.top, {"b.txt": "staged and changed"})
    (w.top / "c.txt").unlink()
    index, files = (w.top / ".git/index").read_bytes(), files_of(w.top)
    commit = git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", AT, feature)
    assert (w.top / ".git/index").read_bytes() == index
    assert files_of(w.top) == files
    assert {change.path: change.kind for change in git.changes(w.store, w.base, commit)} == {
        "a.txt": "modified",
        "b.txt": "modified",
        "c.txt": "deleted",
        "new.txt": "created",
    }
    assert w.shown(commit, "b.txt") == b"staged and changed"
    assert git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", AT, feature) == commit
    assert git.refs(w.repo, f"{RUN}/dirty") == {f"{RUN}/dirty": commit}
    w.git("fsck", "--connectivity-only")


def test_a_dirty_checkout_that_cannot_be_a_commit(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a\n", "s.secret": "plain\n", ".gitattributes": "*.secret filter=crypt\n"})
    w.git("config", "filter.crypt.clean", "tr a-z b-za")
    write_files(w.top, {"a.txt": "changed\n"})
    assert git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", AT, "") != w.base
    write_files(w.top, {"s.secret": "changed\n"})
    with pytest.raises(BadRepository) as caught:
        git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", AT, "")
    assert caught.value.code == "local_filter"
    w.git("checkout", "-q", ".")
    w.git("checkout", "-q", "-b", "side")
    write_files(w.top, {"a.txt": "side\n"})
    w.git("commit", "-q", "-a", "-m", "side")
    w.git("checkout", "-q", "main")
    write_files(w.top, {"a.txt": "main\n"})
    w.git("commit", "-q", "-a", "-m", "main")
    with pytest.raises(AssertionError):
        w.git("merge", "side")
    with pytest.raises(BadRepository) as caught:
        git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty2", AT, "")
    assert caught.value.code == "merge_in_progress"


# ---- lists by union, contents that are given


UNION = ("CHANGELOG.md", ".*ignore", "lists/")


def united(w: World, onto: str, tip: str, union: tuple[str, ...] = UNION) -> git.Merge:
    return git.merge(w.store, onto=onto, tip=tip, base=w.base, message="Unit", at=AT, facts=w.facts, union=union)


def test_lists_get_the_lines_of_both(tmp_path: Path) -> None:
    lists = {"CHANGELOG.md": "# Changes\n\nold\n", ".gitignore": "*.o\n", "lists/deep/x y\n.txt": "0\n"}
    w = world(tmp_path, {"a.txt": LINES, **lists})
    one = work(w, "one/1", {path: text + "one\n" for path, text in lists.items()} | {"new/.dockerignore": "one"})
    two = work(w, "two/1", {path: text + "two\n" for path, text in lists.items()} | {"new/.dockerignore": "two"})
    merged = united(w, one, two)
    assert merged.commit is not None
    assert set(merged.united) == {*lists, "new/.dockerignore"}
    for path, text in lists.items():
        assert git.read_file(w.store, merged.commit, path) == f"{text}one\ntwo\n".encode()
    both = git.read_file(w.store, merged.commit, "new/.dockerignore") or b""
    assert both.split() == [b"one", b"two"]
    assert united(w, one, two) == merged
    assert sorted(merge(w, one, two).conflicts) == sorted({*lists, "new/.dockerignore"})


def test_no_line_of_either_side_is_lost_by_union(tmp_path: Path) -> None:
    """Lines at the top, in the middle and at the end, with and without the last newline, some of them the same."""
    old = [f"line {n}" for n in range(6)]
    w = world(tmp_path, {"CHANGELOG.md": "\n".join(old)})
    for number, at in enumerate((0, 3, 6)):
        mine, theirs = [*old], [*old]
        mine[at:at] = ["same", f"mine {number}"]
        theirs[at:at] = ["same", f"theirs {number}", f"theirs {number} again"]
        one = work(w, f"one/{number}", {"CHANGELOG.md": "\n".join(mine)})
        two = work(w, f"two/{number}", {"CHANGELOG.md": "\n".join(theirs) + "\n"})
        merged = united(w, one, two)
        assert merged.commit is not None
        lines = (git.read_file(w.store, merged.commit, "CHANGELOG.md") or b"").decode().splitlines()
        assert set(lines) == {*mine, *theirs}


def test_only_lists_are_merged_by_union(tmp_path: Path) -> None:
    """Not code whatever the patterns say, no binary, no pointer, nothing that is gone on one side; one conflict that is
    left is all that is told."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\n"
    files = {"lists/app.py": "0\n", "lists/bin": b"\0", "lists/big": pointer.format(0), "lists/gone": "0\n"}
    w = world(tmp_path, {"CHANGELOG.md": "0\n", "other.md": "0\n", **files})
    tree = w.tree()
    changed: dict[str, str | bytes] = {"lists/app.py": "2\n", "lists/bin": b"\0two", "lists/big": pointer.format(2)}
    write_files(tree.path, {**changed, "CHANGELOG.md": "0\n2\n", "other.md": "2\n"})
    (tree.path / "lists/gone").unlink()
    two = w.snapshot(tree, "two/1").commit
    mine = {"lists/app.py": "1\n", "lists/bin": b"\0one", "lists/big": pointer.format(1), "lists/gone": "1\n"}
    one = work(w, "one/2", {**mine, "CHANGELOG.md": "0\n1\n", "other.md": "1\n"})
    merged = united(w, one, two, ("*",))
    assert merged.commit is None
    assert sorted(merged.conflicts) == ["lists/app.py", "lists/big", "lists/bin", "lists/gone"]
    assert sorted(united(w, one, two).conflicts) == ["lists/app.py", "lists/big", "lists/bin", "lists/gone", "other.md"]


def test_a_pattern_can_be_taken_back(tmp_path: Path) -> None:
    w = world(tmp_path, {"a/list": "0\n", "b/list": "0\n"})
    one = work(w, "one/1", {"a/list": "1\n", "b/list": "1\n"})
    two = work(w, "two/1", {"a/list": "2\n", "b/list": "2\n"})
    assert united(w, one, two, ("list", "!b/list")).conflicts == ("b/list",)


def test_contents_that_are_given_take_the_place_of_what_merges(tmp_path: Path) -> None:
    w = world(tmp_path, {"x.lock": LINES, "y.lock": "0\n", "z.lock": "0\n"})
    one = work(w, "one/1", {"x.lock": "first\n" + LINES, "y.lock": "1\n"})
    tree = w.tree()
    write_files(tree.path, {"x.lock": LINES + "last\n", "y.lock": "2\n"})
    (tree.path / "y.lock").chmod(0o755)
    two = w.snapshot(tree, "two/1").commit
    given = {"x.lock": b"anew x\n", "y.lock": b"anew y\n"}
    merged = git.merge(w.store, onto=one, tip=two, base=w.base, message="m", at=AT, facts=w.facts, given=given)
    assert merged.commit is not None
    assert git.read_files(w.store, merged.commit, list(given)) == given
    git.keep(w.store, merged.commit, f"{RUN}/merged")
    assert w.git("ls-tree", merged.commit, "y.lock").startswith("100755")
    tree = w.tree()
    (tree.path / "z.lock").unlink()
    gone = w.snapshot(tree, "gone/1").commit
    changed = work(w, "three/1", {"z.lock": "3\n"})
    left = git.merge(
        w.store, onto=gone, tip=changed, base=w.base, message="m", at=AT, facts=w.facts, given={"z.lock": b"x"}
    )
    assert left == git.Merge(None, ("z.lock",))


# ---- what would conflict


def test_works_are_compared_in_pairs(tmp_path: Path) -> None:
    names = {"a.txt": LINES, "b.txt": "b\n", "odd\n\udcff": "o\n", "log": "0\n", ".gitattributes": "log merge=union\n"}
    w = world(tmp_path, names)
    one = (w.base, work(w, "one/1", {"a.txt": "one\n", "odd\n\udcff": "1\n", "log": "0\n1\n"}))
    two = (w.base, work(w, "two/1", {"a.txt": "two\n", "odd\n\udcff": "2\n", "log": "0\n2\n"}))
    three = (w.base, work(w, "three/1", {"b.txt": "three\n"}))
    before = sum(1 for _ in w.store.objects.rglob("*"))
    found = git.conflicts_between(w.store, [(one, two), (one, three), (two, one), (one, one), (two, three)])
    assert [sorted(paths) for paths in found] == [["a.txt", "odd\n\udcff"], [], ["a.txt", "odd\n\udcff"], [], []]
    assert sum(1 for _ in w.store.objects.rglob("*")) == before
    assert git.conflicts_between(w.store, []) == []


def test_works_that_began_at_different_commits_are_compared_from_what_both_have(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": LINES, "b.txt": "b\n"})
    first = merge(w, w.base, work(w, "one/1", {"b.txt": "first\n"})).commit
    assert first is not None
    early = (w.base, work(w, "two/1", {"a.txt": LINES.replace("line 2\n", "early\n"), "b.txt": "early\n"}))
    tree = w.tree(first)
    write_files(tree.path, {"a.txt": LINES.replace("line 2\n", "late\n")})
    late = (first, w.snapshot(tree, "three/1", start=first).commit)
    stranger = w.git("commit-tree", "-m", "no history", w.git("rev-parse", "HEAD^{tree}"))
    asked = [(early, late), (late, early), (early, (w.base, first)), (early, (stranger, stranger))]
    assert [sorted(paths) for paths in git.conflicts_between(w.store, asked)] == [
        ["a.txt", "b.txt"],
        ["a.txt", "b.txt"],
        ["b.txt"],
        [],
    ]
