"""What an earlier attempt did to a file is undone in the next tree, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ropeteam import git


@pytest.fixture
def tree(tmp_path: Path) -> git.Tree:
    place = tmp_path / "tree"
    (place / "docs").mkdir(parents=True)
    (place / "docs" / "intent.md").write_text("changed\n")
    return git.open_tree(place, tmp_path / "index")


def test_changed_removed_and_added(tree: git.Tree) -> None:
    git.put_back(tree, "docs/intent.md", b"first\n")
    git.put_back(tree, "gone/below/research.md", b"second\n")
    assert (tree.path / "docs" / "intent.md").read_text() == "first\n"
    assert (tree.path / "gone" / "below" / "research.md").read_text() == "second\n"
    git.put_back(tree, "docs/intent.md", None)
    git.put_back(tree, "docs/never.md", None)
    assert list((tree.path / "docs").iterdir()) == []


def test_links_are_not_followed(tree: git.Tree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "intent.md").write_text("theirs\n")
    (tree.path / "linked").symlink_to(tmp_path / "outside")
    (tree.path / "docs" / "intent.md").unlink()
    (tree.path / "docs" / "intent.md").symlink_to(tmp_path / "outside" / "intent.md")
    git.put_back(tree, "linked/intent.md", b"ours\n")
    git.put_back(tree, "linked/intent.md", None)
    git.put_back(tree, "docs/intent.md", b"ours\n")
    assert (tmp_path / "outside" / "intent.md").read_text() == "theirs\n"
    assert (tree.path / "docs" / "intent.md").read_text() == "ours\n"
    assert not (tree.path / "docs" / "intent.md").is_symlink()


def test_a_folder_in_its_place_stays(tree: git.Tree) -> None:
    git.put_back(tree, "docs", b"ours\n")
    assert (tree.path / "docs" / "intent.md").read_text() == "changed\n"
