"""Every agent of the fault matrix."""

from __future__ import annotations

from rigs import ClaudeRig, CodexRig, GeminiRig, OpencodeRig, Rig
from rigs_others import OTHERS

from ropeteam import app

EVERY = (ClaudeRig(), CodexRig(), GeminiRig(), OpencodeRig(), *OTHERS)
RIGS: dict[str, Rig] = {rig.name: rig for rig in EVERY if (rig.adapter or rig.name) in app.AGENTS}
"""By name, those whose adapter is there."""
