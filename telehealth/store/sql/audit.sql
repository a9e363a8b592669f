-- name: write
-- One audit row; $10 is real time.
INSERT INTO audit (organisation_id, actor, action, outcome, object_kind, object_id, resident_id, ward_id, detail, at)
VALUES ($1::bigint, coalesce($2::text, actor()), $3::text, $4::text, $5::text, left($6::text, 200), $7::bigint, $8::bigint, $9::jsonb,
        $10::timestamptz);

-- name: listing
-- The newest audit rows, optionally of one action or outcome.
SELECT id, at, actor, action, outcome, object_kind, object_id, resident_id, ward_id, detail
FROM audit
WHERE ($1::text IS NULL OR action = $1) AND ($2::text IS NULL OR outcome = $2) AND ($3::timestamptz IS NULL OR at >= $3)
ORDER BY id DESC
LIMIT $4::int;
