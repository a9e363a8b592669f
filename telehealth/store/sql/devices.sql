-- name: add
-- A new device on a ward.
INSERT INTO device (organisation_id, ward_id, device_id, model, codes, password_hash, created_by, created_at)
SELECT w.organisation_id, w.id, $2::text, $3::text, $4::text[], $5::text, $6::text, $7::timestamptz
FROM ward w WHERE w.id = $1::bigint
RETURNING id, organisation_id;

-- name: listing
-- Devices with their ward, last contact and present assignment; of one ward, or of all the actor may see.
SELECT d.id, d.device_id, d.model, d.codes, d.ward_id, w.name AS ward, d.created_at, d.revoked_at, c.seen_at, c.status,
       r.nhs_number, lower(a.during) AS assigned_from, upper(a.during) AS assigned_to
FROM device d
JOIN ward w ON w.id = d.ward_id
LEFT JOIN device_contact c ON c.device_pk = d.id
LEFT JOIN device_assignment a ON a.device_pk = d.id AND a.during @> $2::timestamptz
LEFT JOIN resident r ON r.id = a.resident_id
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

-- name: hold_contact
-- Lock a device's contact row, under which its readings are taken in.
SELECT device_pk FROM device_contact WHERE device_pk = $1::bigint FOR UPDATE;

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

-- name: reattribute
-- Derive reading.resident_id of a device anew from its assignments, from a clinical time on; repaired and held
-- readings stay. Gives back the residents touched with the first clinical time each.
WITH wanted AS (
    SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.resident_id AS before, a.resident_id AS after
    FROM reading r
    LEFT JOIN device_assignment a ON a.device_pk = r.device_pk AND a.during @> r.effective_at
    WHERE r.device_pk = $1::bigint
      AND (r.resident_id IS NULL OR r.resident_id = ANY ($2::bigint[]))
      AND r.effective_at >= $3::timestamptz
      AND r.resident_id IS DISTINCT FROM a.resident_id
      AND NOT coalesce('held' = ANY (r.marks), false)
      AND NOT EXISTS (SELECT FROM attribution t WHERE t.reading_identity = r.identity AND t.kind = 'repair')
), changed AS (
    UPDATE reading r SET resident_id = w.after
    FROM wanted w
    WHERE r.taken_at = w.taken_at AND r.identity = w.identity AND r.value_key = w.value_key
    RETURNING w.before, w.after, w.effective_at
)
SELECT resident_id, min(effective_at) AS earliest_at, count(*) AS readings
FROM (SELECT before AS resident_id, effective_at FROM changed UNION ALL SELECT after, effective_at FROM changed) touched
WHERE resident_id IS NOT NULL
GROUP BY resident_id
ORDER BY resident_id;

-- name: notify_registry
-- Tell brokers that devices or credentials changed.
SELECT pg_notify('registry', $1::text);

-- name: by_key
-- A device by its key.
SELECT id, organisation_id, ward_id, device_id, revoked_at IS NOT NULL AS revoked FROM device WHERE id = $1::bigint;
