"""What of the planned files builds on what, from each kind of evidence, with how often such evidence was right."""

from __future__ import annotations

from collections.abc import Sequence

from ropeteam.core.model import Step
from ropeteam.core.survey import Dependency, PlannedFile
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.history import History


def between(files: Sequence[PlannedFile], steps: Sequence[Step], base: Base, past: History) -> list[Dependency]:
    return []
