"""A repository full of programs that git would run, and an agent that plants more: ropeteam's own calls run none.

Without a sandbox, so that the agent can reach the user's checkout and its `.git`. The agent plants by writing files;
it calls no git, so every canary would be of a call of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import FILES, Project, project

from hostile import ATTRIBUTES, canaries, plant
from repositories import commit_all, files_of, git, make_repo, write_files

PLANTS = """
import subprocess, sys
sys.path.insert(0, {tests!r})
import hostile
folder, top = pathlib.Path({folder!r}), pathlib.Path({top!r})
tree, everywhere = pathlib.Path.cwd(), {everywhere!r}
def once(place, where, **extra):
    hostile.plant(folder, place, where + str(task["attempt"]), {{"core.worktree": {worktree!r}}} | extra,
                  attributes=everywhere)
once(tree / ".git", "tree")
write("nested/n.txt", "n\\n")
for name in ("hooks", "info", "objects", "refs"):
    (tree / "nested/.git" / name).mkdir(parents=True, exist_ok=True)
(tree / "nested/.git/HEAD").write_text("ref: refs/heads/main\\n")
once(tree / "nested/.git", "nested")
write(".gitconfig", (tree / ".git/config").read_text())
write("config", (tree / ".git/config").read_text())
write(".lfsconfig", "[lfs]\\n\\turl = ext::evil\\n")
write(".gitmodules", '[submodule "x"]\\n\\tpath = x\\n\\turl = ext::evil\\n\\tupdate = !evil\\n')
if everywhere:
    write("d/.gitattributes", hostile.ATTRIBUTES)
    (top / "d").mkdir(exist_ok=True)
    (top / "d/.gitattributes").write_text(hostile.ATTRIBUTES)
once(top / ".git", "user")
once(top / ".git/ropeteam/private.git", "private")
(top / "planted.sh").write_text("echo planted\\n")
"""
THEN = """
everything(); report()
if task["attempt"] == 1:
    sys.exit(3)
"""


@pytest.fixture
def hostile_project(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path, sets=("limits.tries=1",)) as made:
        (made.folder / "canaries").mkdir()
        yield made


def plants(p: Project, *, everywhere: bool) -> str:
    return PLANTS.format(
        tests=str(Path(__file__).parent.parent),
        folder=str(p.folder),
        top=str(p.top),
        worktree=str(p.folder / "elsewhere"),
        everywhere=everywhere,
    )


def quiet(p: Project, *args: str, code: int) -> str:
    """Call ropeteam, and nothing planted has run."""
    done = p.ropeteam(*args)
    assert done.code == code, done
    assert canaries(p.folder) == [], args
    return done.out


def tracked(p: Project) -> dict[str, tuple[str, bytes]]:
    """Tracked files but for the run's own documents."""
    return {path: what for path, what in files_of(p.top).items() if path in FILES and not path.startswith(".work")}


@pytest.mark.slow
def test_filters_and_drivers_for_every_file(hostile_project: Project) -> None:
    """All of it before the run, all of it again by the agent. The result has its branch: to put it into the checkout
    would mean to run a filter that only this repository has, or to write something else than git would."""
    p = hostile_project
    (p.folder / "elsewhere").mkdir()
    write_files(p.top, {".gitattributes": ATTRIBUTES, "b.proc": "b\n"})
    commit_all(p.top)
    plant(p.folder, p.top / ".git", "before", {"core.worktree": str(p.folder / "elsewhere")})
    p.agent(plants(p, everywhere=True) + THEN)
    index, before = (p.top / ".git/index").read_bytes(), tracked(p)
    quiet(p, *p.run_args(), code=1)
    quiet(p, "status", code=0)
    assert (p.top / ".git/index").read_bytes() == index
    assert tracked(p) == before
    quiet(p, "resume", code=1)
    quiet(p, "resume", "--json", code=1)
    report = p.report()
    assert (report["outcome"], report["landed_reason"]) == ("delivered_single", "unsupported")
    changed = [t["evidence"] for t in report["triggers"] if t["id"] == "checkout_changed"]
    assert any("config" in sentence and "hooks" in sentence for sentence in changed), report["triggers"]
    quiet(p, "land", code=1)
    quiet(p, "report", "--format", "md", code=0)
    quiet(p, "doctor", code=1)  # no agent is installed
    for name in ("status", "attach", "wait"):
        quiet(p, name, code=0 if name == "status" else 1)
    quiet(p, "clean", code=0)
    quiet(p, "clean", "--purge", "--yes", code=0)
    assert tracked(p) == before
    assert list((p.folder / "elsewhere").iterdir()) == []
    plain = ("-c", f"core.worktree={p.top}")
    assert git(p.top, *plain, "show", f"{report['branch']}:nested/n.txt") == "n"
    git(p.top, *plain, "status")
    assert canaries(p.folder)  # they do sing when git is called plainly


@pytest.mark.slow
def test_hooks_and_monitors_while_landing(hostile_project: Project) -> None:
    """Without filters for the files, so that the result lands: at the end of a run, and later on a newer tip."""
    p = hostile_project
    (p.folder / "elsewhere").mkdir()
    plant(p.folder, p.top / ".git", "before", {"core.worktree": str(p.folder / "elsewhere")}, attributes=False)
    p.agent(plants(p, everywhere=False) + THEN)
    quiet(p, *p.run_args("--land", "no"), code=1)
    quiet(p, "resume", code=0)
    report = p.report()
    assert report["landed_reason"] == "asked"
    changed = " ".join(t["evidence"] for t in report["triggers"] if t["id"] == "checkout_changed")
    assert "hooks" in changed
    config = p.top / ".git/config"
    planted = config.read_text()
    config.write_text("[core]\n\trepositoryformatversion = 0\n")  # the user goes on working meanwhile
    for hook in (p.top / ".git/hooks").iterdir():
        hook.rename(hook.with_suffix(".away"))
    write_files(p.top, {"mine.txt": "mine\n"})
    git(p.top, "add", "mine.txt")
    git(p.top, "commit", "-q", "-m", "mine")
    for hook in (p.top / ".git/hooks").iterdir():
        hook.rename(hook.with_suffix(""))
    config.write_text(planted)
    assert canaries(p.folder) == []
    quiet(p, "land", code=0)
    assert (p.top / "farewell.py").exists()
    assert (p.top / "mine.txt").read_text() == "mine\n"
    quiet(p, "resume", code=0)
    quiet(p, "clean", "--all", code=0)
    assert list((p.folder / "elsewhere").iterdir()) == []


@pytest.mark.slow
def test_changes_of_the_user_are_taken_along(hostile_project: Project) -> None:
    p = hostile_project
    inner = make_repo(p.folder / "inner", {"i.txt": "i"})
    git(p.top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    commit_all(p.top)
    plant(p.folder, p.top / ".git/modules/sub", "submodule")
    plant(p.folder, p.top / ".git", "before", {"core.worktree": str(p.top)}, attributes=False)
    write_files(p.top, {"tests/test_app.py": (p.top / "tests/test_app.py").read_text() + "# mine\n"})
    p.agent("everything(); report()")
    quiet(p, *p.run_args("--include-dirty", "--budget-tokens", "1000000"), code=0)
    assert p.report()["landed_reason"] == "include_dirty"
