"""Video visits as JSON, and what is said of them in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from telehealth.model import people, visits
from telehealth.store.db import Record
from telehealth.store.visit_view import Loaded
from telehealth.web.shown import formats, measures

Json = dict[str, Any]

KINDS: Final[Mapping[str, str]] = {
    "one_to_one": "One to one",
    "carer": "With carer or interpreter",
    "group": "Group",
    "ward_round": "Ward round",
    "case_conference": "Case conference",
}
STATES: Final[Mapping[str, str]] = {
    "scheduled": "planned",
    "waiting": "somebody waits",
    "admitted": "let in, not connected yet",
    "live": "going on",
    "interrupted": "interrupted",
    "ended": "over",
    "did_not_attend": "did not attend",
    "cancelled": "cancelled",
}
ROLES: Final[Mapping[str, str]] = {
    "staff": "staff",
    "resident": "resident",
    "carer": "carer",
    "family": "family",
    "interpreter": "interpreter",
    "captioner": "captioner (speech-to-text reporter)",
    "guest_clinician": "guest clinician",
}
IDENTITIES: Final[Mapping[str, str]] = {
    "signed_in": "signed in",
    "birth_date": "identity checked by date of birth",
    "link_only": "came by their link",
    "not_checked": "identity not checked",
}
RELATIONS: Final[Mapping[str, str]] = {
    "self": "the resident",
    "carer": "carer",
    "family": "family",
    "care_home": "care home",
    "interpreter": "interpreter",
}
OUTCOMES: Final[Mapping[str, str]] = {
    "completed": "Completed as planned",
    "advice": "Advice given",
    "treatment_changed": "Treatment changed",
    "visit_arranged": "Visit in person arranged",
    "admitted_to_hospital": "Admitted to hospital",
    "technical_failure": "Technical failure",
    "declined": "Declined by the resident",
    "other": "Other",
}
MAILS: Final[Mapping[str, str]] = {
    "booked": "Booking",
    "moved": "New time",
    "cancelled": "Cancellation",
    "reminder": "Reminder",
    "invitation": "Invitation",
    "summary": "Summary",
}
MAIL_STATES: Final[Mapping[str, str]] = {
    "waiting": "to be sent",
    "sent": "sent",
    "refused": "could not be delivered",
    "dropped": "not sent any more",
}
#: What the device check says about each part, when it is not well.
_TROUBLES: Final[Mapping[str, Mapping[str, str]]] = {
    "camera": {"none": "no camera", "refused": "camera not allowed", "failed": "camera does not work"},
    "microphone": {"none": "no microphone", "refused": "microphone not allowed", "failed": "microphone does not work"},
    "speaker": {"failed": "speaker does not work", "not_heard": "test sound not confirmed"},
    "network": {"slow": "slow network", "failed": "network does not let calls through"},
    "relay": {"failed": "relay not reached"},
}


def trouble(ready: Mapping[str, Any] | None) -> str | None:
    """What is wrong with a caller's devices, in words; None: nothing, or not known."""
    found = [texts[ready[part]] for part, texts in _TROUBLES.items() if ready and ready.get(part) in texts]
    return ", ".join(found) or None


def name(row: Record) -> str:
    return people.display_name(row["family_name"], row["given_name"], row["title"])


def named(ids: Iterable[int], names: Mapping[int, str]) -> list[Json]:
    """Residents by id, as far as the caller may see them."""
    return [{"id": one, "name": names[one]} for one in ids if one in names]


def diary(entry: Any, names: Mapping[int, str]) -> Json:
    """A line of the diary."""
    return {
        "appointment": entry.appointment_id,
        "visit": entry.consultation_id,
        "kind": entry.kind,
        "state": entry.state,
        "starts_at": formats.iso(entry.starts_at),
        "minutes": entry.minutes,
        "reason": entry.reason or "",
        "subjects": named(entry.resident_ids, names),
        "waiting": entry.waiting,
        "series": entry.series_id is not None,
    }


