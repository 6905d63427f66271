"""The connection, and the schema as numbered files that are applied once, in order."""

from __future__ import annotations

import sqlite3
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"


def connect(path: str) -> sqlite3.Connection:
    """Open the database at `path` (":memory:" for one that lasts as long as the connection), schema up to date."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    return connection


def migrate(connection: sqlite3.Connection) -> int:
    """Apply every migration that is newer than the database, and return how many those were."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    applied = 0
    for path in sorted(MIGRATIONS.glob("*.sql")):
        number = int(path.name.split("_", 1)[0])
        if number > version:
            connection.executescript(
                f"BEGIN;\n{path.read_text(encoding='utf-8')}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
            applied += 1
    return applied
