-- name: alerts
-- Alerts of residents that something due has not come, as long as that is so.
SELECT a.id, a.resident_id, a.ward_id, a.rule, a.reason, a.evidence, r.zone
FROM alert a JOIN resident r ON r.id = a.resident_id
WHERE a.resident_id = ANY ($1::bigint[]) AND a.open AND a.condition = 'active' AND starts_with(a.rule, 'silence/')
ORDER BY a.id;

-- name: devices
-- What residents have at a moment, and when it was last heard of.
SELECT whose.resident_id, d.device_id, d.codes, c.seen_at, c.status, c.status_at
FROM (
    SELECT a.resident_id, a.device_pk FROM device_assignment a
    WHERE a.resident_id = ANY ($1::bigint[]) AND a.during @> $2::timestamptz
    UNION
    SELECT s.resident_id, s.device_pk FROM device_seat s
    WHERE s.resident_id = ANY ($1::bigint[]) AND s.during @> $2::timestamptz
) AS whose
JOIN device d ON d.id = whose.device_pk AND d.revoked_at IS NULL
LEFT JOIN device_contact c ON c.device_pk = d.id
ORDER BY whose.resident_id, d.device_id;

-- name: arrivals
-- Of residents, what arrived since a moment and had been taken more than 15 minutes before.
SELECT l.resident_id, l.code, l.effective_at, l.received_at FROM latest l
WHERE l.resident_id = ANY ($1::bigint[]) AND l.received_at >= $2::timestamptz
  AND l.effective_at < l.received_at - interval '15 minutes'
ORDER BY l.resident_id, l.received_at DESC, l.code;

-- name: explain
-- Why something due has not come, as far as the devices tell.
UPDATE alert a SET reason = w.reason, evidence = a.evidence || jsonb_build_object('cause', w.cause)
FROM jsonb_to_recordset($1::jsonb) AS w (id bigint, reason text, cause jsonb)
WHERE a.id = w.id;

-- name: residents_of_devices
-- Who has these devices at a moment.
SELECT a.resident_id FROM device_assignment a WHERE a.device_pk = ANY ($1::bigint[]) AND a.during @> $2::timestamptz
UNION
SELECT s.resident_id FROM device_seat s WHERE s.device_pk = ANY ($1::bigint[]) AND s.during @> $2::timestamptz;
