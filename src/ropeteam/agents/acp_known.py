"""What programs that speak the Agent Client Protocol need of the user's: their log-in's variables and folders.

Only those in the table; any other has `trees.pass_env` for its variables and works without the home folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ropeteam.agents import claude, codex, gemini, opencode
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import HomeFolder


@dataclass(frozen=True, kw_only=True)
class Known:
    """Of one program. model: where the model's name goes: a flag, a variable, or empty for the protocol's own choice.
    confined: its mode where our sandbox confines it, so that it does not try to by itself: one inside the other fails.
    bounded: its mode where ours does not and it confines itself, asking us for all that leaves its bounds. plans: its
    mode for who plans, likewise. folder: a flag for a folder besides the tree that it may write in. asked: for a
    sentence when there is no log-in. keys: variables that the user's own settings name."""

    passed: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[HomeFolder, ...] = ()
    home_readonly: tuple[str, ...] = ()
    model: str = ""
    confined: str = ""
    bounded: str = ""
    plans: str = ""
    folder: str = ""
    hint: str = ""
    asked: Callable[[AgentSettings, Mapping[str, str]], str] | None = None
    keys: Callable[[AgentSettings, Mapping[str, str]], tuple[str, ...]] | None = None


GEMINI: Final = Known(
    asked=lambda _, env: gemini.not_logged_in(env),
    passed=gemini.PASSED,
    env=gemini.ENVIRONMENT,
    folders=(gemini.SETTINGS,),
    model="-m",
    folder="--include-directories",
    hint="Run `gemini` once and log in, or set GEMINI_API_KEY.",
)

OPENCODE: Final = Known(
    asked=opencode.not_logged_in,
    passed=(*opencode.PASSED, "OPENCODE_CONFIG_CONTENT"),
    env=opencode.ENVIRONMENT,
    folders=opencode.FOLDERS,
    keys=lambda settings, _: opencode.keys(settings),
    hint="Run `opencode auth login`, or set agent.acp.model and its provider's key.",
)

CLAUDE: Final = Known(
    asked=lambda _, env: claude.not_logged_in(env),
    passed=claude.PASSED,
    env=claude.ENVIRONMENT,
    folders=(claude.SETTINGS,),
    home_readonly=(claude.SETTINGS_FILE,),
    model="ANTHROPIC_MODEL",
    hint="Run `claude` once and log in, or set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN.",
)

CODEX: Final = Known(
    passed=codex.PASSED,
    # Refused connections are waited for without end unless this is off, as in `codex`.
    env={"CODEX_CONFIG": '{"features":{"unbounded_connection_retries":false}}'},
    confined="agent-full-access",
    # Its default, `agent`, has a model decide on what leaves its bounds: not for us to hear of, and at the user's cost.
    bounded="workspace-write",
    plans="read-only",
    folders=(codex.SETTINGS,),
    hint="Run `codex login`, or set CODEX_API_KEY.",
    asked=lambda _, env: codex.not_logged_in(env),
    keys=lambda _, env: codex.own_config(env).keys,
)

PROGRAMS: Final[Mapping[str, Known]] = {
    "gemini": GEMINI,
    "opencode": OPENCODE,
    "claude-agent-acp": CLAUDE,
    "claude-code-acp": CLAUDE,
    "codex-acp": CODEX,
}


def known(argv: tuple[str, ...]) -> Known:
    """What is known of the program by its name; nothing for all others."""
    return PROGRAMS.get(Path(argv[0]).name if argv else "", Known())


def not_logged_in(program: Known, settings: AgentSettings, env: Mapping[str, str]) -> bool:
    """Whether there is certainly no log-in. Only looks whether something is there."""
    return bool(program.asked(settings, env)) if program.asked is not None else False
