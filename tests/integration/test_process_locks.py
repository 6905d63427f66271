"""Locks that the kernel releases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ropeteam import locks

TAKE = """
import sys
from pathlib import Path
from ropeteam import locks
print(locks.try_lock(Path(sys.argv[1])) is not None, flush=True)
sys.stdin.readline()
"""


def taken_elsewhere(path: Path) -> subprocess.Popen[bytes]:
    other = subprocess.Popen([sys.executable, "-c", TAKE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"True\n"
    return other


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.held(path)
    assert locks.holder(path) is None
    with locks.try_lock(path) or pytest.fail("free"):
        assert locks.held(path)
        assert locks.held(path), "asking does not disturb"
        assert locks.try_lock(path) is None
    assert not locks.held(path)


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = taken_elsewhere(path)
    try:
        assert locks.try_lock(path) is None
        assert locks.holder(path) == other.pid
    finally:
        other.kill()
        other.communicate()
    lock = locks.try_lock(path)
    assert lock is not None
    lock.release()
    lock.release()


def test_a_lock_on_a_file_that_was_replaced_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locks.try_lock(path) or pytest.fail("free"):
        path.unlink()
        with locks.try_lock(path) or pytest.fail("another file"):
            assert locks.try_lock(path) is None


def test_waiting_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    async def wait() -> None:
        other = taken_elsewhere(path)
        try:
            assert await locks.lock(path, poll=0.005, seconds=0.02) is None
            task = asyncio.create_task(locks.lock(path, poll=0.005))
            await asyncio.sleep(0)
            assert not task.done()
        finally:
            other.kill()
            other.communicate()
        lock = await asyncio.wait_for(task, 20)
        assert lock is not None
        waiting = asyncio.create_task(locks.lock(path, poll=0.005))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        lock.release()
        assert not locks.held(path)

    asyncio.run(wait())
