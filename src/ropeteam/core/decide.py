"""The gate: parallel or single, with the reasons."""

from __future__ import annotations

from ropeteam.core.model import Answers, Decision


def decide(answers: Answers) -> Decision:
    """One agent, until plans and estimates exist that could speak for several.

    `--mode single` is what the user asked for; `auto` comes to the same, and says why.
    """
    if answers.mode == "single":
        return Decision(mode="single", reasons=("One agent, as asked (--mode single).",))
    return Decision(
        mode="single",
        reasons=("One agent: this version has no estimate that could show that several would be faster.",),
    )
