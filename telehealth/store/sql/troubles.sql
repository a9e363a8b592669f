-- name: raise_alert
-- The technical alert that a subject cannot be evaluated: raised, or returned to if one is open.
WITH returned AS (
    UPDATE alert SET condition = 'active', changed_at = greatest(changed_at, $5::timestamptz),
        handling = CASE handling WHEN 'escalated' THEN handling ELSE 'new' END
    WHERE open AND rule = 'evaluation' AND (resident_id = $3::bigint OR device_pk = $4::bigint) AND condition <> 'active'
    RETURNING id, 'returned' AS event
), raised AS (
    INSERT INTO alert (organisation_id, ward_id, resident_id, device_pk, rule, kind, priority, condition, handling,
        onset_at, raised_at, changed_at, reason, evidence)
    SELECT $1::bigint, $2::bigint, $3::bigint, $4::bigint, 'evaluation', 'technical', 'medium', 'active', 'new',
        $5::timestamptz, $5, $5, $6::text, '{}'::jsonb
    WHERE NOT EXISTS (
        SELECT FROM alert a WHERE a.open AND a.rule = 'evaluation'
            AND (a.resident_id = $3::bigint OR a.device_pk = $4::bigint))
    RETURNING id, 'raised' AS event
), news AS (SELECT * FROM returned UNION ALL SELECT * FROM raised), told AS (
    INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, priority)
    SELECT $1::bigint, news.id, $5::timestamptz, news.event, $7::text, 'medium' FROM news
)
SELECT id FROM news;

-- name: clear_alerts
-- Subjects that can be evaluated again.
WITH cleared AS (
    UPDATE alert SET condition = 'cleared', changed_at = greatest(changed_at, $3::timestamptz)
    WHERE open AND rule = 'evaluation' AND condition = 'active'
        AND (resident_id = ANY ($1::bigint[]) OR device_pk = ANY ($2::bigint[]))
    RETURNING id, organisation_id, coalesce(resident_id, device_pk) AS subject
), told AS (
    INSERT INTO alert_event (organisation_id, alert_id, at, event, actor)
    SELECT organisation_id, id, $3::timestamptz, 'cleared', $4::text FROM cleared
)
SELECT id, subject FROM cleared;
