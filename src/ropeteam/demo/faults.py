"""What can go wrong in the demo: each fault is the recording, changed in the play of one unit.

The unit is one on which others depend, or that works beside others, so that what is kept and what is done anew can be
seen. What happens then is not played: it is what ropeteam does with such an agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from ropeteam.core.model import TriggerId
from ropeteam.testing import script

Steps = tuple[script.AnyStep, ...]
Change = Callable[[Steps], Steps]


@dataclass(frozen=True)
class Fault:
    """unit: whose play is changed. says: what goes wrong, one sentence. trigger: what ropeteam makes of it. changes: of
    the steps of its first attempt, of its second and so on; later ones are as recorded. hangs: whoever plays it
    should not wait as long as usual for a sign of life."""

    unit: str
    says: str
    trigger: TriggerId
    changes: tuple[Change, ...]
    hangs: bool = False


def apply(fault: Fault, played: script.Script) -> script.Script:
    """The script with the fault in it."""
    whole = played.units[fault.unit]
    broken = {f"{fault.unit}/{n}": change(whole) for n, change in enumerate(fault.changes, 1)}
    return msgspec.structs.replace(played, units={**played.units, **broken})


# ---- where in a play


def _after_reading(*steps: script.AnyStep, then_end: bool = False) -> Change:
    """`steps` once everything is read in; then_end: and nothing after them."""

    def change(whole: Steps) -> Steps:
        at = next(n for n, step in enumerate(whole) if isinstance(step, script.Used)) + 1
        return (*whole[:at], *steps, *(() if then_end else whole[at:]))

    return change


def _before_report(*steps: script.AnyStep) -> Change:
    return lambda whole: (*whole[:-1], *steps, whole[-1])


def _instead_of_report(*steps: script.AnyStep) -> Change:
    return lambda whole: (*whole[:-1], *steps)


def _half_way(*steps: script.AnyStep) -> Change:
    """`steps` once the first file is written, and nothing after them."""

    def change(whole: Steps) -> Steps:
        at = next(n for n, step in enumerate(whole) if isinstance(step, script.Write | script.Patch)) + 1
        return (*whole[:at], *steps)

    return change


def _full(share: float) -> Change:
    """From the first usage on the model's context is filled to that share at least."""

    def change(whole: Steps) -> Steps:
        return tuple(_filled(step, share) if isinstance(step, script.Used) else step for step in whole)

    return change


def _filled(used: script.Used, share: float) -> script.Used:
    more = max(0, int(share * used.context_limit) - used.context_used)
    return msgspec.structs.replace(used, input=used.input + more, context_used=used.context_used + more)


FAULTS: Mapping[str, Fault] = {
    "conflict": Fault(
        unit="07-desk",
        says="07-desk also changes library/services/catalogue.py, which is 02-reservations' file: both change the same"
        " lines.",
        trigger="file_conflict",
        changes=(
            _before_report(
                script.Patch(
                    path="library/services/catalogue.py",
                    find="        return self.copies - self.lent\n",
                    replace="        return max(0, self.copies - self.lent)\n",
                )
            ),
        ),
    ),
    "crash": Fault(
        unit="03-notices",
        says="03-notices is killed in the middle of its work.",
        trigger="agent_crashed",
        changes=(_half_way(script.Die(number=9)),),
    ),
    "hang": Fault(
        unit="07-desk",
        says="07-desk stops giving any sign of life.",
        trigger="agent_crashed",
        changes=(_after_reading(script.Hang(), then_end=True),),
        hangs=True,
    ),
    "syntax": Fault(
        unit="02-reservations",
        says="02-reservations leaves a Python file that does not parse.",
        trigger="syntax_error",
        changes=(
            _before_report(
                script.Patch(
                    path="library/models/reservation.py",
                    find="def everything_open(connection: sqlite3.Connection) -> list[Reservation]:\n",
                    replace="def everything_open(connection: sqlite3.Connection -> list[Reservation]:\n",
                )
            ),
        ),
    ),
    "tests": Fault(
        unit="05-lending",
        says="05-lending breaks what worked: a present test fails with it.",
        trigger="batch_validation_failed",
        changes=(
            _before_report(
                script.Patch(
                    path="library/services/lending.py",
                    find='        raise Refused(f"No copy of {book.title} is on the shelf.")\n',
                    replace="        pass\n",
                )
            ),
        ),
    ),
    "corrupt": Fault(
        unit="03-notices",
        says="03-notices leaves a report that cannot be read.",
        trigger="context_corrupted",
        changes=(_instead_of_report(script.GarbledReport()),),
    ),
    "budget": Fault(
        unit="04-waiting-list",
        says="04-waiting-list fills its model's context to 86 %; the limit is 80 %.",
        trigger="token_budget_exceeded",
        changes=(_full(0.86),),
    ),
    "quota": Fault(
        unit="04-waiting-list",
        says="04-waiting-list is refused by its provider: too many requests (429), and again when it is tried anew.",
        trigger="quota_exhausted",
        changes=(
            _after_reading(script.Refused(seconds=60.0), then_end=True),
            _after_reading(script.Refused(seconds=360.0), then_end=True),
        ),
    ),
}
