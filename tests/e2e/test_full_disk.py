"""A disk that is really full: everything is kept, exit code 4, and `resume` goes on once there is room.

The disk is a small one in memory, mounted where nobody else sees it (`unshare`). A case runs there as a whole, in a
Python of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from driving import AT_ONCE, HELD, Project, make_project, must_hold, wait_until
from killing import QUICK, is_as_undisturbed, killing_git

from repositories import git

ALONE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
CASES = (
    pytest.param("agent_fills_it", marks=pytest.mark.slow),
    "snapshot_needs_more",
    "landing_needs_more",
    pytest.param("landing_needs_more_with_room_elsewhere", marks=pytest.mark.slow),
    "full_from_the_start",
)
MOUNT = 'mount -t tmpfs -o size=24m none "$1" && shift && exec "$@"'


def alone(*argv: str, disk: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ALONE, MOUNT, "sh", str(disk), *argv], capture_output=True, text=True, timeout=170, check=False
    )


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    place = tmp_path / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    if (tried := alone("true", disk=place)).returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr}")
    return place


@pytest.mark.parametrize("case", CASES)
def test_full(disk: Path, case: str) -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_full_disk as t; t.{case}(t.Path({str(disk)!r}))"
    done = alone(sys.executable, "-c", code, disk=disk)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


# ---- the cases: in a Python of their own, where `disk` is a small disk


def more_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)


def fill(path: Path) -> None:
    """Until not a byte fits any more."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, 1 << 12, 1):
        try:
            while os.write(file, b"x" * size):
                pass
        except OSError:
            continue
    os.close(file)


def project(disk: Path, *sets: str, does: str = HELD) -> Project:
    return make_project(disk, sets=(*QUICK, *sets), does=does, output=disk.parent)


def agent_fills_it(disk: Path) -> None:
    """Seen in time: the agent is stopped and its work kept while there is a little room left."""
    filling = 'write("big.bin", ""); open("big.bin", "wb").write(b"x" * 16_000_000); '
    p = project(disk, "limits.free_bytes=12000000", does=filling + HELD)
    done = p.ropeteam(*p.run_args("--json"))
    assert (done.code, done.json["state"]) == (4, "parked"), done
    assert [t["id"] for t in done.json["triggers"]] == ["disk_nearly_full"], done
    must_hold(p)
    assert p.events("AttemptFailed")[0]["result"]["commit"]
    again = p.ropeteam("resume", "--json")
    assert (again.code, again.json["state"]) == (4, "parked"), again
    more_room(disk)
    p.agent("import os; os.unlink('big.bin'); " + AT_ONCE)
    done = p.ropeteam("resume", "--json")
    assert (done.code, done.json["outcome"], done.json["landed"]) == (0, "delivered_single", True), done
    must_hold(p)


def snapshot_needs_more(disk: Path) -> None:
    """Not a byte is left when the agent ends: its work stays in its tree, and is snapshotted when there is room."""
    p = project(disk, "limits.free_bytes=0")
    child = p.start(*p.run_args("--json"))
    io = p.wait_agent()
    p.wait_event("BaselineMeasured")
    wrote = (io / "wrote").read_text()
    fill(disk / "filler")
    os.kill(p.agents()[0], 15)
    done = p.ended(child)
    assert done.code == 4, done
    assert "Traceback" not in done.err, done
    assert (io / "wrote").read_text() == wrote
    assert (Path(p.events("AttemptStarted")[0]["tree"]) / "farewell.py").read_text() == "half = True\n"
    again = p.ropeteam("resume", "--json")
    assert again.code == 4, again
    more_room(disk)
    p.agent(AT_ONCE)
    done = p.ropeteam("resume", "--json")
    assert (done.code, done.json["outcome"], done.json["landed"]) == (0, "delivered_single", True), done
    must_hold(p)


def landing_needs_more(disk: Path) -> None:
    """The checkout cannot take the files, and there is no room to look how far it came: `resume` finishes it."""
    p = out_of_room_while_landing(disk, disk)
    more_room(disk)
    lands(p)


def landing_needs_more_with_room_elsewhere(disk: Path) -> None:
    """Temporary files have room: taking the files back is tried at once, and fails in the middle too."""
    p = out_of_room_while_landing(disk, disk.parent)
    again = p.ropeteam("resume", "--json")
    assert again.code == 4, again
    more_room(disk)
    lands(p)


def out_of_room_while_landing(disk: Path, temporary: Path) -> Project:
    p = project(disk, "limits.free_bytes=0", does=AT_ONCE)
    env = killing_git(p, 4, "read-tree -m -u*", "hold") | {"TMPDIR": str(temporary)}
    child = p.start(*p.run_args("--json"), env=env)
    wait_until(Path(env["KILL_LOG"] + ".done").exists, "the landing")
    fill(disk / "filler")
    os.link(disk / "filler", env["KILL_LOG"] + ".go")  # a name takes no room here
    done = p.ended(child)
    assert done.code == 4, done
    assert "Traceback" not in done.err, done
    return p


def lands(p: Project) -> None:
    done = p.ropeteam("resume", "--json")
    assert (done.code, done.json["outcome"], done.json["landed"]) == (0, "delivered_single", True), done
    assert git(p.top, "status", "--porcelain") == ""
    must_hold(p)


def full_from_the_start(disk: Path) -> None:
    p = project(disk, "limits.free_bytes=0", does=AT_ONCE)
    fill(disk / "filler")
    done = p.ropeteam(*p.run_args())
    assert done.code == 4, done
    assert "Traceback" not in done.err, done
    assert "full" in done.err, done
    (disk / "filler").unlink()
    assert p.rows() == []
    must_hold(p)
    done = p.ropeteam(*p.run_args("--json"))
    is_as_undisturbed(p, done)
