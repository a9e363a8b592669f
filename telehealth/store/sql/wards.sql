-- name: add
-- A new ward of the first organisation.
INSERT INTO ward (organisation_id, name, simulated, created_by, created_at)
SELECT o.id, $1::text, $2::boolean, $3::text, $4::timestamptz FROM organisation o ORDER BY o.id LIMIT 1
RETURNING id, organisation_id, name, simulated;

-- name: listing
-- All wards the actor may see, with how many residents are on them now.
SELECT w.id, w.organisation_id, w.name, w.simulated,
       (SELECT count(*) FROM spell s WHERE s.ward_id = w.id AND s.during @> $1::timestamptz) AS residents
FROM ward w
ORDER BY w.name, w.id;

-- name: find
-- A ward by its number or its exact name.
SELECT id, organisation_id, name, simulated FROM ward WHERE id::text = $1::text OR name = $1::text
ORDER BY (id::text = $1::text) DESC LIMIT 1;
