"""Python's tests: pytest where there is a sign of it, Django's own runner, else unittest."""

from __future__ import annotations

import re
import tomllib

from ropeteam.checks.repository import Repository, join
from ropeteam.core.settings import CheckCommand

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "manage.py", "tox.ini")
_REQUIREMENTS = re.compile(r"^(requirements[\w.-]*\.(txt|in)|requirements/[\w.-]+\.(txt|in))$")
_NAMES_DEPENDENCIES = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "tox.ini", "environment.yml")
_TEST_FILE = re.compile(r"^(test_.*|.*_test|test|tests)\.py$")
_UNITTEST_FILE = re.compile(r"^test.*\.py$")
_IMPORTS_PYTEST = re.compile(r"^\s*(import pytest|from pytest\b)|^(async )?def test_\w*\(", re.MULTILINE)
_LOOKED_AT = 60  # test files that are searched for signs of pytest
_FOLDERS = 4  # test folders that unittest cannot find from one start

# Errors while one file is read must not hide the other files; everything goes to the results, little to the output.
_PYTEST = (
    "-m",
    "pytest",
    "-q",
    "--tb=short",
    "--color=no",
    "-p",
    "no:cacheprovider",
    "--continue-on-collection-errors",
    "-o",
    "junit_family=xunit1",
    "--junitxml={results}",
)


def python_tests(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    """The checks of the Python project in a folder; none when there is no project or it has no tests."""
    paths = [path for path in repository.below(folder) if path.endswith(".py")]
    tests = [path for path in paths if _TEST_FILE.match(path.rsplit("/", 1)[-1])]
    if not _is_project(repository, folder, tests):
        return ()
    python = _python(repository, folder)
    if sign := _pytest_sign(repository, folder, paths, tests):
        argv = (*python, *_PYTEST)
        return (CheckCommand(name="pytest", argv=argv, cwd=folder, format="junit", found=join(folder, sign)),)
    if tests and "django" in repository.text(join(folder, "manage.py")):
        argv = (*python, "manage.py", "test", "--noinput", "-v", "2")
        found = join(folder, "manage.py")
        return (CheckCommand(name="manage.py test", argv=argv, cwd=folder, format="unittest", found=found),)
    return tuple(
        CheckCommand(
            name="unittest",
            argv=(*python, "-m", "unittest", "discover", "-v", *start),
            cwd=folder,
            format="unittest",
            found=join(folder, found),
        )
        for start, found in _unittest_starts(paths)
    )


def _is_project(repository: Repository, folder: str, tests: list[str]) -> bool:
    """A folder with a project file, or with tests at once below it; the root also with tests anywhere, unless they
    belong to a project one folder down."""
    if any(repository.has(folder, name) for name in (*_PROJECT_FILES, "pytest.ini", "conftest.py")):
        return True
    if any(path.count("/") == 0 or re.match(r"tests?/[^/]+$", path) for path in tests):
        return True
    inner = any(repository.has(one, name) for one in repository.folders for name in _PROJECT_FILES)
    return folder == "" and bool(tests) and not inner


def _pytest_sign(repository: Repository, folder: str, paths: list[str], tests: list[str]) -> str:
    """The file that says that the project is tested with pytest; empty when none does."""
    for name in ("pytest.ini", ".pytest.ini", "pytest.toml"):
        if repository.has(folder, name):
            return name
    if _has_pytest_table(repository.text(join(folder, "pyproject.toml"))):
        return "pyproject.toml"
    for name, table in (("tox.ini", r"^\[pytest\]"), ("setup.cfg", r"^\[tool:pytest\]")):
        if re.search(table, repository.text(join(folder, name)), re.MULTILINE):
            return name
    for path in paths:
        if path.rsplit("/", 1)[-1] == "conftest.py":
            return path
    if not tests:
        return ""
    listed = [path for path in repository.below(folder) if _REQUIREMENTS.match(path)]
    for name in (*_NAMES_DEPENDENCIES, *listed):
        if repository.mentions(folder, [name], r"\bpytest\b"):
            return name
    for path in tests[:_LOOKED_AT]:
        if _IMPORTS_PYTEST.search(repository.text(join(folder, path))):
            return path
    return ""


def _has_pytest_table(pyproject: str) -> bool:
    try:
        tool = tomllib.loads(pyproject).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return isinstance(tool, dict) and "pytest" in tool


def _unittest_starts(paths: list[str]) -> list[tuple[tuple[str, ...], str]]:
    """Arguments of `discover` that reach the test files, and one file each reaches.

    Discovery goes down from its start folder through packages only; what it cannot reach from the project's folder is
    started in a folder of its own, with the project's folder still importable (`python -m` puts it on the path).
    """
    tests = [path for path in paths if _UNITTEST_FILE.match(path.rsplit("/", 1)[-1])]
    known = set(paths)
    starts: dict[str, str] = {}
    for path in sorted(tests, key=lambda path: (path.count("/"), path)):
        parents = path.split("/")[:-1]
        start = ""
        for depth in range(len(parents), 0, -1):
            if "/".join([*parents[:depth], "__init__.py"]) not in known:
                start = "/".join(parents[:depth])
                break
        starts.setdefault(start, path)
    return [(("-s", start) if start else (), path) for start, path in list(starts.items())[:_FOLDERS]]


def _python(repository: Repository, folder: str) -> tuple[str, ...]:
    """The tree's own virtual environment, else the one that uv or poetry keeps for it, else the first on the path."""
    for name in (".venv", "venv", "env"):
        for place in dict.fromkeys((folder, "")):
            if join(place, name) in repository.venvs:
                return ("{tree}/" + join(place, name) + "/bin/python",)
    for place in dict.fromkeys((folder, "")):
        if repository.has(place, "uv.lock") and repository.which("uv"):
            return ("uv", "run", "--frozen", "python")
        if repository.has(place, "poetry.lock") and repository.which("poetry"):
            return ("poetry", "run", "python")
    return ("python",) if not repository.which("python3") and repository.which("python") else ("python3",)
