-- name: resident
-- The organisation and ward of a resident, if the actor may see them; nobody admits or moves them meanwhile.
SELECT r.organisation_id, r.ward_id FROM resident r WHERE r.id = $1::bigint FOR KEY SHARE;

-- name: strike
-- Take a reading out of every decision; it stays in the table.
UPDATE reading SET struck = true
WHERE resident_id = $1::bigint AND taken_at = $2::timestamptz AND identity = $3::uuid AND value_key = $4::bigint
  AND NOT struck
RETURNING organisation_id, code, effective_at;

-- name: is_there
-- Whether the resident has this reading at all, struck or not.
SELECT EXISTS (
    SELECT FROM reading
    WHERE resident_id = $1::bigint AND taken_at = $2::timestamptz AND identity = $3::uuid AND value_key = $4::bigint
);

-- name: record_strike
-- The append-only journal of what was struck, and the work that follows.
WITH journal AS (
    INSERT INTO reading_strike (organisation_id, resident_id, taken_at, identity, value_key, reason, actor, at)
    VALUES ($1::bigint, $2::bigint, $3::timestamptz, $4::uuid, $5::bigint, $6::text, $7::text, $8::timestamptz)
)
INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
VALUES ($1::bigint, $2::bigint, $9::timestamptz, 'strike', clock_timestamp());
