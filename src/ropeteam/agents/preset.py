"""What the presets share: programs of others that we know the command line of, without a protocol of their own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Probe


def readable(argv: Sequence[str]) -> tuple[str, ...]:
    """What must be readable for a program named by its path: itself, and the virtual environment it lies in."""
    if not argv[0].startswith("/"):
        return ()
    above = Path(argv[0]).resolve().parents
    return (argv[0], *(str(folder) for folder in above if (folder / "pyvenv.cfg").exists()))


def probe(name: str, settings: AgentSettings, env: Mapping[str, str], install: str, package: str) -> Probe:
    """Whether the program is there. Its version is read from the metadata of the package it belongs to, if they can be
    found: starting it would take seconds, and would write into the user's settings."""
    wanted = settings.argv[0] if settings.argv else name
    found = shutil.which(wanted, path=env.get("PATH", ""))
    if found is None:
        return Probe(name=name, problem=f"The program {wanted!r} was not found.", hint=install)
    return Probe(name=name, path=found, version=_version(Path(found), package))


def _version(program: Path, package: str) -> str:
    """Of an installed package, by the folder that pip leaves beside it; empty where it cannot be seen."""
    stem = package.replace("-", "_")
    for folder in (program.parent, program.resolve().parent):
        for found in sorted(folder.parent.glob(f"lib/python3*/site-packages/{stem}-*.dist-info")):
            return found.name.removeprefix(f"{stem}-").removesuffix(".dist-info")
    return ""
