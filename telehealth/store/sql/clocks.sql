-- name: note
-- What is known of clocks from now on.
UPDATE device_contact c SET clock = w.clock::jsonb
FROM unnest($1::bigint[], $2::text[]) AS w (device_pk, clock) WHERE c.device_pk = w.device_pk;

-- name: close
-- Clocks that are not wrong any more, or wrong in another way, since a time. Gives back those that were sure.
UPDATE device_clock k SET until = greatest(w.until, k.since)
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, until)
WHERE k.device_pk = w.device_pk AND k.until IS NULL
RETURNING k.device_pk, k.since, k.sure;

-- name: open
-- Clocks that are wrong since a time, or known better to be.
INSERT INTO device_clock AS k (organisation_id, device_pk, kind, since, skew_ms, step_ms, sure)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::boolean[])
ON CONFLICT (device_pk, since) DO UPDATE SET
    kind = excluded.kind, skew_ms = excluded.skew_ms, step_ms = excluded.step_ms, until = NULL,
    sure = k.sure OR excluded.sure;

-- name: due
-- Have the alerts about these devices' clocks decided anew from a time on.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
SELECT d.organisation_id, d.id, w.since, 'clock', clock_timestamp()
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since) JOIN device d ON d.id = w.device_pk
ORDER BY d.id;

-- name: believed
-- Readings of a device that were received from $3 on, and what their times were made of: of residents who may have it
-- ($2), or of nobody. The bounds of effective_at ($4, $5) are for the index. What staff dated stays as it is.
SELECT r.taken_at, r.identity, r.value_key, r.resident_id, r.code, r.effective_at, r.sent_at, r.received_at, r.flags
FROM reading r
WHERE r.device_pk = $1::bigint AND r.resident_id = ANY ($2::bigint[]) AND r.code = ANY ($6::text[])
  AND r.effective_at >= $4::timestamptz AND r.effective_at <= $5::timestamptz
  AND r.received_at >= $3::timestamptz AND r.sent_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM attribution t WHERE t.reading_identity = r.identity AND t.kind = 'time')
UNION ALL
SELECT r.taken_at, r.identity, r.value_key, r.resident_id, r.code, r.effective_at, r.sent_at, r.received_at, r.flags
FROM reading r
WHERE r.device_pk = $1::bigint AND r.resident_id IS NULL AND r.effective_at >= $4::timestamptz
  AND r.effective_at <= $5::timestamptz AND r.received_at >= $3::timestamptz AND r.sent_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM attribution t WHERE t.reading_identity = r.identity AND t.kind = 'time');

-- name: rewrite
-- Times that turned out to be wrong, estimated.
UPDATE reading r SET effective_at = w.effective_at,
    marks = array_append(array_remove(coalesce(r.marks, '{}'), 'clock_uncertain'), 'clock_uncertain')
FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::timestamptz[])
    AS w (taken_at, identity, value_key, effective_at)
WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key;

-- name: periods
-- When the clocks of devices were surely wrong, where it began at a moment of each or later.
SELECT k.device_pk, k.kind, k.since, k.until, k.skew_ms, k.step_ms
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
JOIN device_clock k ON k.device_pk = w.device_pk AND k.sure AND k.since >= w.since
ORDER BY k.device_pk, k.since;
