"""From what is known of the work to a plan with its prediction: what `app` does before a run, and what is done with an
agent's proposal."""

from __future__ import annotations
