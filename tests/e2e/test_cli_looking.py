"""Commands that look and tidy: report, new, clean, agents, doctor, demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import CRASH, PROGRAM, World, at_terminal

from repositories import git


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    yield made
    made.end()


@pytest.fixture
def ran(world: World) -> World:
    """With one run that was delivered and landed."""
    done = world.run("run", "times", *world.scripted, "--yes")
    assert done.code == 0, done.err
    return world


def test_a_report_in_every_form(ran: World) -> None:
    text = ran.run("report").out
    assert text.startswith("✓ Delivered and landed on main.")
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert ran.run("report", "--format", "md").out.startswith("# Delivered and landed on main.")
    html = ran.run("report", "--format", "html").out
    assert html.startswith("<!doctype html>")
    assert "<h2>Checks</h2>" in html
    report = ran.run("report", "--format", "json").json
    assert report == ran.run("report", "--json").json == ran.run("status", "--json").json
    assert report == ran.run("report", report["run"][-4:], "--json").json
    picture = ran.folder / "pictures" / "report.svg"
    assert ran.run("report", "--picture", str(picture)).code == 0
    assert picture.read_text().startswith("<svg")


def test_a_report_at_80_columns_keeps_to_them(ran: World) -> None:
    text = ran.run("report", env={"COLUMNS": "80"}).out
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_json_report_of_a_feature_of_eight_files_is_short(world: World) -> None:
    writes = [{"do": "write", "path": f"part{i}.py", "content": f"x = {i}\n"} for i in range(8)]
    files = [{"path": f"part{i}.py", "purpose": f"one of the parts of the whole, number {i}"} for i in range(8)]
    decisions = [{"decision": f"Decision number {i}", "rationale": "because it is simpler"} for i in range(3)]
    world.plays([*writes, {"do": "report", "files": files, "decisions": decisions}])
    done = world.run("run", "times", *world.scripted, "--yes", "--json")
    assert done.code == 0, done.err
    assert len(done.json["files"]["created"]) == 8
    assert len(done.out) / 4 < 1500


def test_new_writes_a_folder_that_can_be_filled_in(world: World) -> None:
    done = world.run("new", "Shop/Cart")
    assert done.code == 0, done.err
    assert "wrote .workspace/features/shop/cart/01-intent.md" in done.out
    assert done.out.splitlines()[-1] == "Fill them in, then: ropeteam run shop/cart"
    assert (world.repo / ".workspace/features/shop/cart/01-research.md").exists()
    assert world.run("new", "other", "--json").json["written"] == [
        ".workspace/features/other/01-intent.md",
        ".workspace/features/other/01-research.md",
    ]


def test_clean_removes_trees_and_keeps_the_work(ran: World) -> None:
    run = ran.status()["run"]
    trees = list((ran.folder / "trees").glob(f"*/{run}"))
    assert trees
    done = ran.run("clean")
    assert (done.code, done.out) == (0, f"{run}: removed {trees[0]}\n")
    assert not trees[0].exists()
    assert git(ran.repo, "rev-parse", "--verify", f"refs/ropeteam/{run}/single/1^{{commit}}")
    assert ran.run("clean").out == f"{run}: nothing to remove\n"
    assert ran.run("report").code == 0


def test_purge_asks_first_and_says_what_would_be_lost(world: World) -> None:
    world.plays(CRASH)
    assert world.run("run", "times", *world.scripted, "--yes").code == 1
    run = world.status()["run"]
    refs = git(world.repo, "for-each-ref", "--format=%(refname)", "refs/ropeteam/").splitlines()
    assert refs
    nobody = world.run("clean", "--purge", "--json")
    assert (nobody.code, nobody.json["error"]["code"]) == (2, "consent_needed")
    refused = world.at_terminal("clean", "--purge", answers=[("Delete them for good?", "\n")])
    assert refused.code == 2
    assert "Nothing else holds this work: it would be gone." in refused.screen
    assert git(world.repo, "for-each-ref", "--format=%(refname)", "refs/ropeteam/").splitlines() == refs
    assert list((world.folder / "trees").glob(f"*/{run}"))
    agreed = world.run("clean", "--purge", "--yes", "--json")
    assert agreed.code == 0
    assert agreed.json["cleaned"][0]["refs"] == refs
    assert git(world.repo, "for-each-ref", "refs/ropeteam/") == ""
    assert world.run("report", "--json").json["outcome"] == "not_delivered"


def test_clean_all_goes_through_every_run(ran: World) -> None:
    ran.plays([{"do": "write", "path": "more.py", "content": "x = 1\n"}])
    assert ran.run("run", "times", *ran.scripted, "--yes", "--land", "no").code == 0
    done = ran.run("clean", "--all", "--json")
    assert done.code == 0
    assert [len(one["trees"]) for one in done.json["cleaned"]] == [1, 1]


def test_agents_are_listed_with_what_is_wrong(world: World) -> None:
    listed = {a["name"]: a for a in world.run("agents", "--json", *world.scripted[2:]).json["agents"]}
    assert listed["scripted"]["usable"] is True
    assert listed["command"]["usable"] is False
    assert "agent.command.argv" in listed["command"]["problem"]
    assert listed["command"]["hint"]
    assert listed["command"]["state"] == "not_set_up"
    assert listed["host"]["can"]["hosted"] is True
    assert list(listed) == sorted(listed)
    text = world.run("agents", *world.scripted[2:]).out
    assert re.search(r"^  scripted +\S+ +file +tokens, money", text, re.MULTILINE)
    assert re.search(r"^  command +The agent", text, re.MULTILINE)


def test_doctor_says_what_is_there_and_what_is_missing(world: World) -> None:
    missing = world.run("doctor", "--json", env={"PATH": only_these("git", "python3", folder=world.folder)})
    assert missing.code == 1
    found = {f["name"]: f for f in missing.json["found"]}
    assert missing.json["ok"] is False
    assert found["agents"]["state"] == "missing"
    assert found["sandbox"]["state"] == "note"
    assert "runs with your rights" in found["protection"]["text"]
    assert found["checks"]["text"].startswith("unittest: python3 -m unittest discover -v")
    assert str(world.repo) in found["repository"]["text"]
    with_agent = ("--set", "agent=scripted", *world.scripted[2:])
    well = world.run("doctor", *with_agent)
    assert well.code == 0, well.out
    assert well.out.startswith("✓ Everything that a run needs is here.")
    assert "GB free" in well.out


def test_a_grammar_that_is_not_installed_is_told_where_it_matters(world: World) -> None:
    """The package is hidden behind one of its name that cannot be imported."""
    hidden = world.folder / "hidden"
    hidden.mkdir()
    (hidden / "tree_sitter_ruby.py").write_text("raise ModuleNotFoundError(__name__)\n")
    env = {"PYTHONPATH": str(hidden)}
    doctor = ("doctor", "--json", "--set", "agent=scripted", *world.scripted[2:])
    folder = world.repo / "app"
    folder.mkdir()
    (folder / "order.rb").write_text("class Order\nend\n")
    git(world.repo, "add", "app")
    git(world.repo, "commit", "-q", "-m", "Ruby")
    done = world.run(*doctor, env=env)
    assert done.code == 0
    found = {f["name"]: f for f in done.json["found"]}
    assert found["grammar"]["state"] == "note"
    assert found["grammar"]["text"].startswith("One file is in Ruby, whose grammar is not installed")
    assert "pip install 'ropeteam[ruby]'" in found["grammar"]["hint"]
    assert "grammar" not in {f["name"] for f in world.run(*doctor).json["found"]}
    document = "# Orders\n\n## Files\n\n- `app/order.rb`: the order gets a total\n- `app/cart.rb` (new)\n"
    told = world.run("plan", "-", "--json", stdin=document, env=env)
    assert told.code == 0, told.err
    assert "2 files are in Ruby" in " ".join(told.json["notices"])


def only_these(*names: str, folder: Path) -> str:
    """A folder for PATH in which there is nothing but these programs."""
    import shutil

    made = folder / "programs"
    made.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found
        (made / name).symlink_to(found)
    return str(made)


def test_doctor_says_what_the_sandbox_protects(world: World) -> None:
    off = {f["name"]: f for f in world.run("doctor", "--json", "--set", "sandbox.mode=off").json["found"]}
    assert "sandbox.mode = off" in off["sandbox"]["text"]
    assert off["protection"]["state"] == "note"


def test_doctor_works_outside_of_a_repository(world: World) -> None:
    (world.folder / "plain").mkdir()
    with_agent = ("--set", "agent=scripted", *world.scripted[2:])
    done = world.run("doctor", "--json", *with_agent, cwd=world.folder / "plain")
    assert done.code == 0, done.out
    found = {f["name"]: f for f in done.json["found"]}
    assert found["repository"]["state"] == "note"
    assert world.run("agents", cwd=world.folder / "plain").code == 0


def test_doctor_without_git_says_so(world: World) -> None:
    done = world.run("doctor", "--json", env={"ROPETEAM_GIT": "/nowhere/git"})
    assert done.code == 1
    assert {f["name"]: f["state"] for f in done.json["found"]}["git"] == "missing"


def test_settings_come_with_their_sources(world: World) -> None:
    (world.repo / "ropeteam.toml").write_text("workers = 2\n[limits]\nstall_seconds = 30\n")
    git(world.repo, "add", "ropeteam.toml")
    git(world.repo, "commit", "-q", "-m", "settings")
    listed = world.run("doctor", "--settings", "--json", "--set", "workers=3").json["settings"]
    known = {row["name"]: row for row in listed}
    assert known["workers"]["value"] == 3
    assert "--set" in known["workers"]["source"]
    assert known["limits.stall_seconds"]["value"] == 30
    assert "ropeteam.toml" in known["limits.stall_seconds"]["source"]
    assert known["limits.grace_seconds"]["value"] == 1
    assert known["land"]["source"] == "built-in default"
    assert re.search(r"^workers += 2 ", world.run("doctor", "--settings").out, re.MULTILINE)


# ---- demo


@pytest.mark.slow
def test_the_demo_ends_delivered_and_touches_nothing_of_the_users(world: World) -> None:
    """The same as `ropeteam demo`, in a time scale that takes seconds instead of half a minute."""
    (world.folder / "home" / ".config" / "ropeteam").mkdir(parents=True)
    (world.folder / "home" / ".config" / "ropeteam" / "ropeteam.toml").write_text('agent = "nobody"\nland = "no"\n')
    code = (
        "import sys\n"
        "from ropeteam.demo import playing\n"
        "playing.prepare.__kwdefaults__['time_scale'] = 100.0\n"
        "sys.argv = ['ropeteam', 'demo', '--keep', 'here', '--picture', 'pictures', '--json']\n"
        "from ropeteam.cli import main\n"
        "sys.exit(main())\n"
    )
    before = git(world.repo, "for-each-ref")
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=world.folder, env=world.env, capture_output=True, check=False
    )
    assert child.returncode == 0, child.stderr.decode()
    repo = world.folder / "here" / "library"
    assert git(repo, "status", "--porcelain") == ""
    report = world.run("report", "--json", cwd=repo).json
    assert report["outcome"] == "delivered_parallel"
    units = [unit for unit in report["units"] if unit["state"] == "validated"]
    assert len(units) >= 4
    assert (
        len(git(repo, "log", "--format=%s", "main").splitlines()) == 1 + len(units) + 1
    )  # the sample, them, documents
    for name in ("live.svg", "report.svg"):
        assert (world.folder / "pictures" / name).read_text().startswith("<svg")
    assert git(world.repo, "for-each-ref") == before
    assert not (world.folder / "home" / ".cache").exists()


@pytest.mark.slow
def test_the_demo_as_it_is(world: World) -> None:
    done = at_terminal([PROGRAM, "demo", "--keep", "here"], world.folder, world.env, [], seconds=170)
    assert done.code == 0, done.screen
    assert "Delivered by several agents and landed on main. 1 check passed." in done.screen
    assert "Look around: cd" in done.screen
    assert os.path.isdir(world.folder / "here" / "library" / ".git")
