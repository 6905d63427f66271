"""The journal as a file."""

from __future__ import annotations

import stat
from pathlib import Path

from ropeteam.core.events import InterruptAsked
from ropeteam.journal import Journal


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ropeteam" / "journal.sqlite")
    journal.append("run", [InterruptAsked(at=1.0)])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ropeteam").iterdir()}
    journal.close()
    assert modes
    assert set(modes.values()) == {0o600}, modes
