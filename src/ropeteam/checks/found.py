"""Find the project's own checks from its usual files, as a developer would who sees it for the first time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ropeteam.checks.found_node import npm_test
from ropeteam.checks.found_python import python_tests
from ropeteam.checks.repository import Repository, join
from ropeteam.core.settings import CheckCommand

Finder = Callable[[Repository, str], tuple[CheckCommand, ...]]


def find(
    files: Sequence[str],
    read: Callable[[str], bytes | None],
    *,
    which: Callable[[str], str | None],
    venvs: Sequence[str] = (),
) -> tuple[CheckCommand, ...]:
    """The checks of the project whose tracked files are given, each at the root or else one folder below it.

    read: a file's contents at the base commit. which: a program's path, None when it is not installed.
    venvs: virtual environments that will be in every work tree, relative to it (`.venv`, `server/.venv`).
    """
    repository = Repository(files, read, which, venvs)
    found: list[CheckCommand] = []
    finders: tuple[Finder, ...] = (python_tests, npm_test, _go, _cargo, _php)
    for finder in finders:
        here = finder(repository, "")
        if not here:
            here = tuple(one for folder in repository.folders for one in finder(repository, folder))
        found += here
    return _named_apart(found or list(_make(repository, "")))


def _named_apart(found: Sequence[CheckCommand]) -> tuple[CheckCommand, ...]:
    """Every check has a name of its own: two of a kind are told apart by their folders, else by a number."""
    seen: dict[str, int] = {}
    named = []
    for command in found:
        name = f"{command.name} ({command.cwd})" if command.cwd else command.name
        count = seen[name] = seen.get(name, 0) + 1
        whole = name if count == 1 else f"{name} {count}"
        named.append(
            CheckCommand(
                name=whole,
                argv=command.argv,
                cwd=command.cwd,
                format=command.format,
                env=command.env,
                found=command.found,
            )
        )
    return tuple(named)


def _go(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    if not repository.has(folder, "go.mod"):
        return ()
    argv = ("go", "test", "-json", "./...")
    return (CheckCommand(name="go test", argv=argv, cwd=folder, format="gotest", found=join(folder, "go.mod")),)


def _cargo(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    manifest = join(folder, "Cargo.toml")
    if manifest not in repository.names:
        return ()
    whole = ("--workspace",) if re.search(r"^\s*\[workspace\]", repository.text(manifest), re.MULTILINE) else ()
    argv = ("cargo", "test", "--no-fail-fast", *whole)
    return (CheckCommand(name="cargo test", argv=argv, cwd=folder, format="cargo", found=manifest),)


def _php(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    composer = repository.text(join(folder, "composer.json"))
    marks = [name for name in ("phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml") if repository.has(folder, name)]
    program: tuple[str, ...]
    if "pestphp/pest" in composer and (marks or repository.has(folder, "tests/Pest.php")):
        name, program = "pest", ("vendor/bin/pest",)
    elif marks:
        name, program = "phpunit", ("vendor/bin/phpunit",)
    elif repository.has(folder, "artisan") and any(path.startswith("tests/") for path in repository.below(folder)):
        name, program = "artisan test", ("artisan", "test")
    else:
        return ()
    argv = ("php", *program, "--log-junit", "{results}")
    mark = join(folder, (marks or ["composer.json" if name == "pest" else "artisan"])[0])
    return (CheckCommand(name=name, argv=argv, cwd=folder, format="junit", found=mark),)


def _make(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        path = join(folder, name)
        if re.search(r"^test\s*:(?!=)", repository.text(path), re.MULTILINE):
            return (CheckCommand(name="make test", argv=("make", "test"), cwd=folder, found=path),)
    return ()
