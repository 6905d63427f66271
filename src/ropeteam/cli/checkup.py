"""What `ropeteam doctor` looks at. Every look is one function that says what it found and what to do."""

from __future__ import annotations

import platform
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ropeteam.cli.consent import NETWORK, PROTECTED, UNPROTECTED
from ropeteam.cli.plain import escaped, plain

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.config import Loaded
    from ropeteam.core.settings import Settings


FICLONE = 0x40049409  # linux/fs.h


@dataclass(frozen=True)
class Finding:
    """state: `missing` is needed for a run; `note` is worth knowing. hint: what to do."""

    name: str
    state: Literal["ok", "note", "missing"]
    text: str
    hint: str = ""


def look(repo: Path, sets: tuple[str, ...]) -> list[Finding]:
    """Everything, in the order in which it is shown. Never raises for what is missing."""
    found = [_python(), _system(), _git()]
    if found[-1].state == "missing":
        return found
    repository, about_it = _repository(repo)
    found.append(about_it)
    loaded, fault = _loaded(repository, repo, sets)
    settings = loaded.settings
    found += [fault] if fault else []
    found += _sandbox(settings)
    if repository is not None:
        found += [_journal(repository), _trees(repository, settings), _checks(repository, settings)]
        found += _grammars(repository)
    found += _agents(loaded)
    return found


def show(found: list[Finding]) -> None:
    from ropeteam.cli import page_text
    from ropeteam.cli.page_parts import Page, Row, Section

    marks = {"ok": "✓", "note": "●", "missing": "✗"}
    rows = []
    for f in found:
        tone: Literal["good", "calm", "bad"] = {"ok": "good", "note": "calm", "missing": "bad"}[f.state]  # type: ignore[assignment]
        rows.append(Row((f"{marks[f.state]} {f.name}", f.text, f.hint), tone=tone))
    missing = [f.name for f in found if f.state == "missing"]
    page = Page(
        headline=f"Missing: {', '.join(missing)}." if missing else "Everything that a run needs is here.",
        tone="bad" if missing else "good",
        below="what was looked at, and what is protected",
        sections=(Section("Found", tuple(rows)),),
        next=(),
    )
    page_text.show(page)


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")


def _system() -> Finding:
    name = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if sys.platform.startswith("linux"):
        return Finding("system", "ok", name)
    return Finding("system", "note", f"{name}: there is no sandbox here, and escaped processes are harder to find.")


def _git() -> Finding:
    from ropeteam import git
    from ropeteam.errors import BadRepository

    try:
        git.require()
    except BadRepository as problem:
        return Finding("git", "missing", problem.message, problem.hint)
    return Finding("git", "ok", ".".join(map(str, git.version())))


def _repository(path: Path) -> tuple[app.Repository | None, Finding]:
    from ropeteam import app
    from ropeteam.errors import UserError

    try:
        repository = app.open_repository(path)
    except UserError as problem:
        text = f"{problem.message} The rest was looked at without one."
        return None, Finding("repository", "note", text, problem.hint)
    return repository, Finding("repository", "ok", escaped(str(repository.repo.top)))


def _loaded(repository: app.Repository | None, path: Path, sets: tuple[str, ...]) -> tuple[Loaded, Finding | None]:
    from ropeteam import app
    from ropeteam.config import Loaded
    from ropeteam.core.settings import Settings
    from ropeteam.errors import UserError

    try:
        return app.load_settings(repository, app.Request(repo=path, sets=sets)), None
    except UserError as problem:
        where = f"{problem.where}: " if problem.where else ""
        nothing = Loaded(Settings(), {}, {})
        return nothing, Finding("settings", "missing", escaped(f"{where}{problem.message}"), problem.hint)


def _sandbox(settings: Settings) -> list[Finding]:
    from ropeteam import sandbox

    wanted = settings.sandbox
    available = sandbox.available()
    network = NETWORK[wanted.network]
    if wanted.mode == "off":
        return [
            Finding("sandbox", "note", "Switched off (sandbox.mode = off)."),
            Finding("protection", "note", UNPROTECTED),
        ]
    if available.ok:
        text = f"bubblewrap, {escaped(available.path)}"
        return [Finding("sandbox", "ok", text), Finding("protection", "ok", f"{PROTECTED} {network}")]
    state: Literal["note", "missing"] = "missing" if wanted.mode == "on" else "note"
    hint = "Install it: apt install bubblewrap (dnf, pacman: bubblewrap)." if sys.platform.startswith("linux") else ""
    return [
        Finding("sandbox", state, f"There is none: {plain(available.why)}.", hint),
        Finding("protection", "note", UNPROTECTED),
    ]


