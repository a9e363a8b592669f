-- name: put
-- Keep what was refused, with its reason; the same bytes again only count.
-- One entry per refusal: $1 organisation_id, $2 device_pk, $3 topic, $4 digest, $5 reading_index, $6 state,
-- $7 error, $8 field, $9 detail, $10 stream, $11 seq, $12 message_id, $13 size, $14 payload; $15 now.
INSERT INTO quarantine AS q (organisation_id, device_pk, topic, digest, reading_index, state, error, field, detail,
                             stream, seq, message_id, size, payload, first_at, last_at)
SELECT coalesce(s.organisation_id, (SELECT min(o.id) FROM organisation o)), s.device_pk, s.topic, s.digest,
       s.reading_index, s.state, s.error, s.field, s.detail, s.stream, s.seq, s.message_id, s.size, s.payload,
       $15::timestamptz, $15::timestamptz
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::integer[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bigint[], $12::text[], $13::integer[], $14::bytea[])
    AS s (organisation_id, device_pk, topic, digest, reading_index, state, error, field, detail,
          stream, seq, message_id, size, payload)
ORDER BY s.device_pk NULLS FIRST, s.digest, s.reading_index
ON CONFLICT (coalesce(device_pk, 0), digest, reading_index)
DO UPDATE SET times = q.times + 1, last_at = excluded.last_at;

-- name: listing
-- The newest refusals of a ward's or a device's messages, without their bytes. $1 ward_id, $2 device_pk
-- (either may be null), $3 how many.
SELECT q.id, d.device_id, q.topic, q.reading_index, q.state, q.error, q.field, q.detail, q.stream, q.seq,
       q.message_id, q.size, q.first_at, q.last_at, q.times
FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::bigint IS NULL OR d.ward_id = $1) AND ($2::bigint IS NULL OR q.device_pk = $2)
ORDER BY q.last_at DESC, q.id DESC LIMIT $3::integer;

-- name: counts
-- How many refusals of each kind a ward's or a device's messages have had.
SELECT q.state, q.error, count(*) AS entries, sum(q.times)::bigint AS times, max(q.last_at) AS last_at
FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::bigint IS NULL OR d.ward_id = $1) AND ($2::bigint IS NULL OR q.device_pk = $2)
GROUP BY q.state, q.error
ORDER BY q.state, q.error;

-- name: payload
-- The bytes of one refusal, for somebody who may see its device.
SELECT payload FROM quarantine WHERE id = $1::bigint;
