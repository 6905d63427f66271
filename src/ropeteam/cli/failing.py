"""The one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from ropeteam.cli.plain import escaped
from ropeteam.errors import RopeteamError

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTED = 130


class Ended:
    """What the program ends with."""

    def __init__(self) -> None:
        self.code = 0


@contextmanager
def told(arguments: Sequence[str]) -> Iterator[Ended]:
    """Turn whatever is raised inside into one message and an exit code, in JSON where that is asked for."""
    ended = Ended()
    as_json = wants_json(arguments)
    try:
        yield ended
    except RopeteamError as error:
        ended.code = error.exit_code
        where = error.where
        if error.exit_code == 3:
            where = "; ".join(part for part in (where, f"details in {save_trace(error)}") if part)
        _tell(as_json, error.code, error.message, where, error.hint)
    except click.UsageError as error:
        ended.code = 2
        command = error.ctx.command_path if error.ctx else "ropeteam"
        message = error.format_message().replace("\n\t", " ")  # click gives each choice a line
        _tell(as_json, "usage", message, "", f"`{command} --help` lists what can be given.")
    except click.ClickException as error:
        ended.code = 2
        _tell(as_json, "usage", error.format_message(), "", "")
    except (KeyboardInterrupt, click.Abort):
        ended.code = INTERRUPTED
        _tell(as_json, "interrupted", "Interrupted. Everything is kept.", "", "`ropeteam resume` goes on with a run.")
    except OSError as error:
        ended.code = 3
        what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        _tell(as_json, "unexpected", f"The system refused something: {what}.", f"details in {save_trace(error)}", HINT)
    except Exception as error:
        ended.code = 3
        what = f"Something unexpected happened ({type(error).__name__}: {error})."
        _tell(as_json, "unexpected", what, f"details in {save_trace(error)}", HINT)


HINT = "Nothing was lost. `ropeteam resume` goes on with a run; please report this with the details."


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON, as far as they can be understood when they cannot be parsed."""
    given = list(arguments)
    given = given[: given.index("--")] if "--" in given else given
    pairs = pairwise(given)
    return "--json" in given or "--format=json" in given or ("--format", "json") in pairs


def _tell(as_json: bool, code: str, message: str, where: str, hint: str) -> None:
    with suppress(BrokenPipeError):
        if as_json:
            import json

            document = {"error": {"code": code, "message": message, "where": where, "hint": hint}}
            print(json.dumps(document), flush=True)
            return
        lines = [f"error: {escaped(message, keep_lines=True)}"]
        lines += [f"where: {escaped(where)}"] if where else []
        lines += [f"hint: {escaped(hint, keep_lines=True)}"] if hint else []
        print("\n".join(lines), file=sys.stderr, flush=True)


def save_trace(error: BaseException) -> Path:
    """Write the trace where the user can find it: into the repository's ropeteam folder, else a temporary file."""
    import tempfile
    import time
    import traceback
    from pathlib import Path

    text = "".join(traceback.format_exception(error))
    name = f"problem-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (_folder_here(), Path(tempfile.gettempdir())):
        if folder is None:
            continue
        with suppress(OSError):
            path = folder / name
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
    print(text, file=sys.stderr)  # nothing can be written at all: then it is better shown than gone
    return Path(os.devnull)


def _folder_here() -> Path | None:
    """The ropeteam folder of the repository we are in, if it is there, found without git."""
    from pathlib import Path

    for place in (Path.cwd(), *Path.cwd().parents):
        folder = place / ".git" / "ropeteam"
        if folder.is_dir():
            return folder
    return None
