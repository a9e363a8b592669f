"""What testers see of the simulator: its answers, joined with what the caller may see of the record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from telehealth.model import people
from telehealth.store.db import Record
from telehealth.store.residents_view import History
from telehealth.web.shown import formats, measures
from telehealth.web.simulator import simulator_chart as charts
from telehealth.web.simulator import simulator_link as link

Json = dict[str, Any]

#: Smaller differences between the service's time and this computer's are not worth a word.
_AHEAD = timedelta(seconds=90)
#: So many messages of a device are drawn, and so many are listed.
_DRAWN, LISTED = 30, 25
#: Time that goes at least so much of what was asked for keeps up.
_KEPT = 0.85
#: A clock that is wrong by less is right.
_RIGHT_SECONDS = 1.0


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

    def scenario(self, name: str) -> str:
        return next((one.title for one in self.catalogue.scenarios if one.name == name), name)


def visible(homes: Iterable[link.Home], seen: Mapping[str, Seen]) -> list[link.Home]:
    """Homes as far as the caller may see who lives there: what they share with others is left out."""
    found = []
    for home in homes:
        residents = [one for one in home.residents if one.key in seen]
        devices = [one for one in home.devices if all(holder.resident in seen for holder in one.residents)]
        # A fault of a home says something of all who live there.
        faults = home.faults if len(residents) == len(home.residents) else []
        if residents:
            found.append(link.Home(home.id, residents, devices, faults))
    return found


def targets(homes: Iterable[link.Home], seen: Mapping[str, Seen]) -> dict[str, str]:
    """Everything that the caller may break or use, by its full name, with the words for it."""
    found: dict[str, str] = {}
    for home in homes:
        if all(resident.key in seen for resident in home.residents):
            found[f"home:{home.id}"] = home_name(home)
        for resident in home.residents:
            if resident.key in seen:
                found[f"resident:{resident.key}"] = name(seen[resident.key].row)
        for device in home.devices:
            if all(holder.resident in seen for holder in device.residents):
                found[f"device:{device.device_id}"] = f"device {device.device_id}"
    return found


def name(row: Record) -> str:
    """As staff screens write it."""
    return people.display_name(row["family_name"], row["given_name"], row["title"])


def home_name(home: link.Home) -> str:
    """A care home's own name; what is rather a number gets a word before it."""
    return home.id if " " in home.id else f"Home {home.id}"


def status(found: link.Status, speeds: Sequence[float], real: datetime) -> Json:
    """Time and traffic."""
    ahead = found.now - real
    live = found.phase == "live"
    return {
        "at": formats.iso(found.now),
        "speed_words": _pace(found),
        "speeds": [{"value": f"{one:g}", "text": _speed(one), "on": one == found.speed} for one in speeds if live],
        "ahead": formats.duration(ahead.total_seconds()) if ahead > _AHEAD else None,
        **{
            key: getattr(found, key) for key in ("connected", "devices", "messages", "readings", "unsettled", "refused")
        },
    }


def _pace(found: link.Status) -> str:
    if found.phase != "live" or found.speed is None:
        return "the past is being fed"
    if found.speed == 0:
        return "time stands still"
    if found.reached is not None and found.reached < _KEPT * found.speed:
        # What nobody can do should not look as if it were done.
        times = f"{max(found.reached, 0.1):.{1 if found.reached < 10 else 0}f}"
        return f"{times} times as fast as real time: the service cannot keep up with {found.speed:g}"
    return "in real time" if found.speed == 1 else f"{found.speed:g} times as fast as real time"


def _speed(speed: float) -> str:
    return {0.0: "Stop", 1.0: "Real time"}.get(speed, f"{speed:g} times as fast")


