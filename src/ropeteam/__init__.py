"""ropeteam implements one planned feature in a git repository with coding agents, safely."""

__version__ = "0.1.0"
