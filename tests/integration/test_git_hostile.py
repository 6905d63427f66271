"""Configuration and hooks that run programs, planted wherever an agent or a repository can: none of it runs.

Each of them would write a file into the folder `canaries`. The last test shows that they do when git is called plainly.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from git_world import RUN, World, around

from repositories import commit_all, make_repo, write_files
from repositories import git as plain_git
from ropeteam import git

pytestmark = pytest.mark.usefixtures("users_home")

HOOKS = [
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
    "post-index-change",
]
ATTRIBUTES = "* filter=evil merge=evil diff=evil\n*.proc filter=process\n"


def program(folder: Path, name: str) -> str:
    """A program that leaves a canary of this name and passes its input on."""
    path = folder / f"evil-{name}"
    path.write_text(f"#!/bin/sh\n: > '{folder}/canaries/{name}'\ncat 2>/dev/null\nexit 0\n")
    path.chmod(0o755)
    return str(path)


def hostile_config(folder: Path, where: str) -> dict[str, str]:
    """Everything in a configuration that runs a program. where: part of the canaries' names."""
    keys = {
        "core.fsmonitor": "fsmonitor",
        "core.alternateRefsCommand": "alternate-refs",
        "core.sshCommand": "ssh",
        "core.gitProxy": "proxy",
        "core.pager": "pager",
        "core.editor": "editor",
        "core.askPass": "askpass",
        "diff.external": "external",
        "diff.evil.textconv": "textconv",
        "diff.evil.command": "diff-command",
        "filter.evil.clean": "clean",
        "filter.evil.smudge": "smudge",
        "filter.process.process": "process",
        "merge.evil.driver": "driver",
        "merge.default": "evil",
        "gpg.program": "gpg",
        "gpg.ssh.program": "gpg-ssh",
        "credential.helper": "credential",
        "uploadpack.packObjectsHook": "pack-objects",
        "receive.procReceiveRefs": "refs",
        "alias.update-index": "alias",
        "hook.evil.command": "config-hook",
        "interactive.diffFilter": "diff-filter",
        "trailer.x.command": "trailer",
        "init.templateDir": "template",
    }
    words = {"merge.default": "evil", "receive.procReceiveRefs": "refs/"}
    found = {key: words.get(key) or program(folder, f"{where}-{name}") for key, name in keys.items()}
    found["alias.update-index"] = "!" + found["alias.update-index"]
    return found | {
        "commit.gpgSign": "true",
        "filter.evil.required": "true",
        "merge.verifySignatures": "true",
        "submodule.recurse": "true",
        "core.untrackedCache": "true",
        f"url.ext::{program(folder, f'{where}-url')}.insteadOf": str(folder),
    }


def plant(folder: Path, git_dir: Path, where: str, extra: dict[str, str] | None = None) -> None:
    """Hostile hooks, configuration, an included file and attributes for one repository."""
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        path = hooks / hook
        path.write_text(f"#!/bin/sh\n: > '{folder}/canaries/{where}-hook-{hook}'\nexit 0\n")
        path.chmod(0o755)
    config = git_dir / "config"
    for key, value in {**hostile_config(folder, where), **(extra or {})}.items():
        plain_git(folder, "config", "--file", str(config), key, value)
    for event in ("reference-transaction", "post-index-change", "pre-commit", "post-checkout"):
        plain_git(folder, "config", "--file", str(config), "--add", "hook.evil.event", event)
    included = folder / f"{where}.included"
    for key, value in hostile_config(folder, f"{where}-included").items():
        plain_git(folder, "config", "--file", str(included), key, value)
    plain_git(folder, "config", "--file", str(config), "includeIf.gitdir:/.path", str(included))
    attributes = folder / f"{where}.attributes"
    attributes.write_text(ATTRIBUTES)
    plain_git(folder, "config", "--file", str(config), "core.attributesFile", str(attributes))
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text(ATTRIBUTES)


def canaries(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "canaries"))


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
    w = around(top, tmp_path)
    plant(tmp_path, top / ".git", "user", {"core.worktree": str(tmp_path)})
    (top / ".git" / "info" / "attributes").unlink()
    write_files(top, {"a.txt": "changed\n"})
    commit = git.snapshot_checkout(w.store, w.facts, f"{RUN}/dirty", 1.0, "")
    assert w.shown(commit, "a.txt") == b"changed\n"
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