def homes(
    found: Sequence[link.Home], seen: Mapping[str, Seen], words: Words, messages: Mapping[str, Sequence[link.Message]]
) -> list[Json]:
    """The cards; homes of one resident have no title of their own."""
    cards = []
    for home in found:
        shared = [one for one in home.devices if len(one.residents) > 1]
        cards.append(
            {
                "title": home_name(home) if len(home.residents) > 1 else None,
                "target": f"home:{home.id}",
                "faults": faults(home.faults, words, home.id),
                "offered": offered(words.catalogue, "home", [code for one in home.devices for code in one.codes]),
                "residents": [resident(one, home, seen[one.key], words, messages) for one in home.residents],
                "shared": [device(one, words, messages.get(one.device_id, ())) for one in shared],
            }
        )
    return cards


def resident(
    found: link.Resident, home: link.Home, seen: Seen, words: Words, messages: Mapping[str, Sequence[link.Message]]
) -> Json:
    """One person of a card, with the devices that are theirs alone."""
    row = seen.row
    own = [one for one in home.devices if [holder.resident for holder in one.residents] == [found.key]]
    return {
        "id": row["id"],
        "key": found.key,
        "name": name(row),
        "zone": row["zone"],
        "ward": row["ward"],
        "ward_id": row["ward_id"],
        "pathway": row["pathway"] or "no pathway",
        "courses": [course(one, words) for one in found.courses],
        "alerts": [alert for alert in seen.alerts if alert["open"]],
        "devices": [device(one, words, messages.get(one.device_id, ())) for one in own],
    }


def codes_of(home: link.Home, key: str) -> list[str]:
    """Everything that is measured of a resident."""
    return [code for one in home.devices if key in {who.resident for who in one.residents} for code in one.codes]


def device(found: link.Device, words: Words, messages: Sequence[link.Message]) -> Json:
    """A device; messages: its own, oldest first."""
    marks = [one for one in messages if one.kind != "status"]
    return {
        "id": found.device_id,
        "target": f"device:{found.device_id}",
        "title": found.title,
        "codes": measured(found.codes),
        "connected": found.connected,
        "battery": found.battery,
        "clock": _clock(found.clock),
        "faults": faults(found.faults, words, found.device_id),
        "sent": found.sent,
        "receipted": found.receipted,
        "waiting": found.unsettled,
        "buffered": found.waiting,
        "lost": found.lost,
        "refused": found.refused,
        "people": len(found.residents),
        "marks": [{"state": state(one)} for one in marks[-_DRAWN:]],
        "offered": offered(words.catalogue, "device", found.codes),
        "messages": [message(one) for one in reversed(messages[-LISTED:])],
    }


def _clock(found: link.Clock) -> str | None:
    """In words, where it is wrong by more than nobody minds."""
    if abs(found.error_seconds) < _RIGHT_SECONDS:
        return None
    side = "fast" if found.error_seconds > 0 else "slow"
    return f"{formats.duration(abs(found.error_seconds))} {side}"


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


def offered_of(homes: Sequence[link.Home], target: str, catalogue: link.Catalogue) -> list[Json]:
    """The same of something by its full name."""
    place, _, key = target.partition(":")
    codes = [
        code
        for home in homes
        for one in home.devices
        for code in one.codes
        if key in (home.id, one.device_id, *(who.resident for who in one.residents))
    ]
    return offered(catalogue, place, codes)


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


def course(found: link.Course, words: Words) -> Json:
    """An illness and how far it has gone towards its worst."""
    shown: Json = {"title": words.scenario(found.scenario), "part": None, "words": ""}
    shown["notice"] = [_notice(one, words.now) for one in found.notice]
    if found.peak is None or found.peak <= found.onset:
        return shown
    whole = (found.peak - found.onset).total_seconds()
    gone = (words.now - found.onset).total_seconds()
    if gone < 0:
        shown["words"] = f"begins in {formats.duration(-gone)}"
    elif gone < whole:
        shown["words"] = f"for {formats.duration(gone)}, at its worst in {formats.duration(whole - gone)}"
    else:
        shown["words"] = f"for {formats.duration(gone)}, past its worst"
    return shown | {"part": min(max(gone / whole, 0.0), 1.0)}


