"""Who is at the other end: shows a run as it goes, and puts the two questions there are (consent, landing)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ropeteam.cli.live import view
from ropeteam.cli.narration import check_line
from ropeteam.cli.plain import count, escaped
from ropeteam.core import events as ev
from ropeteam.core.report import report
from ropeteam.core.state import RunState
from ropeteam.errors import ConsentNeeded

if TYPE_CHECKING:
    from ropeteam import app

SHOWN_FILES = 30


class Terminal:
    """The `run.Screen` of the command line. Everything here goes to standard error.

    quiet: nothing but questions. yes: every question is answered with its default. as_json: nobody is asked.
    """

    def __init__(self, *, quiet: bool = False, yes: bool = False, as_json: bool = False) -> None:
        self._yes = yes
        self.interactive = yes or (not as_json and sys.stdin.isatty() and sys.stderr.isatty())
        self._view = None if quiet else view()

    def consent(self, prepared: app.Prepared) -> bool:
        from ropeteam.cli.consent import consent_page
        from ropeteam.cli.page_text import body, console

        console(sys.stderr).print(body(consent_page(prepared)))
        return answer("\nGo on? [Y/n] ")

    def watch(self, run: str, state: RunState, event: ev.AnyEvent) -> None:  # noqa: ARG002 - the protocol's signature
        with self._gone():
            if self._view is not None:
                self._view.watch(state, event)

    def tell(self, attempt: str, text: str) -> None:
        with self._gone():
            if self._view is not None:
                self._view.tell(attempt, text)

    async def ask_land(self, state: RunState) -> bool:
        """Show what would land, then ask. No answer (end of input) is no. Cancelling it is how Ctrl-C gets through."""
        if self._yes:
            return True
        self.close()
        print(before_landing(state), file=sys.stderr)
        branch = escaped(state.begun.repo.branch or "your branch")
        while True:
            print(f"Land it on {branch}? [Y/n] ", end="", file=sys.stderr, flush=True)
            answer = _understood(await _line())
            if answer is not None:
                return answer

    def close(self) -> None:
        """Take away what moves, so that others can write."""
        with self._gone():
            if self._view is not None:
                self._view.close()

    @contextmanager
    def _gone(self) -> Iterator[None]:
        """A terminal or a reader that went away ends the showing, never the run."""
        try:
            yield
        except OSError:
            self._view = None


def before_landing(state: RunState) -> str:
    """What the question about landing is about: files and what the checks say."""
    files = report(state).files
    lines = [f"  + {escaped(f.path)}" for f in files.created]
    lines += [f"  ~ {escaped(f.path)}" for f in files.modified]
    lines += [f"  - {escaped(f.path)}" for f in files.deleted]
    more = [f"  and {len(lines) - SHOWN_FILES} more"] if len(lines) > SHOWN_FILES else []
    checks = [f"  {check_line(c)}" for c in state.checks] or ["  no check of the project's own was there to test it"]
    head = f"\nThe result is ready: {count(len(lines), 'file')} changed."
    return "\n".join([head, *lines[:SHOWN_FILES], *more, "Checks:", *checks])


def answer(question: str) -> bool:
    while True:
        print(question, end="", file=sys.stderr, flush=True)
        answer = _understood(sys.stdin.readline())
        if answer is not None:
            return answer


def _understood(line: str) -> bool | None:
    """Yes is the default; the end of input is no; None is what cannot be understood."""
    if not line:
        return False
    word = line.strip().lower()
    return True if word in ("", "y", "yes") else False if word in ("n", "no") else None


async def _line() -> str:
    """A line from the terminal, without a thread that would be stuck in it when the run is interrupted."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()
    fd = sys.stdin.fileno()

    def ready() -> None:
        if not read.done():
            read.set_result(os.read(fd, 4096).decode(errors="replace"))

    try:
        loop.add_reader(fd, ready)
    except OSError as problem:  # a plain file cannot be waited for; nobody types into it either
        raise ConsentNeeded("Nobody is here to answer.", hint="Use --yes, or --land yes|no.") from problem
    try:
        return await read
    finally:
        loop.remove_reader(fd)
