-- name: ask
-- Have devices looked at whose status says something new, beside its time. $1 device_id, $2 status as JSON, $3 when it
-- was received; before the status is noted.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
SELECT d.organisation_id, d.id, a.at, 'status', clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS a (device_id, status, at)
CROSS JOIN LATERAL (SELECT * FROM device d WHERE d.device_id = a.device_id AND d.revoked_at IS NULL LIMIT 1) AS d
WHERE a.status::jsonb - 'sent_at' IS DISTINCT FROM
    (SELECT c.status - 'sent_at' FROM device_contact c WHERE c.device_pk = d.id)
ORDER BY d.id;

-- name: said
-- What devices last said, and whether each is with somebody who is monitored at a moment.
SELECT d.id, d.organisation_id, d.model, d.revoked_at, c.seen_at, c.status, c.status_at, whose.assigned, whose.in_use
FROM device d LEFT JOIN device_contact c ON c.device_pk = d.id CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS assigned,
           coalesce(bool_or(NOT EXISTS (
               SELECT FROM pause z WHERE z.resident_id = had.resident_id AND z.during @> $2::timestamptz)), false) AS in_use
    FROM (
        SELECT a.resident_id FROM device_assignment a WHERE a.device_pk = d.id AND a.during @> $2::timestamptz
        UNION ALL
        SELECT s.resident_id FROM device_seat s WHERE s.device_pk = d.id AND s.during @> $2::timestamptz
    ) AS had JOIN spell p ON p.resident_id = had.resident_id AND p.during @> $2::timestamptz
) AS whose
WHERE d.id = ANY ($1::bigint[]);

-- name: present
-- What is wrong with devices now.
SELECT device_pk, kind, since, until, level, detail FROM device_condition
WHERE device_pk = ANY ($1::bigint[]) AND until IS NULL;

-- name: conditions
-- What was wrong with devices at a moment of each, or later.
SELECT k.device_pk, k.kind, k.since, k.until, k.level, k.detail
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
JOIN device_condition k ON k.device_pk = w.device_pk AND coalesce(k.until, 'infinity') >= w.since
ORDER BY k.device_pk, k.kind, k.since;

-- name: note
-- Conditions that begin, change or end.
INSERT INTO device_condition AS k (organisation_id, device_pk, kind, since, until, level, detail)
SELECT organisation_id, device_pk, kind, since, until, level, detail
FROM jsonb_to_recordset($1::jsonb) AS c (organisation_id bigint, device_pk bigint, kind text, since timestamptz,
    until timestamptz, level text, detail jsonb)
ORDER BY device_pk, kind, until NULLS LAST
ON CONFLICT (device_pk, kind, since) DO UPDATE SET
    until = excluded.until, level = excluded.level, detail = excluded.detail;

-- name: upkeep
-- What of devices runs out or has to be checked, with what was replaced at a moment of each, or later.
SELECT u.id, u.device_pk, u.kind, u.item, u.due_on, u.warn_days, u.created_at,
       least(u.ended_at, d.revoked_at) AS ended_at
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
JOIN device_upkeep u ON u.device_pk = w.device_pk AND coalesce(u.ended_at, 'infinity') >= w.since
JOIN device d ON d.id = u.device_pk
ORDER BY u.device_pk, u.kind, u.item, u.created_at, u.id;

-- name: end_upkeep
-- An item was replaced or checked, or its date is another one from now on; what it was.
UPDATE device_upkeep SET ended_at = greatest($4::timestamptz, created_at), ended_by = $5::text
WHERE device_pk = $1::bigint AND kind = $2::text AND item = $3::text AND ended_at IS NULL
RETURNING due_on, warn_days;

-- name: add_upkeep
-- An item with the last day on which it may be used.
INSERT INTO device_upkeep (organisation_id, device_pk, kind, item, due_on, warn_days, created_by, created_at)
VALUES ($1::bigint, $2::bigint, $3::text, $4::text, $5::date, $6::integer, $7::text, $8::timestamptz);

-- name: present_upkeep
-- What of a device runs out or has to be checked now.
SELECT kind, item, due_on, warn_days, created_by, created_at FROM device_upkeep
WHERE device_pk = $1::bigint AND ended_at IS NULL ORDER BY due_on, kind, item;

-- name: look
-- Have a device looked at because of its upkeep.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
VALUES ($1::bigint, $2::bigint, $3::timestamptz, 'upkeep', clock_timestamp());

-- name: settings
-- The settings in force of organisations.
SELECT DISTINCT ON (organisation_id, name, model) organisation_id, name, model, value, source, approval, set_by, set_at
FROM technical_setting WHERE organisation_id = ANY ($1::bigint[])
ORDER BY organisation_id, name, model, id DESC;

-- name: set
-- Another value of a setting; null: the default again.
INSERT INTO technical_setting (organisation_id, name, model, value, source, approval, set_by, set_at)
VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz);

-- name: look_at_all
-- Have all devices of an organisation looked at, because a setting has changed; or those of one model.
INSERT INTO evaluation_due (organisation_id, device_pk, earliest_at, cause, written_at)
SELECT d.organisation_id, d.id, $3::timestamptz, 'setting', clock_timestamp()
FROM device d WHERE d.organisation_id = $1::bigint AND d.revoked_at IS NULL AND ($2::text = '' OR d.model = $2)
ORDER BY d.id;

-- name: model
-- What a device is.
SELECT model FROM device WHERE id = $1::bigint;

-- name: organisations
-- Organisations that have wards.
SELECT DISTINCT organisation_id FROM ward ORDER BY organisation_id;
