-- name: remember
-- When messages without times first came, and the time and zone given to their readings then; one entry per message.
-- $1 device_pk, $2 organisation_id, $3 message_key, $4 received_at, $5 at, $6 the keys that name one message for good:
-- for others the same bytes after $7 are another message; $8 zone.
INSERT INTO undated AS u (device_pk, organisation_id, message_key, received_at, at, zone)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::timestamptz[], $8::text[])
    AS m (device_pk, organisation_id, message_key, received_at, at, zone)
ORDER BY device_pk, message_key
ON CONFLICT (device_pk, message_key) DO UPDATE SET (received_at, at, zone) = (
    SELECT (CASE WHEN same THEN u.received_at ELSE excluded.received_at END),
           (CASE WHEN same THEN u.at ELSE excluded.at END),
           (CASE WHEN same THEN u.zone ELSE excluded.zone END)
    FROM (SELECT u.message_key = ANY ($6::bytea[]) OR excluded.received_at <= u.received_at + $7::interval AS same) AS s
)
RETURNING device_pk, message_key, received_at, at, zone;

-- name: zones
-- The zone of whoever has each device at a moment, else the one that all share who have a seat at it: $1 device_pk,
-- $2 at.
SELECT h.device_pk,
    coalesce(min(r.zone) FILTER (WHERE h.own), CASE WHEN count(DISTINCT r.zone) = 1 THEN min(r.zone) END) AS zone
FROM (
    SELECT w.device_pk, a.resident_id, true AS own
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, at)
    JOIN device_assignment a ON a.device_pk = w.device_pk AND a.during @> w.at
    UNION ALL
    SELECT w.device_pk, s.resident_id, false
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, at)
    JOIN device_seat s ON s.device_pk = w.device_pk AND s.during @> w.at
) h
JOIN resident r ON r.id = h.resident_id
GROUP BY h.device_pk;
