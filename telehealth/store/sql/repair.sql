-- name: reading
-- One reading, if the actor may see it, with its device as far as the actor may see that.
SELECT r.taken_at, r.identity, r.value_key, r.organisation_id, r.device_pk, r.resident_id, r.effective_at, r.received_at,
       r.sent_at, r.value, r.code, r.value_code, r.unit, r.value_sent, r.unit_sent, r.source_id, r.subject, r.set_id,
       r.method, r.absent, r.flags, r.marks, r.context, r.context -> 'user_slot' AS slot, r.struck, r.entered_by,
       d.device_id, d.ward_id AS device_ward_id, w.simulated AS device_simulated, s.simulated AS resident_simulated,
       s.ward_id AS resident_ward_id, s.zone,
       coalesce(d.shared @> coalesce(r.effective_at, r.received_at), false) AS shared,
       EXISTS (SELECT FROM device_seat t WHERE t.device_pk = d.id AND t.kind = 'slot') AS slotted
FROM reading r
LEFT JOIN device d ON d.id = r.device_pk LEFT JOIN ward w ON w.id = d.ward_id
LEFT JOIN resident s ON s.id = r.resident_id
WHERE r.taken_at = $1::timestamptz AND r.identity = $2::uuid AND r.value_key = $3::bigint;

-- name: resident
-- Where a resident belongs, if the actor may see them; nobody moves them meanwhile.
SELECT r.id, r.organisation_id, r.ward_id, r.simulated FROM resident r WHERE r.id = $1::bigint FOR KEY SHARE;

-- name: of_reading
-- Every value of one reading.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM reading r WHERE r.taken_at = $1::timestamptz AND r.identity = $2::uuid AND NOT r.struck
FOR UPDATE;

-- name: all_values
-- Every value of readings.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM (SELECT DISTINCT * FROM unnest($1::timestamptz[], $2::uuid[]) AS w (taken_at, identity)) AS w
JOIN reading r ON r.taken_at = w.taken_at AND r.identity = w.identity
WHERE NOT r.struck
FOR UPDATE OF r;

-- name: of_set
-- What a resident has of one set of a device: of the same name and hour, or without a name of the same moment.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM reading r
WHERE r.resident_id = $1::bigint AND r.device_pk IS NOT DISTINCT FROM $2::bigint AND NOT r.struck
  AND r.effective_at BETWEEN $3::timestamptz - interval '1 hour' AND $3::timestamptz + interval '1 hour'
  AND CASE WHEN $4::text IS NULL THEN r.set_id IS NULL AND r.taken_at = $5::timestamptz AND r.received_at = $6::timestamptz
           ELSE r.set_id = $4 END
LIMIT 10001 FOR UPDATE;

-- name: of_held_set
-- As of_set, of what is nobody's.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM reading r
WHERE r.device_pk = $1::bigint AND r.resident_id IS NULL AND NOT r.struck
  AND r.received_at BETWEEN $2::timestamptz - interval '1 hour' AND $2::timestamptz + interval '1 hour'
  AND CASE WHEN $3::text IS NULL THEN r.set_id IS NULL AND r.taken_at = $4::timestamptz AND r.received_at = $2 ELSE r.set_id = $3 END
LIMIT 10001 FOR UPDATE;

-- name: of_period
-- What a resident has of a device and a clinical time.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM reading r
WHERE r.resident_id = $1::bigint AND r.device_pk = $2::bigint AND NOT r.struck
  AND r.effective_at >= $3::timestamptz AND r.effective_at < $4::timestamptz
LIMIT 10001 FOR UPDATE;

-- name: of_held_period
-- What is nobody's of a device and a clinical time, and says the same of whose it is.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.resident_id, r.code, r.subject,
       r.context -> 'user_slot' AS slot, r.marks
FROM reading r
WHERE r.device_pk = $1::bigint AND r.resident_id IS NULL AND NOT r.struck
  AND r.effective_at >= $2::timestamptz AND r.effective_at < $3::timestamptz
  AND r.subject IS NOT DISTINCT FROM $4::text AND r.context -> 'user_slot' IS NOT DISTINCT FROM $5::jsonb
LIMIT 10001 FOR UPDATE;

-- name: move
-- Readings are somebody else's ($4; null: nobody's) by decision of staff, which no rule changes again.
UPDATE reading r SET resident_id = $4::bigint,
    marks = array_append(array_remove(array_remove(array_remove(coalesce(r.marks, '{}'), 'held'), 'maybe_other'), 'repaired'),
                         'repaired')
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[]) AS w (taken_at, identity, value_key)
WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key;

-- name: set_time
-- Readings were taken when staff say, and are whose the rules make them by that.
UPDATE reading r SET effective_at = w.effective_at, resident_id = w.resident_id,
    marks = array_append(array_remove(array_remove(array_remove(coalesce(r.marks, '{}'), 'held'), 'no_time'), 'repaired'),
                         'repaired')
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::bigint[])
    AS w (taken_at, identity, value_key, effective_at, resident_id)
WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key;

-- name: record
-- The append-only log of what staff decided about single readings; from $7 on the same for all.
INSERT INTO attribution (organisation_id, kind, device_pk, reading_taken_at, reading_identity, from_resident_id,
                         resident_id, effective_before, effective_at, reason, actor, at, operation)
SELECT $7::bigint, $8::text, $9::bigint, w.taken_at, w.identity, w.before, w.after, w.effective_before, w.effective_at,
       $10::text, $11::text, $12::timestamptz, $13::uuid
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
    AS w (taken_at, identity, before, after, effective_before, effective_at);

-- name: record_period
-- What the device still brings of a time goes the same way.
INSERT INTO attribution (organisation_id, kind, device_pk, from_resident_id, resident_id, during, seat_kind, subject,
                         reason, actor, at, operation)
VALUES ($1::bigint, 'repair', $2::bigint, $3::bigint, $4::bigint, tstzrange($5::timestamptz, $6::timestamptz), $7::text,
        $8::text, $9::text, $10::text, $11::timestamptz, $12::uuid);

-- name: strike
-- Take readings out of every decision; they stay in the table. Each is noted with reason, who and when.
WITH struck AS (
    UPDATE reading r SET struck = true
    FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[]) AS w (taken_at, identity, value_key)
    WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key AND NOT r.struck
    RETURNING r.organisation_id, r.resident_id, r.device_pk, r.taken_at, r.identity, r.value_key
)
INSERT INTO reading_strike (organisation_id, resident_id, device_pk, taken_at, identity, value_key, reason, actor, at)
SELECT organisation_id, resident_id, device_pk, taken_at, identity, value_key, $4::text, $5::text, $6::timestamptz
FROM struck;

-- name: settle_conflict
-- The value that was chosen contradicts nothing any more.
UPDATE reading r SET marks = nullif(array_remove(r.marks, 'conflict'), '{}')
WHERE r.taken_at = $1::timestamptz AND r.identity = $2::uuid AND r.value_key = $3::bigint;
