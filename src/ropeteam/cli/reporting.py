"""`ropeteam report`, and how every command that ends with a run's state shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options

if TYPE_CHECKING:
    from ropeteam.cli.page_parts import Page
    from ropeteam.core.state import RunState


@click.command(short_help="What a run did.")
@options.run_name
@options.repo
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "short", "md", "json", "html"]),
    default="text",
    help="text (default), short: a few lines, md: Markdown, json, html: one self-contained file.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also draw it into an SVG file."
)
def report(run: str | None, repo: Path, form: str, as_json: bool, picture: Path | None) -> int:
    """What RUN (the newest without a name) did: files, decisions, checks, what went differently, what it took."""
    from ropeteam import run as runs
    from ropeteam.core.report import report as made

    state = runs.state_of(options.open_repository(repo), run)
    if picture is not None:
        from ropeteam.cli.pictures import draw_report

        draw_report(page_of(state), picture)
    if form == "json" or as_json:
        options.print_json(made(state))
    elif form == "text":
        show(state)
    elif form == "short":
        from ropeteam.cli import outline

        options.print_text("\n".join(outline.outcome(state)))
    else:
        from ropeteam.cli import page_markdown

        page = page_of(state)
        title = f"ropeteam: {state.begun.feature.name}"
        text = page_markdown.markdown(page) if form == "md" else page_markdown.html(page, title, chart_of(state))
        options.print_bytes(text.encode("utf-8", "backslashreplace"))
    return 0


def show(state: RunState, *, as_json: bool = False, short: bool = False) -> None:
    """The closing report on standard output. short: its first line only."""
    from ropeteam.core.report import report as made

    if as_json:
        options.print_json(made(state))
        return
    page = page_of(state)
    if short:
        options.print_text(f"{page.headline} ({state.begun.run})")
        return
    from ropeteam.cli import page_text

    page_text.show(page)


def chart_of(state: RunState) -> str:
    """The chart of a run of several agents, as SVG; empty where there is nothing to draw."""
    from ropeteam.cli.gantt import svg
    from ropeteam.core.chart import chart

    drawn = chart(state)
    return svg(drawn) if drawn is not None else ""


def page_of(state: RunState) -> Page:
    from ropeteam.cli.page import page
    from ropeteam.core.report import report as made

    return page(made(state), branch=state.landed_on)
