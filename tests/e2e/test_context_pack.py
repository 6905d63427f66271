"""What agents are given to read in a whole run: one map for all of them, to the byte, and of its own for each unit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from several_world import UNITS, WORK, several

pytestmark = pytest.mark.slow

READ = "# Read for you"
TASK = "# Your task"
MAP = "# A map of the repository"


def test_all_agents_share_one_map_and_each_unit_has_excerpts_of_its_own(tmp_path: Path) -> None:
    """The one agent that does the rest has no excerpts: it owns everything."""
    with several(tmp_path) as p:
        fails = 'works(); print("no more money", file=sys.stderr); sys.exit(3)'
        p.plays({"05-talk": fails})
        p.ran()
        told = {e["attempt"]: (p.io_of(e["attempt"]) / "prompt.md").read_text() for e in p.events("AttemptStarted")}
        assert set(told) == {*(f"{unit}/1" for unit in UNITS), "rest/1"}
        shared = {
            prompt.partition("\n# The units of this feature")[0].partition(f"\n{TASK}")[0] for prompt in told.values()
        }
        assert len(shared) == 1, "the beginning is the same to the byte"
        the_map = shared.pop().partition(f"{MAP}\n")[2]
        assert "app.py  (2 lines; used by tests/test_app.py)\n  def greet(name)\n" in the_map
        assert "words.py" not in the_map, "it is of the base commit"

        read = {attempt: prompt.partition(f"{READ}\n")[2].partition(f"{TASK}\n")[0] for attempt, prompt in told.items()}
        assert read["rest/1"] == ""
        contract = WORK["01-contract"]["words.py"].strip()
        for unit in ("02-hello", "03-bye", "04-polite"):
            assert f"`words.py` (the contract declares it; whole):\n\n````python\n{contract}\n````" in read[f"{unit}/1"]
        assert "`hello.py` (made by the unit 02-hello; an outline):" in read["05-talk/1"]
        assert "4: def hello(who)" in read["05-talk/1"]
        assert "polite.py" not in read["05-talk/1"]

        started = json.loads(p.ropeteam("report", "--json").out)
        assert started["outcome"] == "delivered_after_fallback"