def _journal(repository: app.Repository) -> Finding:
    def look() -> str:
        repository.journal().close()
        return escaped(str(repository.home))

    return _tried("journal", look)


def _trees(repository: app.Repository, settings: Settings) -> Finding:
    from ropeteam import app

    def look() -> str:
        folder = app.trees_folder(repository.repo, settings)
        free = shutil.disk_usage(folder).free
        how = "cloned" if _clones(folder) else "copied"
        made = _method(repository, settings, folder)
        return f"{escaped(str(folder))}, {free / 1e9:.1f} GB free; {made}; folders that git does not hold are {how}"

    return _tried("work trees", look)


def _method(repository: app.Repository, settings: Settings, folder: Path) -> str:
    """How work trees are made here, and why so."""
    from ropeteam import git

    wanted = settings.trees.method
    if wanted == "plain":
        return "each is a checkout (trees.method = plain)"
    if why := git.overlay_problem(folder):
        return f"each is a checkout ({plain(why)})"
    files = len(git.list_files(repository.repo, git.head(repository.repo)))
    if wanted == "auto" and files < git.MANY_FILES:
        return f"each is a checkout (overlays work here, and begin at {git.MANY_FILES:,} files; these are {files:,})"
    return "they are overlays over one checkout"


def _clones(folder: Path) -> bool:
    """Whether files there can share their blocks until one of them is written (btrfs, xfs, bcachefs)."""
    import fcntl
    import tempfile

    with tempfile.TemporaryFile(dir=folder) as one, tempfile.TemporaryFile(dir=folder) as other:
        one.write(b"x" * 4096)
        one.flush()
        try:
            fcntl.ioctl(other.fileno(), FICLONE, one.fileno())
        except OSError:
            return False
    return True


def _tried(name: str, look: Callable[[], str]) -> Finding:
    from ropeteam.errors import RopeteamError

    try:
        return Finding(name, "ok", look())
    except RopeteamError as problem:
        return Finding(name, "missing", escaped(f"{problem.message} ({problem.where})"), problem.hint)
    except OSError as problem:
        return Finding(name, "missing", escaped(f"{problem.strerror}: {problem.filename}"), "Make it writable.")


def _checks(repository: app.Repository, settings: Settings) -> Finding:
    from ropeteam import app, git

    commands = app.checks_of(repository.repo, git.head(repository.repo), settings)
    if not commands:
        text = "None was found. Without one, only syntax and merge markers are looked at."
        return Finding("checks", "note", text, "Name them: checks.commands in ropeteam.toml.")
    listed = [
        f"{plain(c.name)}: {shlex.join(c.argv)} ({'from ' + c.found if c.found else 'configured'})" for c in commands
    ]
    return Finding("checks", "ok", escaped("; ".join(listed)))


def _grammars(repository: app.Repository) -> list[Finding]:
    """What languages of the repository's files are not known here. Nothing to tell where all are."""
    from ropeteam import git, grammars

    wanted = grammars.missing(git.list_files(repository.repo, git.head(repository.repo)))
    return [Finding("grammar", "note", *grammars.told(grammar, files)) for grammar, files in wanted.items()]


def _agents(loaded: Loaded) -> list[Finding]:
    from ropeteam import app

    settings = loaded.settings
    found = []
    chosen = (settings.agent,) if settings.agent else app.BY_DEFAULT
    usable = []
    for name in app.AGENTS:
        if name not in chosen and name not in settings.agents:
            continue  # neither looked for by itself nor set up
        probe = app.probe(loaded, name)
        if probe.problem:
            found.append(Finding(f"agent {name}", "note", plain(probe.problem), plain(probe.hint)))
        else:
            usable.append(name)
            found.append(Finding(f"agent {name}", "ok", f"{plain(probe.version)}  {escaped(probe.path)}".strip()))
    if not usable:
        text = "No agent can be used here."
        hint = "Install one (`ropeteam agents` lists them), or let any program be one: --agent command."
        found.append(Finding("agents", "missing", text, hint))
    return found
