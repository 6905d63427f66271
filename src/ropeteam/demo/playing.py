"""The demo as a run: the sample in a folder of its own, the recording played in scaled time, nothing of the user's.

No settings of the user are read, no cache folder of theirs is used, no repository of theirs is touched.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ropeteam import app
from ropeteam import run as runs
from ropeteam.core.state import RunState
from ropeteam.demo import recording, repository

TIME_SCALE = 60.0
"""Seconds of the feature in one real second: the recording's 15 minutes or so are played in as many seconds."""


@dataclass(frozen=True)
class Stage:
    """Where the demo plays. repo: the sample's repository."""

    repo: Path
    request: app.Request


def prepare(folder: Path, *, time_scale: float = TIME_SCALE) -> Stage:
    """Make the sample's repository and the recording in `folder`, which must not exist or be empty."""
    repo = repository.make(folder / "library")
    script = recording.write(folder / "recording.json", recording.record(sys.executable))
    flags = {
        "agent": "scripted",
        "agent.scripted.script": str(script),
        "agent.scripted.time_scale": time_scale,
        "trees.folder": str(folder / "trees"),
    }
    request = app.Request(
        repo=repo, feature=repository.FEATURE, mode="single", land="yes", flags=flags, own_settings=False
    )
    return Stage(repo, request)


def play(stage: Stage, screen: runs.Screen) -> RunState:
    """The whole run, landing included."""
    begun = runs.begin(app.prepare(stage.request), screen, land="yes", yes=True)
    return runs.go(begun, screen)
