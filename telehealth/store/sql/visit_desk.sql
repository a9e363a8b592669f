-- name: waiting
-- Who waits to be let in on a ward, longest first.
SELECT c.id AS consultation_id, a.starts_at, p.id AS participant_id, p.name, p.role, p.identity, p.resident_id, p.waiting_since,
       p.reason, p.ready, coalesce(l.wrong_births, 0) AS wrong_births, coalesce(l.refused_browsers, 0) AS refused_browsers
FROM consultation c
JOIN participant p ON p.consultation_id = c.id AND p.state = 'waiting' AND p.role <> 'staff'
LEFT JOIN join_link l ON l.id = p.link_id
LEFT JOIN appointment a ON a.id = c.appointment_id
WHERE c.ward_id = $1::bigint AND c.ended_at IS NULL AND p.waiting_since IS NOT NULL
ORDER BY p.waiting_since, p.id
LIMIT 500;

-- name: waiting_count
-- How many people wait for the staff of a ward.
SELECT count(*) FROM participant p JOIN consultation c ON c.id = p.consultation_id
WHERE c.ward_id = $1::bigint AND c.ended_at IS NULL AND p.state = 'waiting' AND p.role <> 'staff';

-- name: diary
-- Visits of a ward from $2 to $3, those that last into that time and are not over, and those with numbers $4.
SELECT c.id AS consultation_id, c.appointment_id, a.series_id, c.kind, c.state, coalesce(a.starts_at, c.created_at) AS starts_at,
       a.minutes, coalesce(a.reason, '') AS reason, c.outcome, p.waiting, p.inside,
       (SELECT coalesce(array_agg(s.resident_id ORDER BY s.position), '{}') FROM consultation_subject s
        JOIN resident r ON r.id = s.resident_id WHERE s.consultation_id = c.id) AS resident_ids
FROM consultation c
LEFT JOIN appointment a ON a.id = c.appointment_id
CROSS JOIN LATERAL (
    SELECT (count(*) FILTER (WHERE p.state = 'waiting' AND p.role <> 'staff'))::integer AS waiting,
           (count(*) FILTER (WHERE p.state = 'joined'))::integer AS inside
    FROM participant p WHERE p.consultation_id = c.id
) AS p
WHERE c.ward_id = $1::bigint
  AND ((a.starts_at >= $2::timestamptz AND a.starts_at < $3::timestamptz)
       OR (a.starts_at < $2 AND a.starts_at + a.minutes * interval '1 minute' > $2 AND c.ended_at IS NULL)
       OR (a.id IS NULL AND c.created_at >= $2 AND c.created_at < $3) OR c.id = ANY ($4::bigint[]))
ORDER BY coalesce(a.starts_at, c.created_at), c.id
LIMIT 1000;

-- name: unfinished
-- Visits of a ward that were to be over by $2 and that a person has to end: they began, somebody waited, or something was noted.
SELECT c.id FROM consultation c LEFT JOIN appointment a ON a.id = c.appointment_id
WHERE c.ward_id = $1::bigint AND c.ended_at IS NULL
  AND coalesce(a.starts_at + a.minutes * interval '1 minute', c.created_at) <= $2::timestamptz
  AND (c.state <> 'scheduled'
       OR EXISTS (SELECT FROM consultation_note n WHERE n.consultation_id = c.id AND n.text ~ '\S'))
ORDER BY c.id;

-- name: appointment
-- One appointment with its ward and the visit that belongs to it.
SELECT a.id, a.organisation_id, a.ward_id, w.name AS ward, w.simulated, a.series_id, a.kind, a.starts_at, a.minutes,
       a.reason, a.uid, a.revision, a.created_at, a.changed_at, a.cancelled_at, a.cancel_reason,
       (SELECT t.display_name FROM staff t WHERE a.created_by = 'staff:' || t.id) AS created_by,
       (SELECT t.display_name FROM staff t WHERE a.changed_by = 'staff:' || t.id) AS changed_by, c.id AS consultation_id, c.state, s.weekdays, s.every_weeks, s.last_on, s.ended_at AS series_ended
FROM appointment a
JOIN ward w ON w.id = a.ward_id
LEFT JOIN consultation c ON c.appointment_id = a.id
LEFT JOIN appointment_series s ON s.id = a.series_id
WHERE a.id = $1::bigint;

-- name: subjects_of_appointment
-- Whom an appointment is about, in order.
SELECT r.id, r.family_name, r.given_name, r.title, r.born, r.zone
FROM appointment_subject s JOIN resident r ON r.id = s.resident_id
WHERE s.appointment_id = $1::bigint ORDER BY s.position, r.id;

-- name: links
-- The ways into a visit, with what happened to each; not those of residents who are not the actor's.
SELECT l.id, l.role, l.resident_id, l.name, l.bound_at, l.expires_at, l.wrong_births, l.refused_browsers,
       l.allow_another, l.revoked_at, l.created_at,
       (SELECT t.display_name FROM staff t WHERE l.created_by = 'staff:' || t.id) AS created_by,
       l.browser_hash IS NOT NULL AS bound,
       p.id AS participant_id, p.state, p.identity
