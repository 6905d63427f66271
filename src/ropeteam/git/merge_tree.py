"""`git merge-tree`: three trees into one in the object store, and what it says of conflicts."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ropeteam.git.calls import Git, failure, full_disk, version
from ropeteam.git.snapshots import commit_tree
from ropeteam.git.store import Store

STDIN = (2, 39)  # `merge-tree --stdin`: many merges in one call

Work = tuple[str, str]
"""(base, tip): the changes between two commits."""

_NOBODY = "ropeteam <ropeteam> 0 +0000"  # of commits that nobody ever sees


@dataclass(frozen=True, slots=True)
class Entry:
    """What one side has at a path."""

    mode: str
    blob: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True)
class Outcome:
    """tree: what merged; a file in conflict has marks in it there. conflicts: the paths, none when all merged.

    stages: what the base (1), ours (2) and theirs (3) have at a path in conflict. kinds: git's word for each conflict
    that names a path; `several` where it names other paths too. onto: the tree of ours.
    """

    tree: str
    conflicts: tuple[str, ...] = ()
    stages: Mapping[str, Mapping[int, Entry]] = field(default_factory=dict)
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    onto: str = ""

    def only_contents(self, path: str) -> bool:
        """Both sides have a plain file there, and differ in nothing but what is in it."""
        stages = self.stages.get(path, {})
        plain = 2 in stages and 3 in stages and all(entry.is_file for entry in stages.values())
        return plain and self.kinds.get(path, frozenset()) <= {"CONFLICT (contents)", "CONFLICT (binary)"}


def tree_of(git: Git, commit: str) -> str:
    return git.text("rev-parse", "--verify", f"{commit}^{{tree}}")


def three_way(git: Git, onto: str, tip: str, base: str) -> Outcome:
    """The tree of `onto` with the changes base..tip. git: writes where its identity is in the environment."""
    ours, theirs, old = git.text("rev-parse", *(f"{commit}^{{tree}}" for commit in (onto, tip, base))).split()
    if ours in (old, theirs):
        return Outcome(theirs, onto=ours)
    if theirs == old:
        return Outcome(ours, onto=ours)
    # merge-tree looks for the base by itself (`--merge-base` is newer than what we require): give it three commits
    # with no other history, so that there is only one to find.
    root = commit_tree(git, old, None, b"base")
    left, right = (commit_tree(git, tree, root, b"side") for tree in (ours, theirs))
    with attributes(git, onto) as config:
        done = git.having(config).call("merge-tree", "--write-tree", "--messages", "-z", left, right, ok=(0, 1))
    parts = [os.fsdecode(part) for part in done.stdout.split(b"\0")]
    if done.returncode == 0:
        return Outcome(parts[0], onto=ours)
    if not parts[0]:
        raise failure(("merge-tree", onto, tip), done)
    return replace(_conflicted(parts[0], parts[1:]), onto=ours)


def _conflicted(tree: str, parts: list[str]) -> Outcome:
    """Of a conflicted merge: entries `mode blob stage<TAB>path` up to an empty one, then records (count, that many
    paths, kind, text). After the records there can be free text: a count that is no number is the end."""
    end = parts.index("") if "" in parts else len(parts)
    stages: dict[str, dict[int, Entry]] = {}
    for entry in parts[:end]:
        about, _, path = entry.partition("\t")
        mode, blob, stage = about.split(" ")
        stages.setdefault(path, {})[int(stage)] = Entry(mode, blob)
    names, kinds = list(stages), dict[str, frozenset[str]]()
    rest = iter(parts[end + 1 :])
    for count in rest:
        if not count.isdigit():
            break
        paths = [next(rest, "") for _ in range(int(count))]
        kind, _text = next(rest, ""), next(rest, "")
        if kind.startswith("CONFLICT"):
            named = [path for path in paths if path]
            names += named
            for path in named:
                kinds[path] = kinds.get(path, frozenset()) | {kind if len(paths) == 1 else "several"}
    return Outcome(tree, tuple(dict.fromkeys(names)) or ("(git names no path)",), stages, kinds)


@contextmanager
def attributes(git: Git, commit: str) -> Iterator[dict[str, str]]:
    """The `.gitattributes` of a commit in one file: merge-tree in a bare repository reads none by itself. Never in P's
    `info/attributes`, which would outrank those of a tree in snapshots."""
    listed = git.names("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    files = sorted((path for path in listed if path.rpartition("/")[2] == ".gitattributes"), key=lambda p: p.count("/"))
    if not files:
        yield {}
        return
    lines: list[str] = []
    for path in files:
        folder = path.rpartition("/")[0]
        text = os.fsdecode(git.call("cat-file", "blob", f"{commit}:{path}").stdout)
        lines += [_rooted(line, folder) for line in text.splitlines()]
    with tempfile.NamedTemporaryFile(prefix="ropeteam-", suffix=".attributes") as file:
        file.write(os.fsencode("\n".join(lines) + "\n"))
        file.flush()
        yield {"core.attributesFile": file.name}


def _rooted(line: str, folder: str) -> str:
    """A line of the `.gitattributes` in `folder` as it would stand at the top."""
    text = line.strip()
    if not folder or not text or text.startswith(("#", "[attr]")):
        return text
    quote = '"' if text.startswith('"') else ""
    body = text.removeprefix(quote)
    pattern = re.split(r'"' if quote else r"\s", body, maxsplit=1)[0]
    between = "/" if "/" in pattern.rstrip("/") else "/**/"
    if " " in folder and not quote:
        quote, body = '"', body.replace(pattern, f'{pattern}"', 1)
    return f"{quote}/{folder}{between}{body.removeprefix('/')}"


# ---- many merges at once, to see what would be


def conflicts_between(store: Store, pairs: Sequence[tuple[Work, Work]]) -> list[tuple[str, ...]]:
    """For each pair of works the paths in which they conflict, in order; none where they have no base in common.

    Works with different bases are compared from the newest commit that both bases have. Nothing that is written for
    this outlives the call: it can be made every minute.
    """
    found: list[tuple[str, ...]] = [()] * len(pairs)
    groups: dict[str, list[tuple[int, str, str]]] = {}
    for number, ((one_base, one), (other_base, other)) in enumerate(pairs):
        base = _common(store.git, one_base, other_base)
        if base is not None and one != other:
            groups.setdefault(base, []).append((number, one, other))
    if not groups:
        return found
    with full_disk(), tempfile.TemporaryDirectory(prefix="ropeteam-") as name:
        (objects := Path(name) / "objects").mkdir()
        git = replace(store.git, objects=objects, alternates=(store.objects, store.repo.objects))
        sides = _sides(git, Path(name), groups)
        for base, asked in groups.items():
            wanted = [(sides[base, one], sides[base, other]) for _, one, other in asked]
            with attributes(git, base) as config:
                for (number, _, _), paths in zip(asked, _merges(git.having(config), wanted), strict=True):
                    found[number] = paths
    return found


def _common(git: Git, one: str, other: str) -> str | None:
    if one == other:
        return one
    done = git.call("merge-base", one, other, ok=(0, 1))
    return os.fsdecode(done.stdout).strip() or None


def _sides(git: Git, folder: Path, groups: Mapping[str, Sequence[tuple[int, str, str]]]) -> dict[tuple[str, str], str]:
    """(base, tip) -> a commit with the tip's tree whose only ancestor has the base's tree."""
    wanted = list(dict.fromkeys((base, tip) for base, asked in groups.items() for _, *tips in asked for tip in tips))
    commits = list(dict.fromkeys((*groups, *(tip for _, tip in wanted))))
    trees = dict(zip(commits, git.text("rev-parse", *(f"{c}^{{tree}}" for c in commits)).split(), strict=True))
    roots = dict(zip(groups, _written(git, folder, [(trees[base], None) for base in groups]), strict=True))
    sides = _written(git, folder, [(trees[tip], roots[base]) for base, tip in wanted])
    return dict(zip(wanted, sides, strict=True))


def _written(git: Git, folder: Path, commits: Sequence[tuple[str, str | None]]) -> list[str]:
    """Commits of (tree, parent), all of them by one call."""
    paths = []
    for number, (tree, parent) in enumerate(commits):
        path = folder / str(number)
        parents = f"parent {parent}\n" if parent else ""
        path.write_text(f"tree {tree}\n{parents}author {_NOBODY}\ncommitter {_NOBODY}\n\nside\n")
        paths.append(f"{path}\n")
    return git.text("hash-object", "-t", "commit", "-w", "--stdin-paths", input="".join(paths).encode()).split()


def _merges(git: Git, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    options = ("merge-tree", "--write-tree", "--name-only", "--no-messages")
    if version() < STDIN:
        outputs = [git.call(*options, "-z", one, other, ok=(0, 1)).stdout for one, other in pairs]
        return [tuple(os.fsdecode(path) for path in output.split(b"\0")[1:] if path) for output in outputs]
    asked = "".join(f"{one} {other}\n" for one, other in pairs).encode()
    parts = iter(os.fsdecode(part) for part in git.call(*options, "--stdin", input=asked).stdout.split(b"\0"))
    found = []
    for _ in pairs:  # of each: whether it is clean, its tree, names, an empty one
        next(parts), next(parts)
        found.append(tuple(iter(lambda: next(parts), "")))
    return found
