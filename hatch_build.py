"""What hatchling does beside copying `src`: the demo's folders go into the wheel as one archive (demo/folders.py)."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DEMO = "src/ropeteam/demo"
FOLDERS = ("contract", "feature", "hours", "house", "sample")
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file knows: the same files are the same archive


class Hook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # the clone's own files are used
        self.made = tempfile.TemporaryDirectory()  # goes with the hook, which is there until the wheel is
        archive = Path(self.made.name) / "folders.zip"
        pack(Path(self.root) / DEMO, archive)
        build_data["force_include"][str(archive)] = "ropeteam/demo/folders.zip"


def pack(demo: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for folder in FOLDERS:
            for path in sorted((demo / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    name = zipfile.ZipInfo(str(path.relative_to(demo)), DATE)
                    name.external_attr = 0o644 << 16
                    packed.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
