"""What is carried over from another attempt's folder: what was named, and nothing that lies elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from ropeteam.forking import carry
from ropeteam.ports import Fork


def test_only_plain_files_that_are_named_are_carried_over(tmp_path: Path) -> None:
    scout, mine, secret = tmp_path / "scout", tmp_path / "mine", tmp_path / "secret"
    kept = scout / "home/projects/-at-repo"
    (kept / "abc/tool-results").mkdir(parents=True)
    secret.mkdir()
    (secret / "key").write_text("secret")
    (kept / "abc.jsonl").write_text("said\n")
    (kept / "abc/tool-results/long.txt").write_text("long\n")
    (kept / "other.jsonl").write_text("another's\n")
    (kept / "abc/key").symlink_to(secret / "key")
    (kept / "abc/more").symlink_to(secret)
    (scout / "home/projects/linked").symlink_to(secret)
    os.mkfifo(kept / "abc/pipe")
    (scout / "tree").mkdir()
    (scout / "tree/abc.jsonl").write_text("no conversation\n")
    fork = Fork(session="abc", tree=Path("/at/repo"), folder=scout)

    assert carry(fork, ("home/projects/*/abc.jsonl", "home/projects/*/abc/*", "home/projects/*/key"), mine)
    assert carry(fork, ("home/projects/*/abc.jsonl",), mine), "again is fine"

    found = sorted(path.relative_to(mine).as_posix() for path in mine.rglob("*") if not path.is_dir())
    assert found == ["home/projects/-at-repo/abc.jsonl", "home/projects/-at-repo/abc/tool-results/long.txt"]
    assert (mine / found[0]).read_text() == "said\n"
    (mine / found[0]).write_text("mine\n")
    assert (kept / "abc.jsonl").read_text() == "said\n", "a copy"


def test_nothing_there_is_told(tmp_path: Path) -> None:
    fork = Fork(session="abc", tree=tmp_path, folder=tmp_path / "gone")
    assert not carry(fork, ("home/projects/*/abc.jsonl",), tmp_path / "mine")
    assert not carry(fork, (), tmp_path / "mine")
