"""Installed size and number of packages: the locked runtime and ropeteam's wheel, in a fresh virtual environment.

Sizes are the sum of file sizes below site-packages, compiled bytecode included, pip not. Goal: 30 MB, 15 packages.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import PackagePath, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, wheels = Path(scratch) / "venv", Path(scratch) / "wheels"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        call("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
        python = str(folder / "bin" / "python")
        call("--python", python, "install", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
        call("--python", python, "install", "--no-deps", *map(str, wheels.glob("*.whl")))
        (packages,) = (folder / "lib").glob("python*/site-packages")
        found = distributions(path=[str(packages)])
        rows = sorted((sum(size(file) for file in one.files or ()), one.name, one.version) for one in found)
        for total, name, version in reversed(rows):
            print(f"{total / 1e6:8.2f} MB  {name} {version}")
        print(f"{sum(row[0] for row in rows) / 1e6:8.2f} MB  {len(rows)} packages")


def call(*arguments: str) -> None:
    done = subprocess.run([*PIP, "--quiet", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"pip {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")


def size(file: PackagePath) -> int:
    """Bytes of one file that a distribution's RECORD names (pip lists the bytecode there too)."""
    path = Path(str(file.locate()))
    return path.stat().st_size if path.exists() else 0


if __name__ == "__main__":
    main()
