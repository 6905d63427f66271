"""What a context pack costs to make, and how large it is, in a repository of many files.

    .venv/bin/python bench/pack.py [--files 10000] [--tokens 6000] [--keep FOLDER]
    .venv/bin/python bench/pack.py --repo PATH [--tokens 6000] FILE ...

Without `--repo` a repository is made: services, models and pages in Python, TypeScript, PHP, Go, Java and Ruby with
their tests, each importing others, about 60 lines a file. The feature names three files of one service and two new
ones. With it the map is made of the checked-out commit of a real one, as if the feature named those files.

Told: processor seconds of this process and of the git calls, wall seconds, characters; the map twice, which must be
the same to the byte.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ropeteam import git, process
from ropeteam.core.briefing import Briefing
from ropeteam.core.model import Feature, Unit
from ropeteam.core.survey import PlannedFile, Survey
from ropeteam.packing import Packs
from ropeteam.prompts import packs

Made = TypeVar("Made")

WORDS = """account basket cart delivery export fee group hold invoice journal key ledger member notice order payment
quota refund shelf ticket user voucher wish zone""".split()  # noqa: SIM905
LINES = 12  # methods of a file


def python_file(name: str, on: Sequence[str]) -> str:
    methods = "".join(
        f"    def step_{n}(self, amount: int, note: str = '') -> int:\n        total = amount * {n}\n"
        f"        if not note:\n            return total\n        return total + len(note)\n\n"
        for n in range(LINES)
    )
    return "".join(f"from . import {one}\n" for one in on) + f"\n\nclass {name.title()}:\n{methods}"


def script_file(name: str, on: Sequence[str]) -> str:
    lines = "".join(
        f"export async function {name}{n}(amount: number, note?: string): Promise<number> {{\n"
        f"  const total = amount * {n};\n  return note ? total + note.length : total;\n}}\n"
        for n in range(LINES)
    )
    return "".join(f"import {{ {one}0 }} from './{one}';\n" for one in on) + lines


def php_file(name: str, on: Sequence[str]) -> str:
    uses = "".join(f"use App\\Services\\{one.title()};\n" for one in on)
    methods = "".join(
        f"    public function step{n}(int $amount): int\n    {{\n        return $amount * {n};\n    }}\n"
        for n in range(LINES)
    )
    return f"<?php\n\nnamespace App\\Services;\n\n{uses}\nclass {name.title()}\n{{\n{methods}}}\n"


def go_file(name: str, on: Sequence[str]) -> str:
    calls = "".join(f"var _ = New{one.title()}\n" for one in on)
    functions = "".join(
        f"func ({name[0]} *{name.title()}) Step{n}(amount int) int {{\n\treturn amount * {n}\n}}\n"
        for n in range(LINES)
    )
    return f"package main\n\ntype {name.title()} struct {{\n\tID int\n}}\n\n{calls}\n{functions}"


def java_file(name: str, on: Sequence[str]) -> str:
    fields = "".join(f"    private {one.title()} {one};\n" for one in on)
    methods = "".join(f"    public int step{n}(int amount) {{ return amount * {n}; }}\n" for n in range(LINES))
    return f"package shop;\n\npublic class {name.title()} {{\n{fields}{methods}}}\n"


def ruby_file(name: str, on: Sequence[str]) -> str:
    relations = "".join(f"  belongs_to :{one}\n" for one in on)
    methods = "".join(f"  def step_{n}(amount)\n    amount * {n}\n  end\n" for n in range(LINES))
    return f"class {name.title()} < ApplicationRecord\n{relations}{methods}end\n"


KINDS: Sequence[tuple[str, str, Callable[[str, Sequence[str]], str]]] = (
    ("server/{part}/services", "py", python_file),
    ("web/src/{part}", "ts", script_file),
    ("legacy/app/{part}/Services", "php", php_file),
    ("tools/{part}", "go", go_file),
    ("batch/src/main/java/{part}", "java", java_file),
    ("admin/app/models/{part}", "rb", ruby_file),
)


def files(count: int) -> Iterator[tuple[str, str]]:
    """Folders of a kind hold as many files as there are words."""
    made = 0
    part = 0
    while made < count:
        folder, ending, writes = KINDS[part % len(KINDS)]
        for n, word in enumerate(WORDS):
            if made == count:
                return
            on = [WORDS[(n + step) % len(WORDS)] for step in (1, 5)]
            yield f"{folder.format(part=f'part{part // len(KINDS):03d}')}/{word}.{ending}", writes(word, on)
            made += 1
        part += 1


def repository(folder: Path, count: int) -> Path:
    """A repository of one commit with so many files, written without a checkout."""
    process.run(["git", "init", "-q", "-b", "main", str(folder)], env=git_environment(), timeout=60)
    stream = ["commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 5\nfirst\n"]
    for path, text in files(count):
        stream.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
    argv = ["git", "-C", str(folder), "fast-import", "--quiet"]
    done = process.run(argv, env=git_environment(), input="".join(stream).encode(), timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


def git_environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def measured(what: str, make: Callable[[], Made]) -> Made:
    own, children, wall = spent(resource.RUSAGE_SELF), spent(resource.RUSAGE_CHILDREN), time.perf_counter()
    made = make()
    own, children = spent(resource.RUSAGE_SELF) - own, spent(resource.RUSAGE_CHILDREN) - children
    print(f"{what}: {own:.2f} s of processor, git {children:.2f} s, {time.perf_counter() - wall:.2f} s of wall time")
    return made


def spent(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=6_000)
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--keep", type=Path, help="where the repository is made, and stays")
    parser.add_argument("--show", action="store_true", help="print the map")
    parser.add_argument("named", nargs="*")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        top = given.repo or repository((given.keep or Path(temporary)) / "shop", given.files)
        folder = "server/part001/services"
        named = given.named or [f"{folder}/{word}.py" for word in ("cart", "order", "payment")]
        tell(top, named, [] if given.repo else [f"{folder}/returns.py", "web/src/part001/returns.ts"], given)


def tell(top: Path, named: Sequence[str], new: Sequence[str], given: argparse.Namespace) -> None:
    place = git.find(top)
    head = git.head(place)
    survey = Survey(files=tuple(PlannedFile(path=path) for path in (*named, *new)))
    feature = Feature(name="bench", source="stdin")
    made = Packs(place, head, feature, survey, given.tokens)
    drawn = measured("map", made.map)
    unit = Unit(id="unit", writes=(*named[:1], *new))
    excerpts = measured("excerpts of one unit", lambda: made.excerpts(Briefing(unit=unit), head))
    whole = len(packs.repository_map(drawn)) + len(packs.excerpts(excerpts))
    again = Packs(place, head, feature, survey, given.tokens).map()
    print(f"files: {len(git.list_files(place, head)):,}")
    print(f"map: {len(drawn):,} characters; with {len(excerpts)} excerpts {whole:,} of {4 * given.tokens:,}")
    print(f"made again: {'the same' if again == drawn else 'NOT THE SAME'}")
    if given.show:
        print(drawn)


if __name__ == "__main__":
    main()
