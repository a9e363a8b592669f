-- name: add
-- A new device on a ward.
INSERT INTO device (organisation_id, ward_id, device_id, model, codes, password_hash, created_by, created_at)
SELECT w.organisation_id, w.id, $2::text, $3::text, $4::text[], $5::text, $6::text, $7::timestamptz
FROM ward w WHERE w.id = $1::bigint
RETURNING id, organisation_id;

-- name: listing
-- Devices with their ward, last contact and present assignment; of one ward, or of all the actor may see. clock: how
-- it is wrong, if it surely is; lost: messages that a device gave up before they arrived.
SELECT d.id, d.device_id, d.model, d.codes, d.ward_id, w.name AS ward, d.created_at, d.revoked_at, c.seen_at, c.status,
       r.nhs_number, lower(a.during) AS assigned_from, upper(a.during) AS assigned_to,
       k.kind AS clock, k.skew_ms AS clock_skew_ms, k.since AS clock_since, lost.messages AS lost
FROM device d
JOIN ward w ON w.id = d.ward_id
LEFT JOIN device_contact c ON c.device_pk = d.id
LEFT JOIN device_assignment a ON a.device_pk = d.id AND a.during @> $2::timestamptz
LEFT JOIN resident r ON r.id = a.resident_id
LEFT JOIN device_clock k ON k.device_pk = d.id AND k.until IS NULL AND k.sure
LEFT JOIN LATERAL (
    SELECT least(coalesce(sum(upper(g)::numeric - lower(g)), 0), 9007199254740991)::bigint AS messages
    FROM device_stream s CROSS JOIN LATERAL unnest(s.lost) AS g WHERE s.device_pk = d.id
) AS lost ON true
WHERE $1::bigint IS NULL OR d.ward_id = $1
ORDER BY d.device_id;

-- name: find
-- A device by its device_id.
SELECT id, organisation_id, ward_id, device_id, revoked_at IS NOT NULL AS revoked FROM device WHERE device_id = $1::text;

-- name: revoke
-- Stop accepting a device's credentials.
UPDATE device SET revoked_at = $2::timestamptz, revoked_by = $3::text WHERE id = $1::bigint AND revoked_at IS NULL
RETURNING id;

-- name: hold
-- Lock a device, so that its first contact row waits.
SELECT id FROM device WHERE id = $1::bigint FOR UPDATE;

-- name: assign
-- A device goes to a resident for a time; the exclusion constraint forbids overlap.
INSERT INTO device_assignment (organisation_id, device_pk, resident_id, during, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::bigint, tstzrange($4::timestamptz, $5::timestamptz), $6::text, $7::timestamptz)
RETURNING id;

-- name: unassign
-- End the assignment that holds at a moment.
UPDATE device_assignment SET during = tstzrange(lower(during), $2::timestamptz), ended_by = $3::text
WHERE device_pk = $1::bigint AND during @> $2::timestamptz AND lower(during) < $2::timestamptz
RETURNING resident_id, lower(during) AS assigned_from, upper(during) AS assigned_to;

-- name: record_attribution
-- The append-only journal of whose readings are.
INSERT INTO attribution (organisation_id, kind, device_pk, resident_id, during, reason, actor, at)
VALUES ($1::bigint, $2::text, $3::bigint, $4::bigint, tstzrange($5::timestamptz, $6::timestamptz), $7::text, $8::text,
        $9::timestamptz);

-- name: notify_registry
-- Tell brokers that devices or credentials changed.
SELECT pg_notify('registry', $1::text);

-- name: by_key
-- A device by its key.
SELECT id, organisation_id, ward_id, device_id, revoked_at IS NOT NULL AS revoked FROM device WHERE id = $1::bigint;
