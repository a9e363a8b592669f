-- name: notes_to_take
-- Whether anything was written of a subject.
SELECT staff_id FROM consultation_note WHERE consultation_id = $1::bigint AND resident_id = $2::bigint AND text ~ '\S';

-- name: switches
-- When a visit went on from one resident to another, in order.
SELECT at, (detail ->> 'from')::bigint AS left, (detail ->> 'to')::bigint AS came
FROM consultation_event WHERE consultation_id = $1::bigint AND event = 'subject' ORDER BY id;

-- name: add
-- A visit in a subject's record.
INSERT INTO encounter (organisation_id, resident_id, ward_id, consultation_id, kind, started_at, ended_at, outcome, coding,
                       participants, readings, messages, summary, written_by, written_at)
SELECT c.organisation_id, $2::bigint, c.ward_id, c.id, c.kind, $3::timestamptz, $4::timestamptz, $5::text, $6::text, $7::jsonb,
       $8::jsonb, $9::jsonb, $10::text, $11::text, $12::timestamptz
FROM consultation c WHERE c.id = $1::bigint
RETURNING id;

-- name: take_notes
-- What was written in the visit becomes part of the record.
INSERT INTO encounter_note (organisation_id, encounter_id, resident_id, staff_id, text, written_at)
SELECT n.organisation_id, $3::bigint, n.resident_id, n.staff_id, btrim(n.text, E' \n\r\t'), least(n.saved_at, $4::timestamptz)
FROM consultation_note n WHERE n.consultation_id = $1::bigint AND n.resident_id = $2::bigint AND n.text ~ '\S'
ORDER BY n.staff_id;

-- name: drop_notes
-- They are in the record now.
DELETE FROM consultation_note WHERE consultation_id = $1::bigint AND resident_id = $2::bigint;

-- name: add_follow_up
-- A task for afterwards.
INSERT INTO follow_up (organisation_id, resident_id, encounter_id, what, due_on, created_by, created_at)
SELECT e.organisation_id, e.resident_id, e.id, $2::text, $3::date, $4::text, $5::timestamptz
FROM encounter e WHERE e.id = $1::bigint;

-- name: hold_follow_up
-- A task that is about to be done.
SELECT resident_id, done_at FROM follow_up WHERE id = $1::bigint FOR UPDATE;

-- name: finish_follow_up
-- It is done.
UPDATE follow_up SET done_by = $2::text, done_at = $3::timestamptz WHERE id = $1::bigint;
