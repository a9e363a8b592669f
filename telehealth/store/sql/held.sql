-- name: listing
-- Readings of nobody of a ward's devices (or of the one called $7), the newest arrived first, after a place.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.sent_at, r.code, r.value, r.value_code,
       r.unit, r.value_sent, r.unit_sent, r.method, r.absent, r.flags, r.marks, r.context, r.struck, r.set_id, r.subject,
       r.context -> 'user_slot' AS slot, d.device_id, d.model,
       coalesce(d.shared @> coalesce(r.effective_at, r.received_at), false) AS shared,
       EXISTS (SELECT FROM device_seat s WHERE s.device_pk = d.id AND s.kind = 'slot') AS slotted
FROM device d CROSS JOIN LATERAL (
    SELECT * FROM reading r
    WHERE r.device_pk = d.id AND r.resident_id IS NULL AND NOT r.struck
      AND ($2::timestamptz IS NULL OR r.received_at <= $2)
      AND ($2::timestamptz IS NULL
           OR (r.received_at, r.taken_at, r.identity, r.value_key) < ($2, $3::timestamptz, $4::uuid, $5::bigint))
    ORDER BY r.received_at DESC, r.taken_at DESC, r.identity DESC, r.value_key DESC LIMIT $6::integer
) AS r
WHERE d.ward_id = $1::bigint AND ($7::text IS NULL OR d.device_id = $7)
ORDER BY r.received_at DESC, r.taken_at DESC, r.identity DESC, r.value_key DESC
LIMIT $6::integer;

-- name: questioned
-- Readings of a ward's residents (or of resident $2) that contradict another, or may be somebody else's; newest first.
SELECT r.taken_at, r.identity, r.value_key, r.effective_at, r.received_at, r.sent_at, r.code, r.value, r.value_code,
       r.unit, r.value_sent, r.unit_sent, r.method, r.absent, r.flags, r.marks, r.context, r.struck, r.set_id, r.subject,
       r.context -> 'user_slot' AS slot, d.device_id, d.model,
       p.id AS resident_id, p.family_name, p.given_name, p.title, p.zone,
       o.usual, o.allowed, o.fits_resident_id, f.family_name AS fits_family_name, f.given_name AS fits_given_name,
       f.title AS fits_title
FROM resident p CROSS JOIN LATERAL (
    SELECT * FROM reading r
    WHERE r.resident_id = p.id AND NOT r.struck AND r.marks && '{conflict,maybe_other}'::text[]
    ORDER BY r.received_at DESC, r.taken_at DESC, r.identity DESC, r.value_key DESC LIMIT $3::integer
) AS r
LEFT JOIN device d ON d.id = r.device_pk
LEFT JOIN reading_doubt o ON o.identity = r.identity AND o.taken_at = r.taken_at AND o.value_key = r.value_key
LEFT JOIN resident f ON f.id = o.fits_resident_id
WHERE p.ward_id = $1::bigint AND ($2::bigint IS NULL OR p.id = $2)
  AND ('maybe_other' = ANY (r.marks) OR EXISTS (
      SELECT FROM reading x WHERE x.taken_at = r.taken_at AND x.identity = r.identity AND x.value_key <> r.value_key
        AND NOT x.struck))
ORDER BY r.received_at DESC, r.taken_at DESC, r.identity DESC, r.value_key DESC
LIMIT $3::integer;

-- name: count
-- How many readings of a ward wait for a person, counted up to a bound.
SELECT count(*) FROM (
    SELECT r.identity FROM device d JOIN reading r ON r.device_pk = d.id
    WHERE d.ward_id = $1::bigint AND r.resident_id IS NULL AND NOT r.struck
    UNION ALL
    SELECT r.identity FROM resident p JOIN reading r ON r.resident_id = p.id
    WHERE p.ward_id = $1::bigint AND NOT r.struck AND r.marks && '{conflict,maybe_other}'::text[]
    LIMIT $2::integer
) AS bounded;

-- name: values
-- Every value of one reading, struck ones too.
SELECT r.taken_at, r.identity, r.value_key, r.code, r.value, r.value_code, r.unit, r.absent, r.received_at, r.struck
FROM reading r WHERE r.taken_at = $1::timestamptz AND r.identity = $2::uuid ORDER BY r.received_at, r.value_key;

