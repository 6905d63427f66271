"""A library in memory, a date that stands still, and a browser."""

from __future__ import annotations

import io
import unittest
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from library import database
from library.app import Library
from library.config import Config
from library.models.book import Book
from library.models.member import Member
from library.services import catalogue, membership

MONDAY = date(2026, 3, 2)
ISBNS = ("9780140449136", "9780141439518", "9780486280615", "9780199535569", "9780451524935", "9780061120084")


@dataclass
class Answer:
    status: int
    text: str
    location: str


class LibraryTest(unittest.TestCase):
    """Every test gets an empty library; `self.today` can be moved with `later`."""

    def setUp(self) -> None:
        self.config = Config(database=":memory:", loan_days=14, max_loans=3, max_renewals=1, fine_cents=20)
        self.connection = database.connect(":memory:")
        self.addCleanup(self.connection.close)
        self.today = MONDAY
        self.library = Library(self.config, self.connection, today=lambda: self.today)
        self._isbns = iter(ISBNS)

    def later(self, days: int) -> date:
        self.today += timedelta(days=days)
        return self.today

    def book(self, title: str = "Crime and Punishment", *, author: str = "Dostoevsky", copies: int = 1) -> Book:
        return catalogue.add(self.connection, title, author, next(self._isbns), copies)

    def member(self, name: str = "Ada") -> Member:
        return membership.join(self.connection, name, f"{name.lower()}@example.org")

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, {})

    def post(self, path: str, **form: object) -> Answer:
        return self._ask("POST", path, form)

    def _ask(self, method: str, path: str, form: dict[str, object]) -> Answer:
        path, _, query = path.partition("?")
        body = urlencode(form).encode()
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        seen: list[tuple[str, list[tuple[str, str]]]] = []
        text = b"".join(self.library(environ, lambda status, headers: seen.append((status, headers)))).decode()
        status, headers = seen[0]
        return Answer(int(status.split()[0]), text, dict(headers).get("Location", ""))
