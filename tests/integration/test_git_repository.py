"""Finding and reading the user's repository, and refusing what cannot be worked on."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from git_world import around, world

from repositories import commit_all, make_repo, write_files
from repositories import git as user_git
from ropeteam import git
from ropeteam.errors import BadRepository, UserError

pytestmark = pytest.mark.usefixtures("users_home")


def refusal(path: Path) -> BadRepository:
    with pytest.raises(BadRepository) as caught:
        git.find(path)
    assert caught.value.hint
    return caught.value


def test_found_from_a_folder_inside(tmp_path: Path) -> None:
    top = make_repo(tmp_path / "repo", {"a/b/c.txt": "c"})
    repo = git.find(top / "a" / "b")
    assert (repo.top, repo.git_dir, repo.common_dir) == (top, top / ".git", top / ".git")
    assert repo.object_format == "sha1"


def test_no_repository_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "not_a_repository"
    assert refusal(tmp_path / "nowhere").code == "bad_repository"


def test_bare_and_unborn_are_refused(tmp_path: Path) -> None:
    user_git(tmp_path, "init", "-q", "--bare", "bare.git")
    assert refusal(tmp_path / "bare.git").code == "bare_repository"
    user_git(tmp_path, "init", "-q", "unborn")
    assert refusal(tmp_path / "unborn").code == "unborn_branch"


def fake_git(folder: Path, version: str) -> str:
    program = folder / "old-git"
    program.write_text(f"#!/bin/sh\necho git version {version}\n")
    program.chmod(0o755)
    return str(program)


def test_old_and_missing_git_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repo(tmp_path / "repo")
    monkeypatch.setenv("ROPETEAM_GIT", fake_git(tmp_path, "2.37.9"))
    assert git.version() == (2, 37, 9)
    assert refusal(tmp_path / "repo").code == "git_too_old"
    monkeypatch.setenv("ROPETEAM_GIT", str(tmp_path / "no-git"))
    assert refusal(tmp_path / "repo").code == "git_missing"


def test_linked_work_tree_of_the_user(tmp_path: Path) -> None:
    top = make_repo(tmp_path / "repo")
    user_git(top, "worktree", "add", "-q", "-b", "side", "../side")
    repo = git.find(tmp_path / "side")
    assert repo.top == tmp_path / "side"
    assert repo.common_dir == top / ".git"
    assert repo.git_dir == top / ".git" / "worktrees" / "side"
    assert git.branch(repo) == "side"


def test_facts_hold_identity_and_checkout_settings_of_the_user(tmp_path: Path, users_home: Path) -> None:
    top = make_repo(tmp_path / "repo")
    (users_home / ".gitconfig").write_text(
        '[user]\n\tname = "Zoë \\"Z\\" Q"\n\temail = z@example.org\n[core]\n\tautocrlf = input\n'
        '[filter "lfs"]\n\tclean = git-lfs clean -- %f\n'
    )
    user_git(top, "config", "filter.local.clean", "touch canary")
    facts = git.facts(git.find(top))
    assert (facts.user_name, facts.user_email) == ('Zoë "Z" Q', "z@example.org")
    assert (facts.branch, facts.head, facts.base) == ("main", user_git(top, "rev-parse", "HEAD"), facts.head)
    assert facts.checkout_config["core.autocrlf"] == "input"
    assert facts.checkout_config["filter.lfs.clean"] == "git-lfs clean -- %f"
    assert not [key for key in facts.checkout_config if "local" in key]


def test_no_identity_is_refused_with_the_commands(tmp_path: Path, users_home: Path) -> None:
    (users_home / ".gitconfig").unlink()
    repo = git.find(make_repo(tmp_path / "repo"))
    with pytest.raises(UserError) as caught:
        git.facts(repo)
    assert caught.value.code == "no_identity"
    assert "user.email" in caught.value.hint


def test_branch_head_and_revisions(tmp_path: Path) -> None:
    w = world(tmp_path)
    assert (git.branch(w.repo), git.head(w.repo)) == ("main", w.base)
    w.git("checkout", "-q", "--detach")
    assert git.branch(w.repo) is None
    assert git.resolve(w.repo, "main") == w.base
    assert git.resolve(w.repo, "no-such-thing") is None
    assert git.resolve(w.repo, "--all") is None


def test_files_of_commits(tmp_path: Path) -> None:
    odd = "new\nline \udcff.txt"
    w = world(tmp_path, {"a.txt": "a", "d/b.txt": "b", odd: "odd"})
    assert sorted(git.list_files(w.repo, w.base)) == sorted(["a.txt", "d/b.txt", odd])
    assert git.read_file(w.repo, w.base, odd) == b"odd"
    assert git.read_file(w.repo, w.base, "d") is None
    assert git.read_file(w.repo, w.base, "missing") is None
    wanted = ["missing", odd, "d", "also missing\n", odd]
    assert git.read_files(w.repo, w.base, wanted) == {odd: b"odd"}
    assert git.read_files(w.repo, w.base, []) == {}
    assert git.is_tracked(w.repo, w.base, "d/b.txt")
    assert git.is_tracked(w.repo, w.base, "d/")
    assert not git.is_tracked(w.repo, w.base, "d/c.txt")


def test_dirty_is_tracked_changes_outside_the_feature(tmp_path: Path) -> None:
    feature = ".workspace/features/checkout"
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b", "c.txt": "c", f"{feature}/01-intent.md": "i", "z.txt": "z"})
    assert git.dirty(w.repo, feature=feature) == []
    write_files(w.top, {"a.txt": "changed", "new.txt": "untracked", f"{feature}/01-intent.md": "edited"})
    write_files(w.top, {"staged.txt": "s", "b.txt": "staged"})
    w.git("add", "staged.txt", "b.txt")
    (w.top / "c.txt").unlink()
    os.utime(w.top / "z.txt", (1, 1))  # touched, not changed
    before = (w.top / ".git/index").read_bytes()
    assert git.dirty(w.repo, feature=feature) == ["a.txt", "b.txt", "c.txt", "staged.txt"]
    assert f"{feature}/01-intent.md" in git.dirty(w.repo, feature="")
    assert (w.top / ".git/index").read_bytes() == before


def test_dirty_knows_line_ends_and_filters_of_the_user(tmp_path: Path, users_home: Path) -> None:
    with (users_home / ".gitconfig").open("a") as file:
        file.write('[core]\n\tautocrlf = true\n[filter "up"]\n\tclean = tr a-z A-Z\n\tsmudge = tr A-Z a-z\n')
    w = world(tmp_path, {"a.txt": "one\ntwo\n", "f.up": "ABC", ".gitattributes": "*.up filter=up\n"})
    (w.top / "a.txt").unlink()
    w.git("-c", "core.autocrlf=true", "checkout", "a.txt")
    assert (w.top / "a.txt").read_bytes() == b"one\r\ntwo\r\n"
    write_files(w.top, {"f.up": "abc"})
    os.utime(w.top / "a.txt", (1, 1))  # so that it must be read again
    assert git.dirty(w.repo, feature="") == []
    write_files(w.top, {"f.up": "abd"})
    assert git.dirty(w.repo, feature="") == ["f.up"]


def test_dirty_with_split_index_and_submodule(tmp_path: Path) -> None:
    make_repo(tmp_path / "inner", {"i.txt": "i"})
    top = make_repo(tmp_path / "repo", {"a.txt": "a"})
    user_git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "inner"), "sub")
    commit_all(top)
    user_git(top, "update-index", "--split-index")
    w = around(top, tmp_path)
    assert git.dirty(w.repo, feature="") == []
    write_files(top, {"a.txt": "b"})
    assert git.dirty(w.repo, feature="") == ["a.txt"]


def test_differs_looks_at_file_and_index(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", "b.txt": "b"})
    assert not git.differs(w.repo, w.base, "a.txt")
    write_files(w.top, {"a.txt": "x"})
    assert git.differs(w.repo, w.base, "a.txt")
    w.git("add", "a.txt")
    write_files(w.top, {"a.txt": "a"})
    assert git.differs(w.repo, w.base, "a.txt")
    assert not git.differs(w.repo, w.base, "b.txt")


def test_untracked_by_patterns(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", ".gitignore": "node_modules\n.env\n", "web/b.txt": "b", "vendor/kept.txt": "v"})
    write_files(w.top, {"node_modules/x/y.js": "", "web/node_modules/z.js": "", ".env": "K=1", "notes.txt": ""})
    make_repo(w.top / "vendor" / "inner", {"node_modules/deep.js": ""})
    found = git.untracked(w.repo, ["node_modules", ".env"])
    assert sorted(found) == [".env", "node_modules/", "web/node_modules/"]
    assert git.untracked(w.repo, []) == []


def test_refs_are_listed_and_removed(tmp_path: Path) -> None:
    w = world(tmp_path)
    git.keep(w.store, w.base, "refs/ropeteam/run-2/x")
    assert set(git.refs(w.repo, "refs/ropeteam/")) == {"refs/ropeteam/run-1/base", "refs/ropeteam/run-2/x"}
    git.delete_refs(w.repo, ["refs/ropeteam/run-2/x", "refs/ropeteam/run-2/gone"])
    assert git.refs(w.repo, "refs/ropeteam/") == {"refs/ropeteam/run-1/base": w.base}
    assert git.refs(w.repo, "refs/heads/") == {"refs/heads/main": w.base}


def test_a_branch_of_ours_goes_only_while_it_is_ours(tmp_path: Path) -> None:
    w = world(tmp_path)
    head = w.result({"a.txt": "a"})
    assert git.leave_branch(w.store, "ropeteam/x", head) == "ropeteam/x"
    assert git.leave_branch(w.store, "ropeteam/x", head) == "ropeteam/x"
    assert git.leave_branch(w.store, "ropeteam/x", w.base) == "ropeteam/x-2"
    assert git.leave_branch(w.store, "main/y", head) == "main-y"
    git.delete_branch(w.repo, "ropeteam/x", w.base)
    assert git.resolve(w.repo, "refs/heads/ropeteam/x") == head
    w.git("checkout", "-q", "ropeteam/x")
    git.delete_branch(w.repo, "ropeteam/x", head)
    assert git.resolve(w.repo, "refs/heads/ropeteam/x") == head
    w.git("checkout", "-q", "main")
    git.delete_branch(w.repo, "ropeteam/x", head)
    assert git.resolve(w.repo, "refs/heads/ropeteam/x") is None


def test_names_that_git_refuses_for_branches(tmp_path: Path) -> None:
    w = world(tmp_path)
    with pytest.raises(UserError):
        git.leave_branch(w.store, "a..b", w.base)


def test_folders_without_permissions_are_removed_too() -> None:
    top = Path(tempfile.mkdtemp(prefix="ropeteam-erase-"))
    (top / "made" / "locked" / "inner").mkdir(parents=True)
    for path in ("made/locked/inner/file", "made/locked/file"):
        (top / path).touch()
    for path in ("made/locked/inner", "made/locked", "made"):
        (top / path).chmod(0o555)
    root = os.geteuid() == 0
    if root:  # who may do everything: so as somebody else
        for path in (top, *top.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        git.erase(top / "made")
        assert not (top / "made").exists()
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(top)
