"""How long `ropeteam --help` takes beside an interpreter that does nothing. Goal: at most 6 times.

Both are started in turn, so that other load on the machine falls on both; the medians are compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 30
BARE = (sys.executable, "-c", "pass")
HELP = (str(Path(sys.executable).parent / "ropeteam"), "--help")


def main() -> None:
    subprocess.run(HELP, stdout=subprocess.DEVNULL, check=True)  # writes bytecode
    pairs = [(seconds(BARE), seconds(HELP)) for _ in range(ROUNDS)]
    bare, helped = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"bare interpreter {bare * 1000:.0f} ms, ropeteam --help {helped * 1000:.0f} ms: {helped / bare:.1f} times")


def seconds(argv: tuple[str, ...]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
