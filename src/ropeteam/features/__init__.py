"""What the user wants, read: a feature folder of the workspace, a Markdown file, or standard input -> `Feature`."""

from __future__ import annotations

from ropeteam.features.loading import load
from ropeteam.features.plan_file import load_plan
from ropeteam.features.starting import new
from ropeteam.features.workspace import existing

__all__ = ["existing", "load", "load_plan", "new"]
