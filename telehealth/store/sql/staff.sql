-- name: add
-- A new member of staff.
INSERT INTO staff (organisation_id, username, display_name, role, created_by, created_at)
SELECT o.id, $1::text, $2::text, $3::text, $4::text, $5::timestamptz FROM organisation o ORDER BY o.id LIMIT 1
RETURNING id, organisation_id, username, display_name, role;

-- name: set_password
-- The password hash of a member of staff, new or changed.
INSERT INTO staff_credential (staff_id, password_hash, changed_at)
VALUES ($1::bigint, $2::text, $3::timestamptz)
ON CONFLICT (staff_id) DO UPDATE SET password_hash = excluded.password_hash, changed_at = excluded.changed_at;

-- name: join_ward
-- Membership of a ward.
INSERT INTO membership (staff_id, ward_id, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::text, $4::timestamptz)
ON CONFLICT DO NOTHING;

-- name: by_username
-- A member of staff with the stored hash, for signing in; trusted actors only.
SELECT s.id, s.organisation_id, s.username, s.display_name, s.role, s.disabled_at IS NOT NULL AS disabled, c.password_hash
FROM staff s LEFT JOIN staff_credential c ON c.staff_id = s.id
WHERE s.username = lower($1::text);

-- name: listing
-- All staff with the names of their wards.
SELECT s.id, s.username, s.display_name, s.role, s.disabled_at IS NOT NULL AS disabled,
       coalesce(array_agg(w.name ORDER BY w.name) FILTER (WHERE w.id IS NOT NULL), '{}') AS wards
FROM staff s LEFT JOIN membership m ON m.staff_id = s.id LEFT JOIN ward w ON w.id = m.ward_id
GROUP BY s.id
ORDER BY s.username;

-- name: add_token
-- An API token; only its hash is kept.
INSERT INTO api_token (organisation_id, staff_id, name, token_hash, created_by, created_at, expires_at)
VALUES ($1::bigint, $2::bigint, $3::text, $4::bytea, $5::text, $6::timestamptz, $7::timestamptz)
RETURNING id;
