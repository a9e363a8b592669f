"""A date and time as staff type them, in a zone: what the clocks skipped is refused, what came twice is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from telehealth.web import requests
from telehealth.web.shown import formats

Json = dict[str, Any]


def read(form: Mapping[str, str], prefix: str, zone: str, wrong: list[Json]) -> datetime | None:
    """The moment of the fields {prefix}date, {prefix}time and, if the hour came twice, {prefix}fold ("0" or "1").

    What is wrong is added to wrong, as error summaries want it; a question about the hour names the field
    {prefix}fold.
    """
    day, clock = formats.read_date(form.get(f"{prefix}date", "")), formats.read_time(form.get(f"{prefix}time", ""))
    if day is None or not requests.ordinary(day):
        day = None
        wrong.append(_wrong(f"{prefix}date", "Enter the date like this: 21-Nov-2026"))
    if clock is None:
        wrong.append(_wrong(f"{prefix}time", "Enter the time of 24 hours like this: 09:05"))
    if day is None or clock is None:
        return None
    local = datetime.combine(day, clock, formats.zone_of(zone))
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    shown = f"{clock:%H:%M}"
    if first > second:
        wrong.append(_wrong(f"{prefix}time", f"There was no {shown} that day: the clocks went forward over it"))
        return None
    fold = form.get(f"{prefix}fold", "")
    if fold not in ("0", "1"):
        text = f"{shown} came twice that day, as the clocks went back. Choose which is meant"
        wrong.append(_wrong(f"{prefix}fold", text))
        return None
    return second if fold == "1" else first


def _wrong(field: str, text: str) -> Json:
    return {"field": field, "text": text, "href": f"#{field}"}
