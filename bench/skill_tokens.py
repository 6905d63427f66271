"""What phase 2 of `/2-code` adds to the conversation it is called in, for a feature of eight units.

    .venv/bin/python bench/skill_tokens.py [--way tools|commands|host]

The real claude program plays the host, with the plugin installed, against a scripted model on the loopback interface.
Counted from the requests that the model receives, four characters a token: all that stands in the first request after
phase 2 (tools, system prompt, messages) less what stood in the last one before it. So the calls, their answers, tools
that were looked up, and what the model says in between are in it. The agents that do the units play a recording, so
their work takes seconds; a run of half an hour has more turns of waiting: one of them is measured alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

from skill_world import WAYS, added, host, size  # noqa: E402


def main() -> int:
    options = argparse.ArgumentParser(description="Tokens that phase 2 adds to the conversation.")
    options.add_argument("--way", choices=list(WAYS), action="append", help="only this one; may be repeated")
    for way in options.parse_args().way or list(WAYS):
        with tempfile.TemporaryDirectory(prefix="ropeteam-skill-") as place, host(Path(place)) as h:
            h.install()
            done = h.code(WAYS[way](h))
            report, requests = h.report(), h.conversation()
            if done.code or not report["landed"]:
                print(done)
                return 1
            sizes = [size(request) for request in requests]
            steps = " ".join(str(b - a) for a, b in pairwise(sizes))
            print(f"{way}: {added(requests)} tokens, {len(report['units'])} units; request by request: {steps}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
