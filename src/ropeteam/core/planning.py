"""From what is known of the work to a plan with its prediction: what `app` does before a run, and what is done with an
agent's proposal."""

from __future__ import annotations

from ropeteam.core.costs import Costs
from ropeteam.core.model import Answers, Feature, Plan
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Explanation, Outlook, Survey
