"""Where settings and caches belong."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from ropeteam.config import cache_folder, user_file

MAC = sys.platform == "darwin"
SETTINGS = "Library/Application Support" if MAC else ".config"
CACHE = "Library/Caches" if MAC else ".cache"


@pytest.mark.parametrize("named", ["", "relative/folder"])
def test_without_a_variable_they_are_below_home(users_home: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, named)
    assert user_file() == users_home / SETTINGS / "ropeteam" / "ropeteam.toml"
    assert cache_folder() == users_home / CACHE / "ropeteam"


def test_a_variable_names_another_folder(users_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert user_file() == tmp_path / "settings" / "ropeteam" / "ropeteam.toml"
    assert cache_folder() == users_home / CACHE / "ropeteam"


@pytest.mark.parametrize("home", ["", "somewhere"])
def test_a_home_that_is_none_is_what_the_system_knows(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert cache_folder() == Path(pwd.getpwuid(os.getuid()).pw_dir) / CACHE / "ropeteam"
