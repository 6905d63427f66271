"""`ropeteam plan`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.cli.page_parts import Row
    from ropeteam.core.foreseen import Foreseen


@click.command(short_help="Plan, estimate and decide; change nothing.")
@click.argument("feature")
@options.parts
@options.repo
@options.ways
@click.option("--explain", is_flag=True, help="Also why: evidence, what was tried, what would change it.")
@click.option("--include-dirty", is_flag=True, help="Let an agent plan on what is not committed, too.")
@options.sets
@options.as_json
@options.short
@options.quiet
@options.yes
def plan(
    feature: str,
    parts: tuple[str, ...],
    all_parts: bool,
    repo: Path,
    agent: str | None,
    workers: int | None,
    mode: Literal["auto", "parallel", "single"],
    planner: str | None,
    plan: Path | None,
    explain: bool,
    include_dirty: bool,
    sets: tuple[str, ...],
    as_json: bool,
    short: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """How FEATURE (as for `ropeteam run`) would be done: units and who waits for whom, what one agent and several would
    take, the decision and its reasons. Nothing is changed and no agent is started, unless an agent has to plan: then
    that is asked about as for a run, and `ropeteam resume` carries the plan out.

    What --json prints can be given to `ropeteam run --plan`; --short starts no agent in any case, and also says what a
    run would need your consent for. Ends with 0: planned, 2: change something first."""
    from dataclasses import replace

    from ropeteam import app

    flags = {"agent": agent, "workers": workers, "plan.planner": planner}
    request = app.Request(
        repo=repo,
        feature=feature,
        parts=parts,
        all_parts=all_parts,
        stdin=options.text_from_stdin(feature),
        mode=mode,
        plan=plan,
        include_dirty=True,
        sets=sets,
        flags={name: value for name, value in flags.items() if value is not None},
        until="plan",
    )
    prepared = app.prepare(request)  # what is not committed is in the way of no plan
    if short:
        return _in_short(prepared)
    if prepared.outlook.ask_agent and prepared.include_dirty and not include_dirty:
        prepared = app.prepare(replace(request, include_dirty=False))  # but of an agent's work: refused as for a run
    if prepared.outlook.ask_agent:
        return _by_agent(prepared, explain=explain, as_json=as_json, quiet=quiet, yes=yes)
    how: list[tuple[str, object]] = [("part", name) for name in parts]
    how += [("agent", agent), ("workers", workers), ("planner", planner), ("plan", plan)]
    how += [("mode", mode if mode != "auto" else None), *(("set", one) for one in sets)]
    typed = _typed(feature, how, all_parts=all_parts)
    _show(of_prepared(prepared), typed, explain=explain, as_json=as_json, quiet=quiet)
    return 0


def _in_short(prepared: app.Prepared) -> int:
    """What is known without a model, and what the user would agree to with a run."""
    from dataclasses import replace

    from ropeteam import run as runs
    from ropeteam.cli import outline

    prepared = replace(prepared, until="end")
    options.print_text("\n".join(outline.before(prepared, agreed=runs.agreed(prepared))))
    return 0


def of_prepared(prepared: app.Prepared) -> Foreseen:
    """What is foreseen of a run that could begin."""
    from msgspec import structs

    from ropeteam.core.foreseen import Foreseen
    from ropeteam.core.reading import told as reading_of

    outlook = prepared.outlook
    if prepared.include_dirty and prepared.until == "plan":
        told = "There are changes that are not committed: this is planned on the last commit, without them."
        why = outlook.explanation
        outlook = structs.replace(outlook, explanation=structs.replace(why, notices=(*why.notices, told)))
    return Foreseen(
        feature=prepared.feature.name,
        parts=prepared.feature.selected,
        base=prepared.head,
        plan=prepared.plan,
        decision=prepared.decision,
        outlook=outlook,
        gate=prepared.settings.gate,
        workers=prepared.settings.workers,
        agent=prepared.agent,
        reading=reading_of(prepared.settings, prepared.decision.mode, one_reading=prepared.one_reading),
    )


def _by_agent(prepared: app.Prepared, *, explain: bool, as_json: bool, quiet: bool, yes: bool) -> int:
    """A run that stands still once an agent has planned."""
    from ropeteam import run as runs
    from ropeteam.cli.running import finish
    from ropeteam.cli.screen import Terminal
    from ropeteam.core.foreseen import of_state

    screen = Terminal(quiet=quiet, yes=yes, as_json=as_json)
    begun = runs.begin(prepared, screen, land=None, yes=yes)
    try:
        state = runs.go(begun, screen)
    finally:
        screen.close()
    foreseen = of_state(state)
    if foreseen is None:  # parked, interrupted or cancelled before there was a plan
        return finish(state, as_json=as_json, quiet=quiet)
    _show(foreseen, "", explain=explain, as_json=as_json, quiet=quiet)
    return 0


def _typed(feature: str, how: Iterable[tuple[str, object]], *, all_parts: bool) -> str:
    """What comes after `ropeteam run` to do what was planned; empty where it cannot be typed."""
    if feature.strip() == "-":
        return ""
    words = [word for name, value in how if value is not None for word in (f"--{name}", str(value))]
    return shlex.join([feature, *words, *(["--all-parts"] if all_parts else [])])


def _show(foreseen: Foreseen, typed: str, *, explain: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        from ropeteam.core.planned_document import planned_document

        options.print_json(planned_document(foreseen, explain=explain))
    elif quiet:
        options.print_text(foreseen.sentence)
    else:
        from ropeteam.cli import page_text
        from ropeteam.cli.page_plan import plan_page

        page_text.show(plan_page(foreseen, explain=explain, next=_next(foreseen, typed, explain=explain)))


def _next(foreseen: Foreseen, typed: str, *, explain: bool) -> tuple[Row, ...]:
    from ropeteam.cli.page_parts import Row

    if foreseen.run:
        return (
            Row((f"ropeteam resume {foreseen.run}", "carries it out"), code=True),
            Row((f"ropeteam cancel {foreseen.run}", "lets it be"), code=True),
        )
    if not typed:
        return ()
    typed = escaped(typed)
    rows = [Row((f"ropeteam run {typed}", "does it so"), code=True)]
    if not explain:
        rows.append(Row((f"ropeteam plan {typed} --explain", "says why, and what would change it"), code=True))
    several = foreseen.decision.mode == "parallel"
    other, what = ("single", "one agent all the same") if several else ("parallel", "several agents all the same")
    shared_out = foreseen.plan is not None and len(foreseen.plan.units) > 1
    if shared_out and "--mode" not in typed:
        rows.append(Row((f"ropeteam run {typed} --mode {other}", what), code=True))
    return tuple(rows)