FROM join_link l JOIN resident r ON r.id = l.resident_id LEFT JOIN participant p ON p.link_id = l.id
WHERE l.consultation_id = $1::bigint ORDER BY l.id;

-- name: link
-- Which visit a way in belongs to; nothing for a resident who is not the actor's.
SELECT l.id, l.consultation_id, l.role, l.resident_id, l.name, l.expires_at
FROM join_link l JOIN resident r ON r.id = l.resident_id WHERE l.id = $1::bigint;

-- name: mails
-- Mails about an appointment, the newest first. Never what they say.
SELECT about, to_address, due_at, state, settled_at, last_error
FROM mail WHERE appointment_id = $1::bigint ORDER BY due_at DESC, id LIMIT 50;

-- name: contacts
-- Whom mails about these residents go to.
SELECT id, resident_id, relation, name, email, reminders
FROM contact WHERE resident_id = ANY ($1::bigint[]) AND removed_at IS NULL ORDER BY resident_id, id;

-- name: choosable
-- Who is on a ward at a time, by name.
SELECT r.id, r.family_name, r.given_name, r.title, r.born,
       (SELECT count(*) FROM contact c WHERE c.resident_id = r.id AND c.removed_at IS NULL AND c.reminders) AS contacts
FROM resident r
WHERE EXISTS (SELECT FROM spell s WHERE s.resident_id = r.id AND s.ward_id = $1::bigint AND s.during @> $2::timestamptz)
ORDER BY lower(r.family_name), lower(r.given_name), r.id LIMIT 500;

-- name: open_of_resident
-- The visit of a resident that is going on, or was started without an appointment and is not over.
SELECT c.id FROM consultation c JOIN consultation_subject s ON s.consultation_id = c.id
WHERE s.resident_id = $1::bigint AND c.ended_at IS NULL AND (c.appointment_id IS NULL OR c.state <> 'scheduled')
ORDER BY (c.subject_id = $1::bigint) DESC, c.id DESC LIMIT 1;

-- name: begin_for
-- Two who start a visit of the same resident at once: one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('visit of ' || $1::bigint, 0));

-- name: elsewhere
-- The other visit that a member of staff is in.
SELECT c.id, c.ward_id, c.kind, c.subject_id, r.family_name, r.given_name, r.title, p.id AS participant_id
FROM participant p
JOIN consultation c ON c.id = p.consultation_id
LEFT JOIN resident r ON r.id = c.subject_id
WHERE p.staff_id = $1::bigint AND p.state = 'joined' AND c.ended_at IS NULL AND c.id <> $2::bigint LIMIT 1;

-- name: of_alert
-- The visits that came of an alert, the newest first.
SELECT id, kind, state, created_at, started_at, ended_at, outcome
FROM consultation WHERE alert_id = $1::bigint ORDER BY id DESC LIMIT 20;

-- name: coming
-- What is planned for a resident from a time on, and visits that are not over.
SELECT a.id AS appointment_id, c.id AS consultation_id, coalesce(a.kind, c.kind) AS kind, a.starts_at, a.minutes,
       coalesce(c.state, 'scheduled') AS state, c.created_at
FROM (SELECT s.appointment_id FROM appointment_subject s WHERE s.resident_id = $1::bigint) mine
JOIN appointment a ON a.id = mine.appointment_id
LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE a.cancelled_at IS NULL AND c.ended_at IS NULL AND a.starts_at >= $2::timestamptz
UNION ALL
SELECT NULL, c.id, c.kind, NULL, NULL, c.state, c.created_at
FROM consultation c JOIN consultation_subject s ON s.consultation_id = c.id
WHERE s.resident_id = $1::bigint AND c.ended_at IS NULL AND c.appointment_id IS NULL
ORDER BY 4 NULLS FIRST, 2 LIMIT 20;

-- name: encounters
-- What came of a resident's visits, the newest first, before an id, for paging.
SELECT e.id, e.resident_id, e.ward_id, w.name AS ward, e.consultation_id, e.kind, e.started_at, e.ended_at, e.outcome,
       e.coding, e.participants, e.readings, e.messages, e.summary, e.written_at,
       (SELECT t.display_name FROM staff t WHERE e.written_by = 'staff:' || t.id) AS written_by,
       c.appointment_id, c.alert_id
FROM encounter e
JOIN ward w ON w.id = e.ward_id
LEFT JOIN consultation c ON c.id = e.consultation_id
WHERE e.resident_id = $1::bigint AND ($2::bigint IS NULL OR e.id < $2)
ORDER BY e.id DESC LIMIT $3::int;

-- name: encounter
-- One of them.
SELECT e.id, e.resident_id, e.ward_id, w.name AS ward, e.consultation_id, e.kind, e.started_at, e.ended_at, e.outcome,
       e.coding, e.participants, e.readings, e.messages, e.summary, e.written_at,
       (SELECT t.display_name FROM staff t WHERE e.written_by = 'staff:' || t.id) AS written_by,
       c.appointment_id, c.alert_id
FROM encounter e
JOIN ward w ON w.id = e.ward_id
LEFT JOIN consultation c ON c.id = e.consultation_id
WHERE e.id = $1::bigint;

