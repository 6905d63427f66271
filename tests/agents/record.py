"""Record what real programs say in each case of the fault matrix: `make record-agents`, or

    PYTHONPATH=tests ROPETEAM_TEST_AGENTS=.../node_modules/.bin .venv/bin/python tests/agents/record.py AGENT [CASE ...]

writes `tests/golden/<agent>/<version>/<case>.jsonl` and `endings.json` there. Without cases all that the agent's
`expected.toml` does not leave out are recorded anew. Look at what was recorded, then write down in `expected.toml`, by
hand, what is to come of it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import recordings
from agent_worlds import a_folder
from all_rigs import RIGS
from cases import CASES
from playing import play
from rigs import Rig

from agent_expectations import left_out
from ropeteam.testing.model_server import ModelServer


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in {*RIGS, "all"} or not set(arguments[1:]) <= set(CASES):
        print(f"usage: record.py all|{'|'.join(RIGS)} [{' '.join(CASES)}]", file=sys.stderr)
        return 2
    for name in RIGS if arguments[0] == "all" else arguments[:1]:
        record(RIGS[name], arguments[1:])
    return 0


def record(rig: Rig, names: list[str]) -> None:
    folder = recordings.GOLDEN / rig.name / version(rig)
    if not names:
        recordings.forget(folder)
    for name in names or [case for case in CASES if case not in left_out(rig.name)]:
        with a_folder() as temporary, ModelServer() as server:
            played = play(rig, name, CASES[name], Path(temporary, "attempt"), server)
            address = server.base_url(name).removeprefix("http://").partition("/")[0]
            recordings.write(folder, name, played, address, rig)
        end = f"{played.ending.code} {played.ending.signal or ''} {played.ending.stopped}".strip()
        print(f"{rig.name} {name}: {played.finish.outcome} ({end}): {played.finish.evidence}", flush=True)


def version(rig: Rig) -> str:
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home}
        found = rig.agent(environment).probe(rig.settings("http://127.0.0.1:9"), environment)
    return found.version or "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
