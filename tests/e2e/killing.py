"""Kills the program at exact moments, without sleeping and without patching anything of it.

A git of our own (`ROPETEAM_GIT`) counts its calls and kills its caller at the one that is wanted; the project's own
checks and the agent can do it too. Afterwards `comes_to_the_same` holds the end against that of an undisturbed run.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from driving import FEATURE, FILES, RESULT, Done, Project, alive, must_hold, wait_until

from repositories import files_of, git

GREP = 'checks.commands=[{name="grep",argv=["grep","-q","def greet","app.py"]}]'
QUICK = (GREP, "checks.canary=false")
"""A check that takes a millisecond, for those who test something else."""

KILLER = """#!/bin/sh
# Logs calls that match $KILL_ON. At the one with the number $KILL_AT the caller is killed, and then git is not run at
# all ($KILL_HOW = instead) or runs on as an orphan (then); or the call waits for a file $KILL_LOG.go (hold).
case "$*" in
$KILL_ON)
  echo "$$ $*" >>"$KILL_LOG"
  if [ "$(grep -n "^$$ " "$KILL_LOG" | tail -1 | cut -d: -f1)" = "$KILL_AT" ]; then
    if [ "$KILL_HOW" != hold ]; then kill -9 $PPID; fi
    touch "$KILL_LOG.done"
    if [ "$KILL_HOW" = instead ]; then exit 1; fi
    if [ "$KILL_HOW" != then ]; then until [ -e "$KILL_LOG.go" ]; do sleep 0.02; done; fi
  fi ;;
esac
exec "$KILL_GIT" "$@"
"""


def killing_git(p: Project, at: int, on: str = "*", how: str = "instead") -> dict[str, str]:
    """An environment in which the `at`-th git call that matches the shell pattern `on` kills whoever makes it.

    how: `instead` of being made, or before it is made (`then`), or before it is held (`then hold`); or it only
    waits (`hold`). What is held goes on once there is a file with the name of `KILL_LOG` and `.go`.
    """
    program = p.folder / f"git.{len(p.children)}"
    program.write_text(KILLER.replace("$KILL_ON", on.replace(" ", "\\ ")))
    program.chmod(0o755)
    log = p.folder / f"git-calls.{len(p.children)}"
    return {
        "ROPETEAM_GIT": str(program),
        "KILL_GIT": p.env.get("ROPETEAM_GIT", "git"),
        "KILL_AT": str(at),
        "KILL_HOW": how,
        "KILL_LOG": str(log),
    }


def kill_run_at(p: Project, env: Mapping[str, str], *args: str) -> bool:
    """Run with that environment, or resume. Whether it was killed; else it ended as it should."""
    child = p.start(*(args or p.run_args()), env=env)
    done = p.ended(child)
    if done.code == -signal.SIGKILL:
        return True
    assert done.code == 0, done
    assert not Path(env["KILL_LOG"] + ".done").exists()
    return False


def kill(*pids: int) -> None:
    """Those that are still there: one may have ended with the one before."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_started(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


# ---- the same as undisturbed


def comes_to_the_same(p: Project, *, attempts: int | None = 1, landed: bool = True, tracked: bool = True) -> None:
    """Resume twice: the ending of a run that nobody disturbed, nothing done twice, nothing left, nothing lost.

    attempts: how many there must be; None: one more where the first was journalled and killed before it was started.
    """
    must_hold(p, at_rest=False)
    if not p.rows():  # killed before there was a run: nothing was changed, and it can be started again
        refused = p.ropeteam("resume")
        assert refused.code == 2, refused
        assert "no run" in refused.err, refused
        assert p.ropeteam(*p.run_args()).code == 0
    first = p.ropeteam("resume", "--json")
    is_as_undisturbed(p, first, attempts=attempts, landed=landed, tracked=tracked)
    before, view = p.rows(), everything(p)
    second = p.ropeteam("resume", "--json")
    assert (second.code, second.json) == (first.code, first.json), second
    assert p.rows() == before
    assert everything(p) == view


def everything(p: Project) -> dict[str, object]:
    """All that could be changed by a resume that has nothing to do."""
    return {
        "refs": git(p.top, "for-each-ref"),
        "files": files_of(p.top),
        "index": git(p.top, "ls-files", "-s"),
        "trees": sorted(str(path) for path in p.trees.rglob("*")),
    }


def is_as_undisturbed(
    p: Project, done: Done, *, attempts: int | None = 1, landed: bool = True, tracked: bool = True
) -> None:
    """The ending, the tree and the journal are those of a run that nobody disturbed."""
    assert done.code == 0, done
    said = done.json
    assert (said["state"], said["outcome"], said["landed"]) == ("ended", "delivered_single", landed), done
    units = said["units"]
    if attempts is None:
        attempts = 1 + len(p.events("AttemptLost"))
        assert attempts == 1 or p.starts() == ["single/2"], p.starts()
    assert [unit["id"] for unit in units] == ["single"]
    assert len(units[0]["attempts"]) == attempts, units
    assert units[0]["attempts"][-1]["outcome"] == "ok"
    if landed:
        _landed(p, tracked=tracked)
    count = Counter(p.kinds())
    once = ("RunStarted", "Planned", "BaselineMeasured", "AttemptSucceeded", "Merged", "CandidatePassed", "Composed")
    for kind in (*once, "RunEnded", *(["LandingStarted", "Landed"] if landed else ["BranchLeft"])):
        assert count[kind] == 1, (kind, p.kinds())
    assert count["AttemptStarted"] == attempts
    for kind in ("CommandFailed", "TriggerFired", "AttemptFailed"):
        assert count[kind] == 0, p.events(kind)
    assert len(set(p.starts())) == len(p.starts()) <= attempts  # nobody was started twice
    must_hold(p)


def _landed(p: Project, *, tracked: bool) -> None:
    expected = {**FILES, **RESULT}
    folder = f".workspace/features/{FEATURE}"
    log = (p.top / folder / "02-implementation.md").read_text()
    assert log.count("<!-- ropeteam run ") == log.count("<!-- ropeteam end ") == 1
    assert "done (" in (p.top / folder / "01-intent.md").read_text()
    for path, text in expected.items():
        if path != f"{folder}/01-intent.md":
            assert (p.top / path).read_text() == text, path
    assert git(p.top, "status", "--porcelain") == ""
    assert git(p.top, "rev-list", "--count", f"{p.before['head']}..main") == ("2" if tracked else "1")
    assert git(p.top, "diff", "--stat", p.before["head"], "main", "--", "app.py", "farewell.py", "tests") != ""
    assert not list((p.top / ".git").glob("*.lock"))
    for left in (p.top / ".git" / "objects" / "pack").glob("*.keep"):
        assert left.read_text().split()[0] == "ropeteam"  # of one who was killed: it goes a day later


def gone(*pids: int) -> None:
    """Wait until these processes are gone."""
    wait_until(lambda: not any(alive(pid) for pid in pids), f"the end of {pids}")
