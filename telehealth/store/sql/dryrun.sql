-- name: subject
-- Where a resident lives in time.
SELECT id, zone FROM resident WHERE id = $1::bigint;

-- name: versions
-- The rules of a resident, every version.
SELECT valid_from, rules FROM rule_version WHERE resident_id = $1::bigint ORDER BY valid_from, id;

-- name: spells
-- Stays of a resident.
SELECT lower(during) AS started_at, upper(during) AS ended_at, schedule
FROM spell WHERE resident_id = $1::bigint ORDER BY during;

-- name: pauses
-- Pauses of a resident.
SELECT lower(during) AS started_at, upper(during) AS ended_at
FROM pause WHERE resident_id = $1::bigint ORDER BY during;

-- name: readings
-- Readings of a resident after $2 and up to $3, of the codes that rules name, at most $5. Of wrong clocks as in
-- evaluation.
SELECT * FROM (
    SELECT r.effective_at, r.code, r.value, r.value_code, r.identity, r.flags, r.marks
    FROM reading r
    WHERE r.resident_id = $1::bigint AND r.code = ANY ($4::text[]) AND r.effective_at = r.taken_at
      AND r.taken_at > $2::timestamptz AND r.taken_at <= $3::timestamptz
      AND r.effective_at > $2::timestamptz AND r.effective_at <= $3::timestamptz AND NOT r.struck
    UNION ALL
    SELECT r.effective_at, r.code, r.value, r.value_code, r.identity, r.flags, r.marks
    FROM reading r
    WHERE r.resident_id = $1::bigint AND r.code = ANY ($4::text[]) AND r.effective_at IS DISTINCT FROM r.taken_at
      AND r.effective_at > $2::timestamptz AND r.effective_at <= $3::timestamptz AND NOT r.struck
) AS found
LIMIT $5::integer;

-- name: acted_on
-- Alerts of a resident after $2 that staff found true and acted on.
SELECT a.rule, a.onset_at, a.reason FROM alert a
WHERE a.resident_id = $1::bigint AND a.onset_at > $2::timestamptz AND a.kind = 'physiological'
  AND EXISTS (SELECT FROM alert_event e WHERE e.alert_id = a.id AND e.event = 'resolved' AND e.outcome = 'action_taken')
ORDER BY a.onset_at LIMIT 200;
