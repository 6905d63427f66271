"""What a path says about the file: is it a test, is it code that tests could be testing.

Paths are relative, with `/`. The rules are the conventions of the languages' own runners; a path alone can be wrong,
so nothing is decided by these that cannot be shown to the user.
"""

from __future__ import annotations

import re

_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "__mocks__", "spec", "specs", "e2e", "cypress"})
_FIXTURE_FOLDERS = frozenset({"fixtures", "__fixtures__", "fixture", "testdata", "test-data", "test_data"})
_CACHE_FOLDERS = frozenset(
    """__pycache__ .pytest_cache .mypy_cache .ruff_cache .hypothesis .tox .nox node_modules .venv venv .cache .vite
    .next .nuxt .turbo .parcel-cache .gradle .phpunit.cache .eslintcache coverage htmlcov .coverage""".split()  # noqa: SIM905
)
_TEST_NAME = re.compile(
    r"""^(
        test_.*\.py | .*_test\.py | tests?\.py | conftest\.py
      | .*\.(test|spec|cy)\.[cm]?[jt]sx? | .*\.(test|spec)\.(vue|svelte)
      | .*_test\.go
      | .*Tests?\.(php|java|kt|scala|cs|swift|groovy) | .*IT\.(java|kt)
      | .*_(spec|test)\.rb | (spec|test)_helper\.rb
      | .*_test\.(rs|exs|dart|cc|cpp|c|clj) | tests\.rs
    )$""",
    re.VERBOSE,
)
_SOURCE_SUFFIX = re.compile(
    r"""^( py | [cm]?[jt]s | [jt]sx | vue | svelte | php | go | rs | java | kt | scala | groovy | rb | [hc] | cc | cpp
    | cxx | hh | hpp | cs | swift | exs? | dart | lua | p[lm] | hs | clj | cljs | ml | fs | mm? | zig )$""",
    re.VERBOSE,
)
_BUILD_NAME = re.compile(
    r"""^(
        setup\.py | noxfile\.py | manage\.py | fabfile\.py | tasks\.py | \..*
      | .*\.(config|conf|setup)\.[cm]?[jt]s | (gulpfile|gruntfile|rollup|webpack.*)\.[cm]?[jt]s | .*\.d\.[cm]?ts
      | build\.rs | package\.swift | mix\.exs | rector\.php | ecs\.php | .*\.blade\.php
    )$""",
    re.VERBOSE | re.IGNORECASE,
)


def suffix(path: str) -> str:
    """The lower-case ending of a file's name without its dot, empty when there is none."""
    name = path.rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[1].lower() if "." in name.lstrip(".") else ""


def is_test(path: str) -> bool:
    """A test, or a file that only tests use (their folder, their set-up, their fixtures)."""
    *folders, name = path.split("/")
    if any(folder.lower() in _TEST_FOLDERS or is_fixture_folder(folder) for folder in folders):
        return True
    return _TEST_NAME.match(name) is not None


def is_fixture_folder(name: str) -> bool:
    """A folder of data for tests: what is in it may be broken on purpose."""
    return name.lower() in _FIXTURE_FOLDERS


def is_fixture(path: str) -> bool:
    return any(is_fixture_folder(folder) for folder in path.split("/")[:-1])


def is_source(path: str) -> bool:
    """Code of the project that is not a test and not the set-up of a tool (breaking that would break the tool)."""
    if not _SOURCE_SUFFIX.match(suffix(path)) or is_test(path):
        return False
    return _BUILD_NAME.match(path.rsplit("/", 1)[-1]) is None


def is_code(path: str) -> bool:
    """Written in a programming language, a test or the set-up of a tool included."""
    return _SOURCE_SUFFIX.match(suffix(path)) is not None


def is_cache(path: str) -> bool:
    """What tools leave behind and make anew: nobody misses it. Only asked of paths that the repository ignores."""
    return any(part in _CACHE_FOLDERS for part in path.split("/")) or path.endswith((".pyc", ".pyo"))
