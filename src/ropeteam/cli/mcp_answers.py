"""What each tool of `ropeteam mcp` takes and answers. Nothing here knows the protocol.

An answer is a few lines of text and the facts in it that a program wants. Clients differ in which of the two they show
to their model (Claude Code: the facts alone), so the text is among the facts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from ropeteam.cli import hosting_brief, outline
from ropeteam.cli.following import BEGIN_SECONDS, is_driven, still, until_still
from ropeteam.core.model import Value
from ropeteam.errors import BadInput, NoSuchRun, RopeteamError

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.events import AnyEvent
    from ropeteam.core.state import RunState

WAIT_SECONDS: Final = 270.0
"""How long `wait` waits unless told otherwise: under the five minutes that a provider keeps a prompt in its cache, so
that the conversation that waits is not read anew at full price."""
LONGEST_WAIT: Final = 540.0
"""Under the ten minutes after which a host may give up a call."""
CANCEL_SECONDS: Final = 60.0
CODE_LENGTH: Final = 6
STALE: Final = (
    "The code in `confirm` does not stand for this: something has changed since it was given, or it was made up. Agreed"
    " is only what was shown."
)
_BEGINNING: Final = Lock()


class Answer(Value, frozen=True, kw_only=True):
    """text: for whoever reads it. started: whether a run was begun; ask: why its user must be asked first; confirm:
    what `start` takes once they have agreed. done: the run stands still. units: attempts that were given out. problem:
    the call could not be done."""

    text: str
    run: str = ""
    started: bool | None = None
    ask: tuple[str, ...] = ()
    confirm: str = ""
    mode: str = ""
    done: bool | None = None
    state: str = ""
    outcome: str = ""
    landed: bool | None = None
    branch: str = ""
    units: tuple[str, ...] = ()
    resume_at: str = ""
    problem: str = ""


class Feature(Value, frozen=True, kw_only=True):
    """What `plan` takes."""

    feature: str
    part: str = ""
    agent: str = ""
    mode: Literal["auto", "parallel", "single"] = "auto"


class Start(Value, frozen=True, kw_only=True):
    """What `start` takes. confirm: the code of what the user was shown. run: to go on with instead of a new one."""

    feature: str = ""
    part: str = ""
    agent: str = ""
    mode: Literal["auto", "parallel", "single"] = "auto"
    land: Literal["", "yes", "no"] = ""
    confirm: str | bool = ""
    settings: tuple[str, ...] = ()
    run: str = ""


class Wait(Value, frozen=True, kw_only=True):
    run: str = ""
    timeout_seconds: float = WAIT_SECONDS


class Run(Value, frozen=True, kw_only=True):
    run: str = ""


class WhichReport(Value, frozen=True, kw_only=True):
    run: str = ""
    full: bool = False


@dataclass(frozen=True)
class Call:
    """repo: where the call is about. tell: hears what happens while it waits. stop: set when nobody waits any more.
    held: what was taken for whoever calls, until that is answered."""

    repo: Path
    tell: Callable[[str], None] = lambda _text: None
    stop: Event = field(default_factory=Event)
    held: hosting_brief.Held = field(default_factory=hosting_brief.Held)


# ---- the tools


def plan(call: Call, asked: Feature) -> Answer:
    """How the feature would be done. Changes nothing and starts no agent."""
    from ropeteam import app
    from ropeteam import run as runs

    prepared = app.prepare(replace(_request(call, asked), include_dirty=True, until="plan"))
    lines = [*outline.foreseen(prepared), *outline.units(prepared)]
    ask = outline.to_ask(prepared, agreed=runs.agreed(prepared))
    lines += [f"`start` will ask for the user's consent: {'; '.join(ask)}."] if ask else []
    return Answer(text=_text(lines), mode=prepared.decision.mode, ask=ask)


def start(call: Call, asked: Start) -> Answer:
    """Begin a run that goes on by itself, or go on with one; or say why the user has to be asked first."""
    if asked.run:
        return _resumed(call, asked.run)
    if not asked.feature:
        raise BadInput("Name a feature to start, or a run to go on with.", where="feature")
    with _BEGINNING:  # who calls twice at once gets one run
        return _begun(call, asked)


def _begun(call: Call, asked: Start) -> Answer:
    from ropeteam import app
    from ropeteam import run as runs

    prepared = app.prepare(replace(_request(call, asked), land=asked.land or None, sets=asked.settings))
    if not asked.land and prepared.settings.land == "ask":
        prepared = replace(prepared, land="no")  # nobody can be asked when it is ready
    if busy := _at_work(prepared):
        return Answer(
            text=f"Not started: {busy} is at work on it. `wait` for it, or `cancel` it.", started=False, run=busy
        )
    decided = outline.foreseen(prepared)
    agreed = runs.agreed(prepared)
    ask = outline.to_ask(prepared, agreed=agreed)
    terms = () if agreed else outline.terms(prepared)
    code = _code(asked, prepared, (*ask, *decided, *terms)) if ask else ""
    if asked.confirm != code and ask:
        head = f"Not started. Ask the user first: {'; '.join(ask)}."
        stale = (STALE,) if asked.confirm else ()
        last = f'If they agree, start again, confirm="{code}".'
        lines = [head, *stale, *decided, *terms, last]
        return Answer(text=_text(lines), started=False, ask=ask, confirm=code, mode=prepared.decision.mode)
    begun = runs.begin(prepared, Nobody(), land=prepared.land, yes=bool(ask), detach=True)
    runs.detach(begun)
    run = begun.first.run
    shown = decided[:1] if ask else decided  # whoever confirms has read it
    hosted = hosting_brief.is_hosted(runs.state_of(prepared.repository, run))
    how = "Call take_unit." if hosted else "It goes on by itself; call wait."
    lines = [f"Started {run}. {how}", *shown]
    return Answer(text=_text(lines), started=True, run=run, mode=prepared.decision.mode)


def _code(asked: Start, prepared: app.Prepared, shown: tuple[str, ...]) -> str:
    """Stands for a call and what its user was shown: only the answer with that has it. It holds for nothing else. With
    a letter first: a model writes digits alone as a number, which is none."""
    call = msgspec.structs.replace(asked, confirm="")
    every = (call, prepared.decision.mode, prepared.consent, shown)
    return "c" + hashlib.sha256(msgspec.json.encode(every)).hexdigest()[: CODE_LENGTH - 1]


def wait(call: Call, asked: Wait) -> Answer:
    """Until the run stands still, then what came of it; or, when the time is over, how far it is."""
    from ropeteam import run as runs

    repository = _repository(call)
    run = runs.state_of(repository, asked.run or None).begun.run
    seconds = min(max(0.0, asked.timeout_seconds), LONGEST_WAIT)
    seen = until_still(repository, run, seconds, Told(call.tell), call.stop)
    if seen.timed_out:
        return _standing(seen.state, f"Still running: {outline.progress(seen.state, time.time())} Call wait again.")
    if seen.abandoned:
        return _standing(seen.state, _abandoned(run))
    return _ended(seen.state)


def status(call: Call, asked: Run) -> Answer:
    """Where a run is, in a line."""
    from ropeteam import run as runs

    repository = _repository(call)
    state = runs.state_of(repository, asked.run or None)
    if still(state):
        return _ended(state)
    run = state.begun.run
    if not is_driven(repository, run) and state.attempts:
        return _standing(state, _abandoned(run))
    return _standing(state, f"{run}: {outline.progress(state, time.time())}")


def report(call: Call, asked: WhichReport) -> Answer:
    """What a run did, in short or (full) all of it."""
    from ropeteam import run as runs

    state = runs.state_of(_repository(call), asked.run or None)
    if not asked.full:
        return _ended(state)
    from ropeteam.cli import page_markdown
    from ropeteam.cli.reporting import page_of

    return msgspec.structs.replace(_ended(state), text=page_markdown.markdown(page_of(state)))


def cancel(call: Call, asked: Run) -> Answer:
    """Stop a run for good and keep everything. It is done by a process of its own: whoever drove it may be gone."""
    from ropeteam import run as runs

    repository = _repository(call)
    state = runs.state_of(repository, asked.run or None)
    run = state.begun.run
    if state.outcome is not None:
        ended = _ended(state)
        return msgspec.structs.replace(ended, text=f"It had ended before: nothing was changed.\n{ended.text}")
    runs.spawn_driver(repository, run, command="cancel")
    until = time.monotonic() + CANCEL_SECONDS
    while state.outcome is None and time.monotonic() < until and not call.stop.wait(0.1):
        state = runs.state_of(repository, run)
    if state.outcome is None:
        return _standing(state, f"{run} has been told to stop, and is still stopping its agents. Call wait.")
    return _ended(state)


def take_unit(call: Call, asked: hosting_brief.TakeUnit) -> Answer:
    """Units for the host's own subagents; how long to wait; or, once there are no more, the report."""
    from ropeteam import run as runs

    repository = _repository(call)
    units, taken = hosting_brief.take_units(repository, asked.run or None, asked.count, call.stop, call.held)
    if call.stop.is_set():
        call.held.let_go()
    if units:
        names = tuple(unit.attempt for unit in units)
        return Answer(text=hosting_brief.to_do(units), run=taken.run, units=names, done=False)
    if taken.done:
        return _ended(runs.state_of(repository, taken.run))
    text = f"{hosting_brief.nothing(taken)} Call take_unit again."
    return Answer(text=text, run=taken.run, done=False, state=taken.state or "")


