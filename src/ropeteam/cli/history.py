"""`ropeteam history`: predicted beside actual of the runs of this repository."""

from __future__ import annotations

from pathlib import Path

import click

from ropeteam.cli import options


@click.command(short_help="Predicted beside actual, of the runs here.")
@options.repo
@click.option("--agent", default="", metavar="NAME", help="Only runs of this agent.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json", "html"]),
    default="text",
    help="text (default), md: Markdown, json, html: one self-contained file with a chart.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--chart", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also draw it into an SVG file."
)
def history(repo: Path, agent: str, form: str, as_json: bool, chart: Path | None) -> int:
    """What earlier runs of this repository were predicted to take, and took; how far predictions held; what estimates
    are made of by now."""
    from ropeteam.cli import history_svg
    from ropeteam.core.history_chart import history_chart
    from ropeteam.core.history_report import history_report

    found = options.open_repository(repo).history(remember=True)
    report = history_report(found.runs, agent=agent, skipped=found.skipped, earlier=found.earlier)
    drawn = history_chart([r for r in found.runs if not agent or r.agent == agent])
    if chart is not None:
        _draw(chart, history_svg.svg(drawn) if drawn is not None else None)
    if form == "json" or as_json:
        options.print_json(report)
        return 0
    from ropeteam.cli import page_history, page_markdown

    page = page_history.page(report)
    if form == "text":
        from ropeteam.cli import page_text

        page_text.show(page)
    else:
        picture = history_svg.svg(drawn) if drawn is not None else ""
        text = page_markdown.markdown(page)
        if form == "html":
            text = page_markdown.html(page, "ropeteam: history", picture)
        options.print_bytes(text.encode("utf-8", "backslashreplace"))
    return 0


def _draw(path: Path, picture: str | None) -> None:
    """Raises BadInput where there is nothing to draw, or it cannot be written."""
    from ropeteam.errors import BadInput

    if picture is None:
        raise BadInput(
            "There is nothing to draw: no run of several agents had a prediction to compare it with.",
            where="--chart",
            hint="`ropeteam history` lists the runs there are.",
            code="nothing_to_draw",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as problem:
        raise BadInput(f"The chart cannot be written: {problem.strerror or problem}.", where=str(path)) from problem
