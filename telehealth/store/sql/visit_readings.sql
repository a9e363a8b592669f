-- name: of
-- Readings that came in during a visit, oldest first, with what they measured.
SELECT v.taken_at, v.identity, v.value_key, v.resident_id, v.code, r.value, r.value_code, r.unit, r.effective_at, v.state
FROM consultation_reading v
JOIN reading r ON r.taken_at = v.taken_at AND r.identity = v.identity AND r.value_key = v.value_key
WHERE v.consultation_id = $1::bigint AND NOT r.struck AND r.resident_id = v.resident_id
ORDER BY r.effective_at, v.code;

-- name: turn
-- Whose turn it is in a visit that is live, and since when.
SELECT c.subject_id, greatest(s.since, c.started_at, (SELECT max(e.at) FROM consultation_event e
                                                      WHERE e.consultation_id = c.id AND e.event = 'subject')) AS since
FROM consultation c JOIN consultation_subject s ON s.consultation_id = c.id AND s.resident_id = c.subject_id
WHERE c.id = $1::bigint AND c.state = 'live' AND s.since IS NOT NULL;

-- name: gather
-- Readings of resident $2 that came in since $3, taken since shortly before. By values, so that only their month is looked at.
INSERT INTO consultation_reading (consultation_id, resident_id, organisation_id, taken_at, identity, value_key, code, state)
SELECT $1::bigint, r.resident_id, r.organisation_id, r.taken_at, r.identity, r.value_key, r.code, 'offered'
FROM reading r
WHERE r.resident_id = $2::bigint AND r.effective_at >= $3::timestamptz - interval '2 minutes' AND r.received_at >= $3
  AND r.taken_at BETWEEN $3 - interval '2 days' AND $3 + interval '2 days' AND NOT r.struck AND r.absent IS NULL
ON CONFLICT DO NOTHING
RETURNING taken_at, identity, value_key;

-- name: mark
-- These were taken while a clinician looked on.
UPDATE reading SET marks = array_append(coalesce(marks, '{}'), 'supervised')
WHERE (taken_at, identity, value_key) IN (SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[]))
  AND taken_at = ANY ($1) AND NOT coalesce('supervised' = ANY (marks), false);

-- name: mark_latest
-- The same of the newest readings.
UPDATE latest SET marks = array_append(coalesce(marks, '{}'), 'supervised')
WHERE (taken_at, identity) IN (SELECT * FROM unnest($1::timestamptz[], $2::uuid[]))
  AND NOT coalesce('supervised' = ANY (marks), false);

-- name: decide
-- What the clinician says of a reading.
UPDATE consultation_reading SET state = $5::text, decided_by = $6::text, decided_at = $7::timestamptz
WHERE consultation_id = $1::bigint AND taken_at = $2::timestamptz AND identity = $3::uuid AND value_key = $4::bigint
RETURNING resident_id;
