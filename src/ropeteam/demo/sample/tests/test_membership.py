from __future__ import annotations

from library.services import NotThere, Refused, membership
from tests.support import LibraryTest


class MembershipTest(LibraryTest):
    def test_the_address_is_kept_in_lower_case(self) -> None:
        self.assertEqual(membership.join(self.connection, " Ada ", "Ada@Example.org").email, "ada@example.org")

    def test_an_address_belongs_to_one_member(self) -> None:
        membership.join(self.connection, "Ada", "ada@example.org")
        with self.assertRaisesRegex(Refused, "belongs to a member"):
            membership.join(self.connection, "Bea", "ADA@example.org")

    def test_what_is_no_address_is_refused(self) -> None:
        for text in ("", "ada", "@example.org", "ada@", "a@b@c"):
            with self.subTest(text), self.assertRaises(Refused):
                membership.join(self.connection, "Ada", text)

    def test_a_member_who_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            membership.find(self.connection, 3)
