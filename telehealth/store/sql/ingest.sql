-- name: contact
-- Lock the known devices in a fixed order by their contact rows, and note what they say of themselves.
-- $1 device_id, $2 seen_at (null: not a sign of life), $3 clock offset in ms, $4 status as JSON,
-- $5 status_at, $6 now, $7 when readings were accepted; one entry per device.
-- LIMIT keeps the look-ups by index, whatever the statistics say.
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::text[], $5::timestamptz[], $7::timestamptz[])
        AS a (device_id, seen_at, clock_offset_ms, status, status_at, accepted_at)
), known AS (
    SELECT d.id, d.organisation_id, a.clock_offset_ms, a.status, a.status_at, a.accepted_at,
           coalesce(a.seen_at, (SELECT c.seen_at FROM device_contact c WHERE c.device_pk = d.id), a.status_at,
                    $6::timestamptz) AS seen_at
    FROM asked a CROSS JOIN LATERAL (
        SELECT id, organisation_id, revoked_at FROM device d WHERE d.device_id = a.device_id LIMIT 1
    ) AS d
    WHERE d.revoked_at IS NULL
), touched AS (
    INSERT INTO device_contact AS c (device_pk, organisation_id, seen_at, clock_offset_ms, status, status_at,
                                     accepted_at)
    SELECT id, organisation_id, seen_at, clock_offset_ms, status::jsonb, status_at, accepted_at
    FROM known ORDER BY id
    ON CONFLICT (device_pk) DO UPDATE SET
        seen_at = greatest(c.seen_at, excluded.seen_at),
        clock_offset_ms = coalesce(excluded.clock_offset_ms, c.clock_offset_ms),
        status = coalesce(excluded.status, c.status),
        status_at = CASE WHEN excluded.status IS NULL OR excluded.status = c.status THEN c.status_at
                         ELSE excluded.status_at END,
        accepted_at = greatest(c.accepted_at, excluded.accepted_at)
    RETURNING device_pk, refused_run, clock
)
SELECT d.device_id, d.id AS device_pk, d.organisation_id, d.ward_id, t.refused_run, t.clock::text AS clock
FROM touched t CROSS JOIN LATERAL (SELECT * FROM device d WHERE d.id = t.device_pk LIMIT 1) AS d;

-- name: settle
-- Add to the settled sets: what arrived ($4, multiranges as text) and what the device gave up (all below
-- $5). Given up and never arrived is lost. Very scattered sets forget their middle, which is always safe.
-- $1 device_pk, $2 organisation_id, $3 stream, $6 now; one entry per device and stream.
WITH said AS (
    SELECT device_pk, organisation_id, stream, arrived::int8multirange AS arrived,
           int8multirange(int8range(1, coalesce(oldest, 1))) AS given_up
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
        AS a (device_pk, organisation_id, stream, arrived, oldest)
)
INSERT INTO device_stream AS s (device_pk, organisation_id, stream, settled, lost, updated_at)
SELECT device_pk, organisation_id, stream, arrived + given_up, given_up - arrived, $6::timestamptz
FROM said ORDER BY device_pk, stream
ON CONFLICT (device_pk, stream) DO UPDATE SET
    settled = CASE
        WHEN pg_column_size(s.settled) < 8192 THEN s.settled + excluded.settled
        ELSE (
            SELECT range_agg(r) FROM (
                SELECT r, row_number() OVER (ORDER BY r) AS low, row_number() OVER (ORDER BY r DESC) AS high
                FROM unnest(s.settled) AS r
            ) AS ranked WHERE low = 1 OR high <= 200
        ) + excluded.settled END,
    lost = CASE
        WHEN pg_column_size(s.lost) < 8192
        THEN (s.lost - (excluded.settled - excluded.lost)) + (excluded.lost - s.settled)
        ELSE s.lost END,
    updated_at = excluded.updated_at
RETURNING device_pk, stream, settled;

