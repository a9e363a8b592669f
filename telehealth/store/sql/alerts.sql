-- name: open_of_ward
-- Open alerts of a ward: high priority first, then newest.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, d.device_id
FROM alert a LEFT JOIN resident r ON r.id = a.resident_id LEFT JOIN device d ON d.id = a.device_pk
WHERE a.ward_id = $1::bigint AND a.open
ORDER BY array_position(ARRAY['high', 'medium', 'low'], a.priority), a.raised_at DESC, a.id DESC
LIMIT $2::integer;

-- name: open_of_resident
-- Open alerts of a resident: high priority first, then newest.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, NULL::text AS device_id
FROM alert a JOIN resident r ON r.id = a.resident_id
WHERE a.resident_id = $1::bigint AND a.open
ORDER BY array_position(ARRAY['high', 'medium', 'low'], a.priority), a.raised_at DESC, a.id DESC
LIMIT $2::integer;

-- name: page_of_ward
-- A ward's alerts, newest raised first, below a (raised_at, id); filters may be null.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, d.device_id
FROM alert a LEFT JOIN resident r ON r.id = a.resident_id LEFT JOIN device d ON d.id = a.device_pk
WHERE a.ward_id = $1::bigint AND (a.raised_at, a.id) < ($2::timestamptz, $3::bigint)
  AND ($4::boolean IS NULL OR a.open = $4) AND ($5::text IS NULL OR a.condition = $5)
  AND ($6::text IS NULL OR a.handling = $6)
ORDER BY a.raised_at DESC, a.id DESC
LIMIT $7::integer;

-- name: page_of_resident
-- A resident's alerts, newest raised first, below a (raised_at, id); filters may be null.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, NULL::text AS device_id
FROM alert a JOIN resident r ON r.id = a.resident_id
WHERE a.resident_id = $1::bigint AND (a.raised_at, a.id) < ($2::timestamptz, $3::bigint)
  AND ($4::boolean IS NULL OR a.open = $4) AND ($5::text IS NULL OR a.condition = $5)
  AND ($6::text IS NULL OR a.handling = $6) AND ($8::bigint IS NULL OR a.ward_id = $8)
ORDER BY a.raised_at DESC, a.id DESC
LIMIT $7::integer;

-- name: page_of_actor
-- Alerts of every ward that the actor may see, newest raised first, below a (raised_at, id).
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, d.device_id
FROM alert a LEFT JOIN resident r ON r.id = a.resident_id LEFT JOIN device d ON d.id = a.device_pk
WHERE (a.raised_at, a.id) < ($1::timestamptz, $2::bigint)
  AND ($3::boolean IS NULL OR a.open = $3) AND ($4::text IS NULL OR a.condition = $4)
  AND ($5::text IS NULL OR a.handling = $5)
ORDER BY a.raised_at DESC, a.id DESC
LIMIT $6::integer;

-- name: one
-- One alert.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, d.device_id
FROM alert a LEFT JOIN resident r ON r.id = a.resident_id LEFT JOIN device d ON d.id = a.device_pk
WHERE a.id = $1::bigint;

-- name: handled_automatically
-- How many alerts of ward $1 cleared since $2 before anybody handled them, by rules that leave that to the service.
SELECT count(*)::integer AS alerts FROM alert a
WHERE a.ward_id = $1::bigint AND a.handling = 'automatic' AND a.changed_at >= $2::timestamptz;

-- name: many
-- Several alerts by id, for those who heard that they changed.
SELECT a.id, a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition,
       a.handling, a.open, a.provisional, a.late, a.onset_at, a.raised_at, a.changed_at, a.reason, a.evidence,
       r.nhs_number, r.family_name, r.given_name, r.title, r.zone, d.device_id
FROM alert a LEFT JOIN resident r ON r.id = a.resident_id LEFT JOIN device d ON d.id = a.device_pk
WHERE a.id = ANY ($1::bigint[])
ORDER BY a.id;

-- name: events
-- What happened to an alert, oldest first, with the name of the member of staff who did it.
SELECT e.at, e.event, e.actor, s.display_name AS actor_name, e.priority, e.note, e.outcome, e.detail
FROM alert_event e LEFT JOIN staff s ON e.actor = 'staff:' || s.id
WHERE e.alert_id = $1::bigint
ORDER BY e.id;

-- name: episodes
-- The episodes of an alert, oldest first.
SELECT p.started_at, p.ended_at, p.peak_at, p.peak_value, p.priority, p.provisional, p.evidence
FROM alert_episode l JOIN episode p ON p.id = l.episode_id
WHERE l.alert_id = $1::bigint
ORDER BY p.started_at, p.id;

-- name: lock
-- One alert for a change of its handling.
SELECT id, organisation_id, ward_id, resident_id, condition, handling, priority
FROM alert WHERE id = $1::bigint FOR UPDATE;

-- name: handled
-- The event of somebody's handling.
INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, note, outcome)
VALUES ($1::bigint, $2::bigint, $3::timestamptz, $4::text, $5::text, $6::text, $7::text);

-- name: set_handling
-- The derived state after an event.
UPDATE alert SET handling = $2::text, changed_at = greatest(changed_at, $3::timestamptz) WHERE id = $1::bigint;

-- name: acknowledged_by
-- Who acknowledged an alert last.
SELECT actor FROM alert_event WHERE alert_id = $1::bigint AND event = 'acknowledged' ORDER BY id DESC LIMIT 1;

-- name: resolved_by
-- Who resolved an alert last, and how.
SELECT ARRAY[actor, outcome] FROM alert_event
WHERE alert_id = $1::bigint AND event = 'resolved' ORDER BY id DESC LIMIT 1;

-- name: notify
-- Tell whoever shows alerts.
SELECT pg_notify('changes', $1::text);

-- name: open_by_priority
-- Open alerts by kind and priority, for the metrics.
SELECT kind, priority, count(*)::integer AS open FROM alert WHERE open GROUP BY kind, priority;

-- name: open_by_nhs_number
-- How many open alerts each resident has.
SELECT r.nhs_number, count(*) AS alerts FROM alert a JOIN resident r ON r.id = a.resident_id WHERE a.open
GROUP BY r.nhs_number;
