"""What an agent proposed as a plan: checked, cross-checked with what is known without it, and predicted."""

from __future__ import annotations

from ropeteam.core import events as ev
from ropeteam.core.decide import decide
from ropeteam.core.planning import explained, predicted
from ropeteam.core.state import RunState
