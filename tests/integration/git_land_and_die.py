"""A program for tests: lands (or repairs a landing), and kills itself without warning at a given step."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ropeteam import git


def main(top: str, head: str, onto: str, what: str, step: str) -> None:
    repo = git.find(Path(top))
    do = git.land if what == "land" else git.repair_landing

    def progress(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    facts = git.facts(repo, base=onto)
    do(git.open_store(repo), head=head, onto=onto, branch="main", facts=facts, feature="", progress=progress)


if __name__ == "__main__":
    main(*sys.argv[1:])
