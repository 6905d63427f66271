"""The user's repository: finding it, reading it. Nothing here changes it, but for refs of ours.

Its configuration is read for the identity and for what decides how files look in a checkout; none of its hooks,
filters or monitors runs: its files are looked at through an empty repository of ours (`borrowed`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ropeteam.core.model import RepoFacts
from ropeteam.errors import BadRepository, GitFailed, UserError
from ropeteam.git.calls import CONFIG_HOOKS, Git, full_disk, require, split, users_git, version

CHECKOUT = ("autocrlf", "eol", "filemode", "symlinks", "ignorecase", "precomposeunicode")


@dataclass(frozen=True, slots=True)
class Repo:
    """Absolute, resolved paths. git_dir differs from common_dir in a linked work tree."""

    top: Path
    git_dir: Path
    common_dir: Path
    object_format: str = "sha1"

    @property
    def git(self) -> Git:
        """For calls that read its objects and refs. A configured `core.worktree` is not followed."""
        return Git(self.git_dir, work_tree=self.top)

    @property
    def index(self) -> Path:
        return self.git_dir / "index"

    @property
    def objects(self) -> Path:
        return self.common_dir / "objects"

    @property
    def zero(self) -> str:
        """The object name that means "does not exist yet" to git."""
        return "0" * (64 if self.object_format == "sha256" else 40)


def find(path: Path) -> Repo:
    """The repository that `path` is in.

    BadRepository: none, a bare one, one that git does not trust, or one without a commit.
    """
    require()
    if not path.exists():
        raise BadRepository(f"There is no folder {path}.", where="--repo", hint="Give an existing one with --repo.")
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    repo = _look(folder)
    if resolve(repo, "HEAD") is None:
        raise BadRepository(
            "The current branch has no commit yet.",
            where=os.fspath(repo.top),
            hint="Make a first commit, then try again.",
            code="unborn_branch",
        )
    return repo


def _look(folder: Path) -> Repo:
    asked = ("--is-bare-repository", "--show-object-format", "--absolute-git-dir", "--git-common-dir")
    done = users_git(folder, "rev-parse", "--path-format=absolute", *asked)
    if done.returncode != 0:
        if b"dubious ownership" in done.stderr:
            raise BadRepository(
                "git does not trust this repository: it belongs to another user.",
                where=os.fspath(folder),
                hint=f"If you trust it: git config --global --add safe.directory {folder}",
                code="not_trusted",
            )
        raise BadRepository(
            "This is not a git repository.",
            where=os.fspath(folder),
            hint="Start ropeteam inside one, or give it with --repo. A new one: git init, and a first commit.",
            code="not_a_repository",
        )
    _, object_format, git_dir, common_dir = os.fsdecode(done.stdout).removesuffix("\n").split("\n")
    real = Path(git_dir).resolve()
    top = next((place for place in (folder, *folder.parents) if _git_dir_of(place) == real), None)
    if top is None:
        raise BadRepository(
            "This repository is bare: it has no files to work on.",
            where=git_dir,
            hint="Clone it, and start ropeteam in the clone.",
            code="bare_repository",
        )
    return Repo(top, real, Path(common_dir).resolve(), object_format)


def _git_dir_of(place: Path) -> Path | None:
    dot_git = place / ".git"
    try:
        if dot_git.is_file():
            named = dot_git.read_text(errors="surrogateescape").removeprefix("gitdir: ").rstrip("\n")
            return (place / named).resolve()
        return dot_git.resolve() if dot_git.exists() else None
    except OSError:
        return None


# ---- what it is


def facts(repo: Repo, *, base: str | None = None) -> RepoFacts:
    """What a run must remember of it. base: the commit to start from, the checked-out one without.

    UserError `no_identity` when no name and address for commits are configured.
    """
    tip = head(repo)
    name, email = _identity(repo)
    return RepoFacts(
        top=os.fspath(repo.top),
        common_dir=os.fspath(repo.common_dir),
        branch=branch(repo),
        head=tip,
        base=base or tip,
        user_name=name,
        user_email=email,
        checkout_config=checkout_config(repo),
    )


def _identity(repo: Repo) -> tuple[str, str]:
    done = users_git(repo.top, "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    line = os.fsdecode(done.stdout).removesuffix("\n")
    name, _, rest = line.rpartition(" <")
    email = rest.partition("> ")[0]
    if done.returncode != 0 or not name or not email:
        raise UserError(
            "git does not know your name and address, which every commit needs.",
            where=os.fspath(repo.top),
            hint='git config --global user.name "Your Name"; git config --global user.email you@example.org',
            code="no_identity",
        )
    return name, email


def checkout_config(repo: Repo) -> dict[str, str]:
    """What decides how files look in the user's checkout: a few `core` settings, and the filters and the attributes
    file of the user's own configuration (global and system; never the repository's, which anybody may have written)."""
    found: dict[str, str] = {}
    for scope, key, value in configured(repo):
        section, _, name = key.partition(".")
        users_own = scope in ("global", "system")
        if section == "core" and name in CHECKOUT:
            found[key] = value
        elif users_own and (section == "filter" or key == "core.attributesfile"):
            found[key] = os.path.expanduser(value) if section == "core" else value  # noqa: PTH111 - may be relative
    if "core.attributesfile" not in found and (default := _users_file("attributes")) is not None:
        found["core.attributesfile"] = os.fspath(default)
    if any(key.startswith("filter.lfs.") for key in found):
        found["lfs.storage"] = os.fspath(repo.common_dir / "lfs")  # else it looks into our private repository
    return found


def configured(repo: Repo) -> list[tuple[str, str, str]]:
    """(scope, key, value) of everything configured for the user in this repository, weakest first."""
    done = users_git(repo.top, "--git-dir", os.fspath(repo.git_dir), "config", "--list", "-z", "--show-scope")
    if done.returncode != 0:
        raise GitFailed(("config", "--list"), done.returncode, done.stderr.decode(errors="replace"))
    parts = [os.fsdecode(part) for part in done.stdout.split(b"\0")]
    pairs = zip(parts[0::2], parts[1::2], strict=False)
    return [(scope, *_key_value(entry)) for scope, entry in pairs]


def _key_value(entry: str) -> tuple[str, str]:
    key, newline, value = entry.partition("\n")
    return key, value if newline else "true"


def _users_file(name: str) -> Path | None:
    """A file in the user's own git folder (`~/.config/git`), if it is there."""
    config_home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118
    path = Path(config_home) / "git" / name
    return path if path.is_file() else None


