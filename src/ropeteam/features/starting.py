"""`ropeteam new`: a commented feature folder to fill in."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from string import Template

from ropeteam.errors import BadInput
from ropeteam.features import workspace
from ropeteam.features.workspace import FEATURES, INTENT, RESEARCH


def new(top: Path, name: str) -> list[Path]:
    """Write the files of the feature `name` that are not there yet, and return them.

    Nothing is overwritten: with both files there it refuses. Raises BadInput for a name that cannot be used and for
    a workspace that leads out of the repository.
    """
    name = workspace.checked(name, top)
    folder = top / FEATURES / name
    if not workspace.inside(folder, top):
        raise BadInput(f"{FEATURES} leads out of the repository.", where=str(folder), hint="Remove the symbolic link.")
    missing = [file for file in (INTENT, RESEARCH) if not os.path.lexists(folder / file)]
    if not missing:
        raise BadInput(
            f"The feature {name!r} exists already, nothing was written.",
            where=f"{FEATURES}/{name}",
            hint="Choose another name, or edit the files that are there.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / file, _filled(file, name)) for file in missing]
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror or error}.", where=str(folder)) from error


def _filled(file: str, name: str) -> str:
    text = resources.files("ropeteam.features").joinpath("new", file).read_text(encoding="utf-8")
    words = name.rpartition("/")[2].replace("-", " ").replace("_", " ").strip()
    return Template(text).substitute(title=words[:1].upper() + words[1:] or name, name=name)


def _write(path: Path, text: str) -> Path:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path
