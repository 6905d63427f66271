"""Host mode in few words: several units at once are taken and handed in, and what the host reads is short.

What a subagent is told goes into a file, so that the host's conversation holds one line for each unit instead of twice
the whole prompt.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, Literal

from ropeteam.core.model import Value
from ropeteam.errors import BadInput, RopeteamError

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.hosting import HostUnit, Taken
    from ropeteam.core.state import RunState

TAKE_SECONDS: Final = 30.0
"""How long `take_unit` waits for a unit that is on its way, before it says that there is none right now."""
SLICE_SECONDS: Final = 1.0
"""Between looks whether anybody still waits: a unit that is given to nobody would lie until its deadline."""
MORE_SECONDS: Final = 1.5
"""After a unit so long for the next: where several were handed in together, several follow one after another."""
AT_ONCE: Final = 4
SUBAGENT_FILE: Final = "subagent.md"


class TakeUnit(Value, frozen=True, kw_only=True):
    """What `take_unit` takes. count: how many units at most."""

    run: str = ""
    count: int = AT_ONCE


class HandInUnit(Value, frozen=True, kw_only=True):
    """What `hand_in_unit` takes: names of attempts, as they were given. abandon: give them back undone."""

    attempts: tuple[str, ...]
    run: str = ""
    abandon: bool = False


class Offered(Value, frozen=True, kw_only=True):
    """Of one unit that was taken. file: what its subagent is to do."""

    attempt: str
    file: str


class Held:
    """Units that were taken and are not with whoever asked for them yet: `pass_on` right before they are, or `let_go`
    once nobody waits for them. Should the process die before either, the next one who asks gets them. From any
    thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._units: list[tuple[app.Repository, str, str]] = []

    def add(self, repository: app.Repository, run: str, attempt: str) -> None:
        with self._lock:
            self._units.append((repository, run, attempt))

    def pass_on(self) -> None:
        self._each("passed_on")

    def let_go(self) -> None:
        self._each("let_go")

    def _each(self, what: Literal["passed_on", "let_go"]) -> None:
        from ropeteam import hosting

        does = hosting.passed_on if what == "passed_on" else hosting.let_go
        with self._lock:
            while self._units:
                repository, run, attempt = self._units[0]
                does(repository, run, (attempt,))
                self._units.pop(0)


def take_units(
    repository: app.Repository,
    run: str | None,
    count: int,
    stopped: Event,
    held: Held,
    seconds: float = TAKE_SECONDS,
) -> tuple[tuple[Offered, ...], Taken]:
    """Up to `count` units that are ready, and the last answer: why there are no more of them. They stand in `held`."""
    try:
        units, taken = _taken(repository, run, count, stopped, held, seconds)
        return tuple(offered(unit) for unit in units), taken
    except BaseException:
        held.let_go()
        raise


def _taken(
    repository: app.Repository, run: str | None, count: int, stopped: Event, held: Held, seconds: float
) -> tuple[list[HostUnit], Taken]:
    from ropeteam import hosting

    until = time.monotonic() + seconds
    while True:
        taken = hosting.take(repository, run, by="host", wait=SLICE_SECONDS, hold=True)
        if taken.unit is not None or taken.done or stopped.is_set() or time.monotonic() > until:
            break
    units: list[HostUnit] = []
    while taken.unit is not None:
        held.add(repository, taken.run, taken.unit.attempt)
        units.append(taken.unit)
        if len(units) >= max(1, count) or stopped.is_set():
            break
        taken = hosting.take(repository, taken.run, by="host", wait=MORE_SECONDS, hold=True)
    return units, taken


def offered(unit: HostUnit) -> Offered:
    """Write down what the subagent is told, beside its task."""
    file = Path(unit.prompt_file).with_name(SUBAGENT_FILE)
    file.write_text(unit.prompt, encoding="utf-8", errors="surrogateescape")
    return Offered(attempt=unit.attempt, file=str(file))


def to_do(units: tuple[Offered, ...]) -> str:
    """What a host does with them, in few words."""
    head = (
        'Start one general subagent for each, all in one message, with the prompt "Do all that FILE says. Answer with'
        ' one line: done, or why not." Then hand in all that have ended.'
    )
    return "\n".join([head, *(f"{unit.attempt}: {unit.file}" for unit in units)])


def nothing(taken: Taken) -> str:
    """Why there is no unit right now."""
    out = f" With subagents: {', '.join(taken.out)}." if taken.out else ""
    return f"Nothing to do right now: {taken.why.rstrip('.')}.{out}"


def hand_in(
    repository: app.Repository, run: str | None, attempts: tuple[str, ...], *, abandon: bool = False
) -> tuple[str, ...]:
    """Hand in each, or give it back undone; a sentence for each of which that was not simply done."""
    from ropeteam import hosting

    if not attempts:
        raise BadInput("Name the attempts to hand in.", where="attempts")
    said = []
    for attempt in attempts:
        try:
            done = (hosting.abandon if abandon else hosting.hand_in)(repository, run, attempt)
        except RopeteamError as problem:
            said.append(f"{attempt}: {problem.message} {problem.hint}".strip())
            continue
        if not (done.accepted or done.abandoned):
            said.append(done.message)
    return tuple(said)


def is_hosted(state: RunState) -> bool:
    """Whether the host's own subagents do its units."""
    from ropeteam import app

    return app.hosts(state.begun)
