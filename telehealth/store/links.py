"""Ways in for people without an account: secret, expiring, bound to the browser that first presses the button.

Of a token only its hash is kept, as of a browser's cookie. Times of links are real, because a browser's day is: only
what becomes an event of the visit takes clinical time (clinical=).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from telehealth.errors import Invalid, NotFound
from telehealth.model import mails, people, secrets, visits
from telehealth.store import audit, consultations, contacts, mail, participants
from telehealth.store.db import Actor, Connection, Record
from telehealth.store.queries import sql

Bound = Literal["bound", "same", "another", "over"]
ROLES = ("resident", "carer", "family", "interpreter", "captioner", "guest_clinician")


@dataclass(frozen=True)
class Link:
    """A way in. bound: to a browser. state, kind, ward_id: of the visit; starts_at, minutes: of its appointment.

    participant_id, identity, presence: null until the holder is known in the visit (a resident: until the date of
    birth is right, or was wrong too often). expires_at, revoked_at: real time.
    """

    id: int
    organisation_id: int
    consultation_id: int
    role: visits.Role
    resident_id: int
    name: str
    bound: bool
    expires_at: datetime
    wrong_births: int
    refused_browsers: int
    allow_another: bool
    revoked_at: datetime | None
    state: visits.State
    kind: visits.Kind
    ward_id: int
    starts_at: datetime | None
    minutes: int | None
    participant_id: int | None
    identity: visits.Identity | None
    presence: visits.Presence | None

    def over(self, real_now: datetime) -> bool:
        """It opens nothing any more."""
        return self.revoked_at is not None or real_now >= self.expires_at or self.state in visits.OVER

    @property
    def asks_birth(self) -> bool:
        """The date of birth is still to be asked."""
        return self.role == "resident" and self.identity is None and self.wrong_births < visits.MOST_WRONG_BIRTHS


async def make(
    connection: Connection,
    consultation_id: int,
    *,
    role: visits.Role,
    resident_id: int,
    name: str,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    expires_at: datetime,
) -> tuple[int, str]:
    """A link for a subject of the visit, or for somebody who comes with them: its id, and the token, kept nowhere.

    now: clinical; real_now, expires_at: real. Raises Invalid, NotFound, NotPossible when the visit is over.
    """
    if role not in ROLES:
        raise Invalid("role", "must be one of " + ", ".join(ROLES))
    people.text("name", name, 100)
    held = await consultations.load(connection, consultation_id)
    if all(subject.id != resident_id for subject in held.subjects):
        raise NotFound("this visit is not about that resident")
    if held.row.state in visits.OVER:
        raise visits.NotPossible("This visit is over.")
    token = secrets.new_token()
    link_id: int | None = await connection.fetchval(
        sql("links.add"),
        consultation_id,
        role,
        resident_id,
        name,
        secrets.hash_token(token),
        expires_at,
        actor,
        real_now,
    )
    if link_id is None:
        raise NotFound("this visit is not about that resident")
    await consultations.note_event(
        connection, consultation_id, "invited", detail={"link": link_id, "role": role}, actor=actor, now=now
    )
    await audit.write(
        connection, actor, "visit.invite", object_kind="join_link", object_id=link_id, resident_id=resident_id,
        ward_id=held.row.ward_id, detail={"role": role, "consultation": consultation_id},
    )  # fmt: skip
    return link_id, token


async def invite(
    connection: Connection,
    consultation_id: int,
    *,
    role: visits.Role,
    resident_id: int,
    name: str,
    email: str | None,
    sender: mails.Sender,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> tuple[int, str]:
    """A link for one more person, also during the visit; mailed, if there is an address. Its id, and the token.

    It works until two hours after the appointment was to end, and for four hours at least.
    """
    if email is not None:
        contacts.check_email(email)
    held = await consultations.load(connection, consultation_id)
    lasts, starts_at, minutes = visits.LINK_AT_ONCE, held.row.starts_at or now, held.row.minutes or 30
    if held.row.starts_at is not None:
        lasts = max(lasts, starts_at + timedelta(minutes=minutes) + visits.LINK_AFTER - now)
    link_id, token = await make(
        connection, consultation_id, role=role, resident_id=resident_id, name=name, actor=actor, now=now,
        real_now=real_now, expires_at=real_now + lasts,
    )  # fmt: skip
    subject = next(s for s in held.subjects if s.id == resident_id)
    if email is not None:
        text = mails.visit(
            "invitation", starts_at=starts_at, minutes=minutes, zone=subject.zone, url=sender.join_url(token),
            given_name=None if role == "resident" else subject.given_name,
        )  # fmt: skip
        await mail.write(
            connection, resident_id=resident_id, appointment_id=held.row.appointment_id, about="invitation",
            key=f"invitation/{link_id}", to=email, text=text, due_at=real_now, real_now=real_now,
        )  # fmt: skip
    return link_id, token


async def find(connection: Connection, token: str) -> Link | None:
    """The link of a token, also when it is over; changes nothing."""
    if not 20 <= len(token) <= 100:
        return None
    row = await connection.fetchrow(sql("links.by_token"), secrets.hash_token(token))
    return None if row is None else Link(**dict(row))


async def bind(
    connection: Connection, link_id: int, browser: bytes, *, now: datetime, clinical: datetime | None = None
) -> Bound:
    """A browser pressed the button. browser: the secret in its cookie; now: real.

    "bound": it is its browser from now on; "same": it was already; "another": another one is, which is counted and
    told to staff; "over": the link opens nothing any more.
    """
    held = await _hold(connection, link_id)
    if held is None:
        return "over"
    if held["revoked_at"] is not None or held["ended_at"] is not None or now >= held["expires_at"]:
        await _refused(connection, held["consultation_id"], held["resident_id"], held["ward_id"], link_id, "over")
        return "over"
    digest = _digest(browser)
    if held["browser_hash"] is not None and hmac.compare_digest(held["browser_hash"], digest):
        return "same"
    if held["browser_hash"] is None or held["allow_another"]:
        await connection.execute(sql("links.bind"), link_id, digest, now)
        await consultations.note_event(
            connection, held["consultation_id"], "bound", detail={"link": link_id}, actor=None, now=clinical or now
        )
        return "bound"
    await connection.execute(sql("links.refuse"), link_id)
    await consultations.note_event(
        connection, held["consultation_id"], "refused_browser", detail={"link": link_id}, actor=None,
        now=clinical or now,
    )  # fmt: skip
    await _refused(connection, held["consultation_id"], held["resident_id"], held["ward_id"], link_id, "another")
    return "another"


async def of_browser(connection: Connection, link_id: int, browser: bytes) -> Link | None:
    """The link, if this browser is the one that it is bound to; also when it is over."""
    row = await connection.fetchrow(sql("links.of_browser"), link_id, _digest(browser))
    return None if row is None else Link(**dict(row))


async def of_visit(connection: Connection, consultation_id: int) -> list[Link]:
    """All ways in to a visit of the actor's."""
    return [Link(**dict(row)) for row in await connection.fetch(sql("links.of_visit"), consultation_id)]


