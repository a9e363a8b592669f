-- name: assigned
-- The assignments of devices, in no order; and, with nothing but their keys, the devices about which more was decided.
SELECT a.device_pk, lower(a.during) AS since, upper(a.during) AS until, a.resident_id
FROM device_assignment a WHERE a.device_pk = ANY ($1::bigint[])
UNION ALL
SELECT d.id, NULL, NULL, NULL FROM device d WHERE d.id = ANY ($1::bigint[]) AND d.several;

-- name: claims
-- What was decided about whose the readings of devices are beside their assignments: seats, sharing, and moves in the
-- order in which they were made.
SELECT s.device_pk, s.kind, s.label, lower(s.during) AS since, upper(s.during) AS until, s.resident_id,
       NULL::bigint AS before, NULL AS seat_kind, 0::bigint AS place
FROM device_seat s WHERE s.device_pk = ANY ($1::bigint[])
UNION ALL
SELECT d.id, 'shared', NULL, lower(during), upper(during), NULL, NULL, NULL, 0
FROM device d CROSS JOIN unnest(d.shared) AS during WHERE d.id = ANY ($1::bigint[])
UNION ALL
SELECT t.device_pk, 'moved', t.subject, lower(t.during), upper(t.during), t.resident_id, t.from_resident_id, t.seat_kind,
       t.id
FROM attribution t
WHERE t.device_pk = ANY ($1::bigint[]) AND t.kind = 'repair' AND t.reading_identity IS NULL
ORDER BY place;

-- name: hold_contact
-- Wait for what the device is just sending, and let it wait for us.
SELECT hold_device($1::bigint);

-- name: decided_unseen
-- Whether something was decided about whose the readings of device $1 are that the actor does not see.
SELECT decided_unseen($1::bigint);

-- name: readings
-- Readings of a device from a clinical time on that are nobody's, or of residents who may have it.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, coalesce('clock_uncertain' = ANY (r.marks), false) AS uncertain,
       coalesce('held' = ANY (r.marks), false) AS held, coalesce('repaired' = ANY (r.marks), false) AS repaired
FROM reading r
WHERE r.device_pk = $1::bigint AND (r.resident_id IS NULL OR r.resident_id = ANY ($2::bigint[]))
  AND r.effective_at >= $3::timestamptz;

-- name: repairs
-- Whose staff said that single readings are, by the newest decision about each.
SELECT DISTINCT ON (t.reading_identity) t.reading_identity AS identity, t.resident_id
FROM attribution t WHERE t.reading_identity = ANY ($1::uuid[]) AND t.kind = 'repair'
ORDER BY t.reading_identity, t.id DESC;

-- name: rewrite
-- Whose readings are from now on, and whether they are held.
UPDATE reading r SET resident_id = w.resident_id,
    marks = nullif(CASE WHEN w.held THEN array_append(array_remove(coalesce(r.marks, '{}'), 'held'), 'held')
                        ELSE array_remove(coalesce(r.marks, '{}'), 'held') END, '{}')
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::bigint[], $5::boolean[])
    AS w (taken_at, identity, value_key, resident_id, held)
WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key;

-- name: follow_repairs
-- A further value of a reading that staff have moved or dated goes where the value is that they saw, and to its time.
WITH clashing AS (
    SELECT r.taken_at, r.identity, r.value_key, r.resident_id AS before, known.resident_id, known.effective_at
    FROM unnest($1::timestamptz[], $2::uuid[]) AS c (taken_at, identity)
    JOIN reading r ON r.taken_at = c.taken_at AND r.identity = c.identity
    JOIN LATERAL (
        SELECT k.resident_id, k.effective_at FROM reading k
        WHERE k.taken_at = c.taken_at AND k.identity = c.identity AND 'repaired' = ANY (k.marks)
        ORDER BY k.struck, k.value_key LIMIT 1
    ) AS known ON true
    WHERE NOT coalesce('repaired' = ANY (r.marks), false)
)
UPDATE reading r SET resident_id = c.resident_id, effective_at = c.effective_at,
    marks = array_append(array_remove(array_remove(coalesce(r.marks, '{}'), 'held'), 'no_time'), 'repaired')
FROM clashing c
WHERE r.taken_at = c.taken_at AND r.identity = c.identity AND r.value_key = c.value_key
RETURNING c.before, r.resident_id AS after, r.code;

-- name: due
-- Have residents judged again, each from the first clinical time touched.
INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
SELECT r.organisation_id, r.id, w.earliest_at, $3::text, clock_timestamp()
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, earliest_at) JOIN resident r ON r.id = w.resident_id
ORDER BY r.id;
