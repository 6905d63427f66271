"""Whether an agent's program is there, says its version, and is logged in; shared by the adapters of programs that can
be asked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence

from ropeteam import process
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Probe

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_KEPT = ("PATH", "HOME", "LANG")
"""Of the caller's environment, when a program is asked for its version: no key is needed for that."""


def probe(
    name: str,
    settings: AgentSettings,
    env: Mapping[str, str],
    *,
    trusted: bool,
    seconds: float,
    install: str,
    log_in: str,
    lacks: Callable[[Mapping[str, str]], str],
    asked_in: Mapping[str, str] = {},
    missing: str = "",
) -> Probe:
    """trusted: whether the program may be started to be asked. seconds: how long its answer may take. install, log_in:
    hints. lacks: a sentence where there is certainly no log-in, from the environment that the program will have.
    asked_in: variables that it is asked with, beside a few. missing: the hint where there is no program, if another."""
    wanted = settings.argv[0] if settings.argv else name
    path = shutil.which(wanted, path=env.get("PATH", ""))
    if path is None:
        return Probe(name=name, problem=f"The program {wanted!r} was not found.", hint=missing or install)
    known = {key: env[key] for key in _KEPT if key in env}
    version, problem = _version([path, *settings.argv[1:]], {**known, **asked_in}, seconds) if trusted else ("", "")
    if problem:
        return Probe(name=name, path=path, problem=problem, hint=install)
    problem = lacks({**env, **settings.env})
    hint = log_in if problem else ""
    return Probe(name=name, path=path, version=version, problem=problem, hint=hint, log_in=bool(problem))


def _version(argv: Sequence[str], env: Mapping[str, str], seconds: float) -> tuple[str, str]:
    """What the program says its version is, and why it cannot be run if so."""
    try:
        answer = process.run([*argv, "--version"], env=env, timeout=seconds)
    except (OSError, TimeoutError) as error:
        return "", f"{argv[0]} cannot be run: {error}."
    version = _VERSION.search(answer.stdout.decode(errors="replace"))
    if answer.returncode != 0 or version is None:
        return "", f"`{argv[0]} --version` ended with {answer.returncode} and named no version."
    return version[0], ""
