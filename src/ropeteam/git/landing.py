"""Landing: the user's branch, index and files go from `onto` to `head` by fast-forward, or stay as they are.

The user's own configuration of how files look in a checkout is given to git here, and nothing else of theirs:
`git merge` would run filters and hooks of the repository and overwrite ignored files. The branch moves last; until
then a landing that was interrupted can be finished (`ropeteam.git.landing_repair`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadInput, GitFailed
from ropeteam.git.calls import Git, failure, full_disk
from ropeteam.git.checkout import filters, local_filters
from ropeteam.git.landing_repair import check, clear_lock, look, settle, stopped, take_back
from ropeteam.git.landing_view import (
    GITLINK,
    Change,
    LandResult,
    Progress,
    in_the_way,
    landing_git,
    read_changes,
    refreshed,
    same_case,
    shown,
    silent,
    wrong_place,
)
from ropeteam.git.repository import Repo, borrowed, commit_of, configured, list_files, move_ref, refs, writing
from ropeteam.git.store import Store, carried, keep


def land(
    store: Store,
    *,
    head: str,
    onto: str,
    branch: str,
    facts: RepoFacts,
    feature: str,
    progress: Progress = silent,
) -> LandResult:
    """Bring the checkout and `branch` from `onto` to `head`. Refused: nothing was changed.

    progress: told before the files are touched, after, and when the branch has moved. LandingStopped: it failed in the
    middle and could not be taken back. GitFailed, OutOfSpace: it failed and was taken back, as far as there was room;
    `repair_landing` finishes what was not.
    """
    repo = store.repo
    place = wrong_place(repo, head, onto, branch)
    if place is not None:
        return place
    with full_disk(), carried(store, [head]):
        git = landing_git(store, facts)
        differences = read_changes(git, onto, head)
        refused = (
            _unsupported(store, git, differences, head, onto, facts)
            or _dirty(git, onto, feature, differences)
            or in_the_way(repo.top, differences, facts)
        )
        if refused is not None:
            return refused
        progress("files")
        refused = _read_tree(store, git, onto, head, differences, facts)
        if refused is not None:
            return refused
        progress("branch")
        return move_branch(store, head=head, onto=onto, branch=branch, facts=facts, progress=progress)


# ---- reasons to refuse


def _unsupported(
    store: Store, git: Git, differences: Sequence[Change], head: str, onto: str, facts: RepoFacts
) -> LandResult | None:
    repo = store.repo
    paths = [change.path for change in differences]
    if any(GITLINK in (change.old_mode, change.new_mode) for change in differences):
        return LandResult("unsupported", "The result changes a submodule.")
    if repo.git.text("rev-parse", "--shared-index-path"):
        return LandResult("unsupported", "This repository uses a split index.")
    if {key: value for _, key, value in configured(repo)}.get("core.sparsecheckout", "").lower() in (
        "true",
        "1",
        "yes",
    ):
        return LandResult("unsupported", "This is a sparse checkout.")
    hidden = {entry[2:] for entry in git.names("ls-files", "-t", "-z") if entry.startswith("S ")} & set(paths)
    if hidden:
        return LandResult("unsupported", f"Marked skip-worktree: {shown(hidden)}.")
    names = local_filters(repo)
    if names:
        through = {path for commit in (onto, head) for path, name in _filtered(repo, commit, paths) if name in names}
        if through:
            return LandResult(
                "unsupported", f"Only this repository's configuration has the filter of {shown(through)}."
            )
    return _case_duplicates(repo, head, facts)


def _filtered(repo: Repo, commit: str, paths: Sequence[str]) -> list[tuple[str, str]]:
    with borrowed(repo) as git:
        git = replace(git, index=git.git_dir / "of-commit")
        git.call("read-tree", commit)
        return filters(git, paths, "--cached")


def _case_duplicates(repo: Repo, head: str, facts: RepoFacts) -> LandResult | None:
    if facts.checkout_config.get("core.ignorecase", "false").lower() != "true":
        return None
    seen: dict[str, str] = {}
    for path in list_files(repo, head):
        other = seen.setdefault(same_case(path), path)
        if other != path:
            return LandResult("unsupported", f"{other} and {path} differ only in case, and your disk ignores case.")
    return None


def _dirty(git: Git, onto: str, feature: str, differences: Sequence[Change]) -> LandResult | None:
    """Tracked changes outside the feature's folder, or in files of it that the result changes too."""
    if not refreshed(git):
        return LandResult("dirty", f"Another git command holds {git.index}.lock.")
    options = ("--name-only", "-z", "--ignore-submodules=dirty")
    names = {*git.names("diff-files", *options), *git.names("diff-index", "--cached", *options, onto)}
    changing = {change.path for change in differences}
    folder = feature.strip("/")
    dirty = {path for path in names if path in changing or not folder or not path.startswith(f"{folder}/")}
    return LandResult("dirty", f"Not committed: {shown(dirty)}.") if dirty else None


