"""`ropeteam install-skill`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped
from ropeteam.errors import BadInput, ConsentNeeded, UserError

if TYPE_CHECKING:
    from ropeteam.cli.skill_files import Step, Written
    from ropeteam.cli.skill_places import Place, Servers

AGENTS = ("claude", "codex", "gemini", "opencode")
MARKS = {"new": "+", "changed": "~", "same": "=", "yours": "!", "gone": "-", "kept": "!"}
WORDS = {
    "new": "new",
    "changed": "changed: a newer version",
    "same": "the same already",
    "yours": "not ours, or changed by you",
    "gone": "removed",
    "kept": "stays: you changed it",
}


@click.command("install-skill", short_help="Install the skill for your agent.")
@click.option("--for", "agent", type=click.Choice(AGENTS), required=True, help="Which agent gets it.")
@click.option("--project", is_flag=True, help="Into this repository, for all who work on it [for you alone].")
@options.repo
@click.option("--no-mcp", is_flag=True, help="Without the MCP server: the skill then uses the command line.")
@click.option("--remove", is_flag=True, help="Take away what was installed, and nothing else.")
@click.option("--force", is_flag=True, help="Take the place of files that are not ours; a copy is kept.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; change nothing.")
@options.as_json
@options.yes
def install_skill(
    agent: str,
    project: bool,
    repo: Path,
    no_mcp: bool,
    remove: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
) -> int:
    """Install the skills 1-plan, 2-code and 3-verify for an agent, and name `ropeteam mcp` in its settings. Shows what
    it writes and asks. What you wrote or changed yourself is never overwritten without --force, and then kept.

    For Claude Code the plugin does the same: `claude plugin marketplace add` with the path of this project's clone."""
    from ropeteam.cli import skill_files, skill_places

    place = skill_places.PLACES[agent]
    base = options.open_repository(repo).repo.top if project else Path.home()
    listed = base / (place.skills_project if project else place.skills_user) / "2-code" / skill_files.LIST_NAME
    before = skill_files.read_list(listed)

    def looked() -> tuple[list[Step], Server]:
        if remove:
            return skill_files.to_remove(base, before), _server_out(base, place, before)
        steps = skill_files.to_install(base, skill_places.files(agent, project=project), before)
        return steps, _server_in(base, place, before, project=project, wanted=not no_mcp)

    steps, server = looked()
    if project:
        paths = [str(listed.relative_to(base)), *(step.path for step in steps), server.path]
        skill_files.must_lie_inside(base, paths)
    _show(base, steps, server, as_json=as_json)
    foreign = [step.path for step in steps if step.kind == "yours"]
    if foreign and not force:
        raise UserError(
            f"{len(foreign)} of these files are not ours, or were changed by you: nothing was done.",
            where=str(base / foreign[0]),
            hint="--force takes their place and keeps a copy (.bak) of each.",
            code="not_ours",
        )
    work = [step for step in steps if step.kind not in ("same", "kept")]
    idle = not work and server.text is None
    if dry_run or idle:
        return _end(place, nothing=idle, remove=remove, as_json=as_json)
    _ask(yes=yes, as_json=as_json)
    if looked() != (steps, server):  # an agent writes its settings itself, and the question may have stood for long
        raise UserError("Something of this was changed in the meantime: nothing was done.", hint="Try again.")
    copies = skill_files.carry_out(base, steps)
    written = _written(steps, before, server, remove=remove)
    if not remove:  # first, so that one who is killed in between has named no server that --remove does not know
        _write_list(base, listed, written)
    _write_server(base, server)
    if remove:
        _write_list(base, listed, written)
    for copy in copies:
        print(f"kept: {escaped(copy)}", file=sys.stderr)
    return _end(place, nothing=False, remove=remove, as_json=as_json)


@dataclass(frozen=True)
class Server:
    """What is to be done to the file that names MCP servers. text: what it is to hold; None: nothing is done.
    program: what our server starts. note: why, or what is to be done by hand."""

    path: str = ""
    text: str | None = None
    program: tuple[str, ...] = ()
    note: str = ""