async def try_birth(connection: Connection, link_id: int, born: date, *, now: datetime) -> tuple[bool, int]:
    """A resident gave a date of birth: whether it is right, and how many tries are left. now: clinical.

    Right: they are known in the visit from now on (identity birth_date). The last wrong one makes them known as
    "not_checked"; further tries count for nothing.
    """
    held = await _hold(connection, link_id)
    if held is None or held["role"] != "resident":
        raise NotFound("there is no such link")
    left = visits.MOST_WRONG_BIRTHS - int(held["wrong_births"])
    if left <= 0:
        return False, 0
    if held["born"] == born:
        await participants.identified(connection, link_id, now=now)
        return True, left
    await connection.execute(sql("links.wrong_birth"), link_id)
    if left == 1:
        await participants.of_link(connection, link_id, now=now)
    await consultations.note_event(
        connection, held["consultation_id"], "wrong_birth", detail={"link": link_id}, actor=None, now=now
    )
    await _refused(connection, held["consultation_id"], held["resident_id"], held["ward_id"], link_id, "wrong_birth")
    return False, left - 1


async def allow_another(connection: Connection, link_id: int, *, actor: Actor, now: datetime) -> None:
    """Staff let the next browser take the link over; the one before then opens nothing. now: clinical."""
    await _hold(connection, link_id)
    row = await connection.fetchrow(sql("links.allow"), link_id)
    if row is None:
        raise NotFound("there is no such link")
    await consultations.note_event(
        connection, row["consultation_id"], "allowed_browser", detail={"link": link_id}, actor=actor, now=now
    )
    await audit.write(
        connection, actor, "visit.allow_browser", object_kind="join_link", object_id=link_id,
        resident_id=row["resident_id"], detail={"consultation": row["consultation_id"]},
    )  # fmt: skip


async def move(connection: Connection, consultation_id: int, *, expires_at: datetime) -> None:
    """The links of a visit work until then, in real time."""
    await connection.execute(sql("links.move"), consultation_id, expires_at)


async def revoke(connection: Connection, link_id: int, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """The link opens nothing any more, and whoever came by it is out. now: clinical."""
    await _hold(connection, link_id)
    row = await connection.fetchrow(sql("links.revoke"), link_id, real_now)
    if row is None:
        raise NotFound("there is no such link")
    if row["participant_id"] is not None:
        await consultations.left(connection, row["consultation_id"], row["participant_id"], now=now)
    await consultations.note_event(
        connection, row["consultation_id"], "revoked", detail={"link": link_id}, actor=actor, now=now
    )
    await audit.write(
        connection, actor, "visit.revoke_link", object_kind="join_link", object_id=link_id,
        resident_id=row["resident_id"], detail={"consultation": row["consultation_id"]},
    )  # fmt: skip


async def _hold(connection: Connection, link_id: int) -> Record | None:
    """A link, kept as it is until the transaction ends; its visit first, as in every step."""
    await connection.fetchval(sql("links.hold_visit"), link_id)
    return await connection.fetchrow(sql("links.hold"), link_id)


async def strayed(connection: Connection, link_id: int, browser: bytes) -> None:
    """A browser that holds a link asked for another's page or socket: noted, whether or not there is such a link."""
    row = await connection.fetchrow(sql("links.held_by"), _digest(browser))
    if row is not None:
        await audit.write(
            connection, None, "visit.link", "denied", object_kind="join_link", object_id=link_id,
            ward_id=row["ward_id"], organisation_id=row["organisation_id"],
            detail={"consultation": row["consultation_id"], "holds": row["id"], "why": "strayed"},
        )  # fmt: skip


async def _refused(
    connection: Connection, consultation_id: int, resident_id: int, ward_id: int, link_id: int, why: str
) -> None:
    await audit.write(
        connection, None, "visit.link", "denied", object_kind="join_link", object_id=link_id,
        resident_id=resident_id, ward_id=ward_id, detail={"consultation": consultation_id, "why": why},
    )  # fmt: skip


def _digest(browser: bytes) -> bytes:
    return hashlib.sha256(browser).digest()
