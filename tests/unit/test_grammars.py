"""What is done where the grammar of an extra is not installed."""

from __future__ import annotations

from pathlib import Path

from ropeteam import grammars
from ropeteam.checks import inspect
from ropeteam.packing.signatures import signatures

SHOP = (Path(__file__).parent.parent / "golden/pack/shop.rb.txt").read_bytes()
BROKEN = b"class A\n  def f(\nend\n"


def test_a_file_without_a_grammar_is_not_looked_at_and_others_are(without_ruby: None) -> None:
    found = inspect({"a.rb": BROKEN, "b.php": b"<?php function f( {"}, {})
    assert [finding.path for finding in found] == ["b.php"]
    assert inspect({"a.rb": b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n"}, {}) != ()


def test_what_it_declares_is_read_from_its_lines(without_ruby: None) -> None:
    by_lines = {one.text for one in signatures("shop.rb", SHOP)}
    assert {"module Shop", "class Order < ApplicationRecord", "belongs_to :customer, optional: true"} <= by_lines


def test_with_it_nothing_is_missing() -> None:
    assert grammars.missing(["a.rb", "b.py"]) == {}
    assert grammars.grammar_of("rb") == "ruby"
    assert len(inspect({"a.rb": BROKEN}, {})) == 1


def test_what_is_missing_is_told_with_its_extra(without_ruby: None) -> None:
    assert grammars.missing(["a.rb", "lib/B.RB", "c.py", "d.ts", "Makefile"]) == {"ruby": 2}
    assert grammars.missing(["c.py", "rb"]) == {}
    what, hint = grammars.told("ruby", 2)
    assert what.startswith("2 files are in Ruby, whose grammar is not installed")
    assert "pip install 'ropeteam[ruby]'" in hint
    assert grammars.told("ruby", 1)[0].startswith("One file is in Ruby")


def test_every_other_grammar_comes_with_ropeteam() -> None:
    for grammar in sorted(set(grammars.GRAMMARS.values())):
        assert grammars.language(grammar)
    assert set(grammars.EXTRAS) <= set(grammars.GRAMMARS.values())
