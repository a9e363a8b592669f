-- name: add_staff
-- A member of staff who opened the visit; nothing when they are there already.
INSERT INTO participant (organisation_id, consultation_id, role, staff_id, name, state, identity)
SELECT c.organisation_id, c.id, 'staff', s.id, left(s.display_name, 100), 'waiting', 'signed_in'
FROM consultation c JOIN staff s ON s.id = $2::bigint
WHERE c.id = $1::bigint
ON CONFLICT (consultation_id, staff_id) DO NOTHING
RETURNING id;

-- name: of_staff
-- A member of staff in a visit.
SELECT id FROM participant WHERE consultation_id = $1::bigint AND staff_id = $2::bigint;

-- name: add_guest
-- Whoever holds a link; nothing when they are there already.
INSERT INTO participant (organisation_id, consultation_id, role, link_id, resident_id, name, state, identity)
SELECT l.organisation_id, l.consultation_id, l.role, l.id, l.resident_id, l.name, 'checking', $2::text
FROM join_link l WHERE l.id = $1::bigint
ON CONFLICT (link_id) DO NOTHING
RETURNING id;

-- name: of_link
-- Who came by a link.
SELECT id, consultation_id FROM participant WHERE link_id = $1::bigint;

-- name: set_identity
-- How far it is known who somebody is.
UPDATE participant SET identity = $2::text WHERE id = $1::bigint;

-- name: set_quality
-- What was measured of somebody's connection.
UPDATE participant SET quality = $2::jsonb WHERE id = $1::bigint;
