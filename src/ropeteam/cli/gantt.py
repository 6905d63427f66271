"""The chart of a run as SVG: rows for units in the order of their batches, bars for attempts, the path its end hung on.

One piece of text with a style of its own, light or dark as the reader prefers. No script, nothing from elsewhere. What
a colour says is said in words too: in the legend, and in the title of every bar, which screen readers read.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Final

from ropeteam.cli.plain import duration, plain, shortened
from ropeteam.core.chart import Bar, Chart, Line, Mark

WIDTH: Final = 860
LEFT: Final = 170
RIGHT: Final = 20
TOP: Final = 44
ROW: Final = 24
THICK: Final = 14
THIN: Final = 5
LEAST: Final = 2.0
"""Width of a bar that lasted no time."""
LONGEST_NAME: Final = 22
MOST_TICKS: Final = 9
STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)

CLASSES: Final = {
    "validated": "ok",
    "working": "now",
    "set aside": "out",
    "stopped": "halt",
    "merge": "merge",
    "check": "check",
}
LEGEND: Final = (
    ("validated", "validated"),
    ("set aside", "failed, or not taken"),
    ("stopped", "stopped"),
    ("working", "at work"),
    ("merge", "merge"),
    ("check", "checks"),
)

STYLE: Final = """
.gantt { --ok: #2e8b57; --out: #c94f3d; --halt: #98a1aa; --now: #3a7bc8; --thin: #7a5fb0; --line: #d5dadf;
         --ink: #1c2024; --soft: #5c656e; --fall: #b26a00; display: block; width: 100%; height: auto; }
.gantt text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.gantt .soft { fill: var(--soft); }
.gantt .grid { stroke: var(--line); }
.gantt .ok { fill: var(--ok); } .gantt .out { fill: var(--out); } .gantt .halt { fill: var(--halt); }
.gantt .now { fill: var(--now); } .gantt .merge, .gantt .check { fill: var(--thin); }
.gantt .path { fill: none; stroke: var(--ink); stroke-width: 2; }
.gantt .link { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 2 3; }
.gantt .fall { stroke: var(--fall); stroke-width: 2; stroke-dasharray: 6 3; }
.gantt .gap { stroke: var(--soft); stroke-dasharray: 1 3; }
.gantt text.fell { fill: var(--fall); font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .gantt { --ok: #4fb57f; --out: #e5766a; --halt: #7d868f; --now: #64a3ea; --thin: #a98fe0; --line: #363d44;
           --ink: #e3e6e9; --soft: #9aa4ad; --fall: #f0a83c; }
}
"""


def svg(chart: Chart) -> str:
    """The chart as an element to be put into a page."""
    height = TOP + ROW * len(chart.lines) + 62
    parts = [
        f'<svg class="gantt" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="gantt-title gantt-desc"'
        ' xmlns="http://www.w3.org/2000/svg">',
        f'<title id="gantt-title">When which unit was worked on</title><desc id="gantt-desc">{_desc(chart)}</desc>',
        f"<style>{STYLE}</style>",
        *_axis(chart),
    ]
    group = ""
    for number, line in enumerate(chart.lines):
        if line.group != group:
            parts.append(_separator(number))
        group = line.group
        parts += _row(chart, number, line)
    parts += _links(chart)
    parts += [_mark(chart, mark) for mark in chart.marks]
    parts += _legend(chart, TOP + ROW * len(chart.lines) + 42)
    return "\n".join([*parts, "</svg>"])


def _desc(chart: Chart) -> str:
    path = ", then ".join(escape(plain(id)) for id in chart.path)
    falls = [escape(plain(m.text)) for m in chart.marks if m.kind == "fall"]
    fell = f" It fell back to one agent because of {falls[0]}." if falls else ""
    rows = len([line for line in chart.lines if line.name != "checks"])
    return f"{rows} rows over {duration(chart.end)}. Its end hung on {path}.{fell}"


def _x(chart: Chart, at: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at / max(chart.end, 0.001), 1)


def _y(number: int) -> int:
    return TOP + ROW * number


# ---- the axis


def _axis(chart: Chart) -> list[str]:
    step = next((s for s in STEPS if chart.end / s <= MOST_TICKS), STEPS[-1])
    bottom = _y(len(chart.lines))
    scaled = f" of feature time (scripted agent, {chart.scale:g}-fold)" if chart.scale != 1.0 else ""
    parts = [f'<text class="soft" x="{LEFT}" y="14">minutes{scaled}</text>']
    at = 0.0
    while at <= chart.end:
        x = _x(chart, at)
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{x}" y="{TOP - 12}" text-anchor="middle">{_minutes(at, step)}</text>')
        at += step
    return parts


def _minutes(at: float, step: int) -> str:
    """`3` minutes, `0:30` where there are ticks between minutes."""
    whole = round(at)
    return f"{whole // 60}:{whole % 60:02d}" if step % 60 else f"{whole // 60:,}"


def _separator(number: int) -> str:
    y = _y(number)
    return f'<line class="grid" x1="0" y1="{y}" x2="{WIDTH}" y2="{y}"/>' if number else ""


# ---- rows


def _row(chart: Chart, number: int, line: Line) -> list[str]:
    y = _y(number)
    name = escape(shortened(plain(line.name), LONGEST_NAME))
    group = escape(f"{plain(line.name)}, {line.group}" if line.group else plain(line.name))
    parts = [f'<g><title>{group}</title><text x="4" y="{y + 16}">{name}</text></g>']
    thick = [b for b in line.bars if b.look not in ("merge", "check")]
    thin = [b for b in line.bars if b.look in ("merge", "check")]
    return [*parts, *(_bar(chart, y + 5, THICK, b) for b in thick), *(_bar(chart, y + 10, THIN, b) for b in thin)]


def _bar(chart: Chart, y: int, height: int, bar: Bar) -> str:
    x = _x(chart, bar.began)
    width = max(LEAST, round(_x(chart, bar.ended) - x, 1))
    words = escape(f"{plain(bar.text)}, {duration(bar.ended - bar.began)}")
    critical = ", its end hung on it" if bar.critical else ""
    shape = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="2"'
    outline = f'<rect class="path" {shape}/>' if bar.critical else ""
    return f'<g><title>{words}{critical}</title><rect class="{CLASSES[bar.look]}" {shape}/>{outline}</g>'


def _links(chart: Chart) -> list[str]:
    """From each attempt on the critical path to the next."""
    steps = sorted(
        ((b.began, b.ended, _y(n) + ROW // 2) for n, line in enumerate(chart.lines) for b in line.bars if b.critical)
    )
    parts = []
    for (_, ended, from_y), (began, _, to_y) in pairwise(steps):
        x1, x2 = _x(chart, ended), _x(chart, began)
        parts.append(f'<path class="link" d="M{x1} {from_y} L{x2} {from_y} L{x2} {to_y}"/>')
    return parts


def _mark(chart: Chart, mark: Mark) -> str:
    x, bottom = _x(chart, mark.at), _y(len(chart.lines))
    if mark.kind == "gap":
        words = escape(f"{plain(mark.text)} for {duration(mark.seconds)}, left out here")
        return f'<g><title>{words}</title><line class="gap" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/></g>'
    side = "end" if x > (LEFT + WIDTH) / 2 else "start"
    near = x - 4 if side == "end" else x + 4
    text = escape(shortened(plain(mark.text), 48))
    return (
        f"<g><title>fell back to one agent: {escape(plain(mark.text))}</title>"
        f'<line class="fall" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom + 6}"/>'
        f'<text class="fell" x="{near}" y="{bottom + 16}" text-anchor="{side}">{text}</text></g>'
    )


def _legend(chart: Chart, y: int) -> list[str]:
    seen = {b.look for line in chart.lines for b in line.bars}
    x, parts = 4.0, []
    for look, words in LEGEND:
        if look in seen:
            thin = look in ("merge", "check")
            height, top = (THIN, y + 4) if thin else (12, y)
            parts.append(f'<rect class="{CLASSES[look]}" x="{x}" y="{top}" width="16" height="{height}" rx="2"/>')
            parts.append(f'<text x="{x + 21}" y="{y + 11}">{words}</text>')
            x += 21 + 7 * len(words) + 16
    if chart.path:
        parts.append(f'<rect class="path" x="{x + 1}" y="{y}" width="16" height="12" rx="2"/>')
        parts.append(f'<text x="{x + 23}" y="{y + 11}">critical path: what the end hangs on</text>')
    return parts
