"""Recordings of what real programs say, with all that differs from run to run and machine to machine made stable.

`tests/golden/<agent>/<version>/<case>.jsonl` is the program's standard output; `endings.json` beside them says of each
case how the program ended and which files the attempt's folder held that the adapter may read."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playing import Played
from rigs import Rig

GOLDEN = Path(__file__).parents[1] / "golden"
ATTEMPT = "/attempt"
LARGEST_FILE = 20_000
"""Characters; larger files in an attempt's folder (logs, trajectories of a long run) are not recorded."""

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PACKAGES = re.compile(r"(?<![\w.])/(?:[^\s\"'():/]+/)+?node_modules/")
"""Where npm put a program on the machine on which it was recorded."""
_DAY = re.compile(r"/20\d\d/\d\d/\d\d/")
_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d-\d\d-\d\d")
_IDENTITY = re.compile(r"\b(ses|msg|prt|call|toolu|chatcmpl|resp|fc|ctc|per|evt)([_-])([0-9A-Za-z]{12,})\b")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
_MILLISECONDS = re.compile(r"(?<!\d)1[789]\d{11}(?!\d)")
_FOR_HOW_LONG = re.compile(r'("(?:duration|duration_ms|duration_api_ms|ttft_ms|durationMs|latency)"\s*:\s*)[\d.]+')


class Scrubber:
    """Replaces by order of appearance, so that what was the same stays the same. keep: ids that are ours and stay."""

    def __init__(self, folder: Path, address: str, keep: frozenset[str] = frozenset()) -> None:
        self._places = [(str(folder), ATTEMPT), (address, "127.0.0.1:1")]
        self._keep = keep
        self._seen: dict[str, str] = {}

    def scrub(self, text: str) -> str:
        for place, name in self._places:
            # Also where it is part of a path without its first slash, or in a name made of a path.
            text = text.replace(place, name).replace(place.lstrip("/"), name.lstrip("/"))
            text = text.replace(place.replace("/", "-"), name.replace("/", "-"))
        text = _PACKAGES.sub("/npm/node_modules/", text)
        text = _UUID.sub(self._numbered(_uuid), text)
        text = _IDENTITY.sub(self._numbered(lambda m, n: f"{m[1]}{m[2]}{n:024d}"), text)
        text = _TIME.sub(lambda m: "2026-01-01T00:00:00" + (".000" if m[1] else "") + (m[2] or ""), text)
        text = _MOMENT.sub("2026-01-01T12-00-00", _DAY.sub("/2026/01/01/", text))
        text = _MILLISECONDS.sub(self._numbered(lambda _, n: str(1_800_000_000_000 + n)), text)
        return _FOR_HOW_LONG.sub(r"\g<1>1000", text)

    def _numbered(self, make: Callable[[re.Match[str], int], str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            if match[0] in self._keep or match[0] in self._seen.values():
                return match[0]
            return self._seen.setdefault(match[0], make(match, len(self._seen) + 1))

        return replace


def _uuid(match: re.Match[str], number: int) -> str:
    """Those of version 7 begin with the moment they were made at, which is noon of the first day of 2026 then."""
    return f"{'019b796d-d600-7000' if match[0][14] == '7' else '00000000-0000-4000'}-8000-{number:012d}"


def write(folder: Path, name: str, played: Played, address: str, rig: Rig) -> None:
    """Add a case to the recordings in `folder`, which is one version's."""
    folder.mkdir(parents=True, exist_ok=True)
    given = frozenset(_UUID.findall(" ".join([*played.launch.argv, *played.launch.env.values()])))
    scrubber = Scrubber(played.world.folder, address, given)
    text = b"".join(line + b"\n" for line in played.lines).decode(errors="replace")
    text = rig.printed(text)
    (folder / f"{name}.jsonl").write_text(scrubber.scrub(text), encoding="utf-8")
    kept = {scrubber.scrub(path): scrubber.scrub(text) for path, text in _files(played, rig).items()}
    ending: dict[str, Any] = {"code": played.ending.code, "signal": played.ending.signal}
    ending |= {"stopped": played.ending.stopped, **({"files": kept} if kept else {})}
    endings = read_endings(folder) | {name: ending}
    text = json.dumps(dict(sorted(endings.items())), indent=1, ensure_ascii=False)
    (folder / "endings.json").write_text(text + "\n", encoding="utf-8")


def _files(played: Played, rig: Rig) -> dict[str, str]:
    """What the program left and the adapter reads. By path relative to the world's folder."""
    found = {}
    ours = {Path(path) for path in played.launch.files}
    folder = played.world.folder
    for path in sorted(path for pattern in ("io/*", *rig.kept) for path in folder.glob(pattern)):
        if path.is_file() and path not in ours:
            text = rig.shorten(path.read_text(encoding="utf-8", errors="replace"))
            if len(text) <= LARGEST_FILE and "\0" not in text:  # which a database is full of
                found[str(path.relative_to(folder))] = text
    return found


def read_endings(folder: Path) -> dict[str, Any]:
    path = folder / "endings.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
