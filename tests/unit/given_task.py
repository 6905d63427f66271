"""A task as adapters are given one, for tests of how they start and what they make of what they hear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ropeteam.ports import Task


def a_task(**changes: Any) -> Task:
    io = Path("/attempt/io")
    task = Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=Path("/attempt/tree"),
        folder=io,
        shared_prompt="shared",
        own_prompt="own",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=0.0,
    )
    return msgspec.structs.replace(task, **changes)
