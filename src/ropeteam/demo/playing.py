"""The demo as a run: the sample in a folder of its own, the recording played in scaled time, nothing of the user's.

No settings of the user are read, no cache folder of theirs is used, no repository of theirs is touched.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ropeteam import app
from ropeteam import run as runs
from ropeteam.core.state import RunState
from ropeteam.demo import composing, estimates, faults, recording, repository
from ropeteam.demo.folders import folder as folder_of
from ropeteam.testing import script

TIME_SCALE = 25.0
"""Seconds of the feature in one real second: the ten minutes or so of several agents are played in 25 to 40 seconds.
Faster, the time that git and the checks really take would look like minutes of the feature."""

STALL_SECONDS = 180.0
"""Of the feature's time, without a sign of life, where an agent hangs. The recording is never silent for so long."""
LEAST_STALL_SECONDS = 10.0
"""Real ones: starting a program takes a moment however fast the recording is played, and more on a busy machine."""

PARKINGS = 3
"""How often the demo goes on by itself with a run that parked."""

Mode = Literal["auto", "single"]


COMPOSED = {
    repository.HOUSE: ("house", "A small library application gets the books of the house."),
    repository.OPENING_HOURS: ("hours", "A small library application tells when it is open."),
}
"""Features whose recording is composed for the plan that ropeteam makes: the folder of their files, what they are
about."""


def finals(feature: str) -> Path:
    """Where the files of a composed feature are, each as it is in the end."""
    return folder_of(COMPOSED[feature][0])


@dataclass(frozen=True)
class Stage:
    """Where the demo plays. repo: the sample's repository. recording: file of what the agents play. prepared: the run
    that could begin there."""

    repo: Path
    recording: Path
    prepared: app.Prepared


def prepare(
    folder: Path,
    *,
    feature: str = repository.HOUSE,
    time_scale: float = TIME_SCALE,
    fault: faults.Fault | None = None,
    mode: Mode = "auto",
) -> Stage:
    """Make the sample's repository and the recording in `folder`, which must not exist or be empty.

    fault: only of `reservations`, whose plan is given. It is played with several agents, whatever the run's second look
    says of a machine that is busy: what goes wrong is the fault, and nothing else.
    """
    repo = repository.make(folder / "library")
    written = folder / "recording.json"
    flags: dict[str, object] = {
        "agent": "scripted",
        "agent.scripted.script": str(written),
        "agent.scripted.time_scale": time_scale,
        "trees.folder": str(folder / "trees"),
        "workers": estimates.WORKERS,
    }
    if fault is not None and fault.hangs:
        flags["limits.stall_seconds"] = max(LEAST_STALL_SECONDS, STALL_SECONDS / time_scale)
    given = estimates.PLAN if feature == repository.RESERVATIONS and mode != "single" else None
    request = app.Request(
        repo=repo,
        feature=feature,
        plan=given,
        mode="parallel" if fault is not None else mode,
        land="yes",
        flags=flags,
        own_settings=False,
    )
    if feature in COMPOSED:
        # The plan is made first, from documents and code alone; the recording is composed for its units.
        recording.write(written, script.Script(units={}))
        prepared = app.prepare(request)
        work = composing.work_of(finals(feature), prepared.outlook.survey)
        recording.write(written, composing.record(work, prepared.plan, COMPOSED[feature][1], sys.executable))
    else:
        played = recording.record(sys.executable)
        recording.write(written, faults.apply(fault, played) if fault else played)
        prepared = app.prepare(request)
    return Stage(repo, written, prepared)


def play(stage: Stage, screen: runs.Screen, parked: Callable[[float], None] = lambda _seconds: None) -> RunState:
    """The whole run, landing included. A run that parks is resumed when it can go on; parked: told how many seconds
    that will be."""
    begun = runs.begin(stage.prepared, screen, land="yes", yes=True)
    state = runs.go(begun, screen)
    for _ in range(PARKINGS):
        if state.phase != "parked" or not state.resume_at:
            break
        wait = max(0.0, state.resume_at - time.time())
        parked(wait)
        time.sleep(wait)
        state = runs.resume(begun.repository, begun.first.run, screen)
    return state