def _notice(found: link.Notice, now: datetime) -> str:
    late = found.by < now
    when = f"{formats.duration(abs((found.by - now).total_seconds()))} {'ago' if late else 'from now'}"
    return f"To be noticed by {formats.staff_moment(found.by)} ({when}), at least {found.priority}: {found.what}"


def state(found: link.Message) -> str:
    """What became of a message: receipted, waiting or refused."""
    if found.refused:
        return "refused"
    return "receipted" if found.receipted else "waiting"


def message(found: link.Message) -> Json:
    """A row of the table."""
    refused = "; ".join(sorted({one.error for one in found.refused})[:3])
    outcomes = {"receipted": "receipted", "waiting": "waiting", "refused": f"refused: {refused}"}
    beside = {"status": "status, which needs no receipt", "malicious": "sent in bad faith: no receipt is due"}
    return {
        "created_at": formats.iso(found.sent_at),
        "seq": "" if found.seq is None else found.seq,
        "lane": found.lane,
        "what": _what(found),
        "deliveries": len(found.deliveries),
        "outcome": beside.get(found.kind) or outcomes[state(found)],
    }


def _what(found: link.Message) -> str:
    names = dict.fromkeys(measures.short(one.code) for one in found.readings if one.code is not None)
    return f"{found.count}: {', '.join(names)}" if names else str(found.count)


def followed(alerts: Sequence[Json], courses: Sequence[link.Course], words: Words) -> list[Json]:
    """Alerts with how long after the onset of an illness they came."""
    return [{**alert, "number": number, "after": _after(alert, courses, words)} for number, alert in _numbered(alerts)]


def _numbered(alerts: Sequence[Json]) -> list[tuple[int, Json]]:
    """The newest has the greatest number, so that a new alert changes none of the others."""
    return [(len(alerts) - place, alert) for place, alert in enumerate(alerts)]


def _after(alert: Json, courses: Sequence[link.Course], words: Words) -> str | None:
    raised = datetime.fromisoformat(alert["raised_at"])
    begun = [one for one in courses if one.onset <= raised and one.peak is not None and one.peak > one.onset]
    if not begun:
        return None
    latest = max(begun, key=lambda one: one.onset)
    after = formats.duration((raised - latest.onset).total_seconds())
    return f"{after} after the onset of {words.scenario(latest.scenario)}"


def pictures(
    truth: link.Truth, history: History, alerts: Sequence[Json], words: Words, span: charts.Span
) -> list[Json]:
    """One picture a code that was measured or stored in the time shown."""
    stored: dict[str, list[Record]] = {}
    for point in history.points:
        if measures.is_number(point["code"]):
            stored.setdefault(point["code"], []).append(point)
    codes = sorted({*filter(measures.is_number, truth.codes), *stored}, key=measures.order)
    bands = [
        *(charts.Band(words.scenario(one.scenario), "course", one.onset, one.end) for one in truth.courses),
        *(charts.Band(words.fault(one.kind), "fault", one.since, one.until) for one in truth.faults),
    ]
    found = []
    for code in codes:
        traced = truth.codes.get(code)
        record = stored.get(code, [])
        traces = charts.Traces(
            _line(traced.at, traced.true) if traced else charts.Line(),
            _line(traced.at, traced.measured) if traced else charts.Line(),
            charts.Line([row["effective_at"] for row in record], [row["value"] for row in record]),
        )
        flags = [
            charts.Flag(datetime.fromisoformat(one["raised_at"]), number, one["priority"], one["reason"], one["id"])
            for number, one in _numbered(alerts)
            if one["code"] in (code, None)
        ]
        found.append(charts.draw(code, traces, bands, flags, span))
    return found


def _line(times: Sequence[datetime], values: Sequence[Any]) -> charts.Line:
    known = [(at, float(value)) for at, value in zip(times, values, strict=False) if isinstance(value, int | float)]
    return charts.Line([at for at, _ in known], [value for _, value in known])
