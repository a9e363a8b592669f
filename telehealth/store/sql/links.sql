-- name: add
-- A way in to visit $1 for resident $3 or somebody who comes with them; nothing when either is not the actor's.
INSERT INTO join_link (organisation_id, consultation_id, role, resident_id, name, token_hash, expires_at, created_by, created_at)
SELECT c.organisation_id, c.id, $2::text, s.resident_id, $4::text, $5::bytea, $6::timestamptz, $7::text, $8::timestamptz
FROM consultation c JOIN consultation_subject s ON s.consultation_id = c.id AND s.resident_id = $3::bigint
WHERE c.id = $1::bigint AND c.ended_at IS NULL
RETURNING id;

-- name: by_token
-- A link by the hash of its token.
SELECT l.id, l.organisation_id, l.consultation_id, l.role, l.resident_id, l.name, l.browser_hash IS NOT NULL AS bound,
       l.expires_at, l.wrong_births, l.refused_browsers, l.allow_another, l.revoked_at, c.state, c.kind, c.ward_id,
       a.starts_at, a.minutes, p.id AS participant_id, p.identity, p.state AS presence
FROM join_link l JOIN consultation c ON c.id = l.consultation_id
LEFT JOIN appointment a ON a.id = c.appointment_id LEFT JOIN participant p ON p.link_id = l.id
WHERE l.token_hash = $1::bytea;

-- name: of_browser
-- A link that is bound to a browser.
SELECT l.id, l.organisation_id, l.consultation_id, l.role, l.resident_id, l.name, l.browser_hash IS NOT NULL AS bound,
       l.expires_at, l.wrong_births, l.refused_browsers, l.allow_another, l.revoked_at, c.state, c.kind, c.ward_id,
       a.starts_at, a.minutes, p.id AS participant_id, p.identity, p.state AS presence
FROM join_link l JOIN consultation c ON c.id = l.consultation_id
LEFT JOIN appointment a ON a.id = c.appointment_id LEFT JOIN participant p ON p.link_id = l.id
WHERE l.id = $1::bigint AND l.browser_hash = $2::bytea;

-- name: held_by
-- The newest link that a browser holds.
SELECT l.id, l.organisation_id, l.consultation_id, c.ward_id FROM join_link l JOIN consultation c ON c.id = l.consultation_id
WHERE l.browser_hash = $1::bytea ORDER BY l.id DESC LIMIT 1;

-- name: of_visit
-- All ways in to a visit.
SELECT l.id, l.organisation_id, l.consultation_id, l.role, l.resident_id, l.name, l.browser_hash IS NOT NULL AS bound,
       l.expires_at, l.wrong_births, l.refused_browsers, l.allow_another, l.revoked_at, c.state, c.kind, c.ward_id,
       a.starts_at, a.minutes, p.id AS participant_id, p.identity, p.state AS presence
FROM join_link l JOIN consultation c ON c.id = l.consultation_id
LEFT JOIN appointment a ON a.id = c.appointment_id LEFT JOIN participant p ON p.link_id = l.id
WHERE l.consultation_id = $1::bigint ORDER BY l.id;

-- name: hold_visit
-- Keeps the visit of a link as it is: before the link itself, in the order in which whoever ends the visit locks them.
SELECT c.id FROM consultation c JOIN join_link l ON l.consultation_id = c.id WHERE l.id = $1::bigint FOR UPDATE OF c;

-- name: hold
-- A link that is about to be bound or tried.
SELECT l.id, l.consultation_id, l.role, l.resident_id, l.browser_hash, l.expires_at, l.revoked_at, l.allow_another,
       l.wrong_births, r.born, c.ended_at, c.ward_id
FROM join_link l JOIN resident r ON r.id = l.resident_id JOIN consultation c ON c.id = l.consultation_id
WHERE l.id = $1::bigint FOR UPDATE OF l;

-- name: bind
-- To this browser, from now on; what other browsers tried before it is settled by that.
UPDATE join_link SET browser_hash = $2::bytea, bound_at = $3::timestamptz, allow_another = false, refused_browsers = 0
WHERE id = $1::bigint;

-- name: refuse
-- Another browser tried.
UPDATE join_link SET refused_browsers = refused_browsers + 1 WHERE id = $1::bigint;

-- name: wrong_birth
-- A wrong date of birth.
UPDATE join_link SET wrong_births = wrong_births + 1 WHERE id = $1::bigint;

-- name: allow
-- The next browser may take it over.
UPDATE join_link SET allow_another = true WHERE id = $1::bigint AND revoked_at IS NULL
RETURNING consultation_id, resident_id;

-- name: revoke
-- It opens nothing any more.
UPDATE join_link l SET revoked_at = coalesce(l.revoked_at, $2::timestamptz) WHERE l.id = $1::bigint
RETURNING l.consultation_id, l.resident_id, (SELECT p.id FROM participant p WHERE p.link_id = l.id) AS participant_id;

-- name: move
-- The links of a visit that was moved.
UPDATE join_link SET expires_at = $2::timestamptz WHERE consultation_id = $1::bigint AND revoked_at IS NULL;

-- name: role
-- What a link is for.
SELECT role FROM join_link WHERE id = $1::bigint;
