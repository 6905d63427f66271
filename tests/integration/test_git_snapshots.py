"""Trees and snapshots: everything an agent made and did not ignore ends under refs of the user's repository."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from git_world import AT, RUN, World, around, world

from repositories import commit_all, files_of, make_repo, write_files
from repositories import git as agents_git
from ropeteam import git
from ropeteam.errors import BadInput

pytestmark = pytest.mark.usefixtures("users_home")

SIGNED = ("-c", "user.name=Agent", "-c", "user.email=agent@example.org")


def kinds(snapshot: git.Snapshot) -> dict[str, str]:
    return {change.path: change.kind for change in snapshot.changes}


def complete(w: World) -> None:
    """Every object that refs of the user's repository need is in it, without our private one."""
    w.git("fsck", "--connectivity-only", "--no-dangling")


def test_a_tree_is_a_repository_of_its_own(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "run.sh": "#!/bin/sh\n"})
    w.git("branch", "other")
    w.git("tag", "v1")
    before = files_of(w.top / ".git")
    tree = w.tree()
    assert (tree.path / ".git").is_dir()
    assert agents_git(tree.path, "status", "--porcelain") == ""
    assert agents_git(tree.path, "branch", "--format=%(refname:short)").splitlines()[1:] == ["main", "other"]
    assert agents_git(tree.path, "rev-parse", "v1", "HEAD").split() == [w.base, w.base]
    assert agents_git(tree.path, "config", "user.name") == "Test User"
    assert agents_git(tree.path, "remote") == ""
    write_files(tree.path, {"a.txt": "changed"})
    agents_git(tree.path, "stash")
    agents_git(tree.path, "switch", "-q", "-c", "mine", "other")
    agents_git(tree.path, "branch", "-q", "-D", "main", "other")
    agents_git(tree.path, "config", "core.hooksPath", "/nowhere")
    agents_git(tree.path, "gc", "-q", "--prune=now")
    assert files_of(w.top / ".git") == before
    assert w.git("status", "--porcelain") == ""


def test_what_one_attempt_left_can_be_read_by_its_commit_in_the_tree_of_another(tmp_path: Path) -> None:
    """What `rest` is told of ejected work: its changes since it began, and its files."""
    w = world(tmp_path, {"a.txt": "a\n", "b.txt": "b\n"})
    ejected = w.tree()
    write_files(ejected.path, {"b.txt": "theirs\n", "new/c.txt": "c\n"})
    first = w.snapshot(ejected, "03-api/1")
    second_try = w.tree(first.commit)
    write_files(second_try.path, {"new/d.txt": "d\n"})
    left = w.snapshot(second_try, "03-api/2", start=first.commit)
    checkpoint = w.result({"a.txt": "validated\n"}, "02-models/1")

    rest = w.tree(checkpoint)
    changed = agents_git(rest.path, "diff", "--name-only", f"HEAD...{left.commit}").split()

    assert changed == ["b.txt", "new/c.txt", "new/d.txt"]
    assert agents_git(rest.path, "show", f"{left.commit}:b.txt") == "theirs"
    assert agents_git(rest.path, "for-each-ref", "refs/ropeteam") == ""


def test_a_tree_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    w = world(tmp_path)
    first = w.tree()
    write_files(first.path, {"new.txt": "n"})
    again = git.create_tree(w.store, first.path, w.base, w.facts, index=first.index)
    assert again == first == git.open_tree(first.path, first.index)
    assert (first.path / "new.txt").exists()


