"""The simulated prompt caches: what is read, written and paid in full, by each provider's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.testing.model_usage import Answered, Reading, reading
from ropeteam.testing.prompt_cache import Block, Breakpoints, PromptCache, Rule, Steps, Use, tokens

MARKS = Breakpoints(provider="anthropic")
STEPS = Steps(provider="openai")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def block(size: int, name: str = "a", mark: float = 0.0, place: str = "user") -> Block:
    """Of so many tokens."""
    return Block(place=place, text=name * (size * 4), mark=mark)


def ask(cache: PromptCache, rule: Rule, *blocks: Block, model: str = "m") -> Use:
    """A request from its arrival to its end."""
    ticket = cache.begin(rule, model, blocks)
    cache.end(ticket)
    return ticket.use


def test_four_characters_are_a_token_and_nothing_is_less_than_one() -> None:
    assert [tokens(text) for text in ("", "abc", "abcd", "äöüß" * 2)] == [1, 1, 1, 2]


# ---- marked blocks


def test_a_marked_prefix_is_written_and_then_read() -> None:
    cache = PromptCache()

    assert ask(cache, MARKS, block(2000, mark=300), block(10, "b")) == Use(full=10, written=2000)
    assert ask(cache, MARKS, block(2000, mark=300), block(20, "c")) == Use(full=20, cached=2000)


def test_what_is_not_marked_is_not_kept() -> None:
    cache = PromptCache()

    for _ in range(2):
        assert ask(cache, MARKS, block(5000)) == Use(full=5000)


def test_the_mark_moves_on_and_pays_for_what_is_new() -> None:
    cache = PromptCache()
    ask(cache, MARKS, block(2000, mark=300))

    use = ask(cache, MARKS, block(2000), block(500, "b", mark=300), block(5, "c"))

    assert use == Use(full=5, cached=2000, written=500)


def test_a_prefix_is_looked_for_twenty_blocks_back_and_no_further() -> None:
    cache = PromptCache()
    ask(cache, MARKS, block(2000, mark=300))
    near = [block(1, str(number)) for number in range(19)]

    assert ask(cache, MARKS, block(2000), *near, block(1, "x", mark=300)).cached == 2000
    assert ask(cache, MARKS, block(2000), *near, block(1, "y"), block(1, "z", mark=300)).cached == 0


def test_a_small_prefix_is_not_kept() -> None:
    cache = PromptCache()

    for _ in range(2):
        assert ask(cache, MARKS, block(1023, mark=300)) == Use(full=1023)


def test_the_same_text_at_another_place_is_another_prefix() -> None:
    cache = PromptCache()
    ask(cache, MARKS, block(2000, mark=300, place="system"))

    assert ask(cache, MARKS, block(2000, mark=300, place="user")).cached == 0


def test_an_hour_is_kept_for_an_hour() -> None:
    clock = Clock()
    cache = PromptCache(clock=clock)
    short, long = block(2000, "s", mark=300), block(2000, "l", mark=3600)
    ask(cache, MARKS, short)
    ask(cache, MARKS, long)

    clock.now = 301

    assert ask(cache, MARKS, short).cached == 0
    assert ask(cache, MARKS, long).cached == 2000


# ---- common prefixes


def test_a_common_prefix_counts_in_steps_from_a_minimum_on() -> None:
    cache = PromptCache()

    assert ask(cache, STEPS, block(1500), block(500, "b")) == Use(full=2000)
    assert ask(cache, STEPS, block(1500), block(500, "c")).cached == 1408, "11 steps of 128"
    assert ask(cache, STEPS, block(1100), block(900, "d")).cached == 1024
    assert ask(cache, STEPS, block(1000), block(900, "e")).cached == 0


def test_writing_costs_nothing_there() -> None:
    cache = PromptCache()

    assert all(ask(cache, STEPS, block(3000)).written == 0 for _ in range(2))


# ---- all of them


@pytest.mark.parametrize("rule", [MARKS, STEPS], ids=lambda rule: rule.provider)
def test_requests_that_start_together_all_miss(rule: Rule) -> None:
    cache = PromptCache()
    blocks = [block(2048, mark=300)]
    together = [cache.begin(rule, "m", blocks) for _ in range(3)]
    for ticket in together:
        cache.end(ticket)

    assert [ticket.use.cached for ticket in together] == [0, 0, 0]
    assert ask(cache, rule, *blocks).cached == 2048


@pytest.mark.parametrize("rule", [MARKS, STEPS], ids=lambda rule: rule.provider)
def test_another_model_or_provider_reads_nothing(rule: Rule) -> None:
    cache = PromptCache()
    ask(cache, rule, block(2048, mark=300))

    other = Steps(provider="other") if isinstance(rule, Steps) else Breakpoints(provider="other")

    assert ask(cache, rule, block(2048, mark=300), model="n").cached == 0
    assert ask(cache, other, block(2048, mark=300)).cached == 0


@pytest.mark.parametrize("rule", [MARKS, STEPS], ids=lambda rule: rule.provider)
def test_use_keeps_it_alive_and_disuse_does_not(rule: Rule) -> None:
    clock = Clock()
    cache = PromptCache(clock=clock, seconds=60)
    ask(cache, rule, block(2048, mark=300))
    for _ in range(3):
        clock.now += 59
        assert ask(cache, rule, block(2048, mark=300)).cached == 2048

    clock.now += 61

    assert ask(cache, rule, block(2048, mark=300)).cached == 0


@pytest.mark.parametrize("rule", [MARKS, STEPS], ids=lambda rule: rule.provider)
def test_it_can_live_for_a_number_of_requests(rule: Rule) -> None:
    cache = PromptCache(requests=2)
    ask(cache, rule, block(2048, mark=300))
    ask(cache, rule, block(10, "b"))
    assert ask(cache, rule, block(2048, mark=300)).cached == 2048

    for _ in range(2):
        ask(cache, rule, block(10, "c"))

    assert ask(cache, rule, block(2048, mark=300)).cached == 0


BLOCKS = st.lists(
    st.builds(block, st.integers(1, 900), st.sampled_from("abc"), st.sampled_from([0.0, 300.0])), min_size=1, max_size=8
)


@given(st.sampled_from([MARKS, STEPS]), st.lists(BLOCKS, max_size=6))
def test_every_token_is_counted_once(rule: Rule, requests: list[list[Block]]) -> None:
    cache = PromptCache()

    for blocks in requests:
        use = ask(cache, rule, *blocks)
        assert min(use.full, use.cached, use.written) >= 0
        assert use.read == sum(len(one.text) for one in blocks) // 4


# ---- added up


def answered(use: Use, *, main: bool = True, edits: bool = False) -> Answered:
    return Answered(run="r", part="", main=main, edits=edits, request=0, model="m", use=use)


def test_requests_are_added_up() -> None:
    requests = [
        answered(Use(full=10, written=2000, output=5)),
        answered(Use(full=3, output=1), main=False),
        answered(Use(full=20, cached=2000, output=7)),
        answered(Use(full=1, cached=2020, output=9), edits=True),
        answered(Use(full=1, cached=2021, output=2), edits=True),
    ]

    together = reading(requests)

    assert together == Reading(requests=5, full=35, cached=6041, written=2000, output=24, before_edit=2)
    assert together.unread == 2035
    assert reading(requests[:3]).before_edit is None
    assert reading([]) == Reading()