def waiting(one: Any, names: Mapping[int, str]) -> Json:
    """Somebody in the waiting area; of another ward's people only that there is somebody."""
    strange = one.resident_id is not None and one.resident_id not in names
    return {
        "visit": one.consultation_id,
        "participant": one.participant_id,
        "name": "Somebody of another ward" if strange else one.name,
        "role": one.role,
        "identity": one.identity,
        "resident": names.get(one.resident_id) if one.resident_id is not None else None,
        "since": formats.iso(one.waiting_since),
        "starts_at": formats.iso(one.starts_at),
        "reason": None if strange else one.reason,
        "ready": one.ready,
        "trouble": trouble(one.ready),
    }


def link(row: Record, *, real_now: datetime) -> Json:
    """A way in. text: what happened to it, in words."""
    state = _link_state(row, real_now)
    texts = {
        "new": "not opened yet",
        "opened": "opened on one device",
        "another": "opened on one device; another device was refused",
        "allowed": "the next device that opens it takes over",
        "over": "works no more",
    }
    text = texts[state]
    if row["wrong_births"]:
        wrong = row["wrong_births"]
        text += f"; {wrong} wrong date{'' if wrong == 1 else 's'} of birth"
    return {
        **{key: row[key] for key in ("id", "role", "name", "wrong_births", "refused_browsers")},
        "resident": row["resident_id"],
        "state": state,
        "text": text,
        "expires_at": formats.iso(row["expires_at"]),
        "participant": row["participant_id"],
    }


def _link_state(row: Record, real_now: datetime) -> str:
    if row["revoked_at"] is not None or row["expires_at"] <= real_now:
        return "over"
    if row["allow_another"]:
        return "allowed"
    if not row["bound"]:
        return "new"
    return "another" if row["refused_browsers"] else "opened"


def mail(row: Record) -> Json:
    return {
        "about": row["about"],
        "to": row["to_address"],
        "due_at": formats.iso(row["due_at"]),
        "state": row["state"],
        "settled_at": formats.iso(row["settled_at"]),
        "error": row["last_error"],
    }


def appointment(
    row: Record, subjects: Sequence[Record], links: Sequence[Record], mails: Sequence[Record], real_now: datetime
) -> Json:
    """An appointment with its links and mails."""
    state = "cancelled" if row["cancelled_at"] is not None else row["state"] or "scheduled"
    return {
        **{key: row[key] for key in ("id", "ward_id", "kind", "minutes", "reason", "created_by", "changed_by")},
        "starts_at": formats.iso(row["starts_at"]),
        "state": state,
        "visit": row["consultation_id"],
        "series": row["series_id"],
        "cancelled_at": formats.iso(row["cancelled_at"]),
        "cancel_reason": row["cancel_reason"],
        "subjects": [{"id": one["id"], "name": name(one)} for one in subjects],
        "links": [link(one, real_now=real_now) for one in links],
        "mails": [mail(one) for one in mails],
    }


def came_of(row: Record) -> Json:
    """A visit that came of an alert."""
    return {
        **{key: row[key] for key in ("id", "kind", "state", "outcome")},
        **{key: formats.iso(row[key]) for key in ("created_at", "started_at", "ended_at")},
    }


def coming(row: Record) -> Json:
    """A visit that is planned for a resident, or was started and is not over."""
    return {
        "appointment": row["appointment_id"],
        "visit": row["consultation_id"],
        **{key: row[key] for key in ("kind", "state", "minutes")},
        "starts_at": formats.iso(row["starts_at"]),
        "created_at": formats.iso(row["created_at"]),
    }


def follow_up(row: Record, who: str, today: date) -> Json:
    """Something that is left to be done, or was."""
    due = row["due_on"]
    return {
        "id": row["id"],
        "encounter": row["encounter_id"],
        "resident": {"id": row["resident_id"], "name": who},
        "what": row["what"],
        "due_on": None if due is None else due.isoformat(),
        "overdue": due is not None and row["done_at"] is None and due < today,
        "created_by": row["created_by"],
        "created_at": formats.iso(row["created_at"]),
        "done_by": row["done_by"],
        "done_at": formats.iso(row["done_at"]),
    }


