"""Configuration and hooks that run programs, planted wherever an agent or a repository can: none of it runs.

Each of them would write a file into the folder `canaries`. The last test shows that they do when git is called plainly.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from git_world import RUN, World, around

from hostile import ATTRIBUTES, canaries, plant
from repositories import commit_all, make_repo, write_files
from repositories import git as plain_git
from ropeteam import git

pytestmark = pytest.mark.usefixtures("users_home")


def hostile_world(folder: Path) -> World:
    (folder / "canaries").mkdir()
    files = {"a.txt": "a\n", "b.proc": "b\n", "d/c.txt": "c\n", ".gitattributes": ATTRIBUTES}
    top = make_repo(folder / "repo", files)
    inner = make_repo(folder / "inner", {"i.txt": "i"})
    plain_git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    commit_all(top)
    plant(folder, top / ".git", "user", {"core.worktree": str(folder / "elsewhere")})
    plant(folder, top / ".git" / "modules" / "sub", "submodule")
    (folder / "elsewhere").mkdir()
    for path in files:  # so that git must read the files again
        os.utime(top / path, (1, 1))
    return around(top, folder)


def agents_work(w: World, folder: Path) -> git.Tree:
    """What an agent leaves that wants to break out of its tree."""
    tree = w.tree()
    plant(folder, tree.path / ".git", "tree", {"core.worktree": str(w.top)})
    inner = make_repo(tree.path / "nested", {"n.txt": "n"})
    plant(folder, inner / ".git", "nested")
    plain_git(tree.path, "clone", "-q", "--template=", "-c", "core.hooksPath=/dev/null", str(folder / "inner"), "sub")
    plant(folder, tree.path / "sub" / ".git", "tree-submodule")
    for name in (".gitconfig", "config", "sub/config"):
        (tree.path / name).write_text((tree.path / ".git" / "config").read_text())
    write_files(tree.path, {"a.txt": "agent\n", "b.proc": "agent\n", "new.txt": "n\n", "sub/j.txt": "j\n"})
    write_files(tree.path, {"d/.gitattributes": ATTRIBUTES, ".lfsconfig": "[lfs]\n\turl = ext::evil\n"})
    for name in canaries(folder):
        (folder / "canaries" / name).unlink()  # of making the clone
    return tree


def test_nothing_planted_runs_in_the_whole_chain(tmp_path: Path) -> None:
    w = hostile_world(tmp_path)
    assert git.dirty(w.repo, feature="") == []
    before = git.fingerprint(w.repo)
    tree = agents_work(w, tmp_path)
    plant(tmp_path, w.top / ".git", "later")
    said = git.compare_fingerprint(w.repo, before)
    assert any("config" in sentence for sentence in said)
    assert not any("tracked" in sentence for sentence in said)
    taken = w.snapshot(tree)
    assert {"a.txt", "b.proc", "new.txt", "nested/n.txt"} <= {change.path for change in taken.changes}
    git.untracked(w.repo, ["node_modules"])
    other = w.tree()
    write_files(other.path, {"a.txt": "a\nother\n", "d/c.txt": "other\n"})
    second = w.snapshot(other, "other/1")
    merged = git.merge(w.store, onto=second.commit, tip=second.commit, base=w.base, message="m", at=1.0, facts=w.facts)
    conflicted = git.merge(
        w.store, onto=second.commit, tip=taken.commit, base=w.base, message="m", at=1.0, facts=w.facts
    )
    assert (merged.commit, conflicted.conflicts) == (second.commit, ("a.txt",))
    head = git.commit_files(w.store, parent=second.commit, files={"doc.md": b"d"}, message="doc", at=1.0, facts=w.facts)
    git.keep(w.store, head, f"{RUN}/result")
    refused = w.land(head)
    assert refused.reason == "unsupported"
    rebased = git.rebase(w.store, head=head, base=w.base, onto=second.commit, facts=w.facts)
    assert rebased.commit is not None
    git.leave_branch(w.store, "ropeteam/left", head)
    git.delete_branch(w.repo, "ropeteam/left", head)
    git.delete_refs(w.repo, [f"{RUN}/result"])
    git.remove_tree(w.store, tree, snapshot_of=taken.commit)
    assert canaries(tmp_path) == []


def test_nothing_planted_runs_while_landing(tmp_path: Path) -> None:
    """Without filters for the changed paths, so that the landing goes through to its end; then its repair."""
    (tmp_path / "canaries").mkdir()
    top = make_repo(tmp_path / "repo", {"a.txt": "a\n", "d/c.txt": "c\n"})
    w = around(top, tmp_path)
    head = w.result({"a.txt": "agent\n", "new.txt": "n\n", "d/c.txt": None})
    plant(tmp_path, top / ".git", "user", {"core.worktree": str(tmp_path / "elsewhere")})
    (tmp_path / "elsewhere").mkdir()
    (top / ".git" / "info" / "attributes").unlink()
    plain_git(tmp_path, "config", "--file", str(top / ".git" / "config"), "--unset", "core.attributesFile")
    (top / "a.txt").write_text("agent\n")  # as if a landing had been cut off here
    result = git.repair_landing(w.store, head=head, onto=w.base, branch="main", facts=w.facts, feature="")
    assert result.landed, result
    assert (top / "new.txt").read_text() == "n\n"
    assert not (top / "d").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert canaries(tmp_path) == []
    plain_git(top, "config", "--unset", "core.worktree")
    again = around(top, tmp_path)
    assert again.land(again.result({"a.txt": "second\n"}, "single/2")).landed
    assert (top / "a.txt").read_text() == "second\n"
    assert canaries(tmp_path) == []


def test_including_a_dirty_checkout_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "canaries").mkdir()
    top = make_repo(tmp_path / "repo", {"a.txt": "a\n", "b.txt": "b\n"})
    inner = make_repo(tmp_path / "inner", {"i.txt": "i"})
    for name in ("moved", "changed"):
        plain_git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), name)
    commit_all(top)
    w = around(top, tmp_path)
    plain_git(top / "moved", "-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "newer")
    newer = plain_git(top / "moved", "rev-parse", "HEAD")
    for name in ("moved", "changed"):
        plant(tmp_path, top / ".git" / "modules" / name, name)
    plant(tmp_path, top / ".git", "user", {"core.worktree": str(tmp_path)})
    (top / ".git" / "info" / "attributes").unlink()
    write_files(top, {"a.txt": "changed\n", "changed/i.txt": "not the repository's own\n"})
    commit = git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", 1.0, "")
    assert w.shown(commit, "a.txt") == b"changed\n"
    assert {c.path for c in git.changes(w.store, w.base, commit)} == {"a.txt", "moved"}
    assert w.store.git.text("rev-parse", f"{commit}:moved") == newer
    assert canaries(tmp_path) == []


def test_the_canaries_do_sing_when_git_is_called_plainly(tmp_path: Path) -> None:
    w = hostile_world(tmp_path)
    plain_git(w.top, "config", "--unset", "core.worktree")
    write_files(w.top, {"a.txt": "changed\n"})
    plain_git(w.top, "add", "a.txt")
    plain_git(w.top, "-c", "commit.gpgsign=false", "commit", "-q", "-m", "plain")
    sung = canaries(tmp_path)
    assert {
        "user-included-clean",
        "user-included-fsmonitor",
        "user-hook-pre-commit",
        "user-hook-reference-transaction",
    } <= set(sung)


def test_our_own_repository_is_put_right(tmp_path: Path) -> None:
    """An agent without a sandbox can write there too."""
    (tmp_path / "canaries").mkdir()
    w = around(make_repo(tmp_path / "repo", {"a.txt": "a\n", ".gitattributes": ATTRIBUTES}), tmp_path)
    config = w.store.path / "config"
    right = config.read_text()
    tree = w.tree()
    for number, spoil in enumerate(
        (lambda: plant(tmp_path, w.store.path, "ours"), config.unlink, lambda: _pipe(config))
    ):
        spoil()
        write_files(tree.path, {f"{number}.txt": f"{number}\n"})
        assert f"{number}.txt" in {change.path for change in w.snapshot(tree).changes}
        assert config.read_text() == right
    assert not (w.store.path / "info" / "attributes").exists()
    assert canaries(tmp_path) == []


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
