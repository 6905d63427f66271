"""Supervised programs: how they start, end, are stopped and outlive whoever started them. All with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from process_programs import ENV, ESCAPE, Place, is_alive, living_in, until

from ropeteam import locks, process, sandbox
from ropeteam.process import Child, Ended
from ropeteam.process_table import look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wrapper answers for everything on Linux only")

STARTER = """
import sys, msgspec
from ropeteam import process
child = process.launch(msgspec.json.decode(sys.stdin.buffer.readline(), type=process.Spec))
print(child.pid, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    left = living_in(tmp_path)
    process.sweep(tmp_path)
    assert left == [], "processes were left alive"


def end(child: Child, seconds: float = 20.0) -> Ended:
    ended = asyncio.run(process.wait(child, seconds))
    assert ended is not None, "it did not end"
    assert not child.alive()
    return ended


@pytest.mark.parametrize(
    ("code", "expected"),
    [("exit 0", (0, 0)), ("exit 3", (3, 0)), ("kill -9 $$", (None, 9)), ("kill -15 $$", (None, 15))],
)
def test_the_record_says_how_the_program_ended(place: Place, code: str, expected: tuple[int | None, int]) -> None:
    before = time.time()
    ended = end(place.shell(code))
    assert (ended.code, ended.signal) == expected
    assert before <= ended.at <= time.time()
    assert 0 <= ended.seconds < 20
    assert (ended.asked, ended.forced, ended.left, ended.problem) == (False, False, 0, "")


def test_a_program_that_cannot_be_started(place: Place) -> None:
    script = place.tree / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    (place.tree / "plain").write_text("text")
    cases = {
        ("/no/such/program",): 127,
        ("no-such-program-on-path",): 127,
        (str(script),): 127,
        (str(place.tree / "plain"),): 126,
        (str(place.tree),): 126,
    }
    for argv, code in cases.items():
        child = place.launch(*argv)
        ended = end(child)
        assert ended.code == code, argv
        assert "cannot start" in ended.problem
        assert process.Tail(child.folder, "err").read() == [ended.problem.encode()]
    missing = end(place.launch("true", cwd=str(place.tree / "missing")))
    assert missing.code == 127
    assert "missing" in missing.problem


def test_the_program_gets_its_environment_and_nothing_of_ours(place: Place) -> None:
    code = """
import json, os, signal, sys
fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"env": dict(os.environ), "fds": fds[:-1], "cwd": os.getcwd(), "in": os.readlink("/proc/self/fd/0"),
  "group": os.getpgrp() == os.getpid(), "ignored": int(status["SigIgn"], 16), "blocked": int(status["SigBlk"], 16)}))
"""
    lock = locks.try_lock(place.tree / "run.lock")
    assert lock is not None
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        spec = place.spec(sys.executable, "-I", "-S", "-c", code, env={"A": "ü b", **ENV})
        child = process.launch(spec, lock_fds=[lock.fd])
    finally:
        signal.signal(signal.SIGUSR1, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        lock.release()
    assert end(child).code == 0
    seen = json.loads(process.Tail(child.folder).read()[0])
    assert {**seen["env"], "LC_CTYPE": ""} == {"A": "ü b", **ENV, "LC_CTYPE": ""}  # Python itself may add LC_CTYPE
    assert seen["fds"] == [0, 1, 2]
    assert seen["cwd"] == str(place.tree)
    assert seen["in"] == "/dev/null"
    assert seen["group"]
    ours = seen["ignored"] & (1 << 31) - 1  # not the C library's own, which begin at 32
    assert ours & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0  # those two Python ignores
    assert seen["blocked"] == 0


def test_the_wrapper_holds_the_locks_it_is_given(place: Place) -> None:
    path = place.tree / "run.lock"
    lock = locks.try_lock(path)
    assert lock is not None
    child = process.launch(place.spec("sleep", "300"), lock_fds=[lock.fd])
    lock.release()
    assert locks.held(path)
    child.kill()
    assert not locks.held(path)


def test_keys_do_not_reach_the_disk(place: Place) -> None:
    child = place.launch("cat", env={**ENV, "KEY": "s3cret-value"}, stdin="s3cret-prompt")
    end(child)
    texts = {path.name: path.read_bytes() for path in child.folder.iterdir()}
    assert texts.pop("out.000") == b"s3cret-prompt"
    assert b"KEY" in texts["spec.json"]
    assert [name for name, text in texts.items() if b"s3cret" in text] == []


def test_a_megabyte_on_standard_input(place: Place) -> None:
    text = "0123456789abcde\n" * 65536
    reading = place.launch("wc", "-c", stdin=text)
    assert end(reading).code == 0
    assert process.Tail(reading.folder).read() == [b"1048576"]
    assert end(place.shell("exit 5", stdin=text)).code == 5  # it never reads


def test_stopping_lets_the_program_finish(place: Place) -> None:
    child = place.shell("trap 'echo saved > saved; exit 7' TERM; echo up; while :; do sleep 0.01; done")
    until(lambda: process.Tail(child.folder).read())
    child.stop()
    ended = end(child)
    assert (ended.code, ended.asked, ended.forced) == (7, True, False)
    assert (place.tree / "saved").read_text() == "saved\n"
    child.stop()  # harmless now
    child.kill()


def test_what_the_program_started_gets_the_grace_time_too(place: Place) -> None:
    inner = "trap 'sleep 0.2; echo saved > saved; exit' TERM; echo $$ > inner; while :; do sleep 0.01; done"
    child = place.shell(f"setsid sh -c '{inner.replace(chr(39), chr(34))}' & wait")
    place.number("inner")
    child.stop()
    ended = end(child)
    assert (ended.signal, ended.asked, ended.left) == (signal.SIGTERM, True, 0)
    assert (place.tree / "saved").exists()


def test_a_program_that_ignores_the_polite_signal_is_killed(place: Place) -> None:
    child = place.shell("trap '' TERM; echo up; sleep 300 & while :; do sleep 0.01; done", grace_seconds=0.2)
    until(lambda: process.Tail(child.folder).read())
    began = time.monotonic()
    child.stop()
    ended = end(child)
    assert (ended.signal, ended.asked, ended.forced) == (signal.SIGKILL, True, True)
    assert 0.2 <= time.monotonic() - began < 10


def test_an_escapee_is_dead_before_the_end_is_recorded(place: Place) -> None:
    child = place.python(ESCAPE, "escapee")
    escapee = place.number("escapee")
    until(lambda: process.ended(child.folder))
    assert not is_alive(escapee)
    ended = end(child)
    assert (ended.code, ended.left, ended.forced) == (0, 1, False)
    assert process.Tail(child.folder).read() == [b"done"]


def test_kill_ends_everything_at_once(place: Place) -> None:
    child = place.python(ESCAPE, "escapee", "stay")
    escapee = place.number("escapee")
    child.kill()
    assert not is_alive(escapee)
    assert not child.alive()
    assert end(child).signal == signal.SIGKILL


def test_kill_ends_a_wrapper_that_was_stopped(place: Place) -> None:
    child = place.launch("sleep", "300")
    os.kill(child.pid, signal.SIGSTOP)
    child.kill()
    assert end(child).signal == signal.SIGKILL


def test_kill_catches_a_program_that_moves_from_process_to_process(place: Place) -> None:
    """Each forks, in a session of its own, and ends: never there any more when the process table has been read."""
    code = """
import os, time
print("up", flush=True)
until = time.time() + 60      # should the test itself fail
while time.time() < until:
    if os.fork():
        os._exit(0)
    os.setsid()
"""
    child = place.python(code)
    assert end(child, 60).code == 0
    assert living_in(place.tree) == []


def test_kill_wins_against_many_that_fork(place: Place) -> None:
    code = """
import os, time
print("up", flush=True)
until = time.time() + 60      # should the test itself fail
while time.time() < until:
    if os.fork() == 0:
        time.sleep(0.2)
        os._exit(0)
"""
    child = place.python(code)
    until(lambda: len(living_in(place.tree)) > 20)
    child.kill()
    assert process.ended(child.folder) is not None
    assert living_in(place.tree) == []


def test_the_program_dies_with_its_wrapper_and_a_sweep_finds_the_rest(place: Place) -> None:
    child = place.python(ESCAPE, "escapee", "stay")
    escapee = place.number("escapee")
    os.kill(child.pid, signal.SIGKILL)
    assert asyncio.run(process.wait(child, 20)) is None
    assert not child.alive()
    assert process.ended(child.folder) is None
    assert process.attach(child.folder) is None
    until(lambda: living_in(place.tree) == [escapee], "the program outlived its wrapper")
    assert process.sweep(place.tree, known={escapee}) == []
    assert process.sweep(place.tree) == [escapee]
    assert not is_alive(escapee)


def test_a_sweep_finds_open_files_and_spares_our_own_session(place: Place, tmp_path: Path) -> None:
    (place.tree / "open").write_text("")
    outside = place.shell(f"exec 9< {place.tree}/open; cd /; echo up; sleep 300")
    until(lambda: process.Tail(outside.folder).read())
    ours = subprocess.Popen(["sleep", "300"], cwd=place.tree)
    try:
        killed = process.sweep(place.tree)
        assert killed
        assert ours.pid not in killed
        assert end(outside).signal == signal.SIGKILL
        assert ours.poll() is None
    finally:
        ours.kill()
        ours.wait()


TERMINAL = """
import fcntl, os, sys, termios, time
os.setsid()
outer, inner = os.openpty()
fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
print("up", flush=True)
time.sleep(300)
"""


def test_a_sweep_spares_who_sits_at_a_terminal_and_who_was_there_before(place: Place) -> None:
    """A person looks at what the agent does: an editor in another terminal, a program started some time ago."""
    argv = [sys.executable, "-I", "-S", "-c"]
    before = subprocess.Popen(["sleep", "300"], cwd=place.tree, start_new_session=True)
    at_terminal = None
    try:
        until(lambda: look(before.pid) is not None)
        ticks = look(before.pid).start  # type: ignore[union-attr]
        until(lambda: process_now() > ticks + 1, "the clock of processes to go on")
        child = place.python(ESCAPE, "escapee", "stay")
        escapee = place.number("escapee")
        at_terminal = subprocess.Popen([*argv, TERMINAL], cwd=place.tree, stdout=subprocess.PIPE)
        assert at_terminal.stdout is not None
        assert at_terminal.stdout.readline() == b"up\n"
        os.kill(child.pid, signal.SIGKILL)
        until(lambda: set(living_in(place.tree)) == {before.pid, at_terminal.pid, escapee})
        assert process.sweep_after(place.tree, child.folder.with_name("none")) == []
        assert process.sweep_after(place.tree, child.folder) == [escapee]
        assert (before.poll(), at_terminal.poll()) == (None, None)
        name = (child.folder / "pid").read_text().split()
        (child.folder / "pid").write_text(" ".join([*name[:2], "another-boot"]))
        assert process.sweep_after(place.tree, child.folder) == [], "nothing of before the boot can live"
    finally:
        for one in (before, at_terminal):
            if one is not None:
                one.kill()
                one.communicate()


def process_now() -> int:
    """In the ticks that tell when a process began."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def start_elsewhere(spec: process.Spec) -> tuple[subprocess.Popen[bytes], int]:
    """Have another process launch it."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert starter.stdin is not None
    assert starter.stdout is not None
    starter.stdin.write(msgspec.json.encode(spec) + b"\n")
    starter.stdin.flush()
    return starter, int(starter.stdout.readline())


def close(starter: subprocess.Popen[bytes]) -> None:
    starter.kill()
    starter.communicate()


def test_it_goes_on_when_the_starter_is_killed_and_can_be_attached_to(place: Place) -> None:
    spec = place.spec("sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done")
    starter, pid = start_elsewhere(spec)
    close(starter)
    child = process.attach(Path(spec.folder))
    assert child is not None
    assert child.pid == pid
    assert child.alive()
    assert asyncio.run(process.wait(child, 0.05)) is None
    child.stop()
    ended = end(child)
    assert (ended.code, ended.asked) == (9, True)
    assert process.attach(child.folder) is None


def test_attached_while_the_starter_lives(place: Place) -> None:
    """The wrapper stays a zombie of its starter for a while; nobody must take it for alive."""
    starter, _ = start_elsewhere(place.spec("sleep", "300", folder=str(place.tree)))
    try:
        child = process.attach(place.tree)
        assert child is not None
        child.kill()
        assert not child.alive()
        assert end(child).signal == signal.SIGKILL
    finally:
        close(starter)


def test_it_ends_with_the_starter_when_that_was_asked_for(place: Place) -> None:
    spec = place.spec("sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done", with_parent=True)
    starter, _ = start_elsewhere(spec)
    until(lambda: process.Tail(Path(spec.folder)).read())
    close(starter)
    until(lambda: process.ended(Path(spec.folder)))
    ended = process.ended(Path(spec.folder))
    assert ended is not None
    assert (ended.code, ended.asked) == (9, True)


def test_the_starting_thread_may_end_before_the_program(place: Place) -> None:
    found: list[Child] = []
    code = "trap 'exit 9' TERM; echo up; read line < go; exit 4"
    os.mkfifo(place.tree / "go")
    thread = threading.Thread(target=lambda: found.append(place.shell(code, with_parent=True)))
    thread.start()
    thread.join()
    until(lambda: process.Tail(found[0].folder).read())
    (place.tree / "go").write_text("on\n")
    assert end(found[0]).code == 4


def test_a_folder_is_used_once(place: Place) -> None:
    spec = place.spec("true")
    end(process.launch(spec))
    with pytest.raises(FileExistsError):
        process.launch(spec)
    busy = place.spec("true")
    with locks.try_lock(Path(busy.folder) / "lock") or pytest.fail("locked"), pytest.raises(FileExistsError):
        process.launch(busy)


def test_waiting_can_be_cancelled(place: Place) -> None:
    async def cancel() -> None:
        child = place.launch("sleep", "300")
        task = asyncio.create_task(process.wait(child))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert child.alive()
        again = asyncio.create_task(process.wait(child, 20))
        await asyncio.to_thread(child.kill)
        ended = await again
        assert ended is not None
        assert ended.signal == signal.SIGKILL

    asyncio.run(cancel())


def test_many_at_once(place: Place) -> None:
    async def all_of_them() -> list[Ended | None]:
        children = [place.shell(f"exit {number}") for number in range(8)]
        return await asyncio.gather(*(process.wait(child, 20) for child in children))

    assert [ended and ended.code for ended in asyncio.run(all_of_them())] == list(range(8))


def test_without_a_process_table_the_group_is_stopped(place: Place) -> None:
    """As on systems that have no /proc: an empty folder in its place."""
    available = sandbox.available()
    if not available.ok:
        pytest.skip(available.why)
    spec = place.spec("sh", "-c", "trap 'exit 9' TERM; echo up; sleep 300 & while :; do sleep 0.01; done")
    code = """
import asyncio, sys, msgspec
from ropeteam import process
child = process.launch(msgspec.json.decode(sys.stdin.buffer.read(), type=process.Spec))
tail = process.Tail(child.folder)
while not tail.read():
    pass
again = process.attach(child.folder)
assert child.alive() and again.alive()
with again.frozen():
    again.stop()
print(asyncio.run(process.wait(child, 20)).code, child.alive(), again.alive(), process.sweep(child.folder))
"""
    hide = (
        available.path,
        "--bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--tmpfs",
        "/proc",
        "--unshare-pid",
        "--die-with-parent",
    )
    argv = (*hide, "--", sys.executable, "-c", code)
    done = process.run(argv, input=msgspec.json.encode(spec), timeout=60, cwd=place.tree)
    assert (done.stdout, done.stderr) == (b"9 False False []\n", b"")
