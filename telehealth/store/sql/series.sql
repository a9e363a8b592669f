-- name: add
-- A series of ward $1; nothing when the ward is not the actor's.
INSERT INTO appointment_series (organisation_id, ward_id, kind, weekdays, every_weeks, local_time, zone, minutes, first_on, last_on,
                                reason, created_by, created_at)
SELECT w.organisation_id, w.id, $2::text, $3::integer[], $4::integer, $5::time, $6::text, $7::integer, $8::date, $9::date,
       $10::text, $11::text, $12::timestamptz
FROM ward w WHERE w.id = $1::bigint
RETURNING id;

-- name: add_subjects
-- Whom it is about, in order; fewer rows than asked for means that one is not the actor's.
INSERT INTO appointment_series_subject (series_id, resident_id, position)
SELECT $1::bigint, r.id, array_position($2::bigint[], r.id) - 1 FROM resident r WHERE r.id = ANY ($2::bigint[])
RETURNING resident_id;

-- name: one
-- A series, with those of its residents who are alive and on the ward at $2.
SELECT s.id, s.ward_id, s.kind, s.weekdays, s.every_weeks, s.local_time, s.zone, s.minutes, s.first_on, s.last_on, s.made_until,
       s.reason, s.created_by, s.created_at, s.ended_at,
       (SELECT coalesce(array_agg(u.resident_id ORDER BY u.position), '{}') FROM appointment_series_subject u
        JOIN resident r ON r.id = u.resident_id
        WHERE u.series_id = s.id AND r.died_at IS NULL
          AND EXISTS (SELECT FROM spell p WHERE p.resident_id = r.id AND p.during @> $2::timestamptz)) AS resident_ids
FROM appointment_series s WHERE s.id = $1::bigint;

-- name: hold
-- Keeps a series as it is until the end of the transaction.
SELECT id FROM appointment_series WHERE id = $1::bigint FOR UPDATE;

-- name: to_extend
-- A series whose appointments are not made up to $1 yet and that nobody else is making, beginning after series $2.
SELECT id FROM appointment_series
WHERE ended_at IS NULL AND id > $2::bigint AND coalesce(made_until, '-infinity') < least($1::date, last_on)
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: made
-- Its appointments are made up to this day.
UPDATE appointment_series SET made_until = $2::date WHERE id = $1::bigint;

-- name: end
-- No more of them.
UPDATE appointment_series SET ended_at = $2::timestamptz, ended_by = $3::text WHERE id = $1::bigint;


-- name: to_come
-- Appointments of a series that are to come.
SELECT a.id FROM appointment a JOIN consultation c ON c.appointment_id = a.id
WHERE a.series_id = $1::bigint AND a.cancelled_at IS NULL AND c.state IN ('scheduled', 'waiting') AND a.starts_at > $2::timestamptz
ORDER BY a.starts_at;