def test_every_kind_of_change(tmp_path: Path) -> None:
    odd = "new\nline \udcff.txt"
    files = {"keep.txt": "k", "gone.txt": "g", "mode.sh": "m", "type.txt": "t", "dir/a.txt": "a", "b": "b"}
    w = world(tmp_path, {**files, ".gitignore": "*.log\nbuild/\n"})
    tree = w.tree()
    place = tree.path
    write_files(place, {odd: "odd", "new/x.txt": "x", "debug.log": "l", "build/out.o": "o"})
    for name in ("gone.txt", "type.txt", "b"):
        (place / name).unlink()
    (place / "mode.sh").chmod(0o755)
    (place / "type.txt").symlink_to("keep.txt")
    shutil.rmtree(place / "dir")
    write_files(place, {"dir": "now a file", "b/inside.txt": "now a folder"})
    (place / "empty").mkdir()
    os.mkfifo(place / "pipe")
    taken = w.snapshot(tree)
    assert kinds(taken) == {
        odd: "created",
        "new/x.txt": "created",
        "gone.txt": "deleted",
        "type.txt": "modified",
        "mode.sh": "modified",
        "dir": "created",
        "dir/a.txt": "deleted",
        "b": "deleted",
        "b/inside.txt": "created",
    }
    assert taken.ignored == ("build/", "debug.log")
    assert (taken.descends, taken.kept, taken.nested, taken.problems) == (True, (), (), ())
    assert w.git("log", "-1", "--format=%P %an %ae %at %ct %s", taken.commit) == (
        f"{w.base} Test User user@example.org {AT:.0f} {AT:.0f} Snapshot"
    )
    assert git.refs(w.repo, RUN)[f"{RUN}/single/1"] == taken.commit
    assert w.shown(taken.commit, odd) == b"odd"
    assert w.git("ls-tree", taken.commit, "mode.sh", "type.txt").split()[::4] == ["100755", "120000"]
    assert w.git("status", "--porcelain") == ""
    complete(w)


def test_nothing_changed_is_a_snapshot_too(tmp_path: Path) -> None:
    w = world(tmp_path)
    taken = w.snapshot(w.tree())
    assert taken.changes == ()
    assert w.git("rev-parse", f"{taken.commit}^") == w.base


