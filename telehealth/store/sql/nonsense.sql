-- name: note
-- Messages of devices that were refused whole: $1 device_pk, $2 refused since the last that was taken in, $3 whether
-- one was, $4 how many were before; $5 now. Work for the evaluator where the count passes $6 either way.
-- The rows are locked by the transaction already.
WITH said AS (
    SELECT s.device_pk, s.accepted, s.before,
           least(CASE WHEN s.accepted THEN s.refused ELSE s.before + s.refused END, 1000000000)::integer AS run
    FROM unnest($1::bigint[], $2::integer[], $3::boolean[], $4::integer[]) AS s (device_pk, refused, accepted, before)
), noted AS (
    UPDATE device_contact c SET refused_run = s.run,
        refused_since = CASE WHEN s.run = 0 THEN NULL WHEN s.accepted OR s.before = 0 THEN $5::timestamptz
                             ELSE c.refused_since END
    FROM said s WHERE c.device_pk = s.device_pk
    RETURNING c.device_pk, c.organisation_id
), due AS (
    INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
    SELECT n.organisation_id, n.device_pk, 'infinity', 'nonsense', clock_timestamp()
    FROM noted n JOIN said s ON s.device_pk = n.device_pk WHERE (s.before >= $6::integer) <> (s.run >= $6::integer)
    RETURNING id
)
SELECT pg_notify('evaluation_due', '') FROM due LIMIT 1;

-- name: runs
-- How devices stand. last_error: why their newest message was refused.
SELECT c.device_pk, c.accepted_at, c.refused_run, c.refused_since, d.revoked_at IS NOT NULL AS revoked,
       (SELECT q.error FROM quarantine q WHERE coalesce(q.device_pk, 0) = c.device_pk
        ORDER BY q.last_at DESC, q.id DESC LIMIT 1) AS last_error
FROM device_contact c JOIN device d ON d.id = c.device_pk WHERE c.device_pk = ANY ($1::bigint[]);

-- name: raise_alerts
-- The technical alert that a device says nothing but nonsense: raised, or returned to if one is open.
-- $1 organisation_id, $2 ward_id, $3 device_pk, $4 onset_at, $5 reason, $6 evidence; $7 now, $8 actor.
WITH bad AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[])
        AS b (organisation_id, ward_id, device_pk, onset_at, reason, evidence)
), returned AS (
    UPDATE alert a SET condition = 'active', changed_at = greatest(a.changed_at, $7::timestamptz), reason = b.reason,
        evidence = b.evidence::jsonb, handling = CASE a.handling WHEN 'escalated' THEN a.handling ELSE 'new' END
    FROM bad b WHERE a.open AND a.rule = 'nonsense' AND a.device_pk = b.device_pk AND a.condition <> 'active'
    RETURNING a.id, a.organisation_id, a.device_pk, 'returned' AS event
), raised AS (
    INSERT INTO alert (organisation_id, ward_id, device_pk, rule, kind, priority, condition, handling, onset_at,
        raised_at, changed_at, reason, evidence)
    SELECT b.organisation_id, b.ward_id, b.device_pk, 'nonsense', 'technical', 'low', 'active', 'new', b.onset_at,
        $7::timestamptz, $7, b.reason, b.evidence::jsonb
    FROM bad b WHERE NOT EXISTS (
        SELECT FROM alert a WHERE a.open AND a.rule = 'nonsense' AND a.device_pk = b.device_pk)
    RETURNING id, organisation_id, device_pk, 'raised' AS event
), news AS (SELECT * FROM returned UNION ALL SELECT * FROM raised), told AS (
    INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, priority)
    SELECT n.organisation_id, n.id, $7::timestamptz, n.event, $8::text, 'low' FROM news n
)
SELECT id, device_pk FROM news;

-- name: clear_alerts
-- Devices that can be read again, or that nobody listens to any more.
WITH cleared AS (
    UPDATE alert SET condition = 'cleared', changed_at = greatest(changed_at, $2::timestamptz)
    WHERE open AND rule = 'nonsense' AND condition = 'active' AND device_pk = ANY ($1::bigint[])
    RETURNING id, organisation_id, device_pk
), told AS (
    INSERT INTO alert_event (organisation_id, alert_id, at, event, actor)
    SELECT organisation_id, id, $2::timestamptz, 'cleared', $3::text FROM cleared
)
SELECT id, device_pk FROM cleared;

-- name: look_at_revoked
-- Alerts of devices that were revoked clear by themselves: have them looked at.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
SELECT a.organisation_id, a.device_pk, 'infinity', 'nonsense', $1::timestamptz
FROM alert a JOIN device d ON d.id = a.device_pk
WHERE a.open AND a.rule = 'nonsense' AND a.condition = 'active' AND d.revoked_at IS NOT NULL;
