-- name: add
-- A new resident; simulated is the ward's.
INSERT INTO resident (organisation_id, ward_id, simulated, nhs_number, family_name, given_name, title, gender, born,
                      zone, created_by, created_at)
SELECT w.organisation_id, w.id, w.simulated, $2::text, $3::text, $4::text, $5::text, $6::text, $7::date,
       $8::text, $9::text, $10::timestamptz
FROM ward w WHERE w.id = $1::bigint
RETURNING id, organisation_id;

-- name: add_spell
-- Admission.
INSERT INTO spell (organisation_id, resident_id, ward_id, pathway, pathway_version, schedule, during, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::bigint, $4::text, $5::text, $6::jsonb, tstzrange($7::timestamptz, NULL), $8::text,
        $9::timestamptz)
RETURNING id;

-- name: add_rules
-- A version of a resident's rules, in force from valid_from.
INSERT INTO rule_version (organisation_id, resident_id, valid_from, rules, spo2_scale, reason, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::timestamptz, $4::jsonb, $5::smallint, $6::text, $7::text, $8::timestamptz)
RETURNING id;

-- name: due
-- Ask the evaluator to fold a resident again from a clinical time on.
INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
SELECT r.organisation_id, r.id, $2::timestamptz, $3::text, $4::timestamptz FROM resident r WHERE r.id = $1::bigint;

-- name: notify_due
-- Wake the evaluator and the boards after commit.
SELECT pg_notify('evaluation_due', ''), pg_notify('changes', $1::text);

-- name: by_nhs_number
-- A resident by NHS number.
SELECT r.id, r.organisation_id, r.ward_id, w.name AS ward, r.nhs_number, r.family_name, r.given_name, r.title, r.gender,
       r.born, r.zone, r.simulated, r.died_at
FROM resident r JOIN ward w ON w.id = r.ward_id
WHERE r.nhs_number = $1::text;

-- name: by_id
-- A resident by number.
SELECT r.id, r.organisation_id, r.ward_id, w.name AS ward, r.nhs_number, r.family_name, r.given_name, r.title, r.gender,
       r.born, r.zone, r.simulated, r.died_at
FROM resident r JOIN ward w ON w.id = r.ward_id
WHERE r.id = $1::bigint;

-- name: listing
-- Residents with their present spell and pause; of one ward, or of all that the actor may see.
SELECT r.id, r.ward_id, w.name AS ward, r.nhs_number, r.family_name, r.given_name, r.title, r.gender, r.born, r.zone,
       r.simulated, s.pathway, s.pathway_version, lower(s.during) AS admitted_at, upper(s.during) AS ended_at, s.end_kind,
       p.reason AS pause_reason, upper(p.during) AS paused_until, p.id IS NOT NULL AS paused
FROM resident r
JOIN ward w ON w.id = r.ward_id
LEFT JOIN LATERAL (SELECT * FROM spell WHERE resident_id = r.id ORDER BY lower(during) DESC LIMIT 1) s ON true
LEFT JOIN pause p ON p.resident_id = r.id AND p.during @> $2::timestamptz
WHERE $1::bigint IS NULL OR r.ward_id = $1
ORDER BY r.family_name, r.given_name, r.id;

-- name: spells
-- Every spell of a resident, newest first.
SELECT id, ward_id, pathway, pathway_version, schedule, lower(during) AS admitted_at, upper(during) AS ended_at, end_kind, end_reason
FROM spell WHERE resident_id = $1::bigint ORDER BY lower(during) DESC;

-- name: pauses
-- Every pause of a resident, newest first.
SELECT id, lower(during) AS paused_from, upper(during) AS paused_until, reason FROM pause
WHERE resident_id = $1::bigint ORDER BY lower(during) DESC NULLS LAST;

-- name: rules
-- Every version of a resident's rules, newest first.
SELECT id, valid_from, rules, reason, created_by, created_at FROM rule_version
WHERE resident_id = $1::bigint ORDER BY valid_from DESC, id DESC;

-- name: add_pause
-- Pause monitoring; without an end it lasts until it is resumed.
INSERT INTO pause (organisation_id, resident_id, during, reason, created_by, created_at)
VALUES ($1::bigint, $2::bigint, tstzrange($3::timestamptz, $4::timestamptz), $5::text, $6::text, $7::timestamptz)
RETURNING id;

-- name: end_pause
-- Resume: end the pause that holds at a moment.
UPDATE pause SET during = tstzrange(lower(during), $2::timestamptz), ended_by = $3::text
WHERE resident_id = $1::bigint AND during @> $2::timestamptz AND lower(during) < $2::timestamptz
RETURNING id, lower(during) AS paused_from;

-- name: end_spell
-- End the open spell.
UPDATE spell SET during = tstzrange(lower(during), $2::timestamptz), end_kind = $3::text, end_reason = $4::text, ended_by = $5::text
WHERE resident_id = $1::bigint AND upper_inf(during) AND lower(during) < $2::timestamptz
RETURNING id;

-- name: end_pauses
-- A pause that holds when a spell ends does not hold for the next one.
UPDATE pause SET during = tstzrange(lower(during), $2::timestamptz), ended_by = $3::text
WHERE resident_id = $1::bigint AND during @> $2::timestamptz AND lower(during) < $2::timestamptz;

-- name: mark_died
-- Record a death.
UPDATE resident SET died_at = $2::timestamptz WHERE id = $1::bigint;

-- name: end_assignments
-- Devices go back when a spell ends.
UPDATE device_assignment SET during = tstzrange(lower(during), $2::timestamptz), ended_by = $3::text
WHERE resident_id = $1::bigint AND during @> $2::timestamptz AND lower(during) < $2::timestamptz
RETURNING device_pk;

-- name: ward_simulated
-- Whether a ward is simulated.
SELECT simulated FROM ward WHERE id = $1::bigint;
