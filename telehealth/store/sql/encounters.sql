-- name: notes_to_take
-- Whether anything was written of a subject.
SELECT staff_id FROM consultation_note WHERE consultation_id = $1::bigint AND resident_id = $2::bigint AND text ~ '\S';

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

-- name: of_resident
-- A resident's encounters, newest first.
SELECT id, resident_id, ward_id, consultation_id, kind, started_at, ended_at, outcome, coding, participants, readings, messages,
       summary, written_by, written_at
FROM encounter WHERE resident_id = $1::bigint ORDER BY started_at DESC, id DESC LIMIT $2::integer;

-- name: one
-- An encounter.
SELECT id, resident_id, ward_id, consultation_id, kind, started_at, ended_at, outcome, coding, participants, readings, messages,
       summary, written_by, written_at
FROM encounter WHERE id = $1::bigint;

-- name: notes
-- What was written of an encounter, with who wrote it.
SELECT n.staff_id, coalesce(s.display_name, 'staff ' || n.staff_id) AS author, n.text, n.written_at
FROM encounter_note n LEFT JOIN staff s ON s.id = n.staff_id WHERE n.encounter_id = $1::bigint ORDER BY n.id;

-- name: follow_ups
-- Tasks of an encounter.
SELECT id, resident_id, encounter_id, what, due_on, created_by, created_at, done_by, done_at
FROM follow_up WHERE encounter_id = $1::bigint ORDER BY id;

-- name: open_follow_ups
-- What is still to be done for a resident, soonest first.
SELECT id, resident_id, encounter_id, what, due_on, created_by, created_at, done_by, done_at
FROM follow_up WHERE resident_id = $1::bigint AND done_at IS NULL ORDER BY due_on NULLS LAST, id;

-- name: follow_ups_of_ward
-- What is still to be done on a ward, soonest first.
SELECT f.id, f.resident_id, f.encounter_id, f.what, f.due_on, f.created_by, f.created_at, f.done_by, f.done_at
FROM follow_up f JOIN encounter e ON e.id = f.encounter_id
WHERE e.ward_id = $1::bigint AND f.done_at IS NULL ORDER BY f.due_on NULLS LAST, f.id LIMIT 500;

-- name: hold_follow_up
-- A task that is about to be done.
SELECT resident_id, done_at FROM follow_up WHERE id = $1::bigint FOR UPDATE;

-- name: finish_follow_up
-- It is done.
UPDATE follow_up SET done_by = $2::text, done_at = $3::timestamptz WHERE id = $1::bigint;