def test_again_is_the_same_commit_at_any_time(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n"})
    first = w.snapshot(tree)
    assert w.snapshot(tree, at=AT + 100) == first


def test_what_an_earlier_snapshot_had_and_is_gone_stays_reachable(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n", "app.py": "better"})
    first = w.snapshot(tree)
    write_files(tree.path, {"more.txt": "m"})
    second = w.snapshot(tree)
    assert second.kept == ()
    (tree.path / "n.txt").unlink()
    third = w.snapshot(tree)
    assert third.kept == (f"{RUN}/single/1-kept/{second.commit[:12]}",)
    assert git.refs(w.repo, RUN)[third.kept[0]] == second.commit
    assert first.commit != second.commit
    complete(w)


def test_nothing_that_an_agent_does_with_its_own_git_hides_work(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b", "c.txt": "c"})
    tree = w.tree()
    place = tree.path
    write_files(place, {"a.txt": "hidden", "b.txt": "skipped", "c.txt": "staged then more", "new.txt": "n"})
    agents_git(place, "update-index", "--assume-unchanged", "a.txt")
    agents_git(place, "update-index", "--skip-worktree", "b.txt")
    agents_git(place, "add", "c.txt")
    agents_git(place, "rm", "-q", "--cached", "c.txt")
    (place / ".git" / "index.lock").write_text("")
    (place / ".git" / "info" / "exclude").write_text("*\n")
    assert kinds(w.snapshot(tree)) == {
        "a.txt": "modified",
        "b.txt": "modified",
        "c.txt": "modified",
        "new.txt": "created",
    }


def test_own_commits_branches_stashes_and_what_was_reset_away_are_kept(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    tree = w.tree()
    place = tree.path
    agents_git(place, "switch", "-q", "-c", "feature")
    write_files(place, {"one.txt": "1"})
    one = commit_all(place, "one")
    write_files(place, {"two.txt": "2"})
    two = commit_all(place, "two")
    agents_git(place, "reset", "-q", "--hard", one)
    write_files(place, {"a.txt": "stashed 1"})
    agents_git(place, "stash")
    write_files(place, {"a.txt": "stashed 2", "u.txt": "untracked"})
    agents_git(place, "stash", "-u")
    stashes = agents_git(place, "reflog", "show", "--format=%H", "stash").split()
    agents_git(place, "switch", "-q", "-c", "side", w.base)
    write_files(place, {"side.txt": "s"})
    side = commit_all(place, "side")
    agents_git(place, "switch", "-q", "feature")
    taken = w.snapshot(tree)
    assert kinds(taken) == {"one.txt": "created"}
    assert taken.descends
    held = {git.refs(w.repo, RUN)[ref] for ref in taken.kept}
    assert held == {two, side, *stashes}
    assert len(stashes) == 2
    complete(w)
    git.remove_tree(w.store, tree, snapshot_of=f"{RUN}/single/1")
    shutil.rmtree(w.store.path)
    assert w.shown(two, "two.txt") == b"2"
    assert w.git("show", f"{stashes[0]}^3:u.txt") == "untracked"


def test_head_elsewhere_does_not_descend(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    agents_git(tree.path, "checkout", "-q", "--orphan", "fresh")
    assert not w.snapshot(tree).descends
    commit_all(tree.path, "without a past")
    taken = w.snapshot(tree)
    assert not taken.descends
    assert len(taken.kept) == 1
    shutil.rmtree(tree.path / ".git")
    after = w.snapshot(tree)
    assert not after.descends
    assert after.commit == taken.commit


def test_repositories_inside_the_tree(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "src/tracked.txt": "t", ".gitignore": "*.log\n"})
    tree = w.tree()
    place = tree.path
    inner = make_repo(place / "lib" / "inner", {"i.txt": "i", ".gitignore": "cache\n"})
    own = commit_all(inner, "second")
    write_files(inner, {"later.txt": "uncommitted", "cache/c": "c", "x.log": "ignored above"})
    make_repo(inner / "deeper", {"d.txt": "d"})
    agents_git(place, "init", "-q", "unborn")
    write_files(place, {"unborn/u.txt": "u", "src/new.txt": "n"})
    agents_git(place / "src", "init", "-q")
    agents_git(place / "src", "add", "tracked.txt")
    in_src = commit_all(place / "src", "inside a tracked folder")
    taken = w.snapshot(tree)
    assert kinds(taken) == {
        "lib/inner/i.txt": "created",
        "lib/inner/.gitignore": "created",
        "lib/inner/later.txt": "created",
        "lib/inner/deeper/d.txt": "created",
        "unborn/u.txt": "created",
        "src/new.txt": "created",
    }
    assert sorted(taken.nested) == ["lib/inner", "lib/inner/deeper", "src", "unborn"]
    held = {git.refs(w.repo, RUN)[ref] for ref in taken.kept}
    assert {own, in_src} <= held
    assert len(held) == 3
    complete(w)
    (inner / "i.txt").unlink()
    again = w.snapshot(tree)
    assert "lib/inner/i.txt" not in kinds(again)
    assert sorted(again.nested) == sorted(taken.nested)


def test_a_linked_work_tree_of_the_agents(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    tree = w.tree()
    agents_git(tree.path, "worktree", "add", "-q", "--detach", "beside")
    write_files(tree.path / "beside", {"b.txt": "b"})
    own = commit_all(tree.path / "beside", "detached in a linked tree")
    taken = w.snapshot(tree)
    assert "beside/b.txt" in kinds(taken)
    assert own in {git.refs(w.repo, RUN)[ref] for ref in taken.kept}


def test_a_shallow_clone_inside_the_tree_keeps_its_files_only(tmp_path: Path) -> None:
    other = make_repo(tmp_path / "other", {"o.txt": "o"})
    commit_all(other, "second")
    w = world(tmp_path)
    tree = w.tree()
    agents_git(tree.path, "clone", "-q", "--depth", "1", f"file://{other}", "cloned")
    taken = w.snapshot(tree)
    assert kinds(taken) == {"cloned/o.txt": "created"}
    assert "shallow" in taken.problems[0]
    complete(w)


def test_submodules(tmp_path: Path) -> None:
    inner = make_repo(tmp_path / "inner", {"i.txt": "i"})
    top = make_repo(tmp_path / "repo", {"a.txt": "a"})
    agents_git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    commit_all(top)
    w = around(top, tmp_path)
    tree = w.tree()
    write_files(tree.path, {"a.txt": "b"})
    assert kinds(w.snapshot(tree)) == {"a.txt": "modified"}
    write_files(tree.path, {"sub/loose.txt": "written where the submodule belongs"})
    taken = w.snapshot(tree)
    assert kinds(taken) == {"a.txt": "modified"}
    assert taken.nested == ("sub",)
    assert w.shown(git.refs(w.repo, RUN)[taken.kept[0]], "sub/loose.txt") == b"written where the submodule belongs"
    shutil.rmtree(tree.path / "sub")
    agents_git(tree.path, "clone", "-q", str(inner), "sub")
    write_files(tree.path, {"sub/j.txt": "j"})
    commit = commit_all(tree.path / "sub", "in the submodule")
    taken = w.snapshot(tree)
    assert kinds(taken)["sub"] == "modified"
    assert w.git("rev-parse", f"{taken.commit}:sub") == commit
    assert commit in git.refs(w.repo, RUN).values()


def test_line_ends_stay_as_the_tree_has_them(tmp_path: Path, users_home: Path) -> None:
    with (users_home / ".gitconfig").open("a") as file:
        file.write("[core]\n\tautocrlf = true\n")
    w = world(tmp_path, {"unix.txt": "1\n2\n", "dos.txt": "1\r\n2\r\n"})
    tree = w.tree()
    assert (tree.path / "unix.txt").read_bytes() == b"1\n2\n"
    assert agents_git(tree.path, "status", "--porcelain") == ""
    assert w.snapshot(tree).changes == ()
    write_files(tree.path, {"new.txt": "a\r\n"})
    assert w.shown(w.snapshot(tree).commit, "new.txt") == b"a\r\n"


def test_pointers_of_large_files_are_files(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3\n"
    w = world(tmp_path, {"big.bin": pointer, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    tree = w.tree()
    assert (tree.path / "big.bin").read_text() == pointer
    assert w.snapshot(tree).changes == ()
    write_files(tree.path, {"big.bin": "abc"})
    assert w.shown(w.snapshot(tree).commit, "big.bin") == b"abc"


def test_shallow_repository_of_the_user(tmp_path: Path) -> None:
    origin = make_repo(tmp_path / "origin", {"a.txt": "a"})
    write_files(origin, {"a.txt": "b"})
    commit_all(origin)
    agents_git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "repo")
    w = around(tmp_path / "repo", tmp_path)
    tree = w.tree()
    assert agents_git(tree.path, "log", "--format=%H").split() == [w.base]
    head = w.result({"n.txt": "n"})
    assert w.land(head).landed
    complete(w)


def test_sha256_repository(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"}, "--object-format=sha256")
    assert (w.repo.object_format, len(w.base)) == ("sha256", 64)
    tree = w.tree()
    write_files(tree.path, {"a.txt": "b"})
    own = commit_all(tree.path, "own")
    taken = w.snapshot(tree)
    assert own in {git.refs(w.repo, RUN)[ref] for ref in taken.kept}
    assert git.dirty(w.repo, feature="") == []
    assert w.land(w.merged(taken.commit)).landed
    assert w.git("status", "--porcelain") == ""
    complete(w)


def test_linked_work_tree_of_the_user(tmp_path: Path) -> None:
    top = make_repo(tmp_path / "repo", {"a.txt": "a"})
    agents_git(top, "worktree", "add", "-q", "-b", "side", "../side")
    w = around(tmp_path / "side", tmp_path)
    assert w.store.path == top / ".git" / "ropeteam" / "private.git"
    head = w.result({"a.txt": "b"})
    assert w.land(head, branch="side").landed
    assert (tmp_path / "side" / "a.txt").read_text() == "b"
    assert (top / "a.txt").read_text() == "a"
    assert agents_git(top, "status", "--porcelain") == ""
    assert agents_git(tmp_path / "side", "status", "--porcelain") == ""


def test_what_the_user_ignores_elsewhere_is_ignored(tmp_path: Path, users_home: Path) -> None:
    write_files(users_home, {".config/git/ignore": "*.everywhere\n"})
    w = world(tmp_path)
    write_files(w.top, {".git/info/exclude": "secret.txt\n"})
    git.open_store(w.repo)
    tree = w.tree()
    write_files(tree.path, {"secret.txt": "s", "a.everywhere": "e", "plain.txt": "p"})
    taken = w.snapshot(tree)
    assert kinds(taken) == {"plain.txt": "created"}
    assert taken.ignored == ("a.everywhere", "secret.txt")
    assert agents_git(tree.path, "status", "--porcelain").splitlines() == ["?? plain.txt"]


def test_a_lock_of_ours_that_a_killed_git_left(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n"})
    tree.index.with_name(f"{tree.index.name}.lock").write_text("")
    assert kinds(w.snapshot(tree)) == {"n.txt": "created"}


def test_our_index_gone_or_torn(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n"})
    tree.index.unlink()
    first = w.snapshot(tree)
    tree.index.write_bytes(b"DIRC torn")
    assert w.snapshot(tree) == first
    assert kinds(first) == {"n.txt": "created"}


def test_files_without_permissions(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.touch(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"closed/n.txt": "n", "closed.txt": "c"})
    (tree.path / "closed.txt").chmod(0)
    (tree.path / "closed").chmod(0)
    assert kinds(w.snapshot(tree)) == {"closed/n.txt": "created", "closed.txt": "created"}


def test_names_that_git_does_not_take_do_not_cost_the_others(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n", ".GIT/config": "[core]\n"})
    agents = make_repo(tree.path / "inner", {"i.txt": "i"})
    write_files(agents, {".git/HEAD": "garbage"})
    taken = w.snapshot(tree)
    assert kinds(taken)["n.txt"] == "created"
    assert kinds(taken).keys() >= {"inner/i.txt"}


def test_a_tree_is_not_removed_without_its_snapshot(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    with pytest.raises(BadInput):
        git.remove_tree(w.store, tree, snapshot_of=f"{RUN}/single/1")
    assert tree.path.exists()
    taken = w.snapshot(tree)
    (tree.path / "closed").mkdir(mode=0o000)
    outside = tmp_path / "outside"
    write_files(outside, {"o.txt": "o"})
    (tree.path / "link").symlink_to(outside)
    git.remove_tree(w.store, tree, snapshot_of=taken.commit)
    git.remove_tree(w.store, tree, snapshot_of=taken.commit)
    assert not tree.path.exists()
    assert list(tree.path.parent.iterdir()) == []
    assert (outside / "o.txt").read_text() == "o"


def test_planted_pipes_and_links_in_the_agents_git_do_not_hold_us(tmp_path: Path) -> None:
    w = world(tmp_path)
    tree = w.tree()
    dot_git = tree.path / ".git"
    write_files(tree.path, {"n.txt": "n"})
    (dot_git / "HEAD").unlink()
    os.mkfifo(dot_git / "HEAD")
    os.mkfifo(dot_git / "config.lock")
    (dot_git / "config").unlink()
    os.mkfifo(dot_git / "config")
    (dot_git / "logs").symlink_to("/")
    taken = w.snapshot(tree)
    assert kinds(taken) == {"n.txt": "created"}
    assert not taken.descends


def test_a_start_that_is_a_snapshot(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    first = w.tree()
    write_files(first.path, {"one.txt": "1"})
    one = w.snapshot(first)
    second = w.tree(one.commit)
    assert (second.path / "one.txt").read_text() == "1"
    write_files(second.path, {"two.txt": "2"})
    two = w.snapshot(second, "single/2", start=one.commit)
    assert kinds(two) == {"two.txt": "created"}
    assert {change.path for change in git.changes(w.store, w.base, two.commit)} == {"one.txt", "two.txt"}
    complete(w)


def test_partial_clone_of_the_user_fetches_nothing(tmp_path: Path) -> None:
    origin = make_repo(tmp_path / "origin", {"a.txt": "old a\n", "b.txt": "old b\n"})
    write_files(origin, {"a.txt": "a\n", "b.txt": "b\n"})
    commit_all(origin)
    agents_git(origin, "config", "uploadpack.allowFilter", "true")
    agents_git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{origin}", "repo")
    shutil.move(origin, tmp_path / "unreachable")
    w = around(tmp_path / "repo", tmp_path)
    assert git.dirty(w.repo, feature="") == []
    head = w.result({"a.txt": "agent\n", "new.txt": "n\n"})
    other = w.snapshot(w.tree(), "other/1")
    merged = git.merge(w.store, onto=other.commit, tip=head, base=w.base, message="m", at=AT, facts=w.facts)
    assert merged.commit is not None
    assert w.land(head).landed
    assert w.git("status", "--porcelain") == ""


def test_a_broken_branch_of_the_user_does_not_matter(tmp_path: Path) -> None:
    w = world(tmp_path)
    (w.top / ".git/refs/heads/broken").write_text("1" * 40 + "\n")
    tree = w.tree()
    write_files(tree.path, {"n.txt": "n"})
    own = commit_all(tree.path, "own")
    taken = w.snapshot(tree)
    assert kinds(taken) == {"n.txt": "created"}
    assert own in git.refs(w.repo, RUN).values()
