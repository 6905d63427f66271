"""Commands that look at this machine: agents, doctor."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped, plain

if TYPE_CHECKING:
    from ropeteam import config
    from ropeteam.ports import Probe


@click.command(short_help="Which agents can be used here.")
@options.repo
@options.sets
@options.as_json
def agents(repo: Path, sets: tuple[str, ...], as_json: bool) -> int:
    """Which agents are installed, their versions, and why one cannot be used."""
    probes = probe_all(repo, sets)
    if as_json:
        options.print_json({"agents": [_plain_probe(p) for p in probes]})
        return 0
    width = max(len(p.name) for p in probes)
    for p in probes:
        options.print_text(f"{'✗' if p.problem else '✓'} {p.name:{width}}  {_sentence(p)}")
        if p.problem and p.hint:
            options.print_text(f"  {'':{width}}  {plain(p.hint)}")
    return 0


def probe_all(repo: Path, sets: tuple[str, ...]) -> list[Probe]:
    """Every agent there is, tried with the settings that hold here."""
    from ropeteam import app

    loaded = _loaded(repo, sets)
    return [app.probe(loaded, name) for name in app.AGENTS]


def _loaded(repo: Path, sets: tuple[str, ...]) -> config.Loaded:
    """Settings as they hold here; outside of a repository, the user's own."""
    from ropeteam import app
    from ropeteam.errors import BadRepository

    repository = None
    with suppress(BadRepository):
        repository = app.open_repository(repo)
    return app.load_settings(repository, app.Request(repo=repo, sets=sets))


def _plain_probe(p: Probe) -> dict[str, str | bool]:
    return {
        "name": p.name,
        "usable": not p.problem,
        "version": p.version,
        "path": p.path,
        "problem": p.problem,
        "hint": p.hint if p.problem else "",
    }


def _sentence(p: Probe) -> str:
    if p.problem:
        return plain(p.problem)
    return "  ".join(part for part in (plain(p.version), escaped(p.path)) if part)


@click.command(short_help="What is missing on this machine, and what is protected.")
@options.repo
@click.option("--settings", "only_settings", is_flag=True, help="Print each setting and where it came from.")
@options.sets
@options.as_json
def doctor(repo: Path, only_settings: bool, sets: tuple[str, ...], as_json: bool) -> int:
    """Look at git, Python, the sandbox, the folders that are needed, agents, and the checks of this repository. Ends
    with 1 when something is missing that a run needs."""
    from ropeteam.cli import checkup

    if only_settings:
        return _settings(repo, sets, as_json=as_json)
    found = checkup.look(repo, sets)
    if as_json:
        options.print_json({"ok": all(f.state != "missing" for f in found), "found": [vars(f) for f in found]})
    else:
        checkup.show(found)
    return 1 if any(f.state == "missing" for f in found) else 0


def _settings(repo: Path, sets: tuple[str, ...], *, as_json: bool) -> int:
    import json

    from ropeteam import config

    rows = config.describe(_loaded(repo, sets))
    if as_json:
        options.print_json({"settings": [{"name": n, "value": v, "source": s} for n, v, s in rows]})
        return 0
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        options.print_text(f"{name:{width}} = {escaped(json.dumps(value))}   {escaped(source)}")
    return 0
