-- name: ward
-- One ward, if the actor may see it.
SELECT id, organisation_id, name, simulated FROM ward WHERE id = $1::bigint;

-- name: wards
-- The wards that the actor may see, with how much there is in each.
SELECT w.id, w.organisation_id, w.name, w.simulated,
       (SELECT count(*) FROM spell s JOIN resident r ON r.id = s.resident_id
        WHERE s.ward_id = w.id AND s.during @> $1::timestamptz) AS residents,
       (SELECT count(*) FROM alert a WHERE a.ward_id = w.id AND a.open) AS open_alerts
FROM ward w ORDER BY w.name, w.id;

-- name: residents
-- Who is on a ward now (or those of $3 who are), with pathway, pause, rules in force and last contact.
SELECT r.id, r.nhs_number, r.family_name, r.given_name, r.title, r.gender, r.born, r.zone, r.simulated,
       s.pathway, s.pathway_version, s.schedule, p.reason AS pause_reason, lower(p.during) AS paused_from,
       upper(p.during) AS paused_until, v.rules, c.seen_at, lower(s.during) AS admitted_at,
       (SELECT max(upper(z.during)) FROM pause z
        WHERE z.resident_id = r.id AND upper(z.during) <= $2::timestamptz) AS resumed_at
FROM resident r
JOIN spell s ON s.resident_id = r.id AND s.during @> $2::timestamptz
LEFT JOIN LATERAL (
    SELECT reason, during FROM pause WHERE resident_id = r.id AND during @> $2::timestamptz LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT rules FROM rule_version WHERE resident_id = r.id AND valid_from <= $2::timestamptz
    ORDER BY valid_from DESC, id DESC LIMIT 1) v ON true
LEFT JOIN LATERAL (
    SELECT max(dc.seen_at) AS seen_at FROM device_assignment a JOIN device_contact dc ON dc.device_pk = a.device_pk
    WHERE a.resident_id = r.id AND a.during @> $2::timestamptz) c ON true
WHERE s.ward_id = $1::bigint AND ($3::bigint[] IS NULL OR r.id = ANY ($3));

-- name: latest
-- The newest reading of each code of some residents.
SELECT resident_id, code, effective_at, received_at, value, value_code, unit, absent, method, marks
FROM latest WHERE resident_id = ANY ($1::bigint[]);

-- name: sparks
-- For each (resident, code) the last number of every quarter of an hour from $3 to $4. Nearly always effective_at is
-- taken_at, which names the partitions; the few others have an index of their own.
WITH uncertain AS MATERIALIZED (
    SELECT resident_id, code, effective_at, value FROM reading
    WHERE effective_at IS DISTINCT FROM taken_at AND effective_at > $3::timestamptz AND effective_at <= $4::timestamptz
      AND resident_id = ANY ($1::bigint[]) AND NOT struck AND value IS NOT NULL
)
SELECT q.resident_id, p.effective_at, p.value
FROM unnest($1::bigint[], $2::text[]) AS q (resident_id, code)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (date_bin('15 minutes', effective_at, $3::timestamptz)) effective_at, value
    FROM (
        SELECT effective_at, value FROM reading
        WHERE reading.resident_id = q.resident_id AND reading.code = q.code AND NOT struck AND value IS NOT NULL
          AND effective_at > $3::timestamptz AND effective_at <= $4::timestamptz
          AND taken_at > $3::timestamptz AND taken_at <= $4::timestamptz AND effective_at = taken_at
        UNION ALL
        SELECT u.effective_at, u.value FROM uncertain u WHERE u.resident_id = q.resident_id AND u.code = q.code
    ) AS r
    ORDER BY date_bin('15 minutes', effective_at, $3::timestamptz), effective_at DESC) p
ORDER BY q.resident_id, p.effective_at;

-- name: wards_of_residents
-- On which ward each of some residents is now.
SELECT s.resident_id, s.ward_id FROM spell s
WHERE s.resident_id = ANY ($1::bigint[]) AND s.during @> $2::timestamptz;

-- name: oldest_due
-- Since when (real time) evaluation work waits that could be done at the clinical time $1; null: none waits.
SELECT min(written_at) FROM evaluation_due WHERE due_at <= $1::timestamptz;

-- name: oldest_live_due
-- The same of work that is not of a backlog.
SELECT min(written_at) FROM evaluation_due WHERE due_at <= $1::timestamptz AND NOT late;

-- name: waiting
-- How much evaluation work waits that is due at once, and since when (real time).
SELECT count(*) AS rows, min(written_at) AS since FROM evaluation_due WHERE due_at = '-infinity';
