-- name: add
-- An appointment of ward $1, of series $2; nothing when the ward is not the actor's.
INSERT INTO appointment (organisation_id, ward_id, series_id, kind, starts_at, minutes, reason, created_by, created_at, changed_by,
                         changed_at)
SELECT w.organisation_id, w.id, $2::bigint, $3::text, $4::timestamptz, $5::integer, $6::text, $7::text, $8::timestamptz, $7, $8
FROM ward w WHERE w.id = $1::bigint
ON CONFLICT (series_id, starts_at) DO NOTHING
RETURNING id;

-- name: add_subjects
-- Whom it is about, in order; fewer rows than asked for means that one is not the actor's, or has died.
INSERT INTO appointment_subject (appointment_id, resident_id, position)
SELECT $1::bigint, r.id, array_position($2::bigint[], r.id) - 1
FROM resident r WHERE r.id = ANY ($2::bigint[]) AND r.died_at IS NULL
RETURNING resident_id;

-- name: one
-- An appointment.
SELECT a.id, a.ward_id, w.name AS ward, a.series_id, a.kind, a.starts_at, a.minutes, a.reason, a.uid, a.revision, a.created_by,
       a.created_at, a.changed_by, a.changed_at, a.cancelled_at, a.cancel_reason, c.id AS consultation_id, c.state,
       (SELECT coalesce(array_agg(s.resident_id ORDER BY s.position), '{}') FROM appointment_subject s
        WHERE s.appointment_id = a.id) AS resident_ids
FROM appointment a JOIN ward w ON w.id = a.ward_id LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE a.id = $1::bigint;

-- name: hold
-- Keeps an appointment as it is until the end of the transaction.
SELECT id FROM appointment WHERE id = $1::bigint FOR UPDATE;

-- name: listing
-- Appointments from $2 to $3, of ward $1 or of resident $4; null means any.
SELECT a.id, a.ward_id, w.name AS ward, a.series_id, a.kind, a.starts_at, a.minutes, a.reason, a.uid, a.revision, a.created_by,
       a.created_at, a.changed_by, a.changed_at, a.cancelled_at, a.cancel_reason, c.id AS consultation_id, c.state,
       (SELECT coalesce(array_agg(s.resident_id ORDER BY s.position), '{}') FROM appointment_subject s
        WHERE s.appointment_id = a.id) AS resident_ids
FROM appointment a JOIN ward w ON w.id = a.ward_id LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE ($1::bigint IS NULL OR a.ward_id = $1) AND a.starts_at >= $2::timestamptz AND a.starts_at < $3::timestamptz
  AND ($4::bigint IS NULL OR EXISTS (SELECT FROM appointment_subject s WHERE s.appointment_id = a.id AND s.resident_id = $4))
ORDER BY a.starts_at, a.id LIMIT 1000;

-- name: move
-- To another time; a further revision for whoever has it in a calendar.
UPDATE appointment SET starts_at = $2::timestamptz, minutes = $3::integer, revision = revision + 1, changed_by = $4::text,
    changed_at = $5::timestamptz
WHERE id = $1::bigint;

-- name: cancel
-- It will not take place.
UPDATE appointment SET cancelled_at = $3::timestamptz, cancel_reason = $2::text, revision = revision + 1, changed_by = $4::text,
    changed_at = $3
WHERE id = $1::bigint;

-- name: overlapping
-- Other appointments of residents $1 between $2 and $3, but not $4.
SELECT s.resident_id, a.id AS appointment_id, a.starts_at, a.minutes, a.kind
FROM appointment_subject s JOIN appointment a ON a.id = s.appointment_id LEFT JOIN consultation c ON c.appointment_id = a.id
WHERE s.resident_id = ANY ($1::bigint[]) AND a.cancelled_at IS NULL AND c.ended_at IS NULL
  AND a.starts_at < $3::timestamptz AND a.starts_at > $2::timestamptz - interval '8 hours'
  AND a.starts_at + a.minutes * interval '1 minute' > $2 AND a.id IS DISTINCT FROM $4::bigint
ORDER BY a.starts_at, s.resident_id;

-- name: to_tell
-- Whom to tell of an appointment: contacts of its subjects.
SELECT k.id AS contact_id, k.relation, k.name, k.email, k.reminders, r.id AS resident_id, r.given_name, r.zone
FROM appointment_subject s JOIN resident r ON r.id = s.resident_id
JOIN contact k ON k.resident_id = r.id AND k.removed_at IS NULL
WHERE s.appointment_id = $1::bigint AND r.died_at IS NULL
ORDER BY s.position, k.id;
