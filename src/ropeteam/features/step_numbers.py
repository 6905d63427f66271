"""When each step of the documents' own order may begin: its number, from what the steps say of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ropeteam.core.model import Step

_STORY: Final = re.compile(r"\buser stor(?:y|ies)\b|\bUS\d", re.IGNORECASE)
_LATE: Final = re.compile(r"\b(?:polish|cross-cutting|cleanup|clean-up|final|finish|release)\b", re.IGNORECASE)


def in_order(steps: Sequence[Step]) -> list[Step]:
    """One after the other; neighbours that may run in parallel share a number."""
    numbered: list[Step] = []
    for step in steps:
        beside = bool(numbered) and step.parallel and numbered[-1].parallel
        number = numbered[-1].number + (not beside) if numbered else 1
        numbered.append(replace(step, number=number))
    return numbered


def by_needs(steps: Sequence[Step]) -> list[Step]:
    """Where steps say what they need, that alone counts: the number is one more than the highest needed. No circles."""
    numbers = dict.fromkeys((step.id for step in steps), 1)
    _raise(numbers, steps)
    return [replace(step, number=numbers[step.id]) for step in steps]


def by_phase(steps: Sequence[Step]) -> list[Step]:
    """Tasks: phases one after the other, but stories side by side; what comes after the stories waits for all. No
    circles. A task that needs one of another story comes after it, and what follows it in its own story does too."""
    numbers: dict[str, int] = {}
    base = highest = 0
    for phase in dict.fromkeys(step.phase for step in steps):
        own = in_order([step for step in steps if step.phase == phase])
        story = _STORY.search(phase) is not None and _LATE.search(phase) is None
        base = base if story else highest
        moved = 0
        for step in own:
            needed = max((numbers[need] + 1 for need in step.needs if need in numbers), default=0)
            numbers[step.id] = max(base + step.number + moved, needed)
            moved = moved if step.parallel else numbers[step.id] - base - step.number
            highest = max(highest, numbers[step.id])
        base = base if story else highest
    _raise(numbers, steps)
    return [replace(step, number=numbers[step.id]) for step in steps]


def _raise(numbers: dict[str, int], steps: Sequence[Step]) -> None:
    """Until every step comes after all that it needs."""
    changed = True
    while changed:
        changed = False
        for step in steps:
            least = max((numbers[need] + 1 for need in step.needs), default=1)
            if least > numbers[step.id]:
                numbers[step.id] = least
                changed = True


def circle(steps: Sequence[Step]) -> tuple[str, ...]:
    """Ids of steps that need each other, or need such steps, in their order."""
    left = {step.id: set(step.needs) for step in steps}
    while ready := [id for id, needs in left.items() if not needs & left.keys()]:
        for id in ready:
            del left[id]
    return tuple(left)
