"""`ropeteam clean`: remove work trees, and with --purge what they left under refs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options
from ropeteam.cli.plain import count, escaped

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.state import RunState


@dataclass
class Cleaned:
    """What was done for one run. kept: why something stayed."""

    run: str
    trees: list[str] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)
    kept: str = ""


@click.command(short_help="Remove work trees that are no longer needed.")
@options.run_name
@options.repo
@click.option("--all", "every", is_flag=True, help="Of every run of this repository.")
@click.option("--purge", is_flag=True, help="Also delete what agents made and nothing else holds. Asks first.")
@options.as_json
@click.option("--yes", is_flag=True, help="Agree to what --purge deletes, without being asked.")
def clean(run: str | None, repo: Path, every: bool, purge: bool, as_json: bool, yes: bool) -> int:
    """Remove the work trees of RUN (the newest without a name). What is in them stays under refs/ropeteam/ in the
    repository, unless --purge deletes that too. Runs that are at work are left alone; reports always stay."""
    from ropeteam import run as runs

    repository = options.open_repository(repo)
    if every:
        journal = repository.journal()
        names = [line.run for line in journal.runs()]
        journal.close()
    else:
        names = [runs.state_of(repository, run).begun.run]
    done = [_clean(repository, runs.state_of(repository, name), purge, yes, as_json, every=every) for name in names]
    if as_json:
        options.print_json({"cleaned": [vars(one) for one in done]})
        return 0
    for one in done:
        options.print_text(_sentence(one))
    if not done:
        options.print_text("There is no run in this repository.")
    return 0


def _clean(
    repository: app.Repository, state: RunState, purge: bool, yes: bool, as_json: bool, *, every: bool
) -> Cleaned:
    from ropeteam import app, git, hosted
    from ropeteam.errors import RunBusy

    run = state.begun.run
    done = Cleaned(run)
    try:
        lock = repository.lock(run)
    except RunBusy:
        if not every:
            raise
        done.kept = "it is at work"
        return done
    with lock:
        lost = _to_purge(repository, state, yes=yes, as_json=as_json) if purge else []
        done.trees = [str(path) for path in app.remove_trees(repository, state)]
        unheard = hosted.taken_unheard(repository.home / "journal.sqlite", state)
        if not done.trees and (unheard or _has_trees(state)):
            done.kept = (
                "a tree may hold work that is under no ref yet: `ropeteam resume` or `ropeteam cancel` keeps it first"
            )
            return done
        git.delete_refs(repository.repo, lost)
        done.refs = lost
    return done


def _has_trees(state: RunState) -> bool:
    return any(Path(a.tree).exists() for a in state.attempts)


def _to_purge(repository: app.Repository, state: RunState, *, yes: bool, as_json: bool) -> list[str]:
    """The run's refs, once the user has agreed to lose what they hold. Raises ConsentNeeded."""
    from ropeteam import git
    from ropeteam.errors import ConsentNeeded

    run = state.begun.run
    held = sorted(git.refs(repository.repo, f"refs/ropeteam/{run}/"))
    if not held:
        return []
    if not yes:
        if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConsentNeeded(
                f"--purge deletes {count(len(held), 'ref')} of run {run}, and nobody is here to agree to that.",
                hint="Run it in a terminal, or agree with --yes.",
            )
        print(_lost(state, held), file=sys.stderr)
        if not click.confirm("Delete them for good?", default=False, err=True):
            raise ConsentNeeded("You did not agree: nothing was deleted.")
    return held


def _lost(state: RunState, held: list[str]) -> str:
    made = sum(bool(a.result.commit) for a in state.attempts)
    lines = [f"Run {state.begun.run} holds {count(len(held), 'ref')}, with the work of {count(made, 'attempt')}:"]
    lines += [f"  {escaped(name)}" for name in held[:20]]
    lines += [f"  and {len(held) - 20} more"] if len(held) > 20 else []
    if state.outcome is None:
        lines.append("The run has not ended, and could not go on without them.")
    if state.landed:
        lines.append("Its result has landed and stays; what its attempts made on the way would be gone.")
    elif state.branch:
        lines.append(f"Its result stays on the branch {escaped(state.branch)}; everything else would be gone.")
    else:
        lines.append("Nothing else holds this work: it would be gone.")
    return "\n".join(lines)


def _sentence(done: Cleaned) -> str:
    said = []
    if done.trees:
        said.append("removed " + ", ".join(escaped(path) for path in done.trees))
    if done.refs:
        said.append(f"deleted {count(len(done.refs), 'ref')}")
    if done.kept:
        said.append(f"left alone: {done.kept}")
    return f"{done.run}: {'; '.join(said) or 'nothing to remove'}"
