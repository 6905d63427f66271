from __future__ import annotations

from library.models.locker import Key
from library.services import NotThere, Refused, lockers
from tests.support import LibraryTest


class LockersTest(LibraryTest):
    def given(self, locker: int = 3, name: str = "Ada") -> Key:
        return lockers.give(self.connection, self.today, self.member(name).id, locker)

    def test_a_locker_whose_key_is_out_is_not_free(self) -> None:
        self.assertEqual(len(lockers.free(self.connection)), lockers.LOCKERS)
        key = self.given()
        self.assertTrue(key.out)
        self.assertNotIn(3, lockers.free(self.connection))
        with self.assertRaisesRegex(Refused, "locker 3 is out"):
            self.given(name="Bea")

    def test_a_member_has_one_key(self) -> None:
        key = self.given()
        with self.assertRaisesRegex(Refused, "has the key of locker 3"):
            lockers.give(self.connection, self.today, key.member_id, 4)

    def test_a_key_that_is_back_can_be_given_again(self) -> None:
        key = self.given()
        self.assertEqual(lockers.take_back(self.connection, self.later(2), key.id), lockers.DEPOSIT_CENTS)
        self.assertEqual(lockers.find(self.connection, key.id).returned_on, self.today)
        with self.assertRaisesRegex(Refused, "came back"):
            lockers.take_back(self.connection, self.today, key.id)
        self.assertEqual(self.given(name="Bea").locker, 3)

    def test_the_deposit_shrinks_with_each_day_too_long(self) -> None:
        key = self.given()
        for days, cents in ((7, 500), (1, 450), (4, 250), (9, 0)):
            self.later(days)
            self.assertEqual(lockers.deposit(key, self.today), cents)

    def test_keys_that_are_out_too_long_are_listed(self) -> None:
        second = self.given(5)
        self.later(3)
        self.given(2, "Bea")
        self.assertEqual(lockers.overdue(self.connection, self.later(4)), [])
        self.assertEqual(lockers.overdue(self.connection, self.later(1)), [second])

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            self.given(lockers.LOCKERS + 1)
        with self.assertRaises(NotThere):
            lockers.find(self.connection, 7)
