"""The approval state of a number or text: who approved it and when, or that nobody has yet."""

from __future__ import annotations

import re
from datetime import date

from alerts.kinds.base import APPROVAL

MOST = 500
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
#: 3 Nov 2026, 03-Nov-2026, or 2026-11-03: 3/11/2026 is another day to somebody else.
_DATE = f"(?:[0-9]{{1,2}}[ -]{_NAMED}[ -][0-9]{{4}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
#: Also the schema's, whose readers know no flags.
PATTERN = f"^(?:{APPROVAL}.*|[Aa]pproved by .*[A-Za-z]{{2}}.*[ ,(]{_DATE}(?:[^0-9].*)?)$"
_READ = re.compile(PATTERN)
_DATES = re.compile(rf"(?<![0-9]){_DATE}(?![0-9])")
_WRITE = f'write "{APPROVAL}", or who approved it and when, such as "approved by the heart failure board, 3 Nov 2026"'


def problem(value: object) -> str | None:
    """What is wrong with it, for whoever wrote it; None: it says who and when, or that it needs approval."""
    if not isinstance(value, str) or not value.strip():
        return f"has no approval: {_WRITE}"
    if len(value) > MOST or not value.isprintable():
        return f"must be a text of at most {MOST} characters on one line"
    if not _READ.match(value):
        return f'is "{value:.60}", which does not say who approved it and when: {_WRITE}'
    wrong = [found for found in _DATES.findall(value) if not _exists(found)]
    return f"names a day that there is not, {wrong[0]}" if wrong else None


def _exists(written: str) -> bool:
    """Whether there is such a day."""
    first, second, third = re.split("[ -]", written)
    try:
        if second.isdigit():
            date(int(first), int(second), int(third))
        else:
            date(int(third), _MONTHS.index(second[:3].lower()) + 1, int(first))
    except ValueError:
        return False
    return True
