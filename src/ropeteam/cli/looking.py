"""Commands that look at this machine: agents, doctor."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped

if TYPE_CHECKING:
    from ropeteam import config


@click.command(short_help="Which agents can be used here.")
@options.repo
@options.sets
@options.as_json
def agents(repo: Path, sets: tuple[str, ...], as_json: bool) -> int:
    """Which agents can be used here, what each can do, and what to do about one that cannot be used. What only this
    repository's settings name is not started to find out."""
    from ropeteam.cli import finding_agents

    found = finding_agents.look(_loaded(repo, sets))
    if as_json:
        options.print_json(found)
        return 0
    from ropeteam.cli.page_agents import agents_page
    from ropeteam.cli.page_text import show

    show(agents_page(found))
    return 0


def _loaded(repo: Path, sets: tuple[str, ...]) -> config.Loaded:
    """Settings as they hold here; outside of a repository, the user's own."""
    from ropeteam import app
    from ropeteam.errors import BadRepository

    repository = None
    with suppress(BadRepository):
        repository = app.open_repository(repo)
    return app.load_settings(repository, app.Request(repo=repo, sets=sets))


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
