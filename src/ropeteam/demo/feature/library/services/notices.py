"""What members are told, and telling them. The texts are plain functions, so that they can be read and tested alone."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date

from library.models import notice as table
from library.models.notice import Notice


@dataclass(frozen=True)
class Text:
    subject: str
    text: str


def ready(title: str, until: date) -> Text:
    return Text(f"{title} is here for you", f"A copy of {title} is kept for you at the desk until {until}.")


def missed(title: str, until: date) -> Text:
    return Text(
        f"{title} was not collected",
        f"The copy of {title} that was kept for you until {until} has gone to the next reader. "
        "The desk can put you on the list again.",
    )


def tell(connection: sqlite3.Connection, today: date, member_id: int, text: Text) -> Notice:
    """Write a notice, as part of the caller's transaction."""
    return table.add(connection, member_id, today, text.subject, text.text)


def of_member(connection: sqlite3.Connection, member_id: int) -> list[Notice]:
    return table.of_member(connection, member_id)
