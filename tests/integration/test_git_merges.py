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
