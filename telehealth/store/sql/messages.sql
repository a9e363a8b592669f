-- name: of
-- What was said in a visit, oldest first.
SELECT id, participant_id, to_participant_id, resident_id, text, at FROM consultation_message
WHERE consultation_id = $1::bigint AND NOT caption ORDER BY id;

-- name: newest_captions
-- The last $2 captions of a visit, oldest first.
SELECT id, participant_id, to_participant_id, resident_id, text, at FROM (
    SELECT * FROM consultation_message WHERE consultation_id = $1::bigint AND caption ORDER BY id DESC LIMIT $2::integer
) newest ORDER BY id;

-- name: captions_of
-- All captions of a visit.
SELECT id, participant_id, to_participant_id, resident_id, text, at FROM consultation_message
WHERE consultation_id = $1::bigint AND caption ORDER BY id;

-- name: count_captions
-- How many captions a visit has.
SELECT count(*) FROM consultation_message WHERE consultation_id = $1::bigint AND caption;

-- name: forget_captions
-- All but the last $2 captions of a visit.
DELETE FROM consultation_message WHERE consultation_id = $1::bigint AND caption AND id NOT IN (
    SELECT id FROM consultation_message WHERE consultation_id = $1 AND caption ORDER BY id DESC LIMIT $2::integer);

-- name: known
-- Whether a message or caption of this key was written.
SELECT EXISTS (SELECT FROM consultation_message WHERE consultation_id = $1::bigint AND client_key = $2::uuid);

-- name: say
-- A message, or a caption ($7); the same client key twice is one.
INSERT INTO consultation_message (organisation_id, consultation_id, participant_id, to_participant_id, resident_id, client_key,
                                  text, at, caption)
SELECT c.organisation_id, c.id, $2::bigint, $3::bigint, c.subject_id, $4::uuid, $5::text, $6::timestamptz, $7::boolean
FROM consultation c WHERE c.id = $1::bigint
ON CONFLICT (consultation_id, client_key) DO NOTHING
RETURNING id;
