"""The live view of several agents: a line for each at work, what is put together, how far it is, when it may end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ropeteam.cli.narration_together import checkpoint_name, expected_words, label
from ropeteam.cli.plain import clock_time, duration, escaped, money, shortened, tokens
from ropeteam.core import events as ev
from ropeteam.core.expecting import expected_path
from ropeteam.core.model import Unit
from ropeteam.core.progress import newest, units, validated
from ropeteam.core.state import AttemptState, RunState, spent
from ropeteam.core.timing import covered, time_scale

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

LONGEST_NAME: Final = 22
CONTEXT_SHOWN: Final = 0.5
"""From this share on it is shown how full the context of an agent's model is: before it tells nothing."""

MARKS: Final = {"done": "✓", "working": "●", "open": "○", "out": "✗"}
STYLES: Final = {"done": "green", "working": "cyan", "open": "dim", "out": "yellow"}


def moving(state: RunState, doing: dict[str, str], now: float) -> Group:
    """At most as many lines as agents, one more for a belay, and five."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=LONGEST_NAME, overflow="ellipsis")
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.expand = True
    for name, what, figures in rows(state, doing, now):
        grid.add_row(Text(name, style="bold cyan"), Text(what), Text(figures, style="dim"))
    lines = [progress(state), ahead(state, now), Text(footer(state, now), style="dim")]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(Text(), grid, *(line for line in lines if line))


# ---- what is under way


def rows(state: RunState, doing: dict[str, str], now: float) -> list[tuple[str, str, str]]:
    """(unit, what it does now, tokens, cost and time) of every agent under way; last what is put together."""
    agents = [_agent(state, c, doing, now) for c in sorted(state.under_way(), key=lambda c: c.slot)]
    together = _together(state, now)
    return [*agents, *([together] if together else [])] or [(state.phase, "", "")]


def _agent(state: RunState, c: ev.RunAgent, doing: dict[str, str], now: float) -> tuple[str, str, str]:
    a = next((a for a in state.attempts if a.id == c.attempt), None)
    what = doing.get(c.attempt) or ("at work" if a is not None else _before(c, now))
    if f"stop:{c.key}" in state.open:
        what = "being stopped"
    return label(c.attempt), what, _figures(state, a, now) if a is not None else waited(state, c, now)


def waited(state: RunState, c: ev.RunAgent, now: float) -> str:
    """Since when an attempt waits for somebody to take it; empty for one that does not."""
    since = state.offered.get(c.attempt)
    return f"for {duration(max(0.0, now - since))}" if since is not None else ""


def _before(c: ev.RunAgent, now: float) -> str:
    if c.not_before > now:
        return f"waiting until {clock_time(c.not_before, seconds=True)}"
    return "preparing its work tree"


def _figures(state: RunState, a: AttemptState, now: float) -> str:
    seconds = max(0.0, now - a.started_at) * time_scale(state)
    used = tokens(a.usage.tokens) if a.usage.tokens else ""
    share = a.usage.context_used / a.usage.context_limit if a.usage.context_limit else 0.0
    context = f"context {share:.0%}" if share >= CONTEXT_SHOWN else ""
    cost = money(a.usage.cost_usd) if a.usage.cost_usd else ""
    return " · ".join(part for part in (context, used, cost, duration(seconds)) if part)


def _together(state: RunState, now: float) -> tuple[str, str, str] | None:
    """What is merged, checked or landed now: one line for all of it."""
    said: list[str] = []
    since: list[float] = []
    for c in state.open.values():
        match c:
            case ev.MeasureBaseline():
                said.append("checking the code as it was, to compare with")
            case ev.Validate():
                said.append(_checking(state, c))
            case ev.Merge() | ev.Rebase():
                name = label(c.attempt) if isinstance(c, ev.Merge) else "the result"
                said.append(f"merging {name}")
            case ev.Land():
                said.append(f"landing onto {escaped(c.branch)}")
            case ev.Ask():
                said.append("waiting for your answer")
            case _:
                continue
        since.append(state.opened.get(c.key, now))
    if not said:
        return None
    return "together", "; ".join(said), duration(max(0.0, now - min(since)))


def _checking(state: RunState, c: ev.Validate) -> str:
    here = next((a for a in state.attempts if a.merged == c.commit), None)
    if here is None:
        return "checking everything once more"
    if here.unit in ("rest", "single", "belay"):
        return f"checking the work of {here.unit}"
    waiting = state.line[: state.line.index(here.id) + 1] if here.id in state.line else (here.id,)
    names = ", ".join(state.attempt(id).unit for id in waiting)
    on = f" on {checkpoint_name(state)}" if state.checkpoint else ""
    return f"{'looking which fails: ' if state.suspects else ''}checking {names}{on}"


# ---- how far, and what comes


def states(state: RunState) -> dict[str, str]:
    """Of each unit `done`, `working`, `open` or `out`: which failed or was taken out again."""
    done, last = validated(state), {a.unit: a for a in newest(state)}
    under_way = {c.unit for c in state.under_way()}
    found = {}
    for u in units(state):
        a = last.get(u.id)
        if u.id in done:
            found[u.id] = "done"
        elif u.id in under_way or (a is not None and (a.again or a.stage in ("running", "ended", "merged"))):
            found[u.id] = "working"
        else:
            found[u.id] = "out" if a is not None else "open"
    return found


def progress(state: RunState) -> Text:
    """How many hold, the map of units batch by batch, the other counts."""
    from rich.text import Text

    known = states(state)
    text = Text(f"{sum(s == 'done' for s in known.values())} of {len(known)} units hold  ")
    for number, batch in enumerate(_batches(state)):
        text.append(" " if number else "")
        for u in batch:
            text.append(MARKS[known[u.id]], STYLES[known[u.id]])
    return text.append(f"  {', '.join(_counts(state, known))}", "dim")


def _counts(state: RunState, known: dict[str, str]) -> list[str]:
    waiting = len(state.line)
    ready = [u for u in units(state) if known[u.id] == "open" and all(known.get(n) == "done" for n in u.needs)]
    blocked = sum(s == "open" for s in known.values()) - len(ready)
    out = sum(s == "out" for s in known.values())
    if state.fallen:
        rest = len(ready) + blocked + out
        return [f"{rest} left to one agent"] if rest else []
    named = ((waiting, "to be checked"), (len(ready), "ready"), (blocked, "waiting for others"), (out, "failed"))
    return [f"{n} {what}" for n, what in named if n]


def _batches(state: RunState) -> list[list[Unit]]:
    found: dict[int, list[Unit]] = {}
    for u in units(state):
        found.setdefault(u.batch, []).append(u)
    return [found[n] for n in sorted(found)]


def ahead(state: RunState, now: float) -> Text:
    """What the end hangs on, with where that is now, and when it is expected."""
    from rich.text import Text

    text = Text()
    text.append(expected_words(state, now))
    path, known = expected_path(state), states(state)
    if path and any(known[id] != "done" for id in path):
        text.append("  hangs on " if text else "Hangs on ", "dim")
        left = [id for id in path if known[id] != "done"]
        gone = len(path) - len(left)
        text.append(f"({gone} done) " if gone else "", "dim")
        for number, id in enumerate(left):
            text.append(" → " if number else "", "dim")
            text.append(f"{shortened(id, LONGEST_NAME)} ")
            text.append(MARKS[known[id]], STYLES[known[id]])
    return text


UNKNOWN_USE: Final = "tokens not known"


def unmeasured(state: RunState) -> bool:
    """Nobody said what any agent used, or there is none that could be asked."""
    cost, used, _ = spent(state.attempts)
    return not cost and not used and any(a.hosted for a in state.attempts)


def spent_so_far(state: RunState) -> str:
    """Tokens and money as far as they are known."""
    cost, used, _ = spent(state.attempts)
    if unmeasured(state):
        return UNKNOWN_USE
    limit = f" of {money(state.budget_usd)}" if state.budget_usd is not None else ""
    if not cost and any(a.costless for a in state.attempts):
        return f"{tokens(used)} · cost not known"
    return f"{tokens(used)} · {money(cost)}{limit}"


def footer(state: RunState, now: float) -> str:
    """The run as a whole: its feature, what it cost so far, how long it goes on."""
    scale = time_scale(state)
    spans = [(a.started_at, now if a.stage == "running" else a.ended_at or a.started_at) for a in state.attempts]
    label = f", scripted {scale:g}-fold" if scale != 1.0 else ""
    name = shortened(escaped(state.begun.feature.name), 24)
    phase = {"draining": "falling back to one agent"}.get(state.phase, str(state.phase))
    if state.fallen and state.phase == "running":
        phase = "one agent goes on"
    return " · ".join(
        [
            name,
            phase,
            spent_so_far(state),
            f"{duration(covered(spans) * scale)}{label}",
        ]
    )