-- name: encounter_notes
-- What was noted in some encounters.
SELECT n.encounter_id, n.text, n.written_at, s.display_name AS by
FROM encounter_note n LEFT JOIN staff s ON s.id = n.staff_id
WHERE n.encounter_id = ANY ($1::bigint[]) ORDER BY n.id;

-- name: follow_ups_of
-- What was to be done after some encounters.
SELECT f.id, f.encounter_id, f.resident_id, f.what, f.due_on, f.created_at, f.done_at,
       (SELECT t.display_name FROM staff t WHERE f.created_by = 'staff:' || t.id) AS created_by,
       (SELECT t.display_name FROM staff t WHERE f.done_by = 'staff:' || t.id) AS done_by
FROM follow_up f WHERE f.encounter_id = ANY ($1::bigint[]) ORDER BY f.id;

-- name: follow_ups_of_ward
-- What is left to be done for the residents of a ward, the most urgent first.
SELECT f.id, f.encounter_id, f.resident_id, f.what, f.due_on, f.created_at, f.done_at,
       (SELECT t.display_name FROM staff t WHERE f.created_by = 'staff:' || t.id) AS created_by,
       (SELECT t.display_name FROM staff t WHERE f.done_by = 'staff:' || t.id) AS done_by,
       r.family_name, r.given_name, r.title
FROM follow_up f JOIN resident r ON r.id = f.resident_id
WHERE r.ward_id = $1::bigint AND f.done_at IS NULL
ORDER BY f.due_on NULLS LAST, f.id LIMIT 200;

-- name: follow_up
-- One of them.
SELECT f.id, f.encounter_id, f.resident_id, f.what, f.due_on, f.done_by, f.done_at, r.ward_id
FROM follow_up f JOIN resident r ON r.id = f.resident_id WHERE f.id = $1::bigint;

-- name: residents
-- What residents are called and how they are told apart.
SELECT id, family_name, given_name, title, born, nhs_number, zone FROM resident WHERE id = ANY ($1::bigint[]);

-- name: own_notes
-- What a member of staff has noted in a visit so far, of each resident.
SELECT resident_id, text, version, saved_at FROM consultation_note
WHERE consultation_id = $1::bigint AND staff_id = $2::bigint;

-- name: others_notes
-- What others have noted of one resident in a visit so far.
SELECT s.display_name AS by, n.text, n.saved_at FROM consultation_note n LEFT JOIN staff s ON s.id = n.staff_id
WHERE n.consultation_id = $1::bigint AND n.resident_id = $2::bigint AND n.staff_id <> $3::bigint AND n.text <> ''
ORDER BY n.saved_at;

-- name: measurable
-- What devices that a resident has now say that they measure.
SELECT DISTINCT code FROM (
    SELECT a.device_pk FROM device_assignment a WHERE a.resident_id = $1::bigint AND a.during @> $2::timestamptz
    UNION
    SELECT s.device_pk FROM device_seat s WHERE s.resident_id = $1::bigint AND s.during @> $2::timestamptz
) AS h JOIN device d ON d.id = h.device_pk CROSS JOIN unnest(d.codes) AS code
WHERE d.revoked_at IS NULL ORDER BY code;

-- name: encounters_of_visit
-- What came of a visit, for each of its residents.
SELECT e.id, e.resident_id, r.family_name, r.given_name, r.title
FROM encounter e JOIN resident r ON r.id = e.resident_id WHERE e.consultation_id = $1::bigint ORDER BY e.id;

-- name: same_booked
-- The same visit, booked already: ward, kind, time, length and residents are those given.
SELECT a.id, a.series_id, c.id AS consultation_id FROM appointment a LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE a.ward_id = $1::bigint AND a.kind = $2::text AND a.starts_at = $3::timestamptz AND a.minutes = $4::integer
  AND a.cancelled_at IS NULL
  AND (SELECT array_agg(s.resident_id ORDER BY s.resident_id) FROM appointment_subject s WHERE s.appointment_id = a.id)
      = $5::bigint[]
ORDER BY a.id LIMIT 1;

-- name: first_of_series
-- The next appointment of a series.
SELECT a.id, a.series_id, c.id AS consultation_id FROM appointment a LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE a.series_id = $1::bigint AND a.cancelled_at IS NULL ORDER BY a.starts_at, a.id LIMIT 1;

-- name: recordings
-- What was recorded while a visit was about one resident: of them, who came with them, and staff.
SELECT g.id, g.started_at, g.ended_at, g.deleted_at, g.delete_after, p.name, p.role
FROM encounter e
JOIN recording g ON g.consultation_id = e.consultation_id
JOIN participant p ON p.id = g.participant_id
WHERE e.id = $1::bigint AND (p.resident_id IS NULL OR p.resident_id = e.resident_id)
  AND g.started_at <= e.ended_at AND coalesce(g.ended_at, 'infinity') >= e.started_at
ORDER BY g.started_at, g.participant_id, g.id;

-- name: contact
-- One of them.
SELECT id, resident_id FROM contact WHERE id = $1::bigint AND removed_at IS NULL;
