-- name: waiting
-- Who waits to be let in on a ward, longest first.
SELECT c.id AS consultation_id, c.kind, c.state, a.starts_at, p.id AS participant_id, p.link_id, p.name, p.role, p.identity,
       p.resident_id, nullif(concat_ws(' ', r.title, r.given_name, r.family_name), '') AS resident_name, p.waiting_since,
       p.reason, p.ready, coalesce(l.wrong_births, 0) AS wrong_births, coalesce(l.refused_browsers, 0) AS refused_browsers
FROM consultation c
JOIN participant p ON p.consultation_id = c.id AND p.state = 'waiting' AND p.role <> 'staff'
LEFT JOIN join_link l ON l.id = p.link_id
LEFT JOIN resident r ON r.id = p.resident_id
LEFT JOIN appointment a ON a.id = c.appointment_id
WHERE c.ward_id = $1::bigint AND c.ended_at IS NULL AND p.waiting_since IS NOT NULL
ORDER BY p.waiting_since, p.id
LIMIT 500;

-- name: diary
-- Visits of a ward from $2 to $3.
SELECT c.id AS consultation_id, c.appointment_id, a.series_id, c.alert_id, c.kind, c.state,
       coalesce(a.starts_at, c.created_at) AS starts_at, a.minutes, coalesce(a.reason, '') AS reason, c.started_at, c.ended_at,
       c.outcome, s.resident_ids, s.residents, p.waiting, p.inside, a.uid AS appointment_uid
FROM consultation c
LEFT JOIN appointment a ON a.id = c.appointment_id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(r.id ORDER BY s.position), '{}') AS resident_ids,
           coalesce(array_agg(concat_ws(' ', r.title, r.given_name, r.family_name) ORDER BY s.position), '{}') AS residents
    FROM consultation_subject s JOIN resident r ON r.id = s.resident_id WHERE s.consultation_id = c.id
) AS s
CROSS JOIN LATERAL (
    SELECT (count(*) FILTER (WHERE p.state = 'waiting' AND p.role <> 'staff'))::integer AS waiting,
           (count(*) FILTER (WHERE p.state = 'joined'))::integer AS inside
    FROM participant p WHERE p.consultation_id = c.id
) AS p
WHERE c.ward_id = $1::bigint
  AND ((a.starts_at >= $2::timestamptz AND a.starts_at < $3::timestamptz)
       OR (a.id IS NULL AND c.created_at >= $2 AND c.created_at < $3))
ORDER BY coalesce(a.starts_at, c.created_at), c.id
LIMIT 1000;

-- name: of_resident
-- A resident's visits, newest first.
SELECT c.id AS consultation_id, c.appointment_id, a.series_id, c.alert_id, c.kind, c.state,
       coalesce(a.starts_at, c.created_at) AS starts_at, a.minutes, coalesce(a.reason, '') AS reason, c.started_at, c.ended_at,
       c.outcome, s.resident_ids, s.residents, p.waiting, p.inside, a.uid AS appointment_uid
FROM consultation_subject o
JOIN consultation c ON c.id = o.consultation_id
LEFT JOIN appointment a ON a.id = c.appointment_id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(r.id ORDER BY s.position), '{}') AS resident_ids,
           coalesce(array_agg(concat_ws(' ', r.title, r.given_name, r.family_name) ORDER BY s.position), '{}') AS residents
    FROM consultation_subject s JOIN resident r ON r.id = s.resident_id WHERE s.consultation_id = c.id
) AS s
CROSS JOIN LATERAL (
    SELECT (count(*) FILTER (WHERE p.state = 'waiting' AND p.role <> 'staff'))::integer AS waiting,
           (count(*) FILTER (WHERE p.state = 'joined'))::integer AS inside
    FROM participant p WHERE p.consultation_id = c.id
) AS p
WHERE o.resident_id = $1::bigint
ORDER BY coalesce(a.starts_at, c.created_at) DESC, c.id DESC
LIMIT $2::integer;
