"""The canary: a check that does not notice a syntax error in every source file does not test this code.

That happens where a linked virtual environment, an editable install or an autoloader leads to another checkout, and
where a suite tests nothing of the project. The tree is one of ours; it is put right again afterwards.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from ropeteam.core.compare import compare
from ropeteam.core.model import Baseline, CheckRun
from ropeteam.core.paths import is_source, suffix
from ropeteam.finishing import to_the_end
from ropeteam.ports import Check, Place

_POISON = b"))) ropeteam canary )))\n"
"""At the start of a file a syntax error in every language: nothing was opened that could be closed."""

_PHP_OPEN = re.compile(rb"<\?php\b[^\n]*\n?|<\?=")
_SCRIPT_OPEN = re.compile(rb"<script\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>\s*")


async def gauge(check: Check, place: Place, files: Sequence[str], run: CheckRun) -> Baseline:
    """Try the check with a canary, after `run` in the same tree (put right again afterwards, also when cancelled).

    files: the repository's tracked files. The canary is left out, and the gate stands, where there is nothing it
    could show: the check could not be run, or nothing in it worked before (`compare` never calls those passed), or
    there is no source file to break - then `why_not` says so, for the reader to judge.
    """
    if not run.ran or not _anything_worked(run):
        return Baseline(run=run)
    poisoned: list[str] = []
    try:
        await to_the_end(asyncio.to_thread(_poison_all, place.tree, files, poisoned))
        if not poisoned:
            return Baseline(run=run, why_not="not tried with broken code: no source file of a known language")
        broken = await check.run(place, f"{check.command.name}-canary")
    finally:
        await to_the_end(asyncio.to_thread(_cure_all, place.tree, poisoned))
    verdict = compare(Baseline(run=run), [broken], changed=(), last=False)
    if verdict.state == "failed":
        return Baseline(run=run)
    why = f"it does not notice a syntax error in every source file ({len(poisoned)}): it tests other code than this"
    return Baseline(run=run, gate=False, why_not=why)


def poison(tree: Path, files: Sequence[str]) -> int:
    """Put a syntax error into every source file that is not a test, in place; how many it went into.

    Only plain files below the tree: nothing is followed or written through a link.
    """
    poisoned: list[str] = []
    _poison_all(tree, files, poisoned)
    return len(poisoned)


def cure(tree: Path, files: Sequence[str]) -> None:
    """Take the syntax errors out again."""
    _cure_all(tree, [path for path in files if is_source(path)])


def _anything_worked(run: CheckRun) -> bool:
    return any(test.state == "passed" for test in run.tests) if run.tests else run.exit_code == 0


def _poison_all(tree: Path, files: Iterable[str], poisoned: list[str]) -> None:
    for path in files:
        if not is_source(path):
            continue
        content = _read(tree, path)
        if content is None or _POISON in content:
            continue
        at = _place_for(path, content)
        if at is not None:
            poisoned.append(path)
            _write(tree, path, content[:at] + _POISON + content[at:])


def _cure_all(tree: Path, files: Iterable[str]) -> None:
    for path in files:
        content = _read(tree, path)
        if content is not None and _POISON in content:
            _write(tree, path, content.replace(_POISON, b"", 1))


def _place_for(path: str, content: bytes) -> int | None:
    """Where code begins; None where there is none (a PHP file without PHP, a component without a script)."""
    kind = suffix(path)
    if kind == "php":
        found = _PHP_OPEN.search(content)
    elif kind in ("vue", "svelte"):
        found = _SCRIPT_OPEN.search(content)
    else:
        return 0
    return found.end() if found else None


def _read(tree: Path, path: str) -> bytes | None:
    """A plain file's contents, None for anything else. No part of the path may be a link: it could lead out."""
    place = tree
    try:
        for part in path.split("/"):
            place = place / part
            kind = place.lstat().st_mode
            if stat.S_ISLNK(kind) or part in ("", ".", ".."):
                return None
        return place.read_bytes() if stat.S_ISREG(kind) else None
    except (OSError, ValueError):
        return None


def _write(tree: Path, path: str, content: bytes) -> None:
    """By renaming, so that a file linked to elsewhere is left alone there. Its permissions stay."""
    place = tree / path
    handle, name = tempfile.mkstemp(dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), stat.S_IMODE(place.lstat().st_mode))
        Path(name).replace(place)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
