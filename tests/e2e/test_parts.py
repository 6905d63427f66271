"""A repository of `/2-code` as it is, with an earlier log: its parts one by one, then all that are left at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_world import CRASH, FILES, WORK, World

from repositories import git
from ropeteam.core.report import Report

EXAMPLE = Path(__file__).parent.parent / "golden/features/checkout"
FOLDER = ".workspace/features/checkout"
DUE = ("REQ-004", "REQ-005", "REQ-006", "REQ-007")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make(FILES)
    shutil.copytree(EXAMPLE, made.repo / FOLDER)
    git(made.repo, "add", "-A")
    git(made.repo, "commit", "-qm", "Plan the checkout")
    yield made
    made.end()


def work(n: int) -> list[dict[str, Any]]:
    """Something to land, another for each run."""
    return [{"do": "write", "path": f"step{n}.py", "content": f"STEP = {n}\n"}, *WORK]


def run(world: World, *more: str) -> Report:
    done = world.run("run", "checkout", *world.scripted, "--yes", "--json", *more)
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Report)


def changed(world: World, before: str) -> list[tuple[str, str]]:
    """The lines of the intent that are others now."""
    after = (world.repo / FOLDER / "01-intent.md").read_text()
    return [(old, new) for old, new in zip(before.split("\n"), after.split("\n"), strict=True) if old != new]


@pytest.mark.slow
def test_one_part_after_the_other_and_then_the_extension(world: World) -> None:
    intent = (world.repo / FOLDER / "01-intent.md").read_text()
    log = (world.repo / FOLDER / "02-implementation.md").read_text()

    world.plays(work(1))
    first = run(world)
    day = first.started_at[:10]

    assert (first.parts, first.landed) == (("02-payment-backend",), True)
    assert git(world.repo, "log", "-2", "--format=%s").splitlines() == [
        "Log the implementation of Checkout: 02-payment-backend",
        "Checkout: 02-payment-backend",
    ]
    assert git(world.repo, "status", "--porcelain") == ""
    assert changed(world, intent) == [
        ("**Status:** 1/3 parts complete", "**Status:** 2/3 parts complete"),
        ("### ○ 02-payment-backend", f"### ✓ 02-payment-backend ({day})"),
        ("- Status: pending", "- Status: completed"),
        *((row, row.replace("○", "✓")) for row in intent.splitlines() if row[2:9] in DUE),
    ]
    written = (world.repo / FOLDER / "02-implementation.md").read_text()
    assert written.startswith(log)
    assert written.count(f"\n## Part: 02-payment-backend ({day})\n") == 1
    assert f"- Run: {first.run}" in written

    world.plays(work(2))
    second = run(world)
    assert second.parts == ("03-checkout-ui",)
    assert "**Status:** 3/3 parts complete" in (world.repo / FOLDER / "01-intent.md").read_text()

    world.plays(work(3))
    third = run(world)
    assert third.parts == ("Guest Checkout",)
    assert (
        f"## Extend: Guest Checkout (2026-03-01)\n\n**Status:** ✓ done ({day})\n\n**Complexity:**"
        in (world.repo / FOLDER / "01-intent.md").read_text()
    )
    assert (world.repo / FOLDER / "02-implementation.md").read_text().count("\n## ") == 4

    over = world.run("run", "checkout", *world.scripted, "--yes", "--json")
    assert over.code == 2
    assert over.json["error"]["message"].startswith("Every section of 'checkout' is done: 01-cart-models, 02-pay")
    listed = world.run("status", "--all")
    assert [line.split("  ")[1] for line in listed.out.splitlines()] == [
        "02-payment-backend",
        "03-checkout-ui",
        "Guest Checkout",
    ]


@pytest.mark.slow
def test_all_that_is_left_in_one_run(world: World) -> None:
    world.plays(work(1))
    report = run(world, "--all-parts")
    day = report.started_at[:10]
    assert report.parts == ("02-payment-backend", "03-checkout-ui", "Guest Checkout")
    log = (world.repo / FOLDER / "02-implementation.md").read_text()
    for heading in ("Part: 02-payment-backend", "Part: 03-checkout-ui", "Extend: Guest Checkout"):
        assert log.count(f"\n## {heading} ({day})\n") == 1
    assert log.count("In the same run as 02-payment-backend: see there.") == 2
    assert "○" not in (world.repo / FOLDER / "01-intent.md").read_text()
    page = world.run("report")
    assert "feature checkout (02-payment-backend, 03-checkout-ui, Guest Checkout)" in " ".join(page.out.split())


@pytest.mark.slow
def test_a_part_that_was_not_delivered_is_blocked_and_goes_on_with_resume(world: World) -> None:
    intent = (world.repo / FOLDER / "01-intent.md").read_text()
    world.plays(CRASH, third=work(1))
    failed = world.run("run", "checkout", *world.scripted, "--yes", "--json", "--set", "limits.tries=2")
    assert failed.code == 1, failed.err
    assert failed.json["parts"] == ["02-payment-backend"]
    mark, status = changed(world, intent)
    assert mark == ("### ○ 02-payment-backend", "### ✗ 02-payment-backend")
    assert status[1].startswith("- Status: blocked: ")
    stuck = world.run("run", "checkout", *world.scripted, "--yes", "--json")
    assert stuck.code == 2
    assert "02-payment-backend (line 58) is blocked" in stuck.json["error"]["message"]
    assert "--part 02-payment-backend" in stuck.json["error"]["hint"]

    resumed = world.run("resume", "--yes", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["parts"] == ["02-payment-backend"]
    assert "### ✓ 02-payment-backend (" in (world.repo / FOLDER / "01-intent.md").read_text()


def test_what_cannot_be_done_yet_is_refused_before_anything_happens(world: World) -> None:
    before = git(world.repo, "for-each-ref")
    early = world.run("run", "checkout", "--part", "3", *world.scripted, "--yes", "--json")
    assert early.code == 2
    assert early.json["error"] == {
        "code": "bad_input",
        "message": "Part: 03-checkout-ui depends on 02-payment-backend, which is not done (pending).",
        "where": f"{FOLDER}/01-intent.md:77",
        "hint": "`ropeteam run checkout --part 02-payment-backend` does that first. Give both with --part to have them"
        " done together; --all-parts does everything that is left.",
    }
    assert world.run("run", "times", "--part", "x", *world.scripted, "--yes").code == 2
    assert git(world.repo, "for-each-ref") == before


@pytest.mark.slow
def test_the_agent_is_told_what_is_due_and_what_is_not(world: World) -> None:
    world.plays(work(1))
    report = run(world, "--part", "payment-backend")
    (prompt,) = (world.folder / "trees").glob(f"*/{report.run}/single-1/io/prompt.md")
    told = prompt.read_text()
    shared, _, own = told.partition("# Your task")
    assert "- part `02-payment-backend`, line 58 of" in shared
    assert "in the repository already: part `01-cart-models`." in shared
    assert "Not to be done now: part `03-checkout-ui`, extend `Guest Checkout`." in shared
    assert own.lstrip().startswith("Checkout: 02-payment-backend\n")
    assert "The requirements to meet: REQ-004, REQ-005, REQ-006, REQ-007." in own
    assert "REQ-008" not in own


@pytest.mark.slow
def test_a_folder_of_spec_kit_is_implemented_its_tasks_ticked_and_its_log_written_there(world: World) -> None:
    spec = world.repo / "specs/001-multiply"
    spec.mkdir(parents=True)
    (spec / "spec.md").write_text(
        "# Feature Specification: Multiply\n\n**Status**: Draft\n\n### User Story 1 - Two numbers (Priority: P1)\n\n"
        "People multiply.\n\n- **FR-001**: System MUST multiply\n"
    )
    (spec / "plan.md").write_text("# Implementation Plan: Multiply\n\n`times.py` does it.\n")
    (spec / "tasks.md").write_text(
        "# Tasks: Multiply\n\n- [ ] T001 [P] [US1] Write times.py\n- [ ] T002 Document it\n- [ ] not a task\n"
    )
    git(world.repo, "add", "-A")
    git(world.repo, "commit", "-qm", "Specify")
    left = {"do": "report", "files": [], "deviations": [{"what": "T002 is left out", "why": "there are no documents"}]}
    world.plays([*WORK[:-1], left])
    done = world.run("run", "001", *world.scripted, "--yes", "--json")
    assert done.code == 0, done.err
    assert (done.json["feature"], done.json["parts"], done.json["landed"]) == ("001-multiply", [], True)
    assert (spec / "tasks.md").read_text().splitlines()[2:] == [
        "- [X] T001 [P] [US1] Write times.py",
        "- [ ] T002 Document it",
        "- [ ] not a task",
    ]
    assert "**Status**: ✓ done (" in (spec / "spec.md").read_text()
    assert f"## Run {done.json['run']}" in (spec / "02-implementation.md").read_text()
    assert git(world.repo, "status", "--porcelain") == ""
