"""Dependency folders in trees are copies, and name the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from git_world import World, world

from repositories import files_of, write_files
from repositories import git as agents_git
from ropeteam import git

pytestmark = pytest.mark.usefixtures("users_home")


def copied(w: World, patterns: list[str]) -> git.Tree:
    tree = w.tree()
    git.copy_untracked(w.store, tree, git.untracked(w.repo, patterns))
    return tree


def test_copies_are_no_links_and_in_no_snapshot(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a", ".gitignore": "node_modules\n!.env.local\n", "web/b.txt": "b"})
    files = {"node_modules/x/index.js": "x", "web/node_modules/y.js": "y", ".env": "KEY=1", ".env.local": "KEY=2"}
    write_files(w.top, {**files, "odd [n]ame/z.txt": "z", "left.txt": "not asked for"})
    (w.top / "node_modules/.bin").mkdir()
    (w.top / "node_modules/.bin/x").symlink_to("../x/index.js")
    (w.top / "node_modules/absolute").symlink_to(w.top / "web")
    os.link(w.top / "node_modules/x/index.js", w.top / "node_modules/x/hard.js")
    (w.top / ".env").chmod(0o644)
    tree = copied(w, ["node_modules", ".env", ".env.local", "odd*"])
    assert {path: (tree.path / path).read_text() for path in files} == files
    assert (tree.path / "node_modules/.bin/x").readlink() == Path("../x/index.js")
    assert (tree.path / "node_modules/absolute").readlink() == tree.path / "web"
    assert not (tree.path / "left.txt").exists()
    assert (tree.path / ".env").stat().st_mode & 0o777 == 0o600
    write_files(tree.path, {"node_modules/x/index.js": "an install in the tree", ".env": "KEY=agent", "new.txt": "n"})
    assert (w.top / "node_modules/x/index.js").read_text() == "x"
    assert (w.top / "node_modules/x/hard.js").read_text() == "x"
    taken = w.snapshot(tree)
    assert [change.path for change in taken.changes] == ["new.txt"]
    assert taken.ignored == ()
    # `!.env.local` in the repository's own .gitignore says that it wants to see this one.
    assert agents_git(tree.path, "status", "--porcelain").splitlines() == ["?? .env.local", "?? new.txt"]


def test_again_and_what_the_tree_has(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    write_files(w.top, {"vendor/v.txt": "v", "b.txt": "users"})
    tree = w.tree()
    write_files(tree.path, {"b.txt": "the agent's own"})
    git.copy_untracked(w.store, tree, ["vendor/", "b.txt", "gone.txt", "../outside"])
    write_files(tree.path, {"vendor/v.txt": "changed"})
    git.copy_untracked(w.store, tree, ["vendor/", "b.txt"])
    assert files_of(tree.path) == {
        "a.txt": ("file", b"a"),
        "b.txt": ("file", b"the agent's own"),
        "vendor/v.txt": ("file", b"changed"),
    }
    assert [change.path for change in w.snapshot(tree).changes] == ["b.txt"]


def test_a_linked_folder_in_the_tree_is_no_way_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    w = world(tmp_path, {"a.txt": "a"})
    write_files(w.top, {"out/secret.txt": "s"})
    tree = w.tree()
    (tree.path / "out").symlink_to(outside)
    git.copy_untracked(w.store, tree, ["out/secret.txt"])
    assert list(outside.iterdir()) == []


def many(folder: Path, files: int, size: int) -> None:
    """Sparse files: much to copy and little on the disk."""
    folder.mkdir(parents=True)
    for number in range(files):
        with (folder / str(number)).open("wb") as file:
            file.truncate(size)


def own_cp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str = "") -> None:
    """A `cp` that does this instead, as a shell script; without: none, as where none does what we need."""
    bare = tmp_path / "bin"
    bare.mkdir(exist_ok=True)
    (bare / "cp").unlink(missing_ok=True)
    if does:
        (bare / "cp").write_text(f"#!/bin/sh\nfor last; do :; done\n{does}\n")
        (bare / "cp").chmod(0o755)
    if not (bare / "git").exists():
        (bare / "git").symlink_to(shutil.which(os.environ.get("ROPETEAM_GIT", "git")) or "")
        monkeypatch.setenv("PATH", str(bare))


@pytest.mark.parametrize("cp", [True, False], ids=["cp", "no cp"])
def test_it_can_be_stopped_and_is_whole_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cp: bool
) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    many(w.top / "node_modules", 2000, 4000)
    write_files(w.top, {"vendor/v.txt": "v"})
    real = shutil.which("cp")
    own_cp(monkeypatch, tmp_path, '/bin/mkdir "$last"; : > "$last/0"; exec /bin/sleep 300' if cp else "")
    tree = w.tree()
    beside = f".{tree.path.name}.*.copy"

    def stopped() -> bool:
        return any(True for copy in tree.path.parent.glob(beside) for _ in copy.iterdir())

    assert git.copy_untracked(w.store, tree, ["node_modules", "vendor"], git.Copying(stopped=stopped)) == ()
    (half,) = tree.path.parent.glob(beside)
    assert len(list(half.iterdir())) < 2000
    assert not (tree.path / "node_modules").exists()
    assert not (tree.path / "vendor").exists(), "the next one was not begun"
    assert w.snapshot(tree).changes == ()

    own_cp(monkeypatch, tmp_path, f'exec {real} "$@"' if cp else "")
    git.copy_untracked(w.store, tree, ["node_modules", "vendor"])
    assert len(list((tree.path / "node_modules").iterdir())) == 2000
    assert (tree.path / "vendor/v.txt").exists()
    assert w.snapshot(tree).changes == ()


@pytest.mark.parametrize("cp", [True, False], ids=["cp", "no cp"])
def test_it_has_a_time_limit_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cp: bool) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    many(w.top / "node_modules", 2000, 4000)
    own_cp(monkeypatch, tmp_path, '/bin/mkdir "$last"; : > "$last/0"; exec /bin/sleep 300' if cp else "")
    tree = w.tree()
    problems = git.copy_untracked(w.store, tree, ["node_modules"], git.Copying(seconds=0.001))
    assert problems == (git.NotCopied("node_modules was not copied: that took longer than 0.001 s."),)
    assert not (tree.path / "node_modules").exists()
    assert list(tree.path.parent.glob(f".{tree.path.name}.*")) == []


def test_what_is_large_is_said_before_it_is_copied(tmp_path: Path) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    many(w.top / "node_modules/deep", 6, 10_000_000)
    write_files(w.top, {"vendor/v.txt": "v"})
    tree = w.tree()
    told: list[tuple[str, bool]] = []
    how = git.Copying(tell=lambda text: told.append((text, (tree.path / "node_modules").exists())))
    assert git.copy_untracked(w.store, tree, ["vendor", "node_modules"], how) == ()
    assert told == [("copying node_modules, 60 MB, into its work tree", False)]


def test_what_cannot_be_copied_is_said_and_the_rest_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = world(tmp_path, {"a.txt": "a"})
    write_files(w.top, {"node_modules/x.js": "x", "node_modules/y.js": "y"})
    own_cp(monkeypatch, tmp_path, "exit 1")
    tree = w.tree()

    def remove_one() -> bool:
        (w.top / "node_modules/y.js").unlink(missing_ok=True)  # `npm install` in the user's checkout
        return False

    problems = git.copy_untracked(w.store, tree, ["node_modules"], git.Copying(stopped=remove_one))
    assert (tree.path / "node_modules/x.js").read_text() == "x"
    assert not (tree.path / "node_modules/y.js").exists()
    assert all(one.partly and one.text.startswith("node_modules was in part not copied: ") for one in problems)


def make_environment(place: Path, top: Path) -> None:
    """A virtual environment as `python -m venv` and an editable install make one, without the network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=120)
    packages = next(place.glob("lib/python*/site-packages"))
    finder = f"MAPPING = {{'shop': '{top}/src/shop'}}\n"
    write_files(
        packages,
        {
            "__editable__.shop-1.pth": f"{top}/src\n",
            "__editable___shop_finder.py": finder,
            "shop-1.dist-info/direct_url.json": f'{{"url": "file://{top}", "dir_info": {{"editable": true}}}}',
            "other/data.txt": f"{top}/stays\n",
        },
    )
    script = place / "bin" / "shop"
    script.write_text(f"#!{place}/bin/python\nimport shop, sys\nprint(shop.__file__, sys.prefix)\n")
    script.chmod(0o755)


