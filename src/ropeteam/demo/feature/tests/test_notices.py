from __future__ import annotations

from datetime import date

from library.models import notice
from library.services import notices
from tests.support import MONDAY, LibraryTest


class NoticesTest(LibraryTest):
    def test_a_ready_copy_is_told_with_its_last_day(self) -> None:
        text = notices.ready("Emma", date(2026, 3, 9))
        self.assertEqual(text.subject, "Emma is here for you")
        self.assertIn("until 2026-03-09", text.text)

    def test_a_missed_copy_is_told_with_what_can_be_done(self) -> None:
        self.assertIn("on the list again", notices.missed("Emma", MONDAY).text)

    def test_telling_is_kept_for_the_member(self) -> None:
        ada = self.member()
        told = notices.tell(self.connection, MONDAY, ada.id, notices.ready("Emma", MONDAY))
        self.assertEqual(notices.of_member(self.connection, ada.id), [told])


class NoticeModelTest(LibraryTest):
    def test_the_newest_notice_comes_first(self) -> None:
        ada, bea = self.member("Ada"), self.member("Bea")
        old = notice.add(self.connection, ada.id, MONDAY, "Old", "...")
        new = notice.add(self.connection, ada.id, MONDAY, "New", "...")
        notice.add(self.connection, bea.id, MONDAY, "Other", "...")
        self.assertEqual(notice.of_member(self.connection, ada.id), [new, old])
