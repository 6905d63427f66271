"""Files as text: UTF-8 or a refusal that says where it is not. The text keeps its line ends and its byte order mark."""

from __future__ import annotations

from pathlib import Path

from ropeteam.errors import BadInput

LARGEST_BYTES = 8_000_000  # about 2 million tokens: more than any agent reads


def text_of(path: Path, shown: str) -> str:
    """The text of a regular file. `shown`: how to call it in a refusal."""
    try:
        if not path.is_file():
            raise BadInput(f"{shown} is not a file.", where=shown)
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise BadInput(
                f"{shown} has {size:,} bytes, at most {LARGEST_BYTES:,} are read.",
                where=shown,
                hint="Keep what agents need to know, and move the rest elsewhere.",
            )
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{shown} cannot be read: {error.strerror or error}.", where=shown) from error
    return decoded(content, shown)


def decoded(content: bytes, shown: str) -> str:
    """UTF-8 to text; what encodes back to the same bytes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{shown} is UTF-16, not UTF-8.", where=f"{shown}:1", hint="Save it as UTF-8.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{shown} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}.",
            where=f"{shown}:{line}",
            hint=f"If it was saved as Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 {Path(shown).name} > new.md",
        ) from error
    checked(text, shown)
    return text


def checked(text: str, shown: str) -> None:
    """Refuse what no text has: NUL characters, half characters, nothing but white space."""
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise BadInput(f"{shown} has a NUL character in line {line}: it is not text.", where=f"{shown}:{line}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BadInput(
            f"{shown} is not UTF-8 in line {line}.", where=f"{shown}:{line}", hint="Save it as UTF-8."
        ) from error


def not_empty(text: str, shown: str) -> str:
    """The text, or a refusal where it has nothing but white space."""
    if not text.removeprefix("\ufeff").strip():
        raise BadInput(f"{shown} is empty.", where=shown, hint="Write down what is wanted, in your own words.")
    return text


def entries(folder: Path, place: str) -> list[Path]:
    """What is in a folder. place: how to call it in a refusal."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}.", where=place) from error
