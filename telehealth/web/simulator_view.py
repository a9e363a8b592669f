"""What testers see of the simulator: its answers, joined with what the caller may see of the record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from telehealth.model import people
from telehealth.store.db import Record
from telehealth.store.residents_view import History
from telehealth.web import formats, measures
from telehealth.web import simulator_chart as charts
from telehealth.web import simulator_link as link

Json = dict[str, Any]

#: Smaller differences between the service's time and this computer's are not worth a word.
_AHEAD = timedelta(seconds=90)
#: So many messages of a device are drawn, and so many are listed.
_DRAWN, LISTED = 30, 25


@dataclass(frozen=True)
class Seen:
    """A resident whom the caller may see, with the alerts about them, newest first."""

    row: Record
    alerts: Sequence[Json] = ()


@dataclass(frozen=True)
class Words:
    """What the simulator calls its scenarios and faults, by name; and now."""

    catalogue: link.Catalogue
    now: datetime

    def fault(self, kind: str) -> str:
        return next((one.title for one in self.catalogue.faults if one.name == kind), kind)


def visible(homes: Iterable[link.Home], seen: Mapping[str, Seen]) -> list[link.Home]:
    """Homes with the residents whom the caller may see; without those in which none of them lives."""
    found = []
    for home in homes:
        residents = [resident for resident in home.residents if resident.key in seen]
        if residents:
            # A fault of a home says something of all who live there.
            faults = home.faults if len(residents) == len(home.residents) else []
            found.append(msgspec.structs.replace(home, residents=residents, faults=faults))
    return found


def targets(homes: Iterable[link.Home], seen: Mapping[str, Seen]) -> dict[str, str]:
    """Everything that the caller may break or use, by its full name, with the words for it."""
    found: dict[str, str] = {}
    for home in homes:
        if all(resident.key in seen for resident in home.residents):
            found[f"home:{home.id}"] = home.title or "the home"
        for resident in home.residents:
            if resident.key in seen:
                found[f"resident:{resident.key}"] = name(seen[resident.key].row)
                found |= {f"device:{device.device_id}": f"device {device.device_id}" for device in resident.devices}
    return found


def name(row: Record) -> str:
    """As staff screens write it."""
    return people.display_name(row["family_name"], row["given_name"], row["title"])


def status(found: link.Status, speeds: Sequence[float], real: datetime) -> Json:
    """Time and traffic."""
    ahead = found.now - real
    return {
        "at": formats.iso(found.now),
        "speed": found.speed,
        "speed_words": _pace(found),
        "speeds": [{"value": f"{one:g}", "text": _speed(one), "on": one == found.speed} for one in speeds],
        "steppable": found.steppable,
        "ahead": formats.duration(ahead.total_seconds()) if ahead > _AHEAD else None,
        **{
            key: getattr(found, key) for key in ("connected", "devices", "messages", "readings", "unsettled", "refused")
        },
    }


def _pace(found: link.Status) -> str:
    if found.phase == "history":
        return "the past is being fed"
    if found.speed == 0:
        return "time stands still"
    return "in real time" if found.speed == 1 else f"{found.speed:g} times as fast as real time"


def _speed(speed: float) -> str:
    return {0.0: "Stop", 1.0: "Real time"}.get(speed, f"{speed:g} times as fast")


def homes(
    found: Sequence[link.Home], seen: Mapping[str, Seen], words: Words, marks: Mapping[str, Sequence[link.Message]]
) -> list[Json]:
    """The cards; homes of one resident have no title of their own."""
    return [
        {
            "title": home.title if len(home.residents) > 1 else None,
            "target": f"home:{home.id}",
            "faults": faults(home.faults, words, home.title or "the home"),
            "offered": offered(words.catalogue, "home", codes(home)),
            "residents": [resident(one, seen[one.key], words, marks) for one in home.residents],
        }
        for home in found
    ]


def codes(home: link.Home) -> list[str]:
    """Everything that is measured in a home."""
    return sorted({code for one in home.residents for device in one.devices for code in device.codes})


def resident(found: link.Resident, seen: Seen, words: Words, marks: Mapping[str, Sequence[link.Message]]) -> Json:
    """One person of a card."""
    row = seen.row
    return {
        "id": row["id"],
        "name": name(row),
        "zone": row["zone"],
        "ward": row["ward"],
        "ward_id": row["ward_id"],
        "pathway": row["pathway"] or "no pathway",
        "courses": [course(one, words.now) for one in found.courses],
        "faults": faults(found.faults, words, name(row)),
        "alerts": [alert for alert in seen.alerts if alert["open"]],
        "devices": [device(one, words, marks.get(one.device_id, ())) for one in found.devices],
    }


def device(found: link.Device, words: Words, messages: Sequence[link.Message]) -> Json:
    """A device; messages: its own, oldest first."""
    return {
        "id": found.device_id,
        "target": f"device:{found.device_id}",
        "title": measured(found.codes),
        "connected": found.connected,
        "battery": found.battery,
        "clock": found.clock,
        "faults": faults(found.faults, words, found.device_id),
        "sent": found.sent,
        "receipted": found.receipted,
        "waiting": found.unsettled,
        "refused": found.refused,
        "marks": [{"state": state(one)} for one in messages[-_DRAWN:]],
        "offered": offered(words.catalogue, "device", found.codes),
        "messages": [message(one) for one in reversed(messages[-LISTED:])],
    }


def measured(codes: Iterable[str]) -> str:
    """The measures of a device in words; the first of each pair stands for both."""
    shown = sorted((code for code in codes if code != "diastolic"), key=measures.order)
    return ", ".join("Blood pressure" if code == "systolic" else measures.name(code) for code in shown)


def offered(catalogue: link.Catalogue, place: str, codes: Sequence[str]) -> list[Json]:
    """Kinds of faults that can befall it, by title."""
    fitting = [
        kind
        for kind in catalogue.faults
        if place in kind.targets and (not kind.codes or not set(kind.codes).isdisjoint(codes))
    ]
    return [{"name": kind.name, "title": kind.title, "minutes": kind.minutes} for kind in sorted(fitting, key=_title)]


def _title(kind: link.Kind) -> str:
    return kind.title


def faults(found: Iterable[link.Fault], words: Words, target: str) -> list[Json]:
    """Those that are not over."""
    return [
        {
            "id": one.id,
            "title": words.fault(one.kind),
            "target": target,
            "until": formats.iso(one.until),
            "begins": formats.iso(one.since) if one.since > words.now else None,
        }
        for one in found
        if one.until is None or one.until > words.now
    ]


def course(found: link.Course, now: datetime) -> Json:
    """An illness and how far it has gone towards its worst."""
    whole = (found.peak - found.onset).total_seconds()
    gone = (now - found.onset).total_seconds()
    if found.peak <= found.onset:
        return {"title": found.title, "part": None, "words": "", "notice": []}
    if gone < 0:
        words = f"begins in {formats.duration(-gone)}"
    elif gone < whole:
        words = f"for {formats.duration(gone)}, at its worst in {formats.duration(whole - gone)}"
    else:
        words = f"for {formats.duration(gone)}, past its worst"
    return {
        "title": found.title,
        "part": min(max(gone / whole, 0.0), 1.0),
        "words": words,
        "notice": [_notice(one, now) for one in found.notice],
    }


def _notice(found: link.Notice, now: datetime) -> str:
    late = found.by < now
    when = f"{formats.duration(abs((found.by - now).total_seconds()))} {'ago' if late else 'from now'}"
    return f"To be noticed by {formats.staff_moment(found.by)} ({when}), at least {found.priority}: {found.what}"


def state(found: link.Message) -> str:
    """What became of a message: receipted, waiting or refused."""
    if found.refused:
        return "refused"
    return "receipted" if found.settled else "waiting"


def message(found: link.Message) -> Json:
    """A row of the table."""
    outcomes = {"receipted": "receipted", "waiting": "waiting", "refused": "refused: " + "; ".join(found.refused[:3])}
    return {
        "created_at": formats.iso(found.created_at),
        "seq": found.seq,
        "lane": found.lane,
        "what": found.what,
        "deliveries": found.deliveries,
        "outcome": outcomes[state(found)],
    }


def followed(alerts: Sequence[Json], courses: Sequence[link.Course]) -> list[Json]:
    """Alerts with how long after the onset of an illness they came."""
    return [{**alert, "number": number, "after": _after(alert, courses)} for number, alert in _numbered(alerts)]


def _numbered(alerts: Sequence[Json]) -> list[tuple[int, Json]]:
    """The newest has the greatest number, so that a new alert changes none of the others."""
    return [(len(alerts) - place, alert) for place, alert in enumerate(alerts)]


def _after(alert: Json, courses: Sequence[link.Course]) -> str | None:
    raised = datetime.fromisoformat(alert["raised_at"])
    begun = [one for one in courses if one.onset <= raised and one.peak > one.onset]
    if not begun:
        return None
    latest = max(begun, key=lambda one: one.onset)
    return f"{formats.duration((raised - latest.onset).total_seconds())} after the onset of {latest.title}"


def pictures(
    truth: link.Truth, history: History, alerts: Sequence[Json], words: Words, span: charts.Span
) -> list[Json]:
    """One picture a code that was measured or stored in the time shown."""
    stored: dict[str, list[Record]] = {}
    for point in history.points:
        if measures.is_number(point["code"]):
            stored.setdefault(point["code"], []).append(point)
    codes = sorted({*truth.codes, *stored}, key=measures.order)
    bands = [
        *(charts.Band(one.title, "course", one.onset, one.end) for one in truth.courses if one.peak > one.onset),
        *(charts.Band(words.fault(one.kind), "fault", one.since, one.until) for one in truth.faults),
    ]
    found = []
    for code in codes:
        traced = truth.codes.get(code)
        record = stored.get(code, [])
        traces = charts.Traces(
            _line(traced.at, traced.true) if traced else charts.Line(),
            _line(traced.measured_at, traced.measured) if traced else charts.Line(),
            charts.Line([row["effective_at"] for row in record], [row["value"] for row in record]),
        )
        flags = [
            charts.Flag(datetime.fromisoformat(one["raised_at"]), number, one["priority"], one["reason"], one["id"])
            for number, one in _numbered(alerts)
            if one["code"] in (code, None)
        ]
        found.append(charts.draw(code, traces, bands, flags, span))
    return found


def _line(times: Sequence[datetime], values: Sequence[float | None]) -> charts.Line:
    known = [(at, value) for at, value in zip(times, values, strict=False) if value is not None]
    return charts.Line([at for at, _ in known], [value for _, value in known])