def test_an_editable_install_in_the_copy_tests_the_trees_code(tmp_path: Path) -> None:
    w = world(tmp_path, {"src/shop/__init__.py": "x = 1\n", ".gitignore": ".venv\n__pycache__\n"})
    make_environment(w.top / ".venv", w.top)
    similar = f"{w.top}-other/lib"
    packages = next((w.top / ".venv").glob("lib/python*/site-packages"))
    write_files(packages, {"similar.pth": f"{similar}\n"})
    before = files_of(w.top / ".venv")
    tree = copied(w, [".venv"])
    for argv in ([".venv/bin/shop"], [".venv/bin/python", "-c", "import shop, sys; print(shop.__file__, sys.prefix)"]):
        said = subprocess.run(
            argv, cwd=tree.path, capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
        assert said == [f"{tree.path}/src/shop/__init__.py", f"{tree.path}/.venv"]
    inside = tree.path / packages.relative_to(w.top)
    assert str(tree.path) in (inside / "__editable___shop_finder.py").read_text()
    assert f"file://{tree.path}" in (inside / "shop-1.dist-info/direct_url.json").read_text()
    assert (inside / "similar.pth").read_text() == f"{similar}\n"
    assert (inside / "other/data.txt").read_text() == f"{w.top}/stays\n"
    assert os.access(tree.path / ".venv/bin/shop", os.X_OK)
    assert f"{tree.path}/.venv" in (tree.path / ".venv/bin/activate").read_text()
    assert files_of(w.top / ".venv") == before


def test_an_environment_made_by_way_of_a_link(tmp_path: Path) -> None:
    w = world(tmp_path, {"src/shop/__init__.py": "x = 1\n", ".gitignore": ".venv\n"})
    link = tmp_path / "project"
    link.symlink_to(w.top)
    make_environment(link / ".venv", link)
    tree = copied(w, [".venv"])
    said = subprocess.run([tree.path / ".venv/bin/shop"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == [f"{tree.path}/src/shop/__init__.py", f"{tree.path}/.venv"]