def excludes(repo: Repo) -> bytes:
    """What the user ignores everywhere and in this repository, outside of `.gitignore` files."""
    named = [value for _, key, value in configured(repo) if key == "core.excludesfile"]
    general = (repo.top / os.path.expanduser(named[-1])) if named and named[-1] else _users_file("ignore")  # noqa: PTH111
    text = b""
    for path in (general, repo.common_dir / "info" / "exclude"):
        if path is not None and path.is_file():
            text += path.read_bytes() + b"\n"
    return text


# ---- commits and refs


def branch(repo: Repo) -> str | None:
    """Short name of the branch that is checked out, None for a detached HEAD."""
    done = repo.git.call("symbolic-ref", "-q", "HEAD", ok=(0, 1))
    name = os.fsdecode(done.stdout).removesuffix("\n")
    return name.removeprefix("refs/heads/") if done.returncode == 0 else None


def head(repo: Repo) -> str:
    """The commit that is checked out."""
    return repo.git.text("rev-parse", "--verify", "-q", "--end-of-options", "HEAD^{commit}")


def resolve(repo: Repo, rev: str) -> str | None:
    """The commit that `rev` names, None when there is none."""
    return commit_of(repo.git, rev)


def commit_of(git: Git, rev: str) -> str | None:
    done = git.call("rev-parse", "--verify", "-q", "--end-of-options", f"{rev}^{{commit}}", ok=(0, 1, 128))
    name = done.stdout.decode().strip()
    return name if done.returncode == 0 and name else None


def refs(repo: Repo, *prefixes: str) -> dict[str, str]:
    """Refs below these prefixes (whole names) and what they point at."""
    return refs_of(repo.git, *prefixes)


def refs_of(git: Git, *prefixes: str) -> dict[str, str]:
    lines = git.text("for-each-ref", "--format=%(objectname) %(refname)", *prefixes).splitlines()
    return {name: oid for oid, _, name in (line.partition(" ") for line in lines)}


def delete_refs(repo: Repo, names: Sequence[str]) -> None:
    """Remove refs; those that are gone already are no error."""
    there = refs_of(repo.git)
    records = [f"delete {name}\0{there[name]}\0" for name in dict.fromkeys(names) if name in there]
    if records:
        writing(repo).call("update-ref", "--no-deref", "-z", "--stdin", input=os.fsencode("".join(records)))


def move_ref(git: Git, ref: str, new: str, old: str | None = None, message: str = "") -> None:
    """Set a ref; with `old`, only if that is what it points at now. GitFailed otherwise."""
    reason = ("-m", message) if message else ()
    git.call("update-ref", *reason, "--no-deref", ref, new, *(() if old is None else (old,)))


def writing(repo: Repo) -> Git:
    """For calls that move the user's refs: no hook may run, not even one of the configuration.

    From git 2.55 on `hook.<event>.enabled` (`calls.CONFIG`) does it; 2.54 knows only the hooks' own names.
    """
    if version() < CONFIG_HOOKS:
        return repo.git
    keys = [key for _, key, _ in configured(repo) if key.startswith("hook.")]
    events = {"reference-transaction", "post-index-change"}
    names = {key.split(".", 1)[1].rpartition(".")[0] for key in keys} - events - {""}
    return repo.git.having({f"hook.{name}.enabled": "false" for name in sorted(names)})


