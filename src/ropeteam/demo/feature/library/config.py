"""What the library can set, with its defaults. Days are calendar days, money is whole cents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class BadConfig(ValueError):
    """A variable of the environment that cannot be used."""


@dataclass(frozen=True)
class Config:
    database: str = "library.db"
    loan_days: int = 21
    max_loans: int = 5
    max_renewals: int = 2
    fine_cents: int = 20
    hold_days: int = 7
    max_reservations: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Config:
        return cls(
            database=environment.get("LIBRARY_DATABASE", cls.database),
            loan_days=_number(environment, "LIBRARY_LOAN_DAYS", cls.loan_days, least=1),
            max_loans=_number(environment, "LIBRARY_MAX_LOANS", cls.max_loans, least=1),
            max_renewals=_number(environment, "LIBRARY_MAX_RENEWALS", cls.max_renewals, least=0),
            fine_cents=_number(environment, "LIBRARY_FINE_CENTS", cls.fine_cents, least=0),
            hold_days=_number(environment, "LIBRARY_HOLD_DAYS", cls.hold_days, least=1),
            max_reservations=_number(environment, "LIBRARY_MAX_RESERVATIONS", cls.max_reservations, least=0),
        )


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise BadConfig(f"{name} is {text!r}, which is no whole number.") from None
    if number < least:
        raise BadConfig(f"{name} is {number}; it must be {least} or more.")
    return number
