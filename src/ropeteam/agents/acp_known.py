"""What programs that speak the Agent Client Protocol need of the user's: their log-in's variables and folders.

Only those in the table; any other has `trees.pass_env` for its variables and works without the home folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ropeteam.agents import claude, codex
from ropeteam.ports import HomeFolder


@dataclass(frozen=True, kw_only=True)
class Known:
    """Of one program. log_in: variables that hold a log-in by themselves; files: below the home folder, that show that
    there is one. model: where the model's name goes: a flag, a variable, or empty for the protocol's own choice.
    asked: a sentence when there is no log-in, instead of `files`. keys: variables that the user's own settings name."""

    log_in: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[HomeFolder, ...] = ()
    home_readonly: tuple[str, ...] = ()
    model: str = ""
    hint: str = ""
    asked: Callable[[Mapping[str, str]], str] | None = None
    keys: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None


GEMINI: Final = Known(
    log_in=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    files=(".gemini/oauth_creds.json", ".gemini/settings.json"),
    passed=("GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT", "GOOGLE_GENAI_USE_GCA"),
    # Else it starts itself once more, and only the outer one hears a signal.
    env={"GEMINI_CLI_NO_RELAUNCH": "true"},
    folders=(HomeFolder(name=".gemini", kept=("oauth_creds.json",), own=("tmp",), fresh=("history",)),),
    model="-m",
    hint="Run `gemini` once and log in, or set GEMINI_API_KEY.",
)

OPENCODE: Final = Known(
    files=(".local/share/opencode/auth.json", ".config/opencode/opencode.json", ".config/opencode/opencode.jsonc"),
    passed=("OPENCODE_CONFIG", "OPENCODE_CONFIG_CONTENT", "OPENCODE_CONFIG_DIR"),
    env={"OPENCODE_DISABLE_AUTOUPDATE": "true"},
    folders=(
        HomeFolder(name=".config/opencode"),
        HomeFolder(name=".local/share/opencode", kept=("auth.json",), own=("storage", "snapshot"), fresh=("log",)),
    ),
    hint="Run `opencode auth login`; keys in variables have to be named in trees.pass_env.",
)

CLAUDE: Final = Known(
    asked=claude.not_logged_in,
    passed=claude.PASSED,
    env=claude.ENVIRONMENT,
    folders=(claude.SETTINGS,),
    home_readonly=(claude.SETTINGS_FILE,),
    model="ANTHROPIC_MODEL",
    hint="Run `claude` once and log in, or set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN.",
)

CODEX: Final = Known(
    passed=codex.PASSED,
    folders=(codex.SETTINGS,),
    hint="Run `codex login`, or set CODEX_API_KEY.",
    asked=codex.not_logged_in,
    keys=lambda env: codex.own_config(env).keys,
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


def not_logged_in(program: Known, env: Mapping[str, str]) -> bool:
    """Whether there is certainly no log-in. Only looks whether something is there."""
    if program.asked is not None:
        return bool(program.asked(env))
    if not program.files or any(env.get(name) for name in (*program.log_in, *program.passed)):
        return False
    home = Path(env.get("HOME", "/"))
    return not any((home / name).exists() for name in program.files)
