-- name: readings
-- Readings of some residents ($1), of one device ($2), or of nobody from some devices ($3), by taken_at; from $4 on and
-- before $5 (either may be null), also what counts in that time although a wrong clock said otherwise. In two parts, so
-- that the months outside it are not read through: what was taken in it, and the few whose times differ.
WITH chosen AS (
    SELECT * FROM reading r
    WHERE (r.resident_id = ANY ($1::bigint[]) OR r.device_pk = $2::bigint
           OR r.resident_id IS NULL AND r.device_pk = ANY ($3::bigint[]))
      AND ($4::timestamptz IS NULL OR r.taken_at >= $4) AND ($5::timestamptz IS NULL OR r.taken_at < $5)
    UNION ALL
    SELECT * FROM reading r
    WHERE (r.resident_id = ANY ($1::bigint[]) OR r.device_pk = $2::bigint
           OR r.resident_id IS NULL AND r.device_pk = ANY ($3::bigint[]))
      AND r.effective_at IS DISTINCT FROM r.taken_at AND (r.taken_at < $4::timestamptz OR r.taken_at >= $5::timestamptz)
      AND r.effective_at >= coalesce($4, '-infinity') AND r.effective_at < coalesce($5, 'infinity')
)
SELECT d.device_id, p.nhs_number, r.code, r.value, r.value_code, r.absent, r.unit, r.value_sent, r.unit_sent, r.taken_at,
       r.taken_us, r.effective_at, r.received_at, r.stream, r.seq, r.flags, r.marks, r.struck, r.method
FROM chosen r
LEFT JOIN device d ON d.id = r.device_pk
LEFT JOIN resident p ON p.id = r.resident_id
ORDER BY r.taken_at, r.identity, r.value_key;

-- name: members
-- Whom and what an export of a ward is about.
SELECT (SELECT coalesce(array_agg(id), '{}') FROM resident WHERE ward_id = $1::bigint)::bigint[] AS residents,
       (SELECT coalesce(array_agg(id), '{}') FROM device WHERE ward_id = $1::bigint)::bigint[] AS devices;

-- name: alerts
-- Alerts of a resident, of a device, or of a ward, with their episodes' span and all their events.
SELECT a.id AS alert_id, a.rule, a.kind, a.priority, a.condition, a.handling, a.late, p.nhs_number, d.device_id, w.name AS ward,
       a.raised_at, e.episode_from, e.episode_to, a.reason, a.evidence, v.events
FROM alert a
JOIN ward w ON w.id = a.ward_id
LEFT JOIN resident p ON p.id = a.resident_id
LEFT JOIN device d ON d.id = a.device_pk
LEFT JOIN LATERAL (
    SELECT min(x.started_at) AS episode_from,
           CASE WHEN bool_and(x.ended_at IS NOT NULL) THEN max(x.ended_at) END AS episode_to
    FROM alert_episode l JOIN episode x ON x.id = l.episode_id WHERE l.alert_id = a.id
) e ON true
LEFT JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('at', t.at, 'event', t.event, 'actor', t.actor,
               'priority', t.priority, 'note', t.note, 'outcome', t.outcome)) ORDER BY t.id), '[]'::jsonb) AS events
    FROM alert_event t WHERE t.alert_id = a.id
) v ON true
WHERE ($1::bigint IS NULL OR a.resident_id = $1)
  AND ($2::bigint IS NULL OR a.device_pk = $2)
  AND ($3::bigint IS NULL OR a.ward_id = $3)
  AND ($4::timestamptz IS NULL OR a.raised_at >= $4)
  AND ($5::timestamptz IS NULL OR a.raised_at < $5)
ORDER BY a.raised_at, a.id;

-- name: alert_list
-- Alerts of a resident ($1), of a device ($2), of a ward ($3), of several or of everybody (all null), raised from $4 on and
-- before $5, with what a judge of them needs: whose, on which pathway then, their events by time.
SELECT a.id AS alert_id, a.rule, a.kind, a.priority, a.condition, a.handling, p.nhs_number, d.device_id, s.pathway,
       a.onset_at, a.raised_at, a.evidence, v.events
FROM alert a
LEFT JOIN device d ON d.id = a.device_pk
LEFT JOIN LATERAL (
    SELECT g.resident_id FROM device_assignment g WHERE g.device_pk = a.device_pk AND g.during @> a.raised_at LIMIT 1
) h ON a.resident_id IS NULL
LEFT JOIN resident p ON p.id = coalesce(a.resident_id, h.resident_id)
LEFT JOIN LATERAL (
    SELECT x.pathway FROM spell x WHERE x.resident_id = p.id AND x.during @> a.raised_at LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object('at', t.at, 'event', t.event, 'actor', t.actor, 'priority', t.priority)
               ORDER BY t.id), '[]'::jsonb) AS events
    FROM alert_event t WHERE t.alert_id = a.id
) v ON true
WHERE ($1::bigint IS NULL OR a.resident_id = $1 OR h.resident_id = $1)
  AND ($2::bigint IS NULL OR a.device_pk = $2)
  AND ($3::bigint IS NULL OR a.ward_id = $3)
  AND ($4::timestamptz IS NULL OR a.raised_at >= $4)
  AND ($5::timestamptz IS NULL OR a.raised_at < $5)
ORDER BY a.raised_at, a.id;