# ---- doing it


def _read_tree(
    store: Store, git: Git, onto: str, head: str, differences: Sequence[Change], facts: RepoFacts
) -> LandResult | None:
    """The index and the files. None: done. git looks at everything before it touches the first file."""
    done = git.call("read-tree", "-m", "-u", onto, head, ok=range(256))
    if done.returncode == 0:
        return None
    text = done.stderr.decode(errors="replace")
    if "not uptodate" in text or ("would be overwritten" in text and "ntracked" not in text):
        return LandResult("dirty", text.strip())
    if "ntracked working tree" in text:
        return LandResult("in_the_way", text.strip())
    if ".lock'" in text and "File exists" in text:
        return LandResult("dirty", f"Another git command holds {git.index}.lock.")
    take_back(store, onto=onto, head=head, differences=differences, facts=facts)
    raise failure(("read-tree", onto, head), done)


def move_branch(store: Store, *, head: str, onto: str, branch: str, facts: RepoFacts, progress: Progress) -> LandResult:
    """The last step: the branch, if it still is where it was; else the files are taken back."""
    try:
        move_ref(writing(store.repo), f"refs/heads/{branch}", head, onto, "ropeteam: land")
    except GitFailed:
        refused = wrong_place(store.repo, head, onto, branch)
        if refused is None:
            raise
        if not refused.landed:
            differences = read_changes(landing_git(store, facts), onto, head)
            take_back(store, onto=onto, head=head, differences=differences, facts=facts)
        return refused
    progress("done")
    return LandResult(None)


def repair_landing(
    store: Store,
    *,
    head: str,
    onto: str,
    branch: str,
    facts: RepoFacts,
    feature: str,
    progress: Progress = silent,
) -> LandResult:
    """Finish a landing after a crash; the same result as if there had been none. LandingStopped: the user has changed
    something that it would overwrite; nothing was touched."""
    with full_disk(), carried(store, [head]):
        git = landing_git(store, facts)
        differences = read_changes(git, onto, head)
        place = wrong_place(store.repo, head, onto, branch)
        if place is not None and place.landed:
            clear_lock(store.repo)
            return place
        state = look(store, git, differences, onto, head, facts)
        if place is not None:
            if state.untouched:
                return place
            raise stopped(store.repo, head, f"{place.detail} Some files of the result are in place already.")
        clear_lock(store.repo)
        if state.untouched:
            return land(store, head=head, onto=onto, branch=branch, facts=facts, feature=feature, progress=progress)
        check(store.repo, state, head)
        settle(store, git, differences, facts, head, progress)
        progress("branch")
        return move_branch(store, head=head, onto=onto, branch=branch, facts=facts, progress=progress)


def leave_branch(store: Store, name: str, head: str) -> str:
    """Make a branch at `head`; under another name (with a number) when that one is taken. Gives the name."""
    repo = store.repo
    if _is_folder_taken(repo, name):
        name = name.replace("/", "-")
    for number in range(1, 1000):
        candidate = name if number == 1 else f"{name}-{number}"
        ref = f"refs/heads/{candidate}"
        if repo.git.call("check-ref-format", ref, ok=(0, 1)).returncode:
            raise BadInput(f"{candidate!r} cannot be the name of a branch.", hint="Choose another feature name.")
        there = refs(repo, ref).get(ref)
        if there == head:
            return candidate
        if there is None:
            with suppress(GitFailed):  # taken meanwhile, or a branch is named like one of its folders
                keep(store, head, ref, expected=repo.zero)
                return candidate
    raise BadInput(f"No name is free for the branch {name}.")


def _is_folder_taken(repo: Repo, name: str) -> bool:
    """Whether a branch is named like a folder of this name: git cannot have both."""
    parts = name.split("/")
    return any(commit_of(repo.git, f"refs/heads/{'/'.join(parts[:count])}") for count in range(1, len(parts)))
