-- name: add
-- A session; only the hash of its token is kept. Times are real.
INSERT INTO session (token_hash, staff_id, csrf, created_at, seen_at, expires_at)
VALUES ($1::bytea, $2::bigint, $3::text, $4::timestamptz, $4::timestamptz, $5::timestamptz);

-- name: find
-- The session of a token with its member of staff, while both may still be used.
SELECT s.token_hash, s.staff_id, s.csrf, s.expires_at, s.seen_at, t.organisation_id, t.username, t.display_name, t.role
FROM session s JOIN staff t ON t.id = s.staff_id
WHERE s.token_hash = $1::bytea AND s.expires_at > $2::timestamptz AND t.disabled_at IS NULL;

-- name: touch
-- When a session was last used.
UPDATE session SET seen_at = $2::timestamptz WHERE token_hash = $1::bytea;

-- name: remove
-- Sign out.
DELETE FROM session WHERE token_hash = $1::bytea;

-- name: sweep
-- Forget what is over: sessions, and failures that no longer count.
WITH old AS (DELETE FROM session WHERE expires_at <= $1::timestamptz)
DELETE FROM sign_in_failure WHERE last_at <= $2::timestamptz;

-- name: by_api_token
-- The member of staff that an API token acts as, while both may still be used.
SELECT t.id AS staff_id, t.organisation_id, t.username, t.display_name, t.role
FROM api_token a JOIN staff t ON t.id = a.staff_id
WHERE a.token_hash = $1::bytea AND a.expires_at > $2::timestamptz AND a.revoked_at IS NULL AND t.disabled_at IS NULL;

-- name: still_valid
-- Which of these sessions and API tokens may still be used.
SELECT s.token_hash FROM session s JOIN staff t ON t.id = s.staff_id
WHERE s.token_hash = ANY ($1::bytea[]) AND s.expires_at > $2::timestamptz AND t.disabled_at IS NULL
UNION ALL
SELECT a.token_hash FROM api_token a JOIN staff t ON t.id = a.staff_id
WHERE a.token_hash = ANY ($1::bytea[]) AND a.expires_at > $2::timestamptz AND a.revoked_at IS NULL AND t.disabled_at IS NULL;

-- name: memberships
-- Which wards these members of staff may see now; testers simulated ones only.
SELECT m.staff_id, m.ward_id
FROM membership m JOIN staff t ON t.id = m.staff_id JOIN ward w ON w.id = m.ward_id
WHERE m.staff_id = ANY ($1::bigint[]) AND t.disabled_at IS NULL AND (t.role <> 'tester' OR w.simulated);

-- name: failures
-- Failures of some keys since a time.
SELECT key_hash, failures, last_at FROM sign_in_failure WHERE key_hash = ANY ($1::bytea[]) AND last_at > $2::timestamptz;

-- name: count_failures
-- Count a failure for each key; begin again at one when the last was before $3.
INSERT INTO sign_in_failure (key_hash, failures, last_at)
SELECT k, 1, $2::timestamptz FROM unnest($1::bytea[]) AS k ORDER BY k
ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN sign_in_failure.last_at <= $3::timestamptz THEN 1 ELSE least(sign_in_failure.failures, 1000000) + 1 END,
    last_at = excluded.last_at;

-- name: forget_failures
-- A success clears the failures of its own key.
DELETE FROM sign_in_failure WHERE key_hash = $1::bytea;

-- name: uncount_failure
-- A success takes back the failure that was counted before the password was looked at.
UPDATE sign_in_failure SET failures = greatest(failures - 1, 0) WHERE key_hash = $1::bytea;
