"""Predicted beside actual as SVG: a column for each run of several agents, the band that was predicted, what came.

One piece of text with a style of its own, light or dark as the reader prefers. What a colour says is said in words
too: in the legend, and in the title of every column.
"""

from __future__ import annotations

from html import escape
from typing import Final

from ropeteam.cli.plain import plain, shortened
from ropeteam.core.history_chart import Column, HistoryChart

LEFT: Final = 84
RIGHT: Final = 16
TOP: Final = 36
HEIGHT: Final = 200
STEP: Final = 52
LEAST_WIDTH: Final = 520
BAND: Final = 18
LONGEST_NAME: Final = 16

STYLE: Final = """
.past { --ok: #2e8b57; --out: #c94f3d; --band: #a9c4e4; --mid: #3a7bc8; --line: #d5dadf; --ink: #1c2024;
        --soft: #5c656e; display: block; width: 100%; height: auto; }
.past text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.past .soft { fill: var(--soft); }
.past .grid { stroke: var(--line); } .past .one { stroke: var(--soft); stroke-dasharray: 5 3; }
.past .band { fill: var(--band); } .past .mid { stroke: var(--mid); stroke-width: 2.5; }
.past .ok { fill: var(--ok); } .past .out { fill: var(--out); }
@media (prefers-color-scheme: dark) {
  .past { --ok: #4fb57f; --out: #e5766a; --band: #2d4a6b; --mid: #64a3ea; --line: #363d44; --ink: #e3e6e9;
          --soft: #9aa4ad; }
}
"""


def svg(chart: HistoryChart) -> str:
    """The chart as an element to be put into a page, or a file of its own."""
    width = max(LEAST_WIDTH, LEFT + RIGHT + STEP * len(chart.columns))
    height = TOP + HEIGHT + 92
    return "\n".join(
        [
            f'<svg class="past" viewBox="0 0 {width} {height}" role="img" aria-labelledby="past-title past-desc"'
            ' xmlns="http://www.w3.org/2000/svg">',
            '<title id="past-title">Times as fast as one agent, predicted and actual</title>'
            f'<desc id="past-desc">{_desc(chart)}</desc>',
            f"<style>{STYLE}</style>",
            *_axis(chart, width),
            *(_column(chart, n, c) for n, c in enumerate(chart.columns)),
            *_legend(chart, TOP + HEIGHT + 76),
            "</svg>",
        ]
    )


def _desc(chart: HistoryChart) -> str:
    held = sum(c.held for c in chart.columns)
    return f"{held} of {len(chart.columns)} runs were at least as fast as was cautiously predicted."


def _y(chart: HistoryChart, value: float) -> float:
    return round(TOP + HEIGHT * (1 - value / chart.top), 1)


def _axis(chart: HistoryChart, width: int) -> list[str]:
    scaled = " (feature time, scripted agent)" if chart.scripted else ""
    parts = [f'<text class="soft" x="4" y="16">times as fast as one agent{scaled}</text>']
    step = next(s for s in (0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1e9) if chart.top / s <= 6)
    value = 0.0
    while value <= chart.top:
        y = _y(chart, value)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{width - RIGHT}" y2="{y}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>')
        value += step
    y = _y(chart, 1.0)
    parts.append(f'<line class="one" x1="{LEFT}" y1="{y}" x2="{width - RIGHT}" y2="{y}"/>')
    return parts


def _column(chart: HistoryChart, number: int, c: Column) -> str:
    x = LEFT + STEP * number + STEP // 2
    low, middle, came = _y(chart, c.low or c.middle), _y(chart, c.middle), _y(chart, c.came)
    name = escape(shortened(plain(c.name), LONGEST_NAME))
    foot = TOP + HEIGHT + 14
    top, tall = min(low, middle), max(1.0, round(abs(low - middle), 1))
    look = "ok" if c.held else "out"
    shape = (  # what did not hold has another shape, not only another colour
        f'<circle class="ok" cx="{x}" cy="{came}" r="5"/>'
        if c.held
        else f'<path class="{look}" d="M{x - 5} {came - 5} h10 l-5 10 z"/>'
    )
    return (
        f"<g><title>{escape(plain(c.text))}{', slower than one agent' if c.slower else ''}</title>"
        f'<rect class="band" x="{x - BAND / 2}" y="{top}" width="{BAND}" height="{tall}" rx="2"/>'
        f'<line class="mid" x1="{x - BAND / 2}" y1="{middle}" x2="{x + BAND / 2}" y2="{middle}"/>{shape}'
        f'<text class="soft" x="{x}" y="{foot}" text-anchor="end" transform="rotate(-28 {x} {foot})">{name}</text></g>'
    )


def _legend(chart: HistoryChart, y: int) -> list[str]:
    parts = [
        f'<rect class="band" x="4" y="{y - 8}" width="16" height="12" rx="2"/>',
        f'<line class="mid" x1="4" y1="{y - 8}" x2="20" y2="{y - 8}"/>',
        f'<text x="26" y="{y + 3}">predicted: cautiously to typically</text>',
        f'<circle class="ok" cx="250" cy="{y - 1}" r="5"/><text x="260" y="{y + 3}">came out so, or better</text>',
    ]
    if not all(c.held for c in chart.columns):
        parts.append(f'<path class="out" d="M405 {y - 6} h10 l-5 10 z"/><text x="421" y="{y + 3}">did not</text>')
    return parts
