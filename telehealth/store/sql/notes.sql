-- name: save
-- A note as it is typed, if it follows the version that is there; nothing otherwise.
INSERT INTO consultation_note AS n (consultation_id, resident_id, staff_id, organisation_id, text, version, saved_at)
SELECT c.id, s.resident_id, $3::bigint, c.organisation_id, $4::text, 1, $6::timestamptz
FROM consultation c JOIN consultation_subject s ON s.consultation_id = c.id AND s.resident_id = $2::bigint
WHERE c.id = $1::bigint
ON CONFLICT (consultation_id, resident_id, staff_id) DO UPDATE
    SET text = excluded.text, version = n.version + 1, saved_at = excluded.saved_at
    WHERE n.version = $5::integer
RETURNING version, saved_at;

-- name: one
-- A note as it is.
SELECT text, version, saved_at FROM consultation_note
WHERE consultation_id = $1::bigint AND resident_id = $2::bigint AND staff_id = $3::bigint;

-- name: subject
-- Whether a visit is about a resident, and whether it is over.
SELECT c.ended_at IS NOT NULL AS over FROM consultation c
JOIN consultation_subject s ON s.consultation_id = c.id AND s.resident_id = $2::bigint
WHERE c.id = $1::bigint FOR SHARE OF c;
