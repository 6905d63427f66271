"""The sandbox with real bubblewrap: what can be reached from inside, and what stays when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_programs import ENV, Place, living_in, until

from repositories import files_of
from ropeteam import process, sandbox
from ropeteam.sandbox import Policy, View

AVAILABLE = sandbox.available()
pytestmark = pytest.mark.skipif(not AVAILABLE.ok, reason=AVAILABLE.why)


class House:
    """A home with a secret, a checkout in it, and a tree in its cache that borrows the checkout's objects."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.checkout = self.home / "code"
        self.tree = self.home / ".cache/tree"
        for folder in (self.home / ".ssh", self.home / ".agent", self.checkout, self.tree.parent):
            folder.mkdir(parents=True)
        (self.home / ".ssh/key").write_text("secret")
        (self.home / ".agent/login").write_text("login")
        self.git(self.checkout, "init", "-q")
        (self.checkout / "file").write_text("text\n")
        self.git(self.checkout, "add", "file")
        self.git(self.checkout, "commit", "-q", "-m", "one")
        self.git(self.home, "clone", "-q", "--shared", str(self.checkout), str(self.tree))

    @property
    def env(self) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return {**ENV, **who, "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(self, cwd: Path, *words: str) -> None:
        subprocess.run(["git", *words], cwd=cwd, env=self.env, check=True, capture_output=True)

    def policy(self, **more: object) -> Policy:
        given = {"tree": self.tree, "home": self.home, "hidden": (self.checkout,), "home_needed": (".agent",),
                 "readable": (self.checkout / ".git/objects",), **more}  # fmt: skip
        return Policy(**given)  # type: ignore[arg-type]

    def prefix(self, **more: object) -> tuple[str, ...]:
        return sandbox.prefix(self.policy(**more), AVAILABLE.path)

    def inside(self, code: str, **more: object) -> process.Completed:
        return process.run((*self.prefix(**more), "sh", "-c", code), cwd=self.tree, env=self.env, timeout=60)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def place(house: House, tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    left = living_in(tmp_path)
    process.sweep(tmp_path)
    assert left == [], "processes were left alive"


def test_the_tree_is_writable_and_the_rest_is_not(house: House) -> None:
    done = house.inside("echo new > made && echo changed > file")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (house.tree / "made").read_text() == "new\n"
    for target in (
        house.checkout / "file",
        house.checkout / ".git/config",
        house.checkout / ".git/objects/x",
        "/etc/x",
    ):
        done = house.inside(f"echo broken > {target}")
        assert done.returncode != 0, target
    assert (house.checkout / "file").read_text() == "text\n"
    assert not Path("/etc/x").exists()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["where it lies", "at another path"])
def test_who_only_reads_cannot_write_the_tree(house: House, tmp_path: Path, elsewhere: bool) -> None:
    at = tmp_path / "at"
    at.mkdir()
    done = house.inside("cat file && pwd && echo x > made", tree_writable=False, at=at if elsewhere else None)

    assert done.stdout.split() == [b"text", os.fsencode(at if elsewhere else house.tree)]
    assert b"Read-only file system" in done.stderr
    assert house.inside(f"echo x > {house.tree}/made", tree_writable=False).returncode != 0
    assert not (house.tree / "made").exists()


def test_secrets_and_the_checkout_cannot_be_read(house: House) -> None:
    for target in (house.home / ".ssh/key", house.checkout / "file", house.checkout / ".git/config"):
        assert house.inside(f"cat {target}").returncode != 0, target
    assert house.inside(f"ls {house.checkout}; ls -a {house.checkout}/.git").stdout == b".\n..\nobjects\n"


def test_the_home_folder_is_its_own_but_for_what_the_agent_needs(house: House) -> None:
    done = house.inside(
        "cat ~/.agent/login; echo; echo more > ~/.agent/login; echo x > ~/.profile; echo x > /tmp/x; ls -A ~"
    )
    assert (done.returncode, done.stdout.split()[:3]) == (0, [b"login", b".agent", b".cache"])
    assert (house.home / ".agent/login").read_text() == "more\n"
    assert not (house.home / ".profile").exists()
    assert not Path("/tmp/x").exists()


def test_a_folder_of_settings_can_be_read_and_nothing_be_planted_in_it(house: House, tmp_path: Path) -> None:
    """Neither what is there nor what is not; through links, by another name of it, and once it is over."""
    settings, elsewhere = house.home / ".agent", tmp_path / "dotfiles"
    (settings / "skills/one").mkdir(parents=True)
    (settings / "skills/one/text").write_text("skill")
    (settings / "history").mkdir()
    (settings / "history/other").write_text("another conversation")
    elsewhere.mkdir()
    (elsewhere / "settings.json").write_text("{}")
    (settings / "settings.json").symlink_to(elsewhere / "settings.json")
    (settings / "up").symlink_to(house.home)
    (settings / "round").symlink_to(settings / "round")
    (house.home / "file.json").write_text("{}")
    before = files_of(house.home), files_of(tmp_path / "dotfiles")
    (tmp_path / "own").mkdir()
    own = {"conversations": tmp_path / "own"}
    view = sandbox.View(folder=settings, kept=("login", "missing"), fresh=("history",), own=own)
    done = house.inside(
        """
        cat ~/.agent/skills/one/text ~/.agent/settings.json ~/file.json; ls ~/.agent/history; cat ~/.ssh/key
        cat ~/.agent/up/.ssh/key
        for name in settings.json skills/one/text skills/two hooks line.sh missing; do echo bad > ~/.agent/$name; done
        rm ~/.agent/settings.json; echo bad > ~/.agent/settings.json; mv ~/.agent/skills ~/.agent/other
        mkdir ~/.agent/history; echo own > ~/.agent/history/mine; cat ~/.agent/history/mine
        mv ~/.agent ~/away; echo bad > ~/file.json; rm ~/file.json
        echo renewed > ~/.agent/login; echo said > ~/.agent/conversations/one; exit 0
        """,
        views=(view,),
        home_needed=(),
        readable=(house.home / "file.json",),
    )
    assert done.stdout == b"skill{}{}own\n", done
    after = files_of(house.home), files_of(tmp_path / "dotfiles")
    assert before[0].pop(".agent/login") != after[0].pop(".agent/login") == ("file", b"renewed\n")
    assert after == before
    assert (tmp_path / "own/one").read_text() == "said\n"


def test_git_works_inside_with_borrowed_objects(house: House) -> None:
    done = house.inside("echo more >> file && git commit -qam two && git log --oneline && git fsck --connectivity-only")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert house.inside("git stash; git gc -q; git status --porcelain").returncode == 0


def test_the_mounts_cannot_be_undone_from_inside(house: House) -> None:
    """Root (and anybody, in a user namespace of his own) could remount what is only mounted read-only."""
    undo = f"mount -o remount,bind,rw / ; umount {house.checkout} ; umount {house.home} ; cat {house.home}/.ssh/key"
    for code in (undo, f"unshare -Urm sh -c '{undo}'"):
        done = house.inside(f"{code} ; echo broken > /etc/ropeteam-test")
        assert b"secret" not in done.stdout
        assert not Path("/etc/ropeteam-test").exists()
    assert house.inside("grep CapEff /proc/self/status").stdout.split()[1] == b"0" * 16


def test_other_processes_cannot_be_seen_or_reached(house: House) -> None:
    done = house.inside(f"kill -0 {os.getpid()} 2>/dev/null && echo reached; ls /proc | grep -c '^[0-9]'")
    assert done.stdout.strip().isdigit()
    assert int(done.stdout) < 8


def test_a_tree_reached_through_a_link(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (house.home / ".cache").rename(other / "cache")
    (house.home / ".cache").symlink_to(other / "cache")
    done = house.inside(f"cat {house.tree}/file && echo new > {house.tree}/made && git status --porcelain")
    assert (done.returncode, done.stdout) == (0, b"text\n?? made\n")


def test_trees_that_stand_at_one_path_do_not_see_each_other(house: House, tmp_path: Path) -> None:
    """What one of them calls by that path, another finds at it too: its own."""
    other, at = tmp_path / "home/.cache/other", tmp_path / "home/.cache/at/tree"
    for folder in (other, at):
        folder.mkdir(parents=True)
    code = f"pwd; echo $PWD; echo {{0}} > {at}/mine; cat mine; ls {at}; ls {other} {house.tree}"
    said = [house.inside(code.format(tree.name), tree=tree, at=at) for tree in (house.tree, other)]
    assert [one.returncode for one in said] == [2, 2], "the other's real path is not there"
    for one, tree in zip(said, (house.tree, other), strict=True):
        assert one.stdout.decode().splitlines()[:3] == [str(at), str(at), tree.name]
        assert (tree / "mine").read_text() == f"{tree.name}\n"
    assert b"file" in said[0].stdout
    assert b"file" not in said[1].stdout.splitlines()
    assert list(at.iterdir()) == []


def test_what_an_agent_keeps_is_kept_where_the_user_has_no_such_folder_yet(house: House, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    view = View(folder=house.home / ".fresh", own={"projects": kept})
    assert house.inside("echo said > ~/.fresh/projects/conversation", views=(view,)).returncode == 0
    assert (kept / "conversation").read_text() == "said\n"
    assert not (house.home / ".fresh").exists()


def test_further_writable_and_readable_paths(house: House, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (house.checkout / "docs").mkdir()
    (house.checkout / "docs/a").write_text("a")
    code = f"echo x > {tmp_path}/shared/x; cat {house.checkout}/docs/a; echo y > {house.checkout}/docs/a"
    done = house.inside(code, writable=(tmp_path / "shared",), readable=(house.checkout / "docs",))
    assert (done.returncode != 0, done.stdout) == (True, b"a")
    assert (tmp_path / "shared/x").read_text() == "x\n"
    assert (house.checkout / "docs/a").read_text() == "a"


@pytest.mark.parametrize("network", [True, False])
def test_the_network_can_be_taken_away(house: House, network: bool) -> None:
    if not network and not sandbox.available(network=False).ok:
        pytest.skip("no network namespaces here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        answering = threading.Thread(target=lambda: server.accept()[0].close(), daemon=True)
        answering.start()
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 20)"
        python = os.path.realpath(sys.executable)
        done = process.run(
            (*house.prefix(network=network), python, "-I", "-S", "-c", code), cwd=house.tree, env=house.env
        )
        assert (done.returncode == 0) == network, done.stderr
        if not network:
            socket.create_connection(server.getsockname()).close()
        answering.join(60)


def test_nothing_survives_the_end(house: House, place: Place) -> None:
    code = "setsid sh -c 'echo up > up; exec sleep 300' & while [ ! -e up ]; do sleep 0.01; done; exit 3"
    spec = place.spec(*house.prefix(), "sh", "-c", code, cwd=str(house.tree), env=house.env)
    ended = asyncio.run(process.wait(process.launch(spec), 30))
    assert ended is not None
    assert ended.code == 3
    assert living_in(house.tree) == []


def test_stopping_is_polite_inside_too(house: House, place: Place) -> None:
    code = "trap 'sleep 0.1; echo saved > saved; exit 7' TERM; echo up; while :; do sleep 0.01; done"
    child = process.launch(place.spec(*house.prefix(), "sh", "-c", code, cwd=str(house.tree), env=house.env))
    until(lambda: process.Tail(child.folder).read())
    with child.frozen():
        assert living_in(house.tree)
    child.stop()
    ended = asyncio.run(process.wait(child, 30))
    assert ended is not None
    assert (ended.code, ended.asked, ended.forced, ended.left) == (7, True, False, 0)
    assert (house.tree / "saved").exists()


def test_it_dies_with_its_wrapper(house: House, place: Place) -> None:
    code = "setsid sh -c 'echo up; exec sleep 300' & wait"
    child = process.launch(place.spec(*house.prefix(), "sh", "-c", code, cwd=str(house.tree), env=house.env))
    until(lambda: process.Tail(child.folder).read())
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not living_in(house.tree), "something in the sandbox outlived the wrapper")


def test_a_missing_program_is_told(house: House) -> None:
    done = process.run((*house.prefix(), "/no/such/program"), cwd=house.tree, env=house.env)
    assert done.returncode != 0
    assert b"/no/such/program" in done.stderr


def test_bubblewrap_that_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    assert not sandbox.available(str(tmp_path)).ok
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'no permissions to create a namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    found = sandbox.available(str(tmp_path))
    assert not found.ok
    assert "no permissions" in found.why
