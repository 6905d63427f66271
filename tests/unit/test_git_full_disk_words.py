"""What git's words say of a full disk, and what they do not."""

from __future__ import annotations

import pytest

from ropeteam.git.calls import no_space


@pytest.mark.parametrize(
    ("said", "full"),
    [
        (b"fatal: sha1 file '/r/x' write error: No space left on device\n", True),
        (b"fatal: write error: Disk quota exceeded\n", True),
        (b"error: unable to write file app/big.bin\nfatal: ...\n", True),
        (b"error: unable to write file /r/objects/ab/cd: No such file or directory\n", False),
        (b"fatal: unable to read tree 4b825dc\n", False),
        (b"", False),
    ],
)
def test_a_full_disk_is_known_by_its_words(said: bytes, full: bool) -> None:
    assert no_space(said) is full
