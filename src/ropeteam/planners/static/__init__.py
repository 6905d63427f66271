"""What is known of a feature's work before anybody does it, from its documents and the base commit, without a model."""

from __future__ import annotations

from ropeteam.planners.static.surveying import survey

__all__ = ["survey"]