-- name: insert_readings
-- Insert what is new, keep latest values and evaluation work in step with it, and find conflicts.
-- Every parameter is a column, one entry per reading; a column without any value may be null as a whole,
-- organisation_id then means $28 and effective_at taken_at. No reading may be in it twice. One look tells what is
-- there already and what contradicts it: with ON CONFLICT each reading would be looked for three times. Who writes
-- readings of a device holds its contact row; whoever still comes between is stopped by the primary key.
WITH sent AS (
    SELECT * FROM unnest(
        $1::timestamptz[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[], $10::float8[], $11::bigint[], $12::text[], $13::text[], $14::text[],
        $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
        $23::text[], $24::text[], $25::text[], $26::text[], $27::smallint[]
    ) AS s (
        taken_at, identity, value_key, organisation_id, device_pk, resident_id, effective_at,
        received_at, sent_at, value, seq, code, value_code, unit,
        value_sent, unit_sent, stream, source_id, subject, set_id, method, absent,
        flags, marks, context, entered_by, taken_us
    )
), known AS (
    SELECT s.*, e.same, e.other FROM sent s CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(r.value_key = s.value_key), false) AS same,
               coalesce(bool_or(r.value_key <> s.value_key), false) AS other
        FROM reading r WHERE r.taken_at = s.taken_at AND r.identity = s.identity
    ) AS e
), new AS (
    INSERT INTO reading (
        taken_at, identity, value_key, organisation_id, device_pk, resident_id, effective_at,
        received_at, sent_at, value, seq, code, value_code, unit,
        value_sent, unit_sent, stream, source_id, subject, set_id, method, absent,
        flags, marks, context, entered_by, taken_us
    )
    SELECT
        taken_at, identity, value_key, coalesce(organisation_id, $28::bigint), device_pk, resident_id,
        CASE WHEN $7::timestamptz[] IS NULL THEN taken_at ELSE effective_at END,
        received_at, sent_at, value, seq, code, value_code, unit,
        value_sent, unit_sent, stream, source_id, subject, set_id, coalesce(method, 'device'), absent,
        string_to_array(flags, ' '), string_to_array(marks, ' '), context::jsonb, entered_by, taken_us
    FROM known WHERE NOT same
    RETURNING taken_at, identity, value_key, organisation_id, device_pk, resident_id, effective_at, received_at,
              value, code, value_code, unit, method, absent, marks
), newest AS (
    SELECT DISTINCT ON (resident_id, code) *
    FROM new
    WHERE resident_id IS NOT NULL AND absent IS NULL
    ORDER BY resident_id, code, effective_at DESC, taken_at DESC, identity DESC, value_key DESC
), shown AS (
    INSERT INTO latest AS l (resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,
                             value, value_code, unit, absent, method, marks)
    SELECT resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,
           value, value_code, unit, absent, method, marks
    FROM newest ORDER BY resident_id, code
    ON CONFLICT (resident_id, code) DO UPDATE SET
        organisation_id = excluded.organisation_id, effective_at = excluded.effective_at,
        taken_at = excluded.taken_at, received_at = excluded.received_at, identity = excluded.identity,
        value = excluded.value, value_code = excluded.value_code, unit = excluded.unit,
        absent = excluded.absent, method = excluded.method, marks = excluded.marks
    WHERE (excluded.effective_at, excluded.taken_at, excluded.identity) > (l.effective_at, l.taken_at, l.identity)
), due AS (
    INSERT INTO evaluation_due (organisation_id, resident_id, device_pk, earliest_at, cause, late, written_at)
    SELECT organisation_id, resident_id, NULL, min(effective_at),
           CASE WHEN bool_or(code = 'weight') THEN 'weighed' ELSE 'reading' END,
           effective_at < received_at - interval '15 minutes' AS late, clock_timestamp()
    FROM new WHERE resident_id IS NOT NULL GROUP BY organisation_id, resident_id, late
    UNION ALL
    SELECT organisation_id, NULL, device_pk, min(coalesce(effective_at, received_at)), 'reading', false,
           clock_timestamp()
    FROM new WHERE resident_id IS NULL AND device_pk IS NOT NULL GROUP BY organisation_id, device_pk
), clash AS (
    SELECT taken_at, identity FROM known WHERE other AND NOT same
)
SELECT (SELECT count(*) FROM new) AS stored,
       (SELECT array_agg(DISTINCT resident_id) FROM new WHERE resident_id IS NOT NULL) AS residents,
       (SELECT array_agg(DISTINCT device_pk) FROM new WHERE resident_id IS NULL AND device_pk IS NOT NULL) AS devices,
       (SELECT array_agg(taken_at ORDER BY identity, taken_at) FROM clash) AS clash_taken_at,
       (SELECT array_agg(identity ORDER BY identity, taken_at) FROM clash) AS clash_identity;

-- name: mark_conflicts
-- All readings of these identities contradict each other: mark them, and have their residents looked at again.
WITH marked AS (
    UPDATE reading r
    SET marks = array_append(coalesce(array_remove(r.marks, 'conflict'), '{}'), 'conflict')
    FROM unnest($1::timestamptz[], $2::uuid[]) AS c (taken_at, identity)
    WHERE r.taken_at = c.taken_at AND r.identity = c.identity
    RETURNING r.organisation_id, r.resident_id, r.code, r.effective_at
), due AS (
    INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
    SELECT organisation_id, resident_id, min(effective_at), 'conflict', clock_timestamp()
    FROM marked WHERE resident_id IS NOT NULL GROUP BY organisation_id, resident_id
)
SELECT DISTINCT resident_id, code FROM marked WHERE resident_id IS NOT NULL ORDER BY resident_id, code;

-- name: forget_latest
-- Before recomputing: nothing is known of these codes of these residents.
DELETE FROM latest l USING unnest($1::bigint[], $2::text[]) AS a (resident_id, code)
WHERE l.resident_id = a.resident_id AND l.code = a.code;

-- name: recompute_latest
-- The newest measured value of each of these residents and codes, if there is one.
INSERT INTO latest (resident_id, code, organisation_id, effective_at, taken_at, received_at, identity,
                    value, value_code, unit, absent, method, marks)
SELECT r.resident_id, r.code, r.organisation_id, r.effective_at, r.taken_at, r.received_at, r.identity,
       r.value, r.value_code, r.unit, r.absent, r.method, r.marks
FROM unnest($1::bigint[], $2::text[]) AS a (resident_id, code) CROSS JOIN LATERAL (
    SELECT * FROM reading r
    WHERE r.resident_id = a.resident_id AND r.code = a.code AND r.effective_at IS NOT NULL
      AND NOT r.struck AND r.absent IS NULL
    ORDER BY r.effective_at DESC, r.taken_at DESC, r.identity DESC, r.value_key DESC LIMIT 1
) AS r
ORDER BY r.resident_id, r.code
ON CONFLICT (resident_id, code) DO UPDATE SET
    organisation_id = excluded.organisation_id, effective_at = excluded.effective_at,
    taken_at = excluded.taken_at, received_at = excluded.received_at, identity = excluded.identity,
    value = excluded.value, value_code = excluded.value_code, unit = excluded.unit,
    absent = excluded.absent, method = excluded.method, marks = excluded.marks;

-- name: hint
-- Tell the evaluator that there is work and the screens what changed.
SELECT pg_notify('evaluation_due', ''), pg_notify('changes', $1::text);
