"""Landing: all of the result in the user's checkout, or nothing of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from git_world import RUN, World, around, world

from repositories import commit_all, files_of, make_repo, write_files
from repositories import git as user_git
from ropeteam import git
from ropeteam.core.model import LandedReason
from ropeteam.errors import GitFailed

pytestmark = pytest.mark.usefixtures("users_home")


def refused(w: World, head: str, reason: LandedReason, **more: str) -> str:
    """Landing is refused for this reason, and nothing is changed by that. Gives the sentence."""
    files, tips = files_of(w.top), git.refs(w.repo, "refs/heads/")
    entries = w.git("ls-files", "-s")
    result = w.land(head, **more)
    assert result.reason == reason, result
    assert files_of(w.top) == files
    assert git.refs(w.repo, "refs/heads/") == tips
    assert w.git("ls-files", "-s") == entries
    assert not (w.repo.git_dir / "index.lock").exists()
    return result.detail


def test_every_kind_of_change_lands(tmp_path: Path) -> None:
    odd = "new\nline \udcff.txt"
    files = {
        "a.txt": "a",
        "gone/g.txt": "g",
        "mode.sh": "m",
        "type.txt": "t",
        "dir/x.txt": "x",
        "file": "f",
        "same": "s",
    }
    w = world(tmp_path, {**files, ".gitignore": "*.log\n"})
    tree = w.tree()
    for name in ("gone/g.txt", "type.txt", "dir/x.txt", "file"):
        (tree.path / name).unlink()
    (tree.path / "dir").rmdir()
    write_files(tree.path, {"a.txt": "changed", "dir": "a file", "file/in.txt": "a folder", odd: "odd", "n/e/w": "n"})
    (tree.path / "type.txt").symlink_to("same")
    (tree.path / "mode.sh").chmod(0o755)
    head = w.merged(w.snapshot(tree).commit)
    write_files(w.top, {"loose.txt": "untracked", "gone/x.log": "ignored"})
    w.git("config", "user.note", "mine")
    assert w.land(head).landed
    expected = files_of(tree.path) | {"loose.txt": ("file", b"untracked"), "gone/x.log": ("file", b"ignored")}
    assert files_of(w.top) == expected
    assert w.git("status", "--porcelain") == "?? loose.txt"
    assert w.git("rev-parse", "main", "HEAD").split() == [head, head]
    assert w.git("reflog", "-1", "--format=%gs", "main") == "ropeteam: land"
    assert w.git("config", "user.note") == "mine"
    again = w.land(head)
    assert again.landed
    w.git("fsck", "--connectivity-only")


def test_until_it_lands_the_checkout_is_untouched(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b"})
    files = files_of(w.top)
    index = (w.top / ".git/index").read_bytes()
    state = git.fingerprint(w.repo)
    head = w.result({"a.txt": "changed", "b.txt": None, "new.txt": "n"})
    git.commit_files(w.store, parent=head, files={"d": b"d"}, message="m", at=1.0, facts=w.facts)
    assert files_of(w.top) == files
    assert (w.top / ".git/index").read_bytes() == index
    assert git.compare_fingerprint(w.repo, state) == []


def test_dirty_files_and_index(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b"})
    head = w.result({"a.txt": "agent"})
    write_files(w.top, {"b.txt": "mine"})
    assert "b.txt" in refused(w, head, "dirty")
    w.git("add", "b.txt")
    assert "b.txt" in refused(w, head, "dirty")
    w.git("reset", "-q", "--hard")
    write_files(w.top, {"staged.txt": "s"})
    w.git("add", "staged.txt")
    assert "staged.txt" in refused(w, head, "dirty")
    w.git("rm", "-q", "--cached", "staged.txt")
    (w.top / "b.txt").unlink()
    assert "b.txt" in refused(w, head, "dirty")
    w.git("checkout", "-q", ".")
    os.utime(w.top / "b.txt", (1, 1))  # only touched
    assert w.land(head).landed


def test_hidden_changes_of_the_user_are_not_overwritten(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b"})
    head = w.result({"a.txt": "agent"})
    w.git("update-index", "--assume-unchanged", "a.txt")
    write_files(w.top, {"a.txt": "mine"})
    refused(w, head, "dirty")
    w.git("update-index", "--no-assume-unchanged", "a.txt")
    w.git("update-index", "--skip-worktree", "a.txt")
    assert "a.txt" in refused(w, head, "unsupported")
    w.git("update-index", "--no-skip-worktree", "a.txt")
    w.git("checkout", "-q", "a.txt")
    w.git("update-index", "--skip-worktree", "b.txt")
    write_files(w.top, {"b.txt": "mine"})
    assert w.land(head).landed
    assert (w.top / "b.txt").read_text() == "mine"
    assert w.git("ls-files", "-t", "b.txt") == "S b.txt"


@pytest.mark.parametrize(
    "there",
    [
        {"new.txt": "untracked"},
        {"ignored.log": "ignored"},
        {"folder": "a file where a folder is needed"},
        {"ignored.log/x.txt": "a folder where a file is needed"},
    ],
)
def test_things_in_the_way(tmp_path: Path, there: Mapping[str, str]) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    tree = w.tree()
    write_files(tree.path, {"new.txt": "n", "ignored.log": "l", "folder/f.txt": "f"})
    head = w.merged(w.snapshot(tree).commit)
    write_files(w.top, {".git/info/exclude": "*.log\n"})
    write_files(w.top, there)
    assert next(iter(there)) in refused(w, head, "in_the_way")


def test_links_and_leftovers_in_the_way(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "dir/x.txt": "x", "link": "l"})
    tree = w.tree()
    for name in ("dir/x.txt", "link"):
        (tree.path / name).unlink()
    (tree.path / "dir").rmdir()
    write_files(tree.path, {"dir": "a file", "out/o.txt": "o"})
    head = w.merged(w.snapshot(tree).commit)
    outside = tmp_path / "outside"
    outside.mkdir()
    (w.top / "out").symlink_to(outside)
    assert "out" in refused(w, head, "in_the_way")
    (w.top / "out").unlink()
    write_files(w.top, {".git/info/exclude": "*.log\n", "dir/mine.log": "in a folder that becomes a file"})
    assert "dir/mine.log" in refused(w, head, "in_the_way")
    (w.top / "dir/mine.log").unlink()
    (w.top / "out").mkdir()  # empty: in nobody's way
    assert w.land(head).landed
    assert list(outside.iterdir()) == []


def test_moved_other_branch_detached(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b"})
    head = w.result({"a.txt": "agent"})
    w.git("checkout", "-q", "-b", "other")
    assert "other" in refused(w, head, "other_branch")
    w.git("checkout", "-q", "--detach", "main")
    assert "detached" in refused(w, head, "other_branch")
    w.git("checkout", "-q", "main")
    write_files(w.top, {"b.txt": "mine"})
    commit_all(w.top)
    assert "moved" in refused(w, head, "moved")
    unrelated = git.commit_files(w.store, parent=w.base, files={"u": b"u"}, message="u", at=1.0, facts=w.facts)
    onto = w.git("rev-parse", "HEAD")
    git.keep(w.store, unrelated, f"{RUN}/unrelated")
    result = git.land(w.store, head=unrelated, onto=onto, branch="main", facts=w.facts, feature="")
    assert result.reason == "moved"


def test_the_features_folder_may_be_dirty_but_not_where_the_result_writes(tmp_path: Path) -> None:
    feature = ".workspace/features/x"
    w = world(tmp_path, {"a.txt": "a", f"{feature}/01-intent.md": "i", f"{feature}/02-implementation.md": "0"})
    head = w.result({"a.txt": "agent"})
    documented = git.commit_files(
        w.store, parent=head, files={f"{feature}/02-implementation.md": b"1"}, message="m", at=1.0, facts=w.facts
    )
    git.keep(w.store, documented, f"{RUN}/result")
    write_files(w.top, {f"{feature}/02-implementation.md": "mine"})
    assert "02-implementation" in refused(w, documented, "dirty", feature=feature)
    w.git("checkout", "-q", ".")
    write_files(w.top, {f"{feature}/01-intent.md": "being edited", f"{feature}/new.md": "staged"})
    w.git("add", f"{feature}/new.md")
    assert w.land(documented, feature=feature).landed
    assert (w.top / feature / "01-intent.md").read_text() == "being edited"
    assert w.git("status", "--porcelain").splitlines() == [f" M {feature}/01-intent.md", f"A  {feature}/new.md"]


def test_the_users_line_ends_and_filters(tmp_path: Path, users_home: Path) -> None:
    with (users_home / ".gitconfig").open("a") as file:
        file.write('[core]\n\tautocrlf = true\n[filter "up"]\n\tclean = tr a-z A-Z\n\tsmudge = tr A-Z a-z\n')
    w = world(tmp_path, {"a.txt": "a\n", "f.up": "F\n", ".gitattributes": "*.up filter=up\n"})
    head = w.result({"a.txt": "one\ntwo\n", "new.txt": "1\n", "f.up": "CHANGED\n", "n.up": "NEW\n"})
    assert w.land(head).landed
    assert (w.top / "a.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert (w.top / "new.txt").read_bytes() == b"1\r\n"
    assert (w.top / "f.up").read_bytes() in (b"changed\n", b"changed\r\n")
    home = {"HOME": str(users_home), "GIT_CONFIG_GLOBAL": str(users_home / ".gitconfig")}
    assert user_git(w.top, "status", "--porcelain", env=home) == ""


def test_a_filter_of_the_user_that_fails_is_taken_back(tmp_path: Path, users_home: Path) -> None:
    with (users_home / ".gitconfig").open("a") as file:
        file.write('[filter "bad"]\n\tclean = cat\n\tsmudge = grep -v fail\n\trequired = true\n')
    w = world(tmp_path, {"a.txt": "a\n", "z.bad": "good\n", "gone.txt": "g\n", ".gitattributes": "*.bad filter=bad\n"})
    head = w.result({"a.txt": "agent\n", "z.bad": "fail\n", "gone.txt": None, "new/n.txt": "n\n"})
    files, entries = files_of(w.top), w.git("ls-files", "-s")
    with pytest.raises(GitFailed):
        w.land(head)
    assert files_of(w.top) == files
    assert w.git("ls-files", "-s") == entries
    assert w.git("rev-parse", "main") == w.base
    assert w.git("status", "--porcelain") == ""


def test_not_supported(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "d/b.txt": "b", "c.x": "c", ".gitattributes": "*.x filter=local\n"})
    head = w.result({"a.txt": "agent"})
    w.git("update-index", "--split-index")
    assert "split" in refused(w, head, "unsupported")
    w.git("update-index", "--no-split-index")
    w.git("sparse-checkout", "set", "d")
    assert "sparse" in refused(w, head, "unsupported")
    w.git("sparse-checkout", "disable")
    w.git("config", "filter.local.clean", "cat")
    other = w.result({"c.x": "agent"}, "single/2")
    assert "c.x" in refused(w, other, "unsupported")
    newly = w.result({".gitattributes": "*.y filter=local\n", "n.y": "n"}, "single/3")
    assert "n.y" in refused(w, newly, "unsupported")
    assert w.land(head).landed


def test_changed_submodule_is_not_supported(tmp_path: Path) -> None:
    inner = make_repo(tmp_path / "inner", {"i.txt": "i"})
    top = make_repo(tmp_path / "repo", {"a.txt": "a"})
    user_git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    commit_all(top)
    w = around(top, tmp_path)
    tree = w.tree()
    user_git(tree.path, "clone", "-q", str(inner), "sub")
    write_files(tree.path, {"sub/j.txt": "j"})
    commit_all(tree.path / "sub")
    assert "submodule" in refused(w, w.merged(w.snapshot(tree).commit), "unsupported")
    untouched = w.result({"a.txt": "agent"}, "single/2")
    assert w.land(untouched).landed


def test_names_that_differ_only_in_case(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    head = w.result({"A.txt": "other"})
    w.git("config", "core.ignorecase", "true")
    ignoring = around(w.top, tmp_path)
    assert "case" in refused(ignoring, head, "unsupported")
    w.git("config", "core.ignorecase", "false")
    assert around(w.top, tmp_path).land(head).landed


def test_another_git_at_work_in_the_checkout(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    head = w.result({"a.txt": "agent"})
    lock = w.top / ".git" / "index.lock"
    lock.write_text("")
    result = w.land(head)
    assert result.reason == "dirty"
    assert "index.lock" in result.detail
    lock.unlink()
    assert w.land(head).landed


@pytest.mark.parametrize("option", ["--untracked-cache", "--index-version=4", "--force-write-index"])
def test_shapes_of_the_users_index(tmp_path: Path, option: str) -> None:
    w = world(tmp_path, {"a.txt": "a", "gone/g.txt": "g"})
    w.git("update-index", option)
    w.git("status")
    head = w.result({"a.txt": "agent", "gone/g.txt": None, "new/n.txt": "n"})
    write_files(w.top, {"loose/l.txt": "untracked"})
    w.git("status")
    assert w.land(head).landed
    assert w.git("status", "--porcelain") == "?? loose/"
    write_files(w.top, {"new/more.txt": "untracked"})
    assert w.git("status", "--porcelain").splitlines() == ["?? loose/", "?? new/more.txt"]
