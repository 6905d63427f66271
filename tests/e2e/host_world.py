"""The host of host mode, played by a test: it takes units through the command line, does them, hands them in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from driving import FEATURE, Done, make_as, must_hold, wait_until
from several_world import BASE, CHECK, WORK, Several, plan

from ropeteam import app, hosting

Unit = Mapping[str, Any]


class Hosted(Several):
    """The project of several units, in a run that offers them to a host."""

    def hosting(self, *more: str, mode: str = "parallel") -> str:
        """Begin the run, driven by a process of its own; its id."""
        sets = [part for setting in self.sets for part in ("--set", setting)]
        planned = ("--plan", str(self.plan_file)) if mode == "parallel" else ()
        how = ("--agent", "host", "--mode", mode, *planned, "--yes", "--detach", "--json")
        done = self.ropeteam("run", FEATURE, *how, *sets, *more)
        assert done.code == 0, done
        return str(done.json["run"])

    def take(self, *more: str, wait: float = 30.0) -> Any:
        """What the command line answers."""
        done = self.ropeteam("take", "--json", "--wait", str(wait), *more)
        assert done.code == 0, done
        return done.json

    def asks(self, wait: float = 30.0) -> Any:
        """The same from within this process, which saves its start. Only where somebody drives the run."""
        return msgspec.to_builtins(hosting.take(app.open_repository(self.top), by="me", wait=wait))

    def unit(self, ask: Callable[[], Any] | None = None) -> Unit:
        """Take a unit; there is one, or there will be in a moment."""
        found: list[Unit] = []

        def asked() -> bool:
            answer = (ask or self.asks)()
            assert not answer.get("done"), answer
            found.extend([answer["unit"]] if "unit" in answer else [])
            return bool(found)

        wait_until(asked, "a unit")
        return found[0]

    def hand_in(self, attempt: str, *more: str) -> Done:
        """Through the command line."""
        return self.ropeteam("hand-in", attempt, "--json", *more)

    def hands(self, unit: Unit, report: str | None = None) -> None:
        """From within this process; it is accepted."""
        assert hosting.hand_in(app.open_repository(self.top), None, unit["attempt"], report).accepted

    def drive(self, does: Callable[[Unit], None] | None = None) -> Any:
        """Take, do and hand in until there is nothing to do any more; what `take` said last."""
        while not (answer := self.asks()).get("done"):
            if "unit" in answer:
                (does or self.does)(answer["unit"])
                self.hands(answer["unit"])
        return answer

    def does(self, unit: Unit, *units: str) -> None:
        """Its work, as its subagent would write it, and a report."""
        mine = units or ((unit["id"],) if unit["id"] in WORK else tuple(WORK))
        wrote = [path for id in mine for path in self._write(unit, id)]
        files = [{"path": path, "purpose": f"part of {unit['id']}"} for path in wrote]
        Path(unit["report_file"]).write_text(json.dumps({"files": files}))

    def _write(self, unit: Unit, id: str) -> list[str]:
        for path, text in WORK[id].items():
            place = Path(unit["tree"]) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return list(WORK[id])

    def done(self) -> Done:
        """The report of the run, held to what must always hold."""
        done = self.ropeteam("wait", "--json", "--timeout", "60")
        must_hold(self)
        self.landed_is_validated()
        return done


@contextmanager
def hosted(folder: Path, *, sets: tuple[str, ...] = ()) -> Iterator[Hosted]:
    argv = json.dumps([sys.executable, "-S", "-E", str(folder / "agent" / "check.py"), str(folder / "gates")])
    check = f'checks.commands=[{{name="tests",argv={argv},format="unittest"}}]'
    made = make_as(Hosted, folder, BASE, sandbox=False, sets=(check, "checks.canary=false", *sets))
    made.gates.mkdir()
    (folder / "agent" / "check.py").write_text(CHECK)
    made.look()
    made.planned(plan())
    try:
        yield made
    finally:
        made.close()
