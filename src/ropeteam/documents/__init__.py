"""The documents a run writes: its section in `02-implementation.md`, the marks in `01-intent.md`, the boxes of tasks.

Text in, text out, and one writer that replaces a file atomically. What is not ours in a text stays as it is, to the
byte: its line ends, its byte order mark, whether it ends with a newline.
"""

from __future__ import annotations

from collections.abc import Callable

from ropeteam.documents.log import section, with_section
from ropeteam.documents.marks import with_boxes, with_mark
from ropeteam.documents.writing import text, write

Read = Callable[[str], bytes | None]
"""Path relative to the repository -> content, None when there is no such file."""

__all__ = ["Read", "section", "text", "with_boxes", "with_mark", "with_section", "write"]
