-- name: seat
-- A place on a device is a resident's for a time; the exclusion constraint forbids two at once.
INSERT INTO device_seat (organisation_id, device_pk, kind, label, resident_id, during, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::text, $4::text, $5::bigint, tstzrange($6::timestamptz, $7::timestamptz), $8::text,
        $9::timestamptz)
RETURNING id;

-- name: unseat
-- End the seat that holds at a moment.
UPDATE device_seat SET during = tstzrange(lower(during), $4::timestamptz), ended_by = $5::text
WHERE device_pk = $1::bigint AND kind = $2::text AND label = $3::text AND during @> $4::timestamptz
  AND lower(during) < $4::timestamptz
RETURNING resident_id;

-- name: end_of_resident
-- A resident's seats end, as when a stay does.
UPDATE device_seat SET during = tstzrange(lower(during), $2::timestamptz), ended_by = $3::text
WHERE resident_id = $1::bigint AND during @> $2::timestamptz AND lower(during) < $2::timestamptz
RETURNING device_pk, kind, label;

-- name: share
-- From a moment on a device is a shared kit. Nothing comes back if it was at that moment.
UPDATE device SET shared = shared + tstzmultirange(tstzrange($2::timestamptz, NULL))
WHERE id = $1::bigint AND NOT shared @> $2::timestamptz
RETURNING id;

-- name: unshare
-- From a moment on a device is one person's again.
UPDATE device SET shared = shared - tstzmultirange(tstzrange($2::timestamptz, NULL))
WHERE id = $1::bigint AND shared @> $2::timestamptz
RETURNING id;

-- name: record
-- The append-only log of seats and sharing.
INSERT INTO attribution (organisation_id, kind, device_pk, resident_id, during, seat_kind, subject, actor, at)
VALUES ($1::bigint, $2::text, $3::bigint, $4::bigint, tstzrange($5::timestamptz, $6::timestamptz), $7::text, $8::text,
        $9::text, $10::timestamptz);

-- name: listing
-- The seats of a device, the present and newest first.
SELECT s.kind, s.label, s.resident_id, r.nhs_number, lower(s.during) AS seated_from, upper(s.during) AS seated_to
FROM device_seat s JOIN resident r ON r.id = s.resident_id
WHERE s.device_pk = $1::bigint ORDER BY s.kind, s.label, lower(s.during) DESC;

-- name: place
-- The organisation of a device, and whether its ward is simulated and it is shared at a moment.
SELECT d.organisation_id, w.simulated, d.shared @> $2::timestamptz AS shared
FROM device d JOIN ward w ON w.id = d.ward_id WHERE d.id = $1::bigint;
