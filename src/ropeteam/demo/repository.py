"""The sample application as a git repository of its own, in a folder of somebody's choice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ropeteam import process
from ropeteam.demo.folders import folder as folder_of
from ropeteam.errors import BadInput, GitFailed

HOUSE = "house"
RESERVATIONS = "reservations"
OPENING_HOURS = "opening-hours"
FEATURES = (HOUSE, RESERVATIONS, OPENING_HOURS)
"""Names of the features that are planned in the sample: eight areas that know nothing of each other, one that hangs
together, and a small one."""

USER = ("Demo", "demo@example.org")


def make(folder: Path) -> Path:
    """Make `folder`, which must not exist or be empty, into the sample's repository: one commit on `main`, clean.

    Nothing of the user's git configuration is read or written; the repository has an identity of its own.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(
            "The folder for the demo is not empty.", where=str(folder), hint="Name a folder that is not there."
        )
    shutil.copytree(folder_of("sample"), folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "config", "user.name", USER[0])
    _git(folder, "config", "user.email", USER[1])
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=The lending desk of a small library")
    return folder


def _git(folder: Path, *arguments: str) -> None:
    argv = ("git", "-C", str(folder), *arguments)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
    }
    done = process.run(argv, env=environment)
    if done.returncode != 0:
        raise GitFailed(argv, done.returncode, done.stderr.decode("utf-8", "replace"))