def hand_in_unit(call: Call, asked: hosting_brief.HandInUnit) -> Answer:
    """Give back units that were taken: what is in their trees is their work."""
    said = hosting_brief.hand_in(_repository(call), asked.run or None, asked.attempts, abandon=asked.abandon)
    taken_in = len(asked.attempts) - len(said)
    done = "given back" if asked.abandon else "handed in"
    lines = [f"{taken_in} {done}. Call take_unit.", *said] if taken_in else [*said, "Call take_unit."]
    return Answer(text=_text(lines), run=asked.run)


# ---- parts of them


class Nobody:
    """The `run.Screen` of a run that is begun for somebody who is not here."""

    interactive = False

    def consent(self, prepared: app.Prepared) -> bool:  # noqa: ARG002 - the protocol's signature
        return False

    def watch(self, run: str, state: RunState, event: AnyEvent) -> None: ...

    def tell(self, attempt: str, text: str) -> None: ...

    async def ask_land(self, state: RunState) -> bool:  # noqa: ARG002
        return False


class Told:
    """A view that passes on what happens from now on, in sentences, and what agents do not oftener than it changes."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._since = time.time()
        self._doing: dict[str, str] = {}

    def watch(self, state: RunState, event: AnyEvent) -> None:
        from ropeteam.cli.narration import sentence

        said = sentence(state, event) if event.at >= self._since else None
        if said is not None:
            self._tell(said[0])

    def tell(self, attempt: str, text: str) -> None:
        if self._doing.get(attempt) != text:
            self._doing[attempt] = text
            self._tell(f"{attempt}: {outline.brief(text)}")


def _request(call: Call, asked: Feature | Start) -> app.Request:
    from ropeteam import app

    every = asked.part == "all"
    return app.Request(
        repo=call.repo,
        feature=asked.feature,
        parts=(asked.part,) if asked.part and not every else (),
        all_parts=every,
        mode=asked.mode,
        flags={"agent": asked.agent} if asked.agent else {},
    )


def _repository(call: Call) -> app.Repository:
    from ropeteam import app

    return app.open_repository(call.repo)


def _at_work(prepared: app.Prepared) -> str:
    """The run that is at work on this feature already: a host that forgot it must not begin it twice."""
    from ropeteam import run as runs

    try:
        newest = runs.state_of(prepared.repository, None)
    except NoSuchRun:
        return ""
    run = newest.begun.run
    same = newest.begun.feature.name == prepared.feature.name
    begins = not newest.attempts and time.time() - newest.clockwork.last < BEGIN_SECONDS  # who drives it is not up yet
    return run if same and not still(newest) and (begins or is_driven(prepared.repository, run)) else ""


def _resumed(call: Call, name: str) -> Answer:
    from ropeteam import run as runs

    repository = _repository(call)
    state = runs.state_of(repository, name)
    run = state.begun.run
    if state.outcome not in (None, "not_delivered"):
        return _ended(state)
    repository.lock(run).release()  # RunBusy while somebody drives it
    runs.spawn_driver(repository, run)
    return Answer(text=f"{run} goes on by itself; call wait.", started=True, run=run)


def _abandoned(run: str) -> str:
    return f"Nobody drives {run} any more; everything is kept. Call start with run={run} to go on."


def _ended(state: RunState) -> Answer:
    return _standing(state, _text(outline.outcome(state)))


def _standing(state: RunState, text: str) -> Answer:
    from ropeteam.core.report import report as made

    r = made(state)
    return Answer(
        text=text,
        run=r.run,
        done=still(state),
        state=r.state,
        outcome=r.outcome or "",
        landed=r.landed if r.outcome else None,
        branch=r.branch or "",
        resume_at=r.resume_at or "",
    )


def _text(lines: list[str] | tuple[str, ...]) -> str:
    return "\n".join(line for line in lines if line)


# ---- the table of them


@dataclass(frozen=True)
class Tool:
    """description: what a model reads in every request: short. takes: a struct with the arguments."""

    description: str
    takes: type[Value]
    does: Callable[[Call, Any], Answer]
    reads_only: bool = False


HOST_HINT: Final = 'With agent="host" your own subagents do the work.'
TOOLS: Final[dict[str, Tool]] = {
    "plan": Tool("Plan and estimate a feature; changes nothing.", Feature, plan, reads_only=True),
    "start": Tool(
        "Start implementing a planned feature in the background; returns the decision, or what to ask the user first"
        " (then repeat with the code it gives).",
        Start,
        start,
    ),
    "wait": Tool("Wait for a run; returns its short report, or its progress.", Wait, wait, reads_only=True),
    "status": Tool("Where a run is.", Run, status, reads_only=True),
    "report": Tool("What a run did.", WhichReport, report, reads_only=True),
    "take_unit": Tool("Host mode: take units for your own subagents.", hosting_brief.TakeUnit, take_unit),
    "hand_in_unit": Tool("Host mode: hand in units that were taken.", hosting_brief.HandInUnit, hand_in_unit),
    "cancel": Tool("Stop a run; all work is kept.", Run, cancel),
}
MEANINGS: Final = {
    "feature": "Name under .workspace/features, or path.",
    "part": "One part of it, or `all`.",
    "land": "yes: onto the branch that is checked out once validated; no: leave a branch (default).",
    "confirm": "The code from start's answer, once its user was shown that and agreed.",
    "settings": "KEY=VALUE",
    "agent": "Default: the first that works. `host`: your own subagents do the units.",
    "abandon": "Give them back undone: nobody is at work on them.",
    "timeout_seconds": f"At most {LONGEST_WAIT:g}.",
}


def problem_of(error: RopeteamError) -> Answer:
    """What the user must change, or what went wrong, as an answer."""
    where = f" ({error.where})" if error.where else ""
    more = HOST_HINT if error.code == "agent_not_usable" else ""
    return Answer(text=_text((f"{error.message}{where}", error.hint, more)), problem=error.code)


def answer(name: str, call: Call, arguments: dict[str, Any]) -> Answer:
    """Call a tool. What goes wrong comes as an answer, too."""
    tool = TOOLS.get(name)
    if tool is None:
        return Answer(text=f"There is no tool {name!r}. Tools: {', '.join(TOOLS)}.", problem="usage")
    try:
        given = {key: value for key, value in arguments.items() if value is not None}
        unknown = given.keys() - {f.name for f in msgspec.structs.fields(tool.takes)}
        if unknown:
            raise BadInput(f"{name} takes no {', '.join(sorted(unknown))}.", where=name)
        return tool.does(call, msgspec.convert(given, tool.takes, strict=False))
    except msgspec.ValidationError as error:
        return Answer(text=f"{name}: {error}", problem="usage")
    except RopeteamError as error:
        return problem_of(error)
    except Exception as error:
        from ropeteam.cli.failing import HINT, save_trace

        text = (
            f"Something unexpected happened ({type(error).__name__}: {error}). Details in {save_trace(error)}. {HINT}"
        )
        return Answer(text=text, problem="unexpected")


def schema(tool: Tool) -> dict[str, Any]:
    """The JSON Schema of what a tool takes, as short as it can be."""
    fields = msgspec.structs.fields(tool.takes)
    return {
        "type": "object",
        "properties": {f.name: _property(f.name, f.type) for f in fields},
        "required": [f.name for f in fields if f.required],
    }


KINDS: Final[dict[Any, str]] = {str: "string", bool: "boolean", float: "number", int: "integer"}


def _property(name: str, kind: Any) -> dict[str, Any]:
    from typing import get_args, get_origin

    if get_origin(kind) is Literal:
        said: dict[str, Any] = {"enum": [word for word in get_args(kind) if word]}
    elif get_origin(kind) is tuple:
        said = {"type": "array", "items": {"type": KINDS.get(get_args(kind)[0], "object")}}
    else:
        said = {"type": KINDS.get(str if kind == str | bool else kind, "object")}
    return said | ({"description": MEANINGS[name]} if name in MEANINGS else {})
