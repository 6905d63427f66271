"""Where a user's settings and caches belong: the XDG Base Directory Specification, and on macOS its Library.

What XDG says holds there too where its variable is set. A variable that is not an absolute path is not there, says it.
"""

from __future__ import annotations

import os
import pwd
import sys
from contextlib import suppress
from pathlib import Path

_NAME = "ropeteam"


def settings_folder() -> Path:
    return _folder("XDG_CONFIG_HOME", "Library/Application Support" if sys.platform == "darwin" else ".config")


def cache_folder() -> Path:
    return _folder("XDG_CACHE_HOME", "Library/Caches" if sys.platform == "darwin" else ".cache")


def _folder(variable: str, below_home: str) -> Path:
    named = os.environ.get(variable, "")
    return (Path(named) if os.path.isabs(named) else _home() / below_home) / _NAME  # noqa: PTH117


def _home() -> Path:
    """HOME, or what the system knows where that is nothing. Without any it is the root, where nothing can be made."""
    home = os.environ.get("HOME", "")
    if not home.startswith("/"):
        with suppress(KeyError):
            home = pwd.getpwuid(os.getuid()).pw_dir
    return Path(home or "/")
