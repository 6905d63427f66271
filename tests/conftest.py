"""Fixtures for all tests: a user's home of the test's own, so that nothing of this machine is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ropeteam import grammars

# How long an example takes says something of the machine, not of the code: nothing here asserts a duration.
settings.register_profile("ropeteam", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ropeteam")

ALLOWED = ("PATH", "LANG", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with a git identity; the environment has nothing else but what is on the allow-list."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Test User\n\temail = user@example.org\n")
    for name in list(os.environ):
        if name not in ALLOWED and not name.startswith(("PYTEST", "COV", "ROPETEAM_GIT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def without_ruby(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Python has it where the grammar of that extra is not installed: importing it raises."""
    monkeypatch.setitem(sys.modules, "tree_sitter_ruby", None)
    for cached in (grammars.has, grammars.language):
        cached.cache_clear()
    yield
    for cached in (grammars.has, grammars.language):
        cached.cache_clear()
