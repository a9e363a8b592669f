-- name: since
-- From when on a device is decided anew: the first moment touched, or the episode that reaches into it.
SELECT w.device_pk, least(w.earliest_at, min(p.started_at)) AS since
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, earliest_at)
LEFT JOIN episode p ON p.device_pk = w.device_pk AND (p.ended_at IS NULL OR p.ended_at >= w.earliest_at)
GROUP BY w.device_pk, w.earliest_at;

-- name: readings
-- Readings of nobody, by device and time; those of unknown time at their arrival, with the rules of whoever had the
-- device then.
WITH found AS (
    SELECT r.device_pk, r.effective_at, r.received_at, r.code, r.value, r.value_code, r.identity
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
    JOIN reading r ON r.device_pk = w.device_pk AND r.resident_id IS NULL
        AND r.taken_at >= w.since AND r.effective_at = r.taken_at
    WHERE NOT r.struck
    UNION ALL
    SELECT r.device_pk, r.effective_at, r.received_at, r.code, r.value, r.value_code, r.identity
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
    JOIN reading r ON r.device_pk = w.device_pk AND r.resident_id IS NULL
        AND r.effective_at IS DISTINCT FROM r.taken_at AND coalesce(r.effective_at, r.received_at) >= w.since
    WHERE NOT r.struck
)
SELECT f.device_pk, coalesce(f.effective_at, f.received_at) AS at, f.code, f.value, f.value_code, f.identity,
       f.effective_at IS NOT NULL AS time_known, v.id AS version_id
FROM found f LEFT JOIN LATERAL (
    SELECT v.id FROM device_assignment a JOIN rule_version v ON v.resident_id = a.resident_id
    WHERE f.effective_at IS NULL AND a.device_pk = f.device_pk AND a.during @> f.received_at
        AND v.valid_from <= f.received_at
    ORDER BY v.valid_from DESC, v.id DESC LIMIT 1) AS v ON true;

-- name: assigned
-- When assignments of devices begin.
SELECT device_pk, lower(during) AS started_at FROM device_assignment WHERE device_pk = ANY ($1::bigint[])
ORDER BY device_pk, started_at;

-- name: replace_wakes
-- The next time-driven work of devices, one row each, in place of what was there; null: none.
WITH wanted AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS w (device_pk, organisation_id, due_at)
), gone AS (
    DELETE FROM evaluation_due e USING wanted w
    WHERE e.device_pk = w.device_pk AND e.cause = 'time' AND e.due_at IS DISTINCT FROM w.due_at
)
INSERT INTO evaluation_due (organisation_id, device_pk, due_at, earliest_at, cause, written_at)
SELECT w.organisation_id, w.device_pk, w.due_at, 'infinity', 'time', $4::timestamptz FROM wanted w
WHERE w.due_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM evaluation_due e WHERE e.device_pk = w.device_pk AND e.cause = 'time' AND e.due_at = w.due_at);

-- name: ask
-- Have a device's readings of nobody decided anew from a clinical time on.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
SELECT d.organisation_id, d.id, $2::timestamptz, 'attribution', $3::timestamptz FROM device d WHERE d.id = $1::bigint;
