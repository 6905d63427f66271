"""The demo's folders of files: the sample, and what agents make of it.

They are data, though most are Python. A clone has them as they are. A wheel has them in one archive (`hatch_build.py`
packs it), or pip would compile 140 modules that nobody imports; they are unpacked where a demo is played.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
NAMES: Final = ("contract", "feature", "hours", "house", "sample")
ARCHIVE: Final = "folders.zip"


def folder(name: str) -> Path:
    """One of NAMES, to be read only. It is there until the process ends."""
    return _all(HERE) / name


@cache
def _all(place: Path) -> Path:
    """Where they lie: in `place` itself, or unpacked from the archive there."""
    packed = place / ARCHIVE
    if not packed.exists():
        return place
    unpacked = Path(tempfile.mkdtemp(prefix="ropeteam-demo-files-"))
    atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(unpacked)
    return unpacked
