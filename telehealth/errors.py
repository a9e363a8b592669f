"""Errors of the service.

TelehealthError
├── SettingError            a setting is missing or wrong (exit status 2)
├── Refused                 the caller asked for something that cannot be done
│   ├── NotFound            no such thing, or not for this actor: the two look the same
│   ├── Invalid             a value was wrong; names the field, never repeats the value
│   ├── Conflict            it clashes with what is there (overlap, duplicate, already ended)
│   └── Forbidden           the actor's role does not allow it
├── Unavailable             a part that the service needs is away (database, broker)
└── MigrationError          the schema cannot be brought up to date

Messages may be shown to users: they say what was wrong and what to do, and never hold a
resident's data. Facts for programs travel as attributes.
"""

from __future__ import annotations


class TelehealthError(Exception):
    """Something went wrong in the service."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or type(self).__name__).splitlines()[0])


class SettingError(TelehealthError):
    """A setting is missing or wrong."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting


class Refused(TelehealthError):
    """The request cannot be carried out."""


class NotFound(Refused):
    """There is no such thing, or it is not yours to see."""


class Invalid(Refused):
    """A value is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class Conflict(Refused):
    """This clashes with what is there already."""


class Forbidden(Refused):
    """Your role does not allow this."""


class Unavailable(TelehealthError):
    """A part that the service needs is away."""


class MigrationError(TelehealthError):
    """The database schema cannot be brought up to date."""
