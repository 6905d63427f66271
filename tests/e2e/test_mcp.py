"""`ropeteam mcp` as a host uses it: the program as a child process, the library's own client at the other end."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import FEATURE, HELD, RESULT, Project, must_hold, project, wait_until

anyio = pytest.importorskip("anyio")
mcp = pytest.importorskip("mcp")
types = pytest.importorskip("mcp_types")

START = {"feature": FEATURE, "agent": "command", "mode": "single", "land": "yes"}


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path, does=HELD) as made:
        yield made


def client(p: Project, cwd: Path | None = None, **how: Any) -> Any:
    how_to_start = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "ropeteam", "mcp"], cwd=str(cwd or p.top), env=p.env
    )
    return mcp.Client(mcp.stdio_client(how_to_start), **how)


async def said(c: Any, tool: str, heard: Callable[..., Any] | None = None, **arguments: Any) -> dict[str, Any]:
    answered = await c.call_tool(tool, arguments, progress_callback=heard)
    facts: dict[str, Any] = answered.structured_content
    assert answered.content[0].text == facts["text"]
    assert answered.is_error == bool(facts.get("problem"))
    return facts


def agents_tree(p: Project) -> Path:
    wait_until(lambda: p.rows() and p.events("AttemptStarted"), "the agent's beginning")
    return Path(p.events("AttemptStarted")[0]["folder"]) / "io"


@pytest.mark.slow
def test_a_run_goes_on_when_a_call_is_cancelled_and_when_the_host_goes_away(p: Project) -> None:
    news: list[str | None] = []

    async def heard(_progress: float, _total: float | None, text: str | None) -> None:
        news.append(text)

    async def begins() -> str:
        async with client(p) as c:
            asked = await said(c, "start", **START, settings=list(p.sets))
            assert (asked["started"], bool(asked["ask"])) == (False, True)
            begun = await said(c, "start", **START, settings=list(p.sets), confirm=asked["confirm"])
            assert begun["started"] is True
            wait_until((agents_tree(p) / "working").exists, "an agent at work")
            again = await said(c, "start", **START, settings=list(p.sets), confirm=asked["confirm"])
            assert (again["started"], again["run"]) == (False, begun["run"])
            with anyio.move_on_after(0.5) as given_up:
                await said(c, "wait")
            assert given_up.cancelled_caught
            still = await said(c, "wait", heard, timeout_seconds=3)
            assert (still["done"], still["state"]) == (False, "running")
            return str(begun["run"])

    async def comes_back(run: str) -> None:
        async with client(p) as c:
            assert (await said(c, "status", run=run))["state"] == "running"
            (agents_tree(p) / "go").touch()
            ended = await said(c, "wait", run=run)
            assert (ended["done"], ended["outcome"], ended["landed"]) == (True, "delivered_single", True)
            assert ended["text"].startswith("Delivered and landed on main. 1 check passed.")
            short, full = await said(c, "report"), await said(c, "report", full=True)
            assert short == ended
            assert "## Attempts" in full["text"]

    run = anyio.run(begins)
    anyio.run(comes_back, run)

    assert any(news), "it was told how it goes on"
    for path, text in RESULT.items():
        assert (p.top / path).read_text() == text
    must_hold(p)


@pytest.mark.slow
def test_a_run_that_is_started_thrice_at_once_is_one_and_is_cancelled_with_its_work_kept(p: Project) -> None:
    async def goes() -> None:
        async with client(p) as c:
            begun: list[dict[str, Any]] = []
            code = (await said(c, "start", **START, settings=list(p.sets)))["confirm"]

            async def start() -> None:
                begun.append(await said(c, "start", **START, settings=list(p.sets), confirm=code))

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(start)
            assert sorted(one["started"] for one in begun) == [False, False, True]
            assert len({one["run"] for one in begun}) == 1
            wait_until((agents_tree(p) / "working").exists, "an agent at work")
            ended = await said(c, "cancel")
            assert (ended["done"], ended["outcome"]) == (True, "cancelled")
            assert "refs/ropeteam/" in ended["text"]
            assert "had ended before" in (await said(c, "cancel"))["text"]

    anyio.run(goes)
    must_hold(p)


@pytest.mark.slow
def test_a_host_does_the_one_unit_of_a_feature_that_is_not_shared_out(p: Project) -> None:
    """What the skill does in host mode with one agent: take, do, hand in, and the report is the last answer."""

    async def goes() -> None:
        async with client(p) as c:
            hosted = {**START, "agent": "host"}
            asked = await said(c, "start", **hosted, settings=list(p.sets))
            begun = await said(c, "start", **hosted, settings=list(p.sets), confirm=asked["confirm"])
            assert "Call take_unit." in begun["text"]
            taken = await said(c, "take_unit", run=begun["run"])
            assert taken["units"] == ["single/1"]
            file = Path(taken["text"].splitlines()[-1].removeprefix("single/1: "))
            tree = Path(re.findall(r"cd '([^']+)'", file.read_text())[0])
            early = await said(c, "hand_in_unit", attempts=["single/7"])
            assert "has not handed out 'single/7'" in early["text"]
            for path, text in RESULT.items():
                (tree / path).write_text(text)
            assert (await said(c, "hand_in_unit", attempts=["single/1"]))["text"].startswith("1 handed in.")
            while not (ended := await said(c, "take_unit", run=begun["run"]))["done"]:
                assert "Nothing to do right now" in ended["text"]
            assert (ended["outcome"], ended["landed"]) == ("delivered_single", True)
            assert "tokens and cost are not known" in ended["text"]

    anyio.run(goes)
    over = p.ropeteam("take", "--short")
    assert over.out.startswith("There is nothing to do any more: delivered_single, landed.")
    must_hold(p)


@pytest.mark.slow
def test_the_hosts_root_is_worked_on_where_it_was_started_elsewhere(p: Project) -> None:
    async def roots(_context: Any) -> Any:
        return types.ListRootsResult(roots=[types.Root(uri=p.top.as_uri())])

    async def goes() -> None:
        async with client(p, cwd=p.folder, mode="legacy", list_roots_callback=roots) as c:
            planned = await said(c, "plan", feature=FEATURE, agent="command")
            assert planned["mode"] == "single"
        async with client(p, cwd=p.folder) as c:
            assert (await said(c, "plan", feature=FEATURE))["problem"] == "not_a_repository"

    anyio.run(goes)


def test_without_the_package_it_says_what_is_missing(tmp_path: Path) -> None:
    program = "import sys; sys.modules['mcp'] = None; sys.argv = ['ropeteam', 'mcp']; import ropeteam.cli as c; "
    done = subprocess.run(
        [sys.executable, "-c", program + "sys.exit(c.main())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'ropeteam[mcp]'" in done.stderr
