from __future__ import annotations

import unittest

from library.config import BadConfig, Config


class ConfigTest(unittest.TestCase):
    def test_an_empty_environment_gives_the_defaults(self) -> None:
        self.assertEqual(Config.from_environment({}), Config())

    def test_variables_are_taken_over(self) -> None:
        config = Config.from_environment({"LIBRARY_LOAN_DAYS": " 7 ", "LIBRARY_DATABASE": "/tmp/x.db"})
        self.assertEqual((config.loan_days, config.database), (7, "/tmp/x.db"))

    def test_the_waiting_list_can_be_set(self) -> None:
        config = Config.from_environment({"LIBRARY_HOLD_DAYS": "3", "LIBRARY_MAX_RESERVATIONS": "0"})
        self.assertEqual((config.hold_days, config.max_reservations), (3, 0))

    def test_a_copy_is_kept_for_a_day_at_least(self) -> None:
        with self.assertRaisesRegex(BadConfig, "LIBRARY_HOLD_DAYS is 0"):
            Config.from_environment({"LIBRARY_HOLD_DAYS": "0"})

    def test_what_is_no_number_is_refused_by_name(self) -> None:
        with self.assertRaisesRegex(BadConfig, "LIBRARY_MAX_LOANS is 'many'"):
            Config.from_environment({"LIBRARY_MAX_LOANS": "many"})

    def test_a_number_that_is_too_small_is_refused(self) -> None:
        with self.assertRaisesRegex(BadConfig, "1 or more"):
            Config.from_environment({"LIBRARY_LOAN_DAYS": "0"})
