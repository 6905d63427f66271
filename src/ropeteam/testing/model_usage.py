"""What the requests to a model server cost in tokens: each one, and added up."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ropeteam.testing.prompt_cache import Use


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the model answered, in order of arrival.

    run: whose. part: the text by which its script was chosen (`ModelServer.script_for`), empty for the run's own.
    main: it belongs to the main loop. edits: the answer asks for a change of a file. request: its number in the run.
    """

    run: str
    part: str
    main: bool
    edits: bool
    request: int
    model: str
    use: Use


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Several requests together, in tokens. full: input at full price. cached: input read from the cache. written:
    input written to the cache. before_edit: main requests before the one whose answer first asks for a change of a
    file; None where none did.
    """

    requests: int = 0
    full: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    before_edit: int | None = None

    @property
    def unread(self) -> int:
        """Input that was not in the cache: at full price and written."""
        return self.full + self.written


def reading(answered: Iterable[Answered]) -> Reading:
    """Add them up. `before_edit` is meaningful for the requests of one agent."""
    every = list(answered)
    main = [one for one in every if one.main]
    return Reading(
        requests=len(every),
        full=sum(one.use.full for one in every),
        cached=sum(one.use.cached for one in every),
        written=sum(one.use.written for one in every),
        output=sum(one.use.output for one in every),
        before_edit=next((index for index, one in enumerate(main) if one.edits), None),
    )
