"""A user's repository with everything a run has around it, for the tests of `ropeteam.git`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repositories import git as user_git
from repositories import make_repo, write_files
from ropeteam import git
from ropeteam.core.model import RepoFacts

AT = 1_700_000_000.0
RUN = "refs/ropeteam/run-1"


@dataclass
class World:
    folder: Path
    top: Path
    repo: git.Repo
    store: git.Store
    facts: RepoFacts
    count: int = 0

    @property
    def base(self) -> str:
        return self.facts.base

    def tree(self, commit: str | None = None) -> git.Tree:
        """A new tree showing the base, or another commit."""
        self.count += 1
        place = self.folder / "trees" / str(self.count)
        return git.create_tree(self.store, place, commit or self.base, self.facts, index=place.with_suffix(".index"))

    def snapshot(
        self, tree: git.Tree, name: str = "single/1", *, start: str | None = None, at: float = AT
    ) -> git.Snapshot:
        return git.snapshot(
            self.store, tree, start=start or self.base, ref=f"{RUN}/{name}", message="Snapshot", at=at, facts=self.facts
        )

    def result(self, files: Mapping[str, str | bytes | None], name: str = "single/1") -> str:
        """A commit on the base with these files changed (None: removed), kept in the user's repository."""
        tree = self.tree()
        for path, content in files.items():
            if content is None:
                (tree.path / path).unlink()
        write_files(tree.path, {path: content for path, content in files.items() if content is not None})
        taken = self.snapshot(tree, name)
        return self.merged(taken.commit)

    def merged(self, tip: str) -> str:
        merged = git.merge(
            self.store, onto=self.base, tip=tip, base=self.base, message="Do the work", at=AT, facts=self.facts
        )
        assert merged.commit is not None
        git.keep(self.store, merged.commit, f"{RUN}/result")
        return merged.commit

    def land(self, head: str, *, branch: str = "main", feature: str = "") -> git.LandResult:
        return git.land(self.store, head=head, onto=self.base, branch=branch, facts=self.facts, feature=feature)

    def git(self, *args: str) -> str:
        return user_git(self.top, *args)

    def shown(self, commit: str, path: str) -> bytes | None:
        return git.read_file(self.repo, commit, path)


def around(top: Path, folder: Path) -> World:
    """A world around a repository that exists."""
    repo = git.find(top)
    facts = git.facts(repo)
    store = git.open_store(repo)
    git.keep(store, facts.base, f"{RUN}/base")
    return World(folder, repo.top, repo, store, facts)


def world(folder: Path, files: Mapping[str, str | bytes] | None = None, *init: str) -> World:
    """A world around a new repository with these files in one commit."""
    return around(make_repo(folder / "repo", files, *init), folder)
