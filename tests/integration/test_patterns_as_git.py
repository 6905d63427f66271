"""Patterns of owned paths mean what git makes of the same line in a `.gitignore`."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from repositories import SCRUBBED, make_repo
from ropeteam.core import patterns

PIECES = (
    *("a", "b", "ab", ".", "-", "*", "**", "***", "?", "[ab]", "[!a]", "[^b]", "[a-b]", "[]a]", "[b-]", "[!]]", "\\a"),
    *("\\*", "\\?", "[[:alpha:]]", "[![:punct:]]", "[\\]b]", "[a\\-b]", "[[:x]", "é", "[é]", " ", "\\ "),
)
NAMES = ("a", "b", "ab", "ba", "aab", "a.b", "-", "]", "*", "?", "é", "a b", " ", "[", "ax", ":", "é\xe9")
CASES = 2_000


def a_pattern(chance: random.Random) -> str:
    parts = ["".join(chance.choices(PIECES, k=chance.choice((1, 1, 1, 2, 3)))) for _ in range(chance.choice((1, 2, 3)))]
    return chance.choice(("", "", "/", "**/")) + "/".join(parts) + chance.choice(("", "", "/", "/**", "  "))


def test_patterns_own_what_git_would_ignore(tmp_path: Path) -> None:
    chance = random.Random(3)
    made = (a_pattern(chance) for _ in range(2 * CASES))
    usable = [pattern for pattern in made if not patterns.problem(pattern)][:CASES]
    paths = ["/".join(chance.choices(NAMES, k=k)) for k in (1, 1, 2, 2, 2, 3, 3, 4) for _ in range(10)]
    repo = make_repo(tmp_path / "repo")
    asked = []
    for number, pattern in enumerate(usable):  # a folder for each pattern, with a `.gitignore` of its own
        folder = repo / str(number)
        folder.mkdir()
        (folder / ".gitignore").write_text(pattern + "\n", encoding="utf-8")
        asked += [(pattern, path, f"{number}/{path}") for path in paths]
    done = subprocess.run(
        [os.environ.get("ROPETEAM_GIT") or "git", "-C", repo, "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(name for _, _, name in asked).encode(),
        env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | SCRUBBED,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ignored = set(done.stdout.decode().split("\0"))
    wrong = [
        (pattern, path, name in ignored)
        for pattern, path, name in asked
        if patterns.owns((pattern,), path) != (name in ignored)
    ]
    assert wrong == []
    assert len(usable) == CASES
    assert len(ignored) > len(asked) // 20  # often enough both ways
