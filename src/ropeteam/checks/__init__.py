"""Does the project's code still work? Its own commands against a baseline, and a cheap look at what was merged."""

from __future__ import annotations

from ropeteam.checks.canary import cure, gauge, poison
from ropeteam.checks.command import CommandCheck
from ropeteam.checks.confirm import confirm_with
from ropeteam.checks.found import find
from ropeteam.checks.results import parse
from ropeteam.checks.syntax import Confirm, inspect

__all__ = ["CommandCheck", "Confirm", "confirm_with", "cure", "find", "gauge", "inspect", "parse", "poison"]
