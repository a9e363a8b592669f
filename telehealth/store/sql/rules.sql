-- name: at
-- The version of a resident's rules that was in force at a moment; of one that begins later than that, none.
SELECT v.id, v.organisation_id, v.valid_from, v.rules, v.spo2_scale, v.overrides, v.reason, v.created_by, v.created_at,
       s.display_name AS created_name
FROM rule_version v LEFT JOIN staff s ON v.created_by = 'staff:' || s.id
WHERE v.resident_id = $1::bigint AND v.valid_from <= $2::timestamptz
ORDER BY v.valid_from DESC, v.id DESC LIMIT 1;

-- name: newest
-- The last version of a resident's rules, also when it begins only later.
SELECT v.id, v.organisation_id, v.valid_from, v.rules, v.spo2_scale, v.overrides, v.reason, v.created_by, v.created_at,
       s.display_name AS created_name
FROM rule_version v LEFT JOIN staff s ON v.created_by = 'staff:' || s.id
WHERE v.resident_id = $1::bigint ORDER BY v.valid_from DESC, v.id DESC LIMIT 1;

-- name: history
-- Versions of a resident's rules, the newest first.
SELECT v.id, v.organisation_id, v.valid_from, v.rules, v.spo2_scale, v.overrides, v.reason, v.created_by, v.created_at,
       s.display_name AS created_name
FROM rule_version v LEFT JOIN staff s ON v.created_by = 'staff:' || s.id
WHERE v.resident_id = $1::bigint ORDER BY v.valid_from DESC, v.id DESC LIMIT $2::integer;

-- name: add
-- The version that follows another.
INSERT INTO rule_version (organisation_id, resident_id, valid_from, rules, spo2_scale, overrides, follows, reason, created_by,
                          created_at)
VALUES ($1::bigint, $2::bigint, $3::timestamptz, $4::jsonb, $5::smallint, $6::jsonb, $7::bigint, $8::text, $9::text,
        $10::timestamptz)
RETURNING id;

-- name: move_spell
-- The pathway and version of the present stay.
UPDATE spell SET pathway = $2::text, pathway_version = $3::text WHERE resident_id = $1::bigint AND upper_inf(during);

-- name: place
-- The ward and the zone of a resident.
SELECT ward_id, zone FROM resident WHERE id = $1::bigint;

-- name: people
-- What staff are called, of those that the actor sees.
SELECT id, display_name FROM staff WHERE id = ANY ($1::bigint[]);

-- name: pathway
-- A pathway of a hospital's own, as residents were admitted with it.
SELECT content FROM pathway_file WHERE name = $1::text AND version = $2::text;

-- name: keep_pathway
-- Keep a pathway of a hospital's own; one that is kept already stays as it is.
INSERT INTO pathway_file (name, version, content, created_by, created_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::timestamptz)
ON CONFLICT (name, version) DO NOTHING;
