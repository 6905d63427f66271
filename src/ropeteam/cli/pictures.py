"""Pictures of the terminal for the README, drawn by the program itself from a real run."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from ropeteam.cli import live, page_text
from ropeteam.cli.plain import plain
from ropeteam.core import events as ev
from ropeteam.core.state import RunState

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.cli.page_parts import Page
    from ropeteam.run import Screen

WIDTH = 100
SHOWN_AT = 0.85
"""Of what the agent says in the end: the live view is drawn from the moment nearest to this share of it."""


def draw(content: RenderableType, path: Path, title: str) -> None:
    """Write what a terminal of 100 columns would show into an SVG file. Nothing in it depends on the clock."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, markup=False, highlight=False, force_terminal=True)
    console.print(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    svg = _with_fonts_of_the_reader(console.export_svg(title=title, unique_id="ropeteam"))
    path.write_text(svg, encoding="utf-8", errors="backslashreplace")


def _with_fonts_of_the_reader(svg: str) -> str:
    """rich has them loaded from elsewhere; letters keep their places with any font, as each text has its length."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace")


def draw_report(page: Page, path: Path) -> None:
    draw(page_text.body(page), path, "ropeteam report")


Shot = tuple[RunState, dict[str, str], tuple[RenderableType, ...], float]


def _best(shots: list[Shot]) -> Shot:
    """Of one agent a late one; of several the last with most of them at work."""
    if not shots[0][0].together:
        return shots[int(len(shots) * SHOWN_AT)]
    return max(enumerate(shots), key=lambda s: (len(s[1][0].under_way()), s[0]))[1]


class Camera:
    """A screen that remembers what could be seen while the agent was at work, and shows it on another screen too."""

    interactive = True

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._state: RunState | None = None
        self._lines: list[RenderableType] = []
        self._doing: dict[str, str] = {}
        self._shots: list[Shot] = []

    def consent(self, prepared: app.Prepared) -> bool:
        return self._screen.consent(prepared)

    async def ask_land(self, state: RunState) -> bool:
        return await self._screen.ask_land(state)

    def watch(self, run: str, state: RunState, event: ev.AnyEvent) -> None:
        self._state = state
        self._lines += live.said(state, event)
        self._screen.watch(run, state, event)

    def tell(self, attempt: str, text: str) -> None:
        if self._state is not None and any(a.stage == "running" for a in self._state.attempts):
            self._doing[attempt] = plain(text)
            self._shots.append((self._state, dict(self._doing), tuple(self._lines), time.time()))
        self._screen.tell(attempt, text)

    def develop(self, state: RunState, folder: Path) -> None:
        """Draw `live.svg` and `report.svg`."""
        from rich.console import Group

        from ropeteam.cli.reporting import page_of

        if self._shots:
            seen, doing, lines, now = _best(self._shots)
            draw(Group(*lines, live.moving(seen, doing, now)), folder / "live.svg", "ropeteam run")
        draw_report(page_of(state), folder / "report.svg")
