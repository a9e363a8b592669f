"""Visits by command, as an operator plans them and looks after mails."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from telehealth import clock
from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.test_resident_rules import call
from tests.support import world

MAIL = {"TELEHEALTH_PUBLIC_URL": "https://ward.example", "TELEHEALTH_MAIL_FROM": "ward@ward.example"}


def answer(urls: Urls, *arguments: str) -> Any:
    status, output = call(urls, *arguments, "--json", **MAIL)
    assert status == 0, output
    return json.loads(output)


async def test_from_contact_to_cancellation(database: Database, urls: Urls) -> None:
    ward = await world.ward(database)
    anna = await world.resident(database, ward)
    day = (clock.real_now() + timedelta(days=20)).date()
    answer(urls, "contact", "add", anna.nhs_number, "--email", "anna@home.example", "--name", "Anna")
    (contact,) = answer(urls, "contact", "list", anna.nhs_number)
    assert (contact["email"], contact["relation"], contact["reminders"]) == ("anna@home.example", "self", True)
    booked = answer(
        urls, "appointment", "book", "--ward", str(ward.id), "--resident", anna.nhs_number, "--on", f"{day}",
        "--at", "10:30",
    )  # fmt: skip
    assert (booked["overlaps"], booked["told"]) == ([], 1)
    number = str(booked["appointment"])
    again = answer(
        urls, "appointment", "book", "--ward", str(ward.id), "--resident", anna.nhs_number, "--on", f"{day}",
        "--at", "10:45",
    )  # fmt: skip
    assert again["overlaps"] == [booked["appointment"]]
    moved = answer(urls, "appointment", "move", number, "--on", f"{day + timedelta(days=1)}", "--at", "09:00")
    assert moved["visit"] == booked["visit"]
    (first, second) = answer(urls, "appointment", "list", "--ward", str(ward.id), "--days", "40")
    assert (first["id"], second["revision"]) == (again["appointment"], 1)
    answer(urls, "appointment", "cancel", number, "--reason", "in hospital")
    mails = answer(urls, "visit", "mail", "--resident", anna.nhs_number)
    assert {one["about"] for one in mails} == {"booked", "moved", "cancelled", "reminder"}
    assert not any("body" in one for one in mails)
    shown = answer(urls, "visit", "show", number)
    assert shown["state"] == "cancelled"
    assert [one["event"] for one in shown["events"]] == ["created", "invited", "moved", "cancelled"]
    answer(urls, "contact", "remove", str(contact["id"]))
    assert answer(urls, "contact", "list", anna.nhs_number) == []
    status, output = call(urls, "appointment", "cancel", number, "--reason", "again")
    assert (status, "has been cancelled" in output) == (1, True)


async def test_times_that_do_not_exist_once(database: Database, urls: Urls) -> None:
    ward = await world.ward(database)
    anna = await world.resident(database, ward)
    year = clock.real_now().year + 1
    october = max(date(year, 10, n) for n in range(25, 32) if date(year, 10, n).weekday() == 6)
    march = max(date(year, 3, n) for n in range(25, 32) if date(year, 3, n).weekday() == 6)
    book = ["appointment", "book", "--ward", str(ward.id), "--resident", anna.nhs_number, "--at", "01:30", "--on"]
    status, output = call(urls, *book, f"{march}")
    assert (status, "does not exist that day" in output) == (1, True)
    status, output = call(urls, *book, f"{october}")
    assert (status, "comes twice" in output) == (1, True)
    second = answer(urls, *book, f"{october}", "--which", "second")
    assert second["starts_at"].endswith("T01:30:00Z")


async def test_two_residents_in_the_same_other_visit_are_one_overlap(database: Database, urls: Urls) -> None:
    ward = await world.ward(database)
    residents = [await world.resident(database, ward), await world.resident(database, ward)]
    day = (clock.real_now() + timedelta(days=20)).date()
    book = ["appointment", "book", "--ward", str(ward.id), "--kind", "ward_round", "--on", f"{day}", "--at", "10:30"]
    book += [part for one in residents for part in ("--resident", one.nhs_number)]
    first = answer(urls, *book)
    assert answer(urls, *book)["overlaps"] == [first["appointment"]]


async def test_policy_and_series(database: Database, urls: Urls) -> None:
    ward = await world.ward(database)
    anna = await world.resident(database, ward)
    name = str(ward.id)
    assert answer(urls, "visit", "policy", name)["reminder_hours"] == [24, 1]
    changed = answer(urls, "visit", "policy", name, "--keep-chat", "--reminder", "48", "--reminder", "2")
    assert (changed["keep_chat"], changed["reminder_hours"]) == (True, [48, 2])
    assert answer(urls, "visit", "policy", name)["keep_chat"] is True
    first = clock.real_now().date() + timedelta(days=1)
    made = answer(
        urls, "appointment", "series", "--ward", name, "--resident", anna.nhs_number, "--weekday",
        str(first.weekday()), "--at", "09:00", "--from", f"{first}",
    )  # fmt: skip
    listed = answer(urls, "appointment", "list", "--ward", name, "--days", "100")
    assert len(listed) == 8
    assert len(answer(urls, "visit", "list", name, "--days", "3")) == 1
    ended = answer(urls, "appointment", "end-series", str(made["series"]), "--reason", "the ward closes")
    assert ended["cancelled"] == 8
