-- name: resident
-- One resident with the newest stay and the present pause.
SELECT r.id, r.ward_id, w.name AS ward, r.nhs_number, r.family_name, r.given_name, r.title, r.gender, r.born, r.zone,
       r.simulated, r.died_at, s.pathway, s.pathway_version, s.schedule, lower(s.during) AS admitted_at,
       upper(s.during) AS ended_at, s.during @> $2::timestamptz AS on_ward,
       p.reason AS pause_reason, lower(p.during) AS paused_from, upper(p.during) AS paused_until
FROM resident r
JOIN ward w ON w.id = r.ward_id
LEFT JOIN LATERAL (SELECT * FROM spell WHERE resident_id = r.id ORDER BY lower(during) DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (SELECT * FROM pause WHERE resident_id = r.id AND during @> $2::timestamptz LIMIT 1) p ON true
WHERE r.id = $1::bigint;

-- name: residents
-- The residents of a ward, or all that the actor may see, from a name onwards.
SELECT r.id, r.ward_id, w.name AS ward, r.nhs_number, r.family_name, r.given_name, r.title, r.gender, r.born, r.zone,
       r.simulated, r.died_at, s.pathway, s.pathway_version, s.schedule, lower(s.during) AS admitted_at,
       upper(s.during) AS ended_at, s.during @> $2::timestamptz AS on_ward,
       p.reason AS pause_reason, lower(p.during) AS paused_from, upper(p.during) AS paused_until
FROM resident r
JOIN ward w ON w.id = r.ward_id
LEFT JOIN LATERAL (SELECT * FROM spell WHERE resident_id = r.id ORDER BY lower(during) DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (SELECT * FROM pause WHERE resident_id = r.id AND during @> $2::timestamptz LIMIT 1) p ON true
WHERE ($1::bigint IS NULL OR r.ward_id = $1) AND ($3::bigint IS NULL OR r.id > $3)
ORDER BY r.id
LIMIT $4::int;

-- name: readings
-- Readings of a resident, the newest first, before the reading ($5, $6, $7).
SELECT g.taken_at, g.identity, g.value_key, g.effective_at, g.received_at, g.sent_at, g.code, g.value, g.value_code,
       g.unit, g.value_sent, g.unit_sent, g.method, g.absent, g.flags, g.marks, g.context, g.struck, g.set_id,
       d.device_id, g.entered_by
FROM reading g LEFT JOIN device d ON d.id = g.device_pk
WHERE g.resident_id = $1::bigint AND ($2::text IS NULL OR g.code = $2)
  AND ($3::timestamptz IS NULL OR g.taken_at >= $3) AND ($4::timestamptz IS NULL OR g.taken_at < $4)
  AND ($5::timestamptz IS NULL OR (g.taken_at, g.identity, g.value_key) < ($5, $6::uuid, $7::bigint))
ORDER BY g.taken_at DESC, g.identity DESC, g.value_key DESC
LIMIT $8::int;

-- name: recent
-- Readings of a resident by when they count, in a time, the newest first. Nearly always effective_at is taken_at, which
-- names the partitions; the few others (a clock that was wrong by any amount) have an index of their own.
SELECT * FROM (
    SELECT g.taken_at, g.identity, g.value_key, g.effective_at, g.received_at, g.sent_at, g.code, g.value, g.value_code,
           g.unit, g.value_sent, g.unit_sent, g.method, g.absent, g.flags, g.marks, g.context, g.struck, g.set_id,
           d.device_id, g.entered_by
    FROM reading g LEFT JOIN device d ON d.id = g.device_pk
    WHERE g.resident_id = $1::bigint AND g.effective_at = g.taken_at
      AND g.taken_at >= $2::timestamptz AND g.taken_at <= $3::timestamptz
      AND g.effective_at >= $2::timestamptz AND g.effective_at <= $3::timestamptz
    UNION ALL
    SELECT g.taken_at, g.identity, g.value_key, g.effective_at, g.received_at, g.sent_at, g.code, g.value, g.value_code,
           g.unit, g.value_sent, g.unit_sent, g.method, g.absent, g.flags, g.marks, g.context, g.struck, g.set_id,
           d.device_id, g.entered_by
    FROM reading g LEFT JOIN device d ON d.id = g.device_pk
    WHERE g.resident_id = $1::bigint AND g.effective_at IS DISTINCT FROM g.taken_at
      AND g.effective_at >= $2::timestamptz AND g.effective_at <= $3::timestamptz
) AS found
ORDER BY effective_at DESC, taken_at DESC, identity DESC, value_key DESC
LIMIT $4::int;

-- name: points
-- Points of the charts: of every stretch of $5 seconds the least and the greatest number of each code, so that
-- no extreme is lost, and the last two, which are named beside the chart; short stretches keep everything. Of wrong
-- clocks as in "recent".
WITH r AS (
    SELECT code, effective_at, value, marks, method,
           date_bin(make_interval(secs => $5::float8), effective_at, $2::timestamptz) AS stretch
    FROM reading
    WHERE resident_id = $1::bigint AND effective_at >= $2::timestamptz AND effective_at <= $3::timestamptz
      AND taken_at >= $2::timestamptz AND taken_at <= $3::timestamptz AND effective_at = taken_at
      AND code = ANY ($4::text[]) AND NOT struck AND value IS NOT NULL
    UNION ALL
    SELECT code, effective_at, value, marks, method,
           date_bin(make_interval(secs => $5::float8), effective_at, $2::timestamptz) AS stretch
    FROM reading
    WHERE resident_id = $1::bigint AND effective_at >= $2::timestamptz AND effective_at <= $3::timestamptz
      AND effective_at IS DISTINCT FROM taken_at AND code = ANY ($4::text[]) AND NOT struck AND value IS NOT NULL
)
SELECT code, effective_at, value, marks, method FROM (
    (SELECT DISTINCT ON (code, stretch) * FROM r ORDER BY code, stretch, value, effective_at)
    UNION
    (SELECT DISTINCT ON (code, stretch) * FROM r ORDER BY code, stretch, value DESC, effective_at DESC)
    UNION
    (SELECT code, effective_at, value, marks, method, stretch FROM (
        SELECT r.*, row_number() OVER (PARTITION BY code ORDER BY effective_at DESC, value DESC) AS newest FROM r
    ) AS n WHERE newest <= 2)
) p
ORDER BY code, effective_at, value;

-- name: medians
-- What is usual for a resident, of codes whose range differs too much between people for one chart: the median so far.
SELECT code, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS median FROM reading
WHERE resident_id = $1::bigint AND code = ANY ($2::text[]) AND NOT struck AND value IS NOT NULL
GROUP BY code ORDER BY code;

-- name: codes
-- Which codes with numbers a resident has readings of in a time.
SELECT code FROM reading
WHERE resident_id = $1::bigint AND effective_at >= $2::timestamptz AND effective_at <= $3::timestamptz
  AND taken_at >= $2::timestamptz AND taken_at <= $3::timestamptz AND effective_at = taken_at
  AND NOT struck AND value IS NOT NULL
UNION
SELECT code FROM reading
WHERE resident_id = $1::bigint AND effective_at >= $2::timestamptz AND effective_at <= $3::timestamptz
  AND effective_at IS DISTINCT FROM taken_at AND NOT struck AND value IS NOT NULL
ORDER BY code;

-- name: rules
-- The versions of a resident's rules that were in force in a time, oldest first.
SELECT valid_from, rules FROM rule_version
WHERE resident_id = $1::bigint AND valid_from <= $3::timestamptz
  AND valid_from >= coalesce((SELECT max(v.valid_from) FROM rule_version v
                              WHERE v.resident_id = $1::bigint AND v.valid_from <= $2::timestamptz), '-infinity')
ORDER BY valid_from, id;

-- name: alerts_between
-- Alerts of a resident whose episodes touch a time, for marks on the charts.
SELECT a.id, a.rule, a.priority, a.reason, a.evidence, a.open, min(e.started_at) AS started_at,
       CASE WHEN bool_or(e.ended_at IS NULL) THEN NULL ELSE max(e.ended_at) END AS ended_at
FROM alert a JOIN alert_episode l ON l.alert_id = a.id JOIN episode e ON e.id = l.episode_id
WHERE a.resident_id = $1::bigint AND a.condition <> 'withdrawn'
  AND e.started_at <= $3::timestamptz AND (e.ended_at IS NULL OR e.ended_at >= $2::timestamptz)
GROUP BY a.id ORDER BY min(e.started_at), a.id
LIMIT 500;

-- name: pauses_between
-- Pauses of a resident that touch a time.
SELECT lower(during) AS paused_from, upper(during) AS paused_until FROM pause
WHERE resident_id = $1::bigint AND during && tstzrange($2::timestamptz, $3::timestamptz) ORDER BY lower(during);

-- name: devices
-- Devices that a resident has now, alone or by a place on it (places: "room 4", user 2);
-- lost: messages that each gave up before they arrived.
SELECT d.device_id, had.places, d.model, d.codes, c.seen_at, c.status, k.kind AS clock, k.skew_ms, k.since AS clock_since,
       lost.messages AS lost
FROM (
    SELECT device_pk, array_remove(array_agg(place ORDER BY place), NULL) AS places
    FROM (
        SELECT a.device_pk, NULL AS place
        FROM device_assignment a WHERE a.resident_id = $1::bigint AND a.during @> $2::timestamptz
        UNION ALL
        SELECT s.device_pk, CASE s.kind WHEN 'slot' THEN 'user ' || s.label ELSE '“' || s.label || '”' END
        FROM device_seat s WHERE s.resident_id = $1::bigint AND s.during @> $2::timestamptz
    ) AS one GROUP BY device_pk
) AS had JOIN device d ON d.id = had.device_pk LEFT JOIN device_contact c ON c.device_pk = d.id
LEFT JOIN device_clock k ON k.device_pk = d.id AND k.until IS NULL AND k.sure
LEFT JOIN LATERAL (
    SELECT least(coalesce(sum(upper(r)::numeric - lower(r)), 0), 9007199254740991)::bigint AS messages
    FROM device_stream s CROSS JOIN LATERAL unnest(s.lost) AS r WHERE s.device_pk = d.id
) AS lost ON true
ORDER BY d.device_id;

-- name: strikes
-- Entries struck of a resident, the newest first.
SELECT s.at, coalesce(t.display_name, s.actor) AS by, s.reason, g.code, g.value, g.value_code, g.unit, s.taken_at
FROM reading_strike s
LEFT JOIN staff t ON s.actor = 'staff:' || t.id
LEFT JOIN reading g ON g.taken_at = s.taken_at AND g.identity = s.identity AND g.value_key = s.value_key
WHERE s.resident_id = $1::bigint ORDER BY s.at DESC, s.id DESC LIMIT 20;

-- name: ward_devices
-- Devices of the wards that the actor may see, with contact and present resident; lost: messages given up by each.
SELECT d.device_id, d.ward_id, d.model, d.codes, d.revoked_at, c.seen_at, c.status, a.resident_id,
       lost.messages AS lost
FROM device d
LEFT JOIN device_contact c ON c.device_pk = d.id
LEFT JOIN device_assignment a ON a.device_pk = d.id AND a.during @> $2::timestamptz
LEFT JOIN LATERAL (
    SELECT least(coalesce(sum(upper(r)::numeric - lower(r)), 0), 9007199254740991)::bigint AS messages
    FROM device_stream s CROSS JOIN LATERAL unnest(s.lost) AS r WHERE s.device_pk = d.id
) AS lost ON true
WHERE ($1::bigint IS NULL OR d.ward_id = $1) AND ($3::text IS NULL OR d.device_id > $3) AND ($5::text IS NULL OR d.device_id = $5)
ORDER BY d.device_id
LIMIT $4::int;

-- name: demo_counts
-- How much there is on the simulated wards that the actor may see.
SELECT (SELECT count(*) FROM resident r WHERE r.simulated) AS residents,
       (SELECT count(*) FROM device d JOIN ward w ON w.id = d.ward_id WHERE w.simulated AND d.revoked_at IS NULL) AS devices,
       (SELECT count(*) FROM alert a JOIN ward w ON w.id = a.ward_id WHERE w.simulated AND a.open) AS open_alerts,
       (SELECT count(*) FROM reading g WHERE g.resident_id IN (SELECT r.id FROM resident r WHERE r.simulated)
          AND g.taken_at > $1::timestamptz - interval '1 day' AND g.taken_at <= $1::timestamptz) AS readings_day,
       (SELECT coalesce(array_agg(DISTINCT s.pathway ORDER BY s.pathway), '{}') FROM spell s JOIN resident r ON r.id = s.resident_id
        WHERE r.simulated AND s.during @> $1::timestamptz) AS pathways,
       (SELECT min(d.device_id) FROM device d JOIN ward w ON w.id = d.ward_id
        WHERE w.simulated AND d.revoked_at IS NULL AND 'spo2' = ANY (d.codes)) AS example_device;
