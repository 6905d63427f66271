"""Dependency folders in trees are copies, and name the tree."""

from __future__ import annotations

import os
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
