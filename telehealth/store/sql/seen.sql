-- name: opened
-- Staff have opened the page of resident $1 at $2: the sets of the days since $3 that were there are seen. Devices
-- of other wards are not told.
INSERT INTO seen_set (device_pk, set_id, organisation_id, seen_at)
SELECT DISTINCT r.device_pk, r.set_id, r.organisation_id, $2::timestamptz
FROM reading r
WHERE r.resident_id = $1::bigint AND r.taken_at >= $3::timestamptz AND r.effective_at >= $3::timestamptz
  AND r.received_at <= $2::timestamptz AND r.set_id IS NOT NULL AND r.device_pk IN (SELECT d.id FROM device d)
ORDER BY r.device_pk, r.set_id
ON CONFLICT DO NOTHING;

-- name: untold
-- What devices have not been told yet, oldest first; at most $1. Revoked devices are not told.
SELECT s.device_pk, d.device_id, s.set_id, s.seen_at
FROM seen_set s JOIN device d ON d.id = s.device_pk
WHERE s.told_at IS NULL AND d.revoked_at IS NULL
ORDER BY s.seen_at, s.device_pk, s.set_id LIMIT $1::bigint;

-- name: lately
-- What of device $1 was seen since $2, newest first, at most $3.
SELECT s.device_pk, d.device_id, s.set_id, s.seen_at
FROM seen_set s JOIN device d ON d.id = s.device_pk
WHERE d.device_id = $1::text AND s.seen_at >= $2::timestamptz
ORDER BY s.seen_at DESC, s.set_id LIMIT $3::bigint;

-- name: told
-- These devices ($1) were told at $3 that these sets ($2) are seen.
UPDATE seen_set s SET told_at = $3::timestamptz
FROM unnest($1::bigint[], $2::text[]) AS t (device_pk, set_id)
WHERE s.device_pk = t.device_pk AND s.set_id = t.set_id;
