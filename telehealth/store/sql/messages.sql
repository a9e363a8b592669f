-- name: of
-- What was said in a visit, oldest first.
SELECT id, participant_id, to_participant_id, resident_id, text, at FROM consultation_message
WHERE consultation_id = $1::bigint ORDER BY id;

-- name: say
-- A message; the same client key twice is one.
INSERT INTO consultation_message (organisation_id, consultation_id, participant_id, to_participant_id, resident_id, client_key,
                                  text, at)
SELECT c.organisation_id, c.id, $2::bigint, $3::bigint, c.subject_id, $4::uuid, $5::text, $6::timestamptz
FROM consultation c WHERE c.id = $1::bigint
ON CONFLICT (consultation_id, client_key) DO NOTHING
RETURNING id;

-- name: count
-- How many messages a visit has.
SELECT count(*) FROM consultation_message WHERE consultation_id = $1::bigint;