-- name: set
-- The other readings that came with one: of its device, set and message.
SELECT r.taken_at, r.identity, r.value_key, r.code, r.value, r.value_code, r.unit, r.absent, r.received_at, r.struck
FROM reading r
WHERE r.taken_at BETWEEN $1::timestamptz - interval '1 hour' AND $1::timestamptz + interval '1 hour'
  AND r.identity <> $2::uuid AND NOT r.struck
  AND CASE WHEN $3::bigint IS NULL THEN r.device_pk = $4::bigint AND r.resident_id IS NULL ELSE r.resident_id = $3 END
  AND r.device_pk IS NOT DISTINCT FROM $4::bigint
  AND CASE WHEN $5::text IS NULL THEN r.set_id IS NULL AND r.taken_at = $1 AND r.received_at = $6::timestamptz
           ELSE r.set_id = $5 END
ORDER BY r.code, r.taken_at LIMIT 50;

-- name: doubt
-- Why a reading may be somebody else's, and whom it fits as far as the actor may see them.
SELECT o.usual, o.allowed, f.id AS fits_resident_id, f.family_name, f.given_name, f.title
FROM reading_doubt o LEFT JOIN resident f ON f.id = o.fits_resident_id
WHERE o.taken_at = $1::timestamptz AND o.identity = $2::uuid AND o.value_key = $3::bigint;

-- name: candidates
-- Residents whose a reading of a device may be: those with a place on it or its assignment first, then by ward and name.
SELECT p.id, p.ward_id, w.name AS ward, p.family_name, p.given_name, p.title, p.nhs_number, p.born,
       EXISTS (SELECT FROM device_seat s WHERE s.device_pk = $1::bigint AND s.resident_id = p.id)
       OR EXISTS (SELECT FROM device_assignment a WHERE a.device_pk = $1::bigint AND a.resident_id = p.id) AS likely
FROM resident p JOIN ward w ON w.id = p.ward_id
WHERE p.organisation_id = $2::bigint AND p.simulated = $3::boolean
  AND EXISTS (SELECT FROM spell s WHERE s.resident_id = p.id AND (upper_inf(s.during) OR upper(s.during) > $4::timestamptz))
ORDER BY likely DESC, w.name, p.family_name, p.given_name, p.id
LIMIT 2000;

-- name: history
-- What was decided about one reading, newest first; names as far as the actor may see them.
SELECT t.at, t.kind, coalesce(s.display_name, t.actor) AS by, t.reason, t.from_resident_id, t.resident_id,
       b.family_name AS from_family_name, b.given_name AS from_given_name, b.title AS from_title,
       a.family_name, a.given_name, a.title, t.effective_before, t.effective_at
FROM attribution t LEFT JOIN staff s ON t.actor = 'staff:' || s.id
LEFT JOIN resident b ON b.id = t.from_resident_id LEFT JOIN resident a ON a.id = t.resident_id
WHERE t.reading_identity = $1::uuid AND t.kind IN ('repair', 'time')
UNION ALL
SELECT k.at, 'strike', coalesce(s.display_name, k.actor), k.reason, k.resident_id, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM reading_strike k LEFT JOIN staff s ON k.actor = 'staff:' || s.id
WHERE k.identity = $1::uuid
ORDER BY 1 DESC
LIMIT 50;

-- name: of_resident
-- What staff moved to or from a resident, or dated: one row for what was done in one go, newest first.
SELECT t.operation, max(t.at) AS at, t.kind, max(coalesce(s.display_name, t.actor)) AS by, max(t.reason) AS reason,
       t.from_resident_id, t.resident_id, count(t.reading_identity) AS readings, min(t.reading_taken_at) AS first_at,
       max(t.reading_taken_at) AS last_at, max(b.family_name) AS from_family_name, max(b.given_name) AS from_given_name,
       max(b.title) AS from_title, max(a.family_name) AS family_name, max(a.given_name) AS given_name,
       max(a.title) AS title
FROM attribution t LEFT JOIN staff s ON t.actor = 'staff:' || s.id
LEFT JOIN resident b ON b.id = t.from_resident_id LEFT JOIN resident a ON a.id = t.resident_id
WHERE t.kind IN ('repair', 'time') AND (t.resident_id = $1::bigint OR t.from_resident_id = $1)
GROUP BY t.operation, t.kind, t.from_resident_id, t.resident_id
ORDER BY max(t.at) DESC
LIMIT 20;
