-- name: add
-- Somebody whom mails about a resident's visits go to; nothing when the resident is not the actor's.
INSERT INTO contact (organisation_id, resident_id, relation, name, email, reminders, created_by, created_at)
SELECT r.organisation_id, r.id, $2::text, $3::text, $4::text, $5::boolean, $6::text, $7::timestamptz
FROM resident r WHERE r.id = $1::bigint
RETURNING id;

-- name: of_resident
-- Contacts of a resident that have not been removed.
SELECT id, resident_id, relation, name, email, reminders, created_by, created_at FROM contact
WHERE resident_id = $1::bigint AND removed_at IS NULL ORDER BY id;

-- name: remove
-- Mails go there no more.
UPDATE contact SET removed_at = $2::timestamptz WHERE id = $1::bigint AND removed_at IS NULL
RETURNING resident_id;

-- name: revoke_links
-- Ways in that a contact was sent.
UPDATE join_link SET revoked_at = $2::timestamptz
WHERE revoked_at IS NULL AND token_hash IN (
    SELECT sha256(convert_to((regexp_match(m.body, '/join/([A-Za-z0-9_-]{20,100})'))[1], 'UTF8'))
    FROM mail m WHERE m.contact_id = $1::bigint AND m.body ~ '/join/[A-Za-z0-9_-]{20}');
