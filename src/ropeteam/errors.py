"""Every exception that ropeteam raises on purpose.

::

    RopeteamError                 anything of ours; `code` is its stable id, `exit_code` what the program ends with
    +-- UserError                 the user must change something; nothing was changed        exit 2
    |   +-- BadInput              a feature, plan, setting or argument that cannot be used
    |   +-- BadRepository         the repository cannot be worked on as it is
    |   +-- ConsentNeeded         a question that nobody is there to answer
    |   +-- AgentNotUsable        the agent is not installed, or not logged in, before a run began
    |   +-- RunBusy               another process drives this run
    |   +-- NoSuchRun             there is no run of that name here
    +-- OutOfSpace                the disk is full; `resume` goes on                         exit 4
    +-- GitFailed                 a git call of ours failed                                  exit 3
    +-- LandingStopped            a landing was interrupted and cannot be repaired safely     exit 3
    +-- JournalDamaged            the journal holds something this version cannot read        exit 3

A failed unit, a conflict, a time-out or a failed check is *not* an exception: those are values
(`ropeteam.core.model`).
"""

from __future__ import annotations


class RopeteamError(Exception):
    """What happened (`message`), where (`where`: a path, `path:line`, or empty), what to do (`hint`)."""

    exit_code = 3
    code = "unexpected"

    def __init__(self, message: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if code:
            self.code = code


class UserError(RopeteamError):
    """The user must change something; nothing was changed."""

    exit_code = 2
    code = "user_error"


class BadInput(UserError):
    code = "bad_input"


class BadRepository(UserError):
    code = "bad_repository"


class ConsentNeeded(UserError):
    code = "consent_needed"


class AgentNotUsable(UserError):
    code = "agent_not_usable"


class RunBusy(UserError):
    code = "run_busy"


class NoSuchRun(UserError):
    code = "no_such_run"


class OutOfSpace(RopeteamError):
    """The disk is full. What was written stays; `resume` goes on once there is room."""

    exit_code = 4
    code = "disk_full"


class GitFailed(RopeteamError):
    """A git call of ours ended with an exit code it should not have."""

    code = "git_failed"

    def __init__(self, argv: tuple[str, ...], returncode: int, stderr: str) -> None:
        super().__init__(
            f"git {' '.join(argv)} ended with {returncode}: {stderr.strip() or 'no message'}",
            hint="Nothing was lost. `ropeteam doctor` checks git; `ropeteam resume` tries again.",
        )
        self.argv = argv
        self.returncode = returncode
        self.stderr = stderr


class LandingStopped(RopeteamError):
    code = "landing_stopped"


class JournalDamaged(RopeteamError):
    code = "journal_damaged"
