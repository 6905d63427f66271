"""The rules of the library. No HTTP, no clock: what a rule needs is an argument."""

from __future__ import annotations


class Refused(Exception):
    """The library does not do that; the message is the sentence that the desk reads."""


class NotThere(Exception):
    """There is no book, member or loan of that number."""
