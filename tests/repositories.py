"""Real repositories for tests, made with the real git and nothing of this machine's configuration.

`make_repo(tmp_path / "repo", {"a.py": "x = 1\n"})` gives a repository with one commit on `main`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SCRUBBED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Earlier Author",
    "GIT_AUTHOR_EMAIL": "earlier@example.org",
    "GIT_COMMITTER_NAME": "Earlier Author",
    "GIT_COMMITTER_EMAIL": "earlier@example.org",
}


def git(repo: Path, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run git in `repo` and give what it prints, without the last newline. Fails loudly."""
    done = subprocess.run(
        [os.environ.get("ROPETEAM_GIT") or "git", "-C", os.fspath(repo), *args],
        env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        | SCRUBBED
        | dict(env or {}),
        input=input,
        stdin=None if input is not None else subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"git {args}: {done.returncode}\n{done.stdout!r}\n{done.stderr.decode()}"
    return os.fsdecode(done.stdout).removesuffix("\n")


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below `folder`, making their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit_all(repo: Path, message: str = "change") -> str:
    """Commit everything that is there; gives the commit."""
    git(repo, "add", "-A")
    git(repo, "-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def make_repo(path: Path, files: Mapping[str, str | bytes] | None = None, *init: str) -> Path:
    """A repository at `path` with these files in one commit on `main`. init: further options of `git init`."""
    path.mkdir(parents=True, exist_ok=True)
    git(path, "init", "-q", "--template=", "-b", "main", *init)
    write_files(path, files if files is not None else {"app.py": "x = 1\n", "README.md": "read me\n"})
    commit_all(path, "first")
    return path


def files_of(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Every file and link below `folder` but for `.git`: kind with its executable bit, and content."""
    found: dict[str, tuple[str, bytes]] = {}
    for inner, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        for name in (*names, *(entry for entry in folders if Path(inner, entry).is_symlink())):
            path = Path(inner, name)
            key = os.path.relpath(path, folder)
            if path.is_symlink():
                found[key] = ("link", os.fsencode(path.readlink()))
            elif path.is_file():
                found[key] = ("exec" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
    return found