def delete_branch(repo: Repo, name: str, head: str) -> None:
    """Remove a branch of ours that is still at `head` and that no work tree has checked out; else it stays."""
    ref = f"refs/heads/{name}"
    listed = repo.git.names("worktree", "list", "--porcelain", "-z")
    if f"branch {ref}" not in listed and refs(repo, ref).get(ref) == head:
        move_ref(writing(repo), ref, repo.zero, head)


# ---- files


class HasGit(Protocol):
    """A repository that commits can be read from: `Repo`, or `Store`, which has what is not carried over yet too."""

    @property
    def git(self) -> Git: ...


def read_file(place: HasGit, commit: str, path: str) -> bytes | None:
    """A file as it is in a commit; None when there is none of that name."""
    done = place.git.call("cat-file", "blob", f"{commit}:{path}", ok=(0, 128))
    return done.stdout if done.returncode == 0 else None


def read_files(place: HasGit, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
    """Those of these files that a commit has, in one call: all of them are in memory at once."""
    asked = b"".join(f"{commit}:".encode() + os.fsencode(path) + b"\0" for path in paths)
    answer = memoryview(place.git.call("cat-file", "--batch=%(objecttype) %(objectsize)", "-z", input=asked).stdout)
    found: dict[str, bytes] = {}
    at = 0
    for path in paths:
        missing = f"{commit}:".encode() + os.fsencode(path) + b" missing\n"
        if answer[at : at + len(missing)] == missing:
            at += len(missing)
            continue
        end = at + bytes(answer[at : at + 64]).index(b"\n")
        kind, size = bytes(answer[at:end]).split(b" ")
        at = end + 1 + int(size) + 1
        if kind == b"blob":
            found[path] = bytes(answer[end + 1 : at - 1])
    return found


def list_files(place: HasGit, commit: str) -> list[str]:
    """Every path in a commit."""
    return place.git.names("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)


def is_tracked(place: HasGit, commit: str, path: str) -> bool:
    """Whether a commit has this path (a file, or a folder with files)."""
    return bool(place.git.names("ls-tree", "-z", "--name-only", "--full-tree", commit, "--", path.rstrip("/")))


@contextmanager
def borrowed(repo: Repo, config: Mapping[str, str] | None = None) -> Iterator[Git]:
    """The user's checkout and a copy of its index, seen through an empty repository of ours: none of its
    configuration holds, and nothing that is done here can be written into it."""
    with full_disk(), tempfile.TemporaryDirectory(prefix="ropeteam-") as name:
        folder = Path(name)
        for part in ("objects", "refs"):
            (folder / part).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        extension = "[extensions]\n\tobjectFormat = sha256\n" if repo.object_format == "sha256" else ""
        (folder / "config").write_text(f"[core]\n\trepositoryformatversion = {1 if extension else 0}\n{extension}")
        for source in (repo.index, *repo.git_dir.glob("sharedindex.*")):
            copy_index(source, folder / source.name)
        git = Git(folder, work_tree=repo.top, index=folder / "index", alternates=(repo.objects,))
        yield git.having(config)


def copy_index(source: Path, target: Path) -> None:
    """Copy an index with its time: git compares it with the times of files to know which of them to read again."""
    try:
        with source.open("rb") as file:
            with target.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            stat = os.fstat(file.fileno())
    except FileNotFoundError:
        return
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def outside(feature: str) -> tuple[str, ...]:
    """Pathspecs for everything but the feature's folder."""
    return (".", f":(exclude,top,literal){feature.strip('/')}") if feature.strip("/") else (".",)


def dirty(repo: Repo, *, feature: str) -> list[str]:
    """Tracked paths with changes in the index or the work tree, outside the feature's folder."""
    tip = head(repo)
    with borrowed(repo, checkout_config(repo)) as git:
        git.call("update-index", "-q", "--refresh", ok=(0, 1))
        options = ("--name-only", "-z", "--ignore-submodules=dirty")
        in_tree = git.names("diff-files", *options, "--", *outside(feature))
        in_index = git.names("diff-index", "--cached", *options, tip, "--", *outside(feature))
    return sorted({*in_tree, *in_index})


def differs(repo: Repo, commit: str, path: str) -> bool:
    """Whether a path looks otherwise in the checkout or its index than in a commit."""
    with borrowed(repo, checkout_config(repo)) as git:
        git.call("update-index", "-q", "--refresh", ok=(0, 1))
        spec = f":(top,literal){path}"
        return any(
            git.names("diff-index", *where, "--name-only", "-z", "--ignore-submodules=dirty", commit, "--", spec)
            for where in ((), ("--cached",))
        )


def untracked(repo: Repo, patterns: Sequence[str]) -> list[str]:
    """Untracked or ignored paths of the checkout that match gitignore-style patterns; a folder that matches stands
    for all that is in it (with a `/` at its end). Repositories inside the checkout are not looked into."""
    if not patterns:
        return []
    with borrowed(repo) as git:
        listed = git.git_dir / "patterns"
        listed.write_bytes(os.fsencode("\n".join(patterns) + "\n"))
        found = git.call("ls-files", "-o", "-i", "-z", "--directory", "-X", os.fspath(listed))
    return split(found.stdout)
