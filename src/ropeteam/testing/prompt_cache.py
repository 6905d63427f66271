"""A provider's prompt cache, simulated: which part of a request would be read from it, written to it, paid in full.

Tokens are counted by a fixed rule, four characters each, so that figures can be compared between runs and machines; a
real tokenizer would give others. What is kept and for how long follows what the providers document:

- Anthropic: a request marks blocks (`cache_control`); each mark stores the prefix up to it, and is answered by the
  longest stored prefix that ends within 20 blocks before it. Writing is priced. Five minutes, or an hour if marked so.
- OpenAI: any common prefix from 1024 tokens on, in steps of 128. Writing costs nothing. Five to ten minutes.
- Gemini: any common prefix ("implicit caching"), from 1024 tokens on for the cheapest models. Its steps and its time
  to live are not documented: 64 tokens and five minutes are ours.

A prefix can be read once the request that wrote it has ended: requests that start together all miss.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

CHARACTERS_PER_TOKEN = 4


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what the model reads. place: whose it is. text: all of it, in a form that is the same for the same
    content. words: what of it is text to read. mark: seconds that the prefix up to here shall be kept, 0: not marked.
    """

    place: str
    text: str
    words: str = ""
    mark: float = 0.0


class Breakpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Only marked blocks end a prefix. minimum: tokens under which nothing is kept. lookback: blocks before a mark."""

    provider: str
    minimum: int = 1024
    lookback: int = 20


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Every prefix of a whole number of steps counts. minimum, step: tokens. seconds: time to live."""

    provider: str
    minimum: int = 1024
    step: int = 128
    seconds: float = 600.0


Rule = Breakpoints | Steps


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a request: read at full price, read from the cache, written to it (which is read, too), answered."""

    full: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0

    @property
    def read(self) -> int:
        """All that the model read."""
        return self.full + self.cached + self.written


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A request under way. stores: the prefixes it leaves, with their time to live in seconds."""

    use: Use
    stores: tuple[tuple[str, float], ...] = ()


class _Entry(msgspec.Struct, kw_only=True):
    seconds: float
    used_at: float
    used_in: int


class PromptCache:
    """Shared by all runs of a server; safe between threads.

    clock: seconds, only going forwards. seconds: time to live of everything, instead of each rule's own. requests: a
    prefix is forgotten when so many requests came since it was last used.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        seconds: float | None = None,
        requests: int | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._requests = requests
        self._lock = threading.Lock()
        self._known: dict[str, _Entry] = {}
        self._count = 0

    def begin(self, rule: Rule, model: str, blocks: Sequence[Block]) -> Ticket:
        """A request arrives: what of it is in the cache now. What is read is kept for longer."""
        with self._lock:
            self._count += 1
            if isinstance(rule, Breakpoints):
                return self._at_marks(rule, model, blocks)
            return self._in_steps(rule, model, blocks)

    def end(self, ticket: Ticket) -> None:
        """Its answer begins to leave: what it wrote can be read from now on."""
        with self._lock:
            now = self._clock()
            for key, seconds in ticket.stores:
                self._known[key] = _Entry(seconds=seconds, used_at=now, used_in=self._count)

    def _at_marks(self, rule: Breakpoints, model: str, blocks: Sequence[Block]) -> Ticket:
        digest = _digest(rule, model)
        ends: list[tuple[str, int]] = []
        size = 0
        for block in blocks:
            for part in (block.place, "\0", block.text, "\0"):
                digest.update(part.encode())
            size += len(block.text)
            ends.append((digest.hexdigest(), _tokens(size)))
        read, written, stores = 0, 0, []
        for index, block in enumerate(blocks):
            key, here = ends[index]
            if not block.mark or here < rule.minimum:
                continue
            stores.append((key, self._life(block.mark)))
            written = here
            for near, tokens in reversed(ends[max(0, index - rule.lookback) : index + 1]):
                if self._alive(near):
                    read = max(read, tokens)
                    break
        use = Use(full=max(1, _tokens(size)) - written, cached=read, written=written - read)
        return Ticket(use=use, stores=tuple(stores))

    def _in_steps(self, rule: Steps, model: str, blocks: Sequence[Block]) -> Ticket:
        digest = _digest(rule, model)
        whole = "".join(f"{block.place}\0{block.text}\0" for block in blocks)
        total = max(1, _tokens(sum(len(block.text) for block in blocks)))
        read, stores = 0, []
        for end in range(rule.step, total + 1, rule.step):
            stretch = whole[(end - rule.step) * CHARACTERS_PER_TOKEN : end * CHARACTERS_PER_TOKEN]
            digest.update(stretch.encode())
            if end < rule.minimum:
                continue
            key = digest.hexdigest()
            stores.append((key, self._life(rule.seconds)))
            if self._alive(key):
                read = end
        return Ticket(use=Use(full=total - read, cached=read), stores=tuple(stores))

    def _life(self, seconds: float) -> float:
        return seconds if self._seconds is None else self._seconds

    def _alive(self, key: str) -> bool:
        """Whether it is known still; if so, it is used now."""
        entry = self._known.get(key)
        if entry is None:
            return False
        now = self._clock()
        late = self._requests is not None and self._count - entry.used_in > self._requests
        if late or now - entry.used_at > entry.seconds:
            del self._known[key]
            return False
        entry.used_at, entry.used_in = now, self._count
        return True


def _digest(rule: Rule, model: str) -> hashlib._Hash:
    return hashlib.sha256(f"{rule.provider}\0{model}\0".encode())


def tokens(text: str) -> int:
    """By the fixed rule; at least one."""
    return max(1, _tokens(len(text)))


def _tokens(characters: int) -> int:
    return characters // CHARACTERS_PER_TOKEN
