"""Second opinions on a syntax error, from the language's own checker where installed. They parse, and run nothing.

A grammar of ours may not know the newest syntax of its language; the program that will run the file does.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ropeteam import process
from ropeteam.checks.syntax import Confirm
from ropeteam.core.paths import suffix

_SECONDS = 10.0
_PARSE_PYTHON = "import sys; compile(sys.stdin.buffer.read(), 'file', 'exec', dont_inherit=True)"
_NEWEST_PYTHON = 20  # minor versions of Python 3 that are looked for, from here down to our own


def confirm_with(which: Callable[[str], str | None]) -> Confirm:
    """A `Confirm` that asks `node`, `php`, `gofmt`, `ruby` and newer Pythons. which: a program's path, or None."""

    def confirm(path: str, content: bytes) -> bool | None:
        kind = suffix(path)
        if kind in ("py", "pyi"):
            names = (f"python3.{minor}" for minor in range(_NEWEST_PYTHON, sys.version_info.minor, -1))
            python = next(filter(None, map(which, names)), None)
            return _accepts([python, "-I", "-S", "-c", _PARSE_PYTHON], content) if python else None
        if kind in ("js", "mjs", "cjs"):
            node = which("node")
            return _node_says(node, kind, content) if node else None
        known = {"php": ("php", "-n", "-l"), "go": ("gofmt", "-e"), "rb": ("ruby", "--disable=gems", "-c", "-")}
        if kind in known and (program := which(known[kind][0])):
            return _accepts([program, *known[kind][1:]], content)
        return None

    return confirm


def _node_says(node: str, kind: str, content: bytes) -> bool | None:
    """Whether a `.js` file is a module or a script is not in the file: it is wrong when it is wrong as both."""
    with tempfile.TemporaryDirectory() as folder:
        said = []
        for ending in ("mjs", "cjs") if kind == "js" else (kind,):
            file = Path(folder, f"file.{ending}")
            file.write_bytes(content)
            said.append(_accepts([node, "--check", str(file)], b""))
    return False if False in said else said[0]


def _accepts(argv: Sequence[str], content: bytes) -> bool | None:
    """False: the checker finds nothing wrong; True: it does; None: it did not work."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = process.run(argv, input=content, env=env, cwd=Path(tempfile.gettempdir()), timeout=_SECONDS)
    except (OSError, TimeoutError):
        return None
    return None if done.returncode < 0 else done.returncode != 0
