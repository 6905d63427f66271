"""The live view of a run: a few lines in the terminal that are redrawn, or plain lines where there is none."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ropeteam.cli import live_together
from ropeteam.cli.narration import sentence
from ropeteam.cli.plain import count, duration, escaped, money, plain, shortened
from ropeteam.core import events as ev
from ropeteam.core.state import AttemptState, RunState, spent
from ropeteam.core.timing import time_scale

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.live import Live
    from rich.text import Text

MOST_PER_SECOND = 4
IDLE_SECONDS = 1.0
QUIET_SECONDS = 5.0
"""Where lines are only appended: between two lines about what one attempt does."""


class Lines:
    """For logs and pipes: one line for each thing that happened, with the time of day, on standard error."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, str]] = {}

    def watch(self, state: RunState, event: ev.AnyEvent) -> None:
        happened = sentence(state, event)
        if happened is not None:
            self.line(happened[0])

    def tell(self, attempt: str, text: str) -> None:
        at, before = self._last.get(attempt, (-QUIET_SECONDS, ""))
        now = time.monotonic()
        text = shortened(plain(text), 160)
        if text and text != before and now - at >= QUIET_SECONDS:
            self._last[attempt] = (now, text)
            self.line(f"{attempt}: {text}")

    def line(self, text: str) -> None:
        more = "\n" + " " * 10  # below the words
        print(f"{time.strftime('%H:%M:%S')}  {text.replace(chr(10), more)}", file=sys.stderr, flush=True)

    def close(self) -> None: ...


class Picture:
    """For a terminal: what happened scrolls by, below it stands what happens now. Drawn at most 4 times a second."""

    def __init__(self) -> None:
        self._state: RunState | None = None
        self._doing: dict[str, str] = {}
        self._live: Live | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drawn = 0.0

    def watch(self, state: RunState, event: ev.AnyEvent) -> None:
        self._state = state
        for line in said(state, event):
            self._begun().console.print(indented(line))
        self._soon()

    def tell(self, attempt: str, text: str) -> None:
        self._doing[attempt] = plain(text)
        self._soon()

    def close(self) -> None:
        """Take the moving lines away: whoever comes next writes below what happened."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def draw(self) -> None:
        """Draw now, and again when a second has gone by."""
        self._drawn = time.monotonic()
        if self._state is not None:
            self._begun().update(moving(self._state, self._doing, time.time()), refresh=True)

    def _begun(self) -> Live:
        if self._live is None:
            from rich.live import Live

            from ropeteam.cli.page_text import console

            # redrawn by the run's own loop: no thread
            self._live = Live(console=console(sys.stderr, as_it_is=True), auto_refresh=False, transient=True)
            self._live.start()
        return self._live

    def _soon(self) -> None:
        """Draw at the next moment that is allowed, then once a second as long as the run is driven."""
        wait = max(0.0, self._drawn + 1 / MOST_PER_SECOND - time.monotonic())
        self._at(wait)

    def _at(self, seconds: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody's loop: whoever follows a run from its journal draws by himself
            return
        due = loop.time() + seconds
        if self._timer is not None and not self._timer.cancelled() and loop.time() < self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        with suppress(OSError):  # nobody sees it any more
            self.draw()
            self._at(IDLE_SECONDS)


def view() -> Lines | Picture:
    """What suits standard error."""
    return Picture() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()


def said(state: RunState, event: ev.AnyEvent) -> list[Text]:
    """The lines that scroll by when something has happened; none for what nobody needs to know."""
    from rich.text import Text

    from ropeteam.cli.page_text import MARKS, STYLES

    happened = sentence(state, event)
    if happened is None:
        return []
    text, tone = happened
    first, *more = text.splitlines()
    line = Text.assemble((f"{MARKS[tone]} ", STYLES[tone]), (first, "" if tone == "good" else STYLES[tone]))
    return [line, *(Text(f"  {other}", STYLES["dim"]) for other in more)]


def indented(line: Text) -> RenderableType:
    """What is longer than the terminal goes on below its first word."""
    from rich.table import Table

    mark, text = line[:2], line[2:]
    grid = Table.grid()
    grid.add_column(width=2)
    grid.add_column()
    grid.add_row(mark, text)
    return grid


def moving(state: RunState, doing: dict[str, str], now: float) -> Group:
    """What happens now: the attempt at work, what is checked, what it took so far."""
    if state.together:
        return live_together.moving(state, doing, now)
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.expand = True
    for name, what, figures in rows(state, doing, now):
        grid.add_row(Text(name, style="bold cyan"), Text(what), Text(figures, style="dim"))
    return Group(Text(), grid, Text(footer(state, now), style="dim", no_wrap=True, overflow="ellipsis"))


def rows(state: RunState, doing: dict[str, str], now: float) -> list[tuple[str, str, str]]:
    """(unit, what it does now, time, tokens and cost) of everything under way."""
    if state.together:
        return live_together.rows(state, doing, now)
    found = []
    for command in state.open.values():
        match command:
            case ev.RunAgent():
                running = [a for a in state.attempts if a.id == command.attempt]
                what = doing.get(command.attempt) or "preparing its work tree"
                figures = _figures(state, running[0], now) if running else live_together.waited(state, command, now)
                found.append((command.attempt, what, figures))
            case ev.MeasureBaseline():
                found.append(("checks", "running on the code as it was, to compare with", ""))
            case ev.Validate():
                since = state.opened.get(command.key, now)
                found.append(("checks", "running on the result", duration(max(0.0, now - since))))
            case ev.Merge() | ev.Rebase():
                found.append(("merge", "putting the work on the base", ""))
            case ev.Land():
                found.append(("landing", f"onto {escaped(command.branch)}", ""))
            case ev.Ask():
                found.append(("landing", "waiting for your answer", ""))
            case _:
                pass
    return found or [(state.phase, "", "")]


def _figures(state: RunState, a: AttemptState, now: float) -> str:
    seconds = max(0.0, now - a.started_at) * time_scale(state)
    used = count(a.usage.tokens, "token") if a.usage.tokens else ""
    share = f"context {a.usage.context_used / a.usage.context_limit:.0%}" if a.usage.context_limit else ""
    cost = money(a.usage.cost_usd) if a.usage.cost_usd else ""
    return " · ".join(part for part in (used, share, cost, duration(seconds)) if part)


def footer(state: RunState, now: float) -> str:
    """The run as a whole: its feature, what it cost so far, what stops it."""
    cost, tokens, _ = spent(state.attempts)
    begun = state.begun
    scale = time_scale(state)
    at_work = sum(now - a.started_at for a in state.attempts if a.stage == "running")
    worked = sum(a.result.seconds for a in state.attempts) + max(0.0, at_work)
    if state.together:
        return live_together.footer(state, now)
    limit = f" of {money(state.budget_usd)}" if state.budget_usd is not None else ""
    label = f" of a scripted agent, {scale:g}-fold" if scale != 1.0 else ""
    worked_for = f"{duration(worked * scale)}{label}"
    used = f"{tokens:,} tokens · {money(cost)}{limit}"
    if not cost and any(a.costless for a in state.attempts):
        used = live_together.spent_so_far(state)
    return " · ".join([escaped(begun.feature.name), state.phase, used, worked_for])  # the longest comes last
