"""Who may borrow."""

from __future__ import annotations

import sqlite3

from library.models import member as members
from library.models.member import Member
from library.services import NotThere, Refused


def find(connection: sqlite3.Connection, member_id: int) -> Member:
    found = members.get(connection, member_id)
    if found is None:
        raise NotThere(f"There is no member number {member_id}.")
    return found


def join(connection: sqlite3.Connection, name: str, email: str) -> Member:
    name, email = name.strip(), email.strip().lower()
    if not name:
        raise Refused("A member needs a name.")
    if email.count("@") != 1 or email.startswith("@") or email.endswith("@"):
        raise Refused(f"{email or 'An empty text'} is no e-mail address.")
    try:
        with connection:
            return members.add(connection, name, email)
    except sqlite3.IntegrityError:
        raise Refused(f"{email} belongs to a member already.") from None
