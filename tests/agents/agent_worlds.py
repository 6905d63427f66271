"""A world for one attempt of a real program: home, tree and environment of the test's own, and loopback only."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(os.environ.get("ROPETEAM_TEST_WORLDS") or Path.home() / ".cache" / "ropeteam" / "worlds")
"""Where worlds are made: /tmp is open to what codex confines, and gemini takes no settings from below a folder that
everybody can write."""

NOT_FOR_AGENTS = {
    "A_SECRET_OF_THE_CALLERS": "never to be seen",
    "AWS_SECRET_ACCESS_KEY": "never to be seen",
    "GITHUB_TOKEN": "never to be seen",
    "GIT_DIR": "/nowhere",
    "NODE_OPTIONS": "--no-such-option",
    "PYTHONPATH": "/nowhere",
}
"""In the caller's environment, and not to reach any agent. Its values would break programs, were they passed on."""


@dataclass(frozen=True)
class World:
    """tree: where the agent works. io: the attempt's own folder. log: what the wrapper writes."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def io(self) -> Path:
        return self.folder / "io"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def caller(self, own: dict[str, str]) -> dict[str, str]:
        """The environment of whoever starts ropeteam. Of this machine's only where programs are."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            **NOT_FOR_AGENTS,
            **own,
        }


def a_folder() -> tempfile.TemporaryDirectory[str]:
    """For one attempt; gone afterwards."""
    PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=PLACE, ignore_cleanup_errors=True)


def make(folder: Path, home: dict[str, str]) -> World:
    """home: files of the user's, path relative to the home folder -> text."""
    world = World(folder.resolve())
    for path in (world.home, world.tree, world.io, world.log, world.temporary):
        path.mkdir(parents=True)
    for name, text in home.items():
        path = world.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return world


def fingerprint(home: Path, names: tuple[str, ...]) -> dict[str, str]:
    """What is at these paths (files, or folders with all in them), so that a change or a new file shows."""
    found = {}
    for name in names:
        path = home / name
        files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
        found[name] = "absent" if not path.exists() else ""
        found |= {str(one.relative_to(home)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}
    return found
