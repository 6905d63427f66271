from __future__ import annotations

import io
import unittest
from http import HTTPStatus

from library import views
from library.web import BadRequest, Request, Response, Router


class RouterTest(unittest.TestCase):
    def setUp(self) -> None:
        self.router = Router()
        self.router.add("GET", "/books/<book_id>", lambda *_: Response("one"))

    def test_numbers_come_from_the_path(self) -> None:
        found = self.router.find("GET", "/books/12")
        assert not isinstance(found, HTTPStatus)
        self.assertEqual(found[1], {"book_id": 12})

    def test_another_method_is_405_and_another_path_404(self) -> None:
        self.assertEqual(self.router.find("POST", "/books/12"), HTTPStatus.METHOD_NOT_ALLOWED)
        self.assertEqual(self.router.find("GET", "/books/12/x"), HTTPStatus.NOT_FOUND)
        self.assertEqual(self.router.find("GET", "/books/twelve"), HTTPStatus.NOT_FOUND)


class RequestTest(unittest.TestCase):
    def test_a_form_is_read_once_and_stripped(self) -> None:
        body = b"name=+Ada+&copies=2"
        environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        request = Request.from_environ(environ)
        self.assertEqual((request.text("name"), request.number("copies"), request.path), ("Ada", 2, "/"))

    def test_what_is_no_number_is_a_bad_request(self) -> None:
        with self.assertRaisesRegex(BadRequest, "copies"):
            Request("POST", "/books", form={"copies": "two"}).number("copies")

    def test_a_form_that_is_too_large_is_a_bad_request(self) -> None:
        with self.assertRaises(BadRequest):
            Request.from_environ({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "999999", "wsgi.input": io.BytesIO()})


class ViewsTest(unittest.TestCase):
    def test_values_are_escaped_and_markup_is_not(self) -> None:
        row = views.each("member_row", [{"id": 1, "name": "<b>Ada</b>"}])
        self.assertIn("&lt;b&gt;Ada", row)
        self.assertIn("<li>", views.page("members", title="Members", rows=row))

    def test_money_has_two_digits_after_the_point(self) -> None:
        self.assertEqual([views.money(cents) for cents in (0, 5, 120)], ["0.00", "0.05", "1.20"])
