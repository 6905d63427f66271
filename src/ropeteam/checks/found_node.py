"""`npm test`: the project's own script, asked for results test by test where its runner is one that can tell."""

from __future__ import annotations

import re
import shlex
from typing import Literal

import msgspec

from ropeteam.checks.repository import Repository, join
from ropeteam.core.settings import CheckCommand


class _Package(msgspec.Struct, frozen=True, kw_only=True):
    scripts: dict[str, object] = {}


# How each runner is asked, behind the script's own arguments. Its usual output stays: people and agents read it.
_MORE_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "jest": ("--json", "--outputFile={results}"),
    "vitest": ("--reporter=default", "--reporter=junit", "--outputFile.junit={results}"),
    "mocha": ("--reporter", "tap"),
}
_FORMATS: dict[str, Literal["jest", "junit", "tap"]] = {"jest": "jest", "vitest": "junit", "mocha": "tap"}
_ANSWERS_TO = {"react-scripts": "jest", "vue-cli-service": "jest", "craco": "jest", "_mocha": "mocha"}
# Options of node have to stand before the script's first file, where nothing can be added from outside.
_NODE_OPTIONS = (
    "--test-reporter=spec --test-reporter-destination=stdout "
    '--test-reporter=junit --test-reporter-destination="{results}"'
)
_NOT_APPENDABLE = re.compile(r"[|;<>`()]|(?<!&)&(?!&)")
_OWN_REPORT = re.compile(r"(^|\s)(--reporters?|-R|--json|--outputFile|--test-reporter)\b")


def npm_test(repository: Repository, folder: str) -> tuple[CheckCommand, ...]:
    """The `test` script of the folder's package.json, unless it is the one that `npm init` writes."""
    manifest = join(folder, "package.json")
    if manifest not in repository.names:
        return ()
    try:
        scripts = msgspec.json.decode(repository.text(manifest).lstrip("\ufeff").encode(), type=_Package).scripts
    except (msgspec.MsgspecError, UnicodeError):
        return ()
    script = scripts.get("test")
    if not isinstance(script, str) or not script.strip() or "no test specified" in script:
        return ()
    tool = _tool(repository, folder)
    runner = _runner(script)
    name = f"{tool} test"
    if runner == "node":
        return (
            CheckCommand(
                name=name,
                argv=(tool, "test"),
                cwd=folder,
                format="junit",
                env={"NODE_OPTIONS": _NODE_OPTIONS},
                found=manifest,
            ),
        )
    if runner not in _MORE_ARGUMENTS:
        return (CheckCommand(name=name, argv=(tool, "test"), cwd=folder, found=manifest),)
    separator = ("--",) if tool == "npm" else ()
    argv = (tool, "test", *separator, *_MORE_ARGUMENTS[runner])
    return (CheckCommand(name=name, argv=argv, cwd=folder, format=_FORMATS[runner], found=manifest),)


def _tool(repository: Repository, folder: str) -> str:
    """Whose lock file is there, when it is installed; npm runs the scripts of all of them."""
    for place in dict.fromkeys((folder, "")):
        for tool, lock in (("pnpm", "pnpm-lock.yaml"), ("yarn", "yarn.lock")):
            if repository.has(place, lock) and repository.which(tool):
                return tool
    return "npm"


def _runner(script: str) -> str:
    """The runner that arguments behind the script reach: the last command's, when it is known; else empty."""
    if _NOT_APPENDABLE.search(script) or "||" in script:
        return ""
    last = script.rsplit("&&", 1)[-1]
    if _OWN_REPORT.search(last):
        return ""
    try:
        words = shlex.split(last)
    except ValueError:
        return ""
    names = [word.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".js") for word in words]
    for name in names:
        runner = _ANSWERS_TO.get(name, name)
        if runner in _MORE_ARGUMENTS:
            return runner
    return "node" if "--test" in words and {"node", "tsx"} & set(names) else ""
