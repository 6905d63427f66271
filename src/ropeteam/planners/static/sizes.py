"""How many lines a feature adds to a file, guessed before the work.

Medians of added lines over the 20,210 files of 1,280 real features (metadata in `bench`'s data; how they were counted:
`docs/design/0018`). One guess is off by a factor of 2.7 in the middle half of new files and by 5 of changed ones: they
say which file is large, not how long anything takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NEW: Final[Mapping[str, int]] = {
    "config": 15,
    "docs": 61,
    "locale": 6,
    "model": 38,
    "service": 51,
    "test": 78,
    "view": 49,
}
_CHANGED: Final[Mapping[str, int]] = {
    "config": 2,
    "docs": 2,
    "locale": 4,
    "model": 6,
    "service": 7,
    "test": 10,
    "view": 6,
}
_NEW_BY_LANGUAGE: Final[Mapping[tuple[str, str], int]] = {
    ("service", "go"): 123,
    ("service", "php"): 39,
    ("service", "ts"): 45,
    ("service", "python"): 56,
    ("service", "java"): 51,
    ("model", "php"): 37,
    ("model", "java"): 39,
    ("test", "go"): 132,
    ("test", "python"): 114,
    ("test", "java"): 91,
    ("test", "php"): 67,
    ("test", "ts"): 75,
    ("view", "vue"): 90,
    ("view", "ts"): 66,
    ("view", "template"): 23,
}
_CHANGED_BY_LANGUAGE: Final[Mapping[tuple[str, str], int]] = {
    ("test", "go"): 35,
    ("test", "python"): 15,
    ("test", "php"): 5,
    ("model", "go"): 12,
    ("service", "python"): 9,
    ("service", "go"): 9,
    ("view", "ts"): 8,
}


def guessed(status: str, category: str, language: str) -> int:
    """Added lines to be expected. A deleted file adds none."""
    if status == "D":
        return 0
    by_language, by_category = (_NEW_BY_LANGUAGE, _NEW) if status == "A" else (_CHANGED_BY_LANGUAGE, _CHANGED)
    return by_language.get((category, language), by_category.get(category, 40 if status == "A" else 7))