def _server_in(base: Path, place: Place, before: Written, *, project: bool, wanted: bool) -> Server:
    from ropeteam.cli import skill_files, skill_places

    if not wanted:
        return Server()
    if find_spec("mcp") is None:
        return Server(note="The MCP server is left out: `pip install 'ropeteam[mcp]'`, then this command again.")
    argv = skill_places.program(project=project)
    path = _server_file(place, project=project)
    if not path or place.servers is None:
        return Server(note=f"The MCP server, if you want it: {place.by_hand.format(command=shlex.join(argv))}")
    try:
        known = place.servers.entry(before.program) if before.program else None
        text = skill_files.with_server(_text(base / path), place.servers, place.servers.entry(argv), known)
    except BadInput as problem:
        return Server(path=path, note=f"{path} is left as it is. {problem.message} {_by_hand(place.servers, argv)}")
    return Server(path=path, text=text, program=argv)


def _server_out(base: Path, place: Place, before: Written) -> Server:
    from ropeteam.cli import skill_files

    if not before.server or not before.program or place.servers is None:
        return Server()
    try:
        entry = place.servers.entry(before.program)
        text = skill_files.without_server(_text(base / before.server), place.servers, entry)
    except BadInput as problem:
        return Server(note=f"{before.server} is left as it is. {problem.message}")
    if text is None:
        return Server(note=f"{before.server} is left as it is: our MCP server is not in it, or was changed by you.")
    return Server(path=before.server, text=text)


def _server_file(place: Place, *, project: bool) -> str:
    if place.servers is None:
        return ""
    return place.servers.project if project else place.servers.user


def _by_hand(servers: Servers, argv: tuple[str, ...]) -> str:
    import json

    entry: dict[str, Any] = {servers.key: {"ropeteam": servers.entry(argv)}}
    return f"By hand: {json.dumps(entry)}"


def _text(path: Path) -> str | None:
    from ropeteam.cli.skill_files import present

    data = present(path)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise BadInput("It is not UTF-8 text, so it is left alone.") from problem


def _write_server(base: Path, server: Server) -> None:
    from ropeteam.cli.skill_files import write

    if server.text is None:
        return
    if server.text.strip():
        write(base / server.path, server.text.encode())
    elif (base / server.path).is_symlink():
        write(base / server.path, b"")  # the link is the user's
    else:
        (base / server.path).unlink()


def _written(steps: list[Step], before: Written, server: Server, *, remove: bool) -> Written:
    """What is to be known at the next installation."""
    from ropeteam.cli import skill_files

    if remove:
        return skill_files.Written(files={s.path: before.files[s.path] for s in steps if s.kind == "kept"})
    files = {s.path: skill_files.digest(s.data) for s in steps if s.kind not in ("gone", "kept")}
    if server.text is None:
        return skill_files.Written(files=files, server=before.server, program=before.program)
    return skill_files.Written(files=files, server=server.path, program=server.program)


def _write_list(base: Path, listed: Path, written: Written) -> None:
    import msgspec

    from ropeteam.cli import skill_files

    if written.files:
        skill_files.write(listed, msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n")
    else:
        listed.unlink(missing_ok=True)
        skill_files.drop_empty(listed.parent, base)


def _show(base: Path, steps: list[Step], server: Server, *, as_json: bool) -> None:
    if as_json:
        rows = [{"path": str(base / step.path), "state": step.kind} for step in steps]
        rows += [{"path": str(base / server.path), "state": "server"}] if server.text is not None else []
        options.print_json({"files": rows, "note": server.note})
        return
    for step in steps:
        options.print_text(f"{MARKS[step.kind]} {escaped(str(base / step.path))}  ({WORDS[step.kind]})")
    if server.text is not None:
        options.print_text(f"~ {escaped(str(base / server.path))}  (the MCP server ropeteam, nothing else)")
    if server.note:
        options.print_text(server.note)


def _ask(*, yes: bool, as_json: bool) -> None:
    from ropeteam.cli.screen import answer

    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise ConsentNeeded("Nobody is here to agree: nothing was done.", hint="Accept with --yes.")
    if not answer("Write this? [Y/n] "):
        raise ConsentNeeded("You did not agree: nothing was done.")


def _end(place: Place, *, nothing: bool, remove: bool, as_json: bool) -> int:
    if as_json:
        return 0
    if nothing:
        options.print_text("Nothing to do.")
    elif not remove:
        options.print_text(f"Start your agent anew, then: {place.use}")
    return 0