def came(row: Record) -> Json:
    """A line about an encounter."""
    return {
        **{key: row[key] for key in ("id", "kind", "outcome")},
        "started_at": formats.iso(row["started_at"]),
        "ended_at": formats.iso(row["ended_at"]),
    }


def encounter(row: Record, notes: Sequence[Record], follow_ups: Sequence[Json]) -> Json:
    """What came of a visit for one resident."""
    return {
        **{key: row[key] for key in ("id", "ward_id", "ward", "kind", "outcome", "coding", "summary", "written_by")},
        "resident": row["resident_id"],
        "visit": row["consultation_id"],
        "appointment": row["appointment_id"],
        "alert": row["alert_id"],
        "started_at": formats.iso(row["started_at"]),
        "ended_at": formats.iso(row["ended_at"]),
        "participants": list(row["participants"]),
        "readings": list(row["readings"]),
        "messages": list(row["messages"]),
        "notes": [
            {"text": one["text"], "by": one["by"], "at": formats.iso(one["written_at"])}
            for one in notes
            if one["encounter_id"] == row["id"]
        ],
        "follow_ups": [one for one in follow_ups if one["encounter"] == row["id"]],
        "written_at": formats.iso(row["written_at"]),
    }


def visit(loaded: Loaded, names: Mapping[int, str], notes: Sequence[Record], links: Sequence[Json]) -> Json:
    """A visit as staff see it. notes: the caller's own."""
    row = loaded.row
    subjects = [_subject(one, names) for one in loaded.subjects]
    return {
        **{
            key: getattr(row, key)
            for key in ("id", "ward_id", "kind", "state", "locked", "seq", "outcome", "keep_chat")
        },
        "over": row.state in visits.OVER,
        "appointment": row.appointment_id,
        "alert": row.alert_id,
        "starts_at": formats.iso(row.starts_at),
        "minutes": row.minutes,
        "started_at": formats.iso(row.started_at),
        "ended_at": formats.iso(row.ended_at),
        "recording": loaded.policy.recording,
        "subject": next((one for one in subjects if one["id"] == row.subject_id), None),
        "subjects": subjects,
        "people": [_person(one) for one in loaded.people],
        "messages": [
            {
                "id": one.id,
                "sender": one.participant_id,
                "to": one.to_participant_id,
                "text": one.text,
                "at": formats.iso(one.at),
            }
            for one in loaded.messages_on_screen()
        ],
        "readings": [
            {
                **{key: getattr(one, key) for key in ("key", "code", "title", "value", "unit", "state")},
                "resident": one.resident_id,
                "at": formats.iso(one.at),
            }
            for one in loaded.readings
        ],
        "notes": [note(one) for one in notes],
        "links": list(links),
    }


def _subject(one: Any, names: Mapping[int, str]) -> Json:
    return {
        "id": one.id,
        "name": names.get(one.id, one.name),
        "born": one.born.isoformat(),
        "nhs_number": one.nhs_number,
    }


def _person(one: Any) -> Json:
    plain = ("id", "name", "role", "identity", "reason", "audio", "video", "screen", "muted_by_host", "pinned")
    return {
        **{key: getattr(one, key) for key in (*plain, "ready", "quality")},
        "presence": one.state,
        "trouble": trouble(one.ready),
        "waiting_since": formats.iso(one.waiting_since),
        "hand_at": formats.iso(one.hand_at),
        "consent": one.consent_at is not None,
        "with_resident": one.resident_id,
    }


def note(row: Record) -> Json:
    return {
        "resident": row["resident_id"],
        "text": row["text"],
        "version": row["version"],
        "saved_at": formats.iso(row["saved_at"]),
    }


def measurable(codes: Iterable[str]) -> list[Json]:
    """What devices can be asked for, by name."""
    return sorted(({"code": code, "name": measures.name(code)} for code in codes), key=lambda one: one["name"])
