-- name: put
-- Keep what was refused, with its reason; the same bytes again only count.
-- One entry per refusal: $1 organisation_id, $2 device_pk, $3 topic, $4 digest, $5 reading_index, $6 state,
-- $7 error, $8 field, $9 detail, $10 stream, $11 seq, $12 message_id, $13 size, $14 payload; $15 now.
-- What a retry took in and is refused once more is refused again; what was dismissed stays so.
-- "full" are devices that may have too much now: looked at once in a while, because looking reads all of theirs.
WITH kept AS (
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
    DO UPDATE SET times = q.times + 1, last_at = greatest(q.last_at, excluded.last_at),
                  state = CASE q.state WHEN 'retried' THEN excluded.state ELSE q.state END
    RETURNING q.id, q.device_pk, q.times
)
SELECT coalesce(array_agg(DISTINCT coalesce(device_pk, 0)), '{}')::bigint[] AS full
FROM kept WHERE times = 1 AND hashint8(id) % 32 = 0;

-- name: keep
-- Refusals that came to light when bytes were decoded anew: not another arrival. As put, with $15 when they came.
INSERT INTO quarantine (organisation_id, device_pk, topic, digest, reading_index, state, error, field, detail,
                        stream, seq, message_id, size, payload, first_at, last_at, tried_at)
SELECT s.*, $15::timestamptz, $15::timestamptz, $16::timestamptz
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::integer[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bigint[], $12::text[], $13::integer[], $14::bytea[]) AS s
ON CONFLICT (coalesce(device_pk, 0), digest, reading_index) DO NOTHING;

-- name: count
-- How often what came, by the hour. $1 hour, $2 organisation_id, $3 device_pk, $4 error, $5 times.
INSERT INTO quarantine_count AS c (hour, organisation_id, device_pk, error, times)
SELECT $1::timestamptz, coalesce(s.organisation_id, (SELECT min(o.id) FROM organisation o)), s.device_pk, s.error,
       s.times
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) AS s (organisation_id, device_pk, error, times)
ORDER BY s.device_pk NULLS FIRST, s.error
ON CONFLICT (coalesce(device_pk, 0), hour, error) DO UPDATE SET times = c.times + excluded.times;

-- name: trim
-- The oldest entries of devices (0: unknown ones) beyond $2 entries go, and the oldest bytes beyond $3 bytes.
WITH ranked AS (
    SELECT q.id, octet_length(q.payload) AS bytes,
           row_number() OVER (PARTITION BY coalesce(q.device_pk, 0) ORDER BY q.last_at DESC, q.id DESC) AS place,
           sum(octet_length(q.payload)) OVER (
               PARTITION BY coalesce(q.device_pk, 0) ORDER BY q.last_at DESC, q.id DESC) AS so_far
    FROM quarantine q WHERE coalesce(q.device_pk, 0) = ANY ($1::bigint[])
), held AS (
    SELECT q.id, r.place > $2::bigint AS goes
    FROM ranked r JOIN quarantine q ON q.id = r.id
    WHERE r.place > $2::bigint OR (r.so_far > $3::bigint AND r.bytes > 0)
    ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
), emptied AS (
    UPDATE quarantine q SET payload = '' FROM held h WHERE q.id = h.id AND NOT h.goes
)
DELETE FROM quarantine q USING held h WHERE q.id = h.id AND h.goes;

-- name: devices
-- Devices that have entries, after one; 0: unknown ones.
SELECT DISTINCT coalesce(device_pk, 0) AS device_pk FROM quarantine WHERE coalesce(device_pk, 0) > $1::bigint
ORDER BY 1 LIMIT $2::integer;

-- name: forget
-- Entries that nobody has cared for in a long time. $1 before, $2 at most.
DELETE FROM quarantine WHERE id IN (
    SELECT id FROM quarantine WHERE last_at < $1::timestamptz ORDER BY last_at LIMIT $2::integer);

-- name: forget_counts
-- Counts of hours before $1, at most $2.
DELETE FROM quarantine_count WHERE (coalesce(device_pk, 0), hour, error) IN (
    SELECT coalesce(device_pk, 0), hour, error FROM quarantine_count WHERE hour < $1::timestamptz
    ORDER BY hour LIMIT $2::integer);

-- name: listing
-- Entries without their bytes, newest first. $1 ward_id, $2 device_id, $3 error, $4 states (any may be null),
-- $5 only of unknown devices, $6 and $7 after this last_at and id, $8 how many, $9 one entry.
-- whole: the bytes of its message are all there.
SELECT q.id, d.device_id, d.ward_id, q.topic, q.reading_index, q.state, q.error, q.field, q.detail, q.stream, q.seq,
       q.message_id, q.size, q.first_at, q.last_at, q.times, q.tried_at, q.handled_at, q.handled_by,
       (SELECT t.display_name FROM staff t WHERE q.handled_by = 'staff:' || t.id) AS handled_name, q.note,
       EXISTS (SELECT FROM quarantine s WHERE coalesce(s.device_pk, 0) = coalesce(q.device_pk, 0)
               AND s.digest = q.digest AND octet_length(s.payload) = s.size) AS whole,
       EXISTS (SELECT FROM quarantine s WHERE coalesce(s.device_pk, 0) = coalesce(q.device_pk, 0)
               AND s.digest = q.digest AND octet_length(s.payload) > 0) AS kept
FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::bigint IS NULL OR d.ward_id = $1) AND ($2::text IS NULL OR d.device_id = $2)
  AND ($3::text IS NULL OR q.error = $3) AND ($4::text[] IS NULL OR q.state = ANY ($4))
  AND (NOT $5::boolean OR q.device_pk IS NULL)
  AND ($6::timestamptz IS NULL OR (q.last_at, q.id) < ($6, $7::bigint))
  AND ($9::bigint IS NULL OR q.id = $9)
ORDER BY q.last_at DESC, q.id DESC LIMIT $8::integer;

-- name: groups
-- How many entries each device has for each reason, those with the newest first. As listing, $1 to $5; $6 how many.
SELECT d.device_id, q.error, q.state, count(*) AS entries, sum(q.times)::bigint AS times, max(q.last_at) AS last_at
FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::bigint IS NULL OR d.ward_id = $1) AND ($2::text IS NULL OR d.device_id = $2)
  AND ($3::text IS NULL OR q.error = $3) AND ($4::text[] IS NULL OR q.state = ANY ($4))
  AND (NOT $5::boolean OR q.device_pk IS NULL)
GROUP BY d.device_id, q.error, q.state
ORDER BY max(q.last_at) DESC, d.device_id, q.error, q.state LIMIT $6::integer;

-- name: hours
-- How often what came, by hour and reason, of a ward or of one device; $1 ward_id, $2 device_id, $3 error, $4 since.
SELECT c.hour, c.error, sum(c.times)::bigint AS times
FROM quarantine_count c LEFT JOIN device d ON d.id = c.device_pk
WHERE c.hour >= $4::timestamptz AND ($1::bigint IS NULL OR d.ward_id = $1) AND ($2::text IS NULL OR d.device_id = $2)
  AND ($3::text IS NULL OR c.error = $3)
GROUP BY c.hour, c.error ORDER BY c.hour, c.error;

-- name: payload
-- The bytes of one entry's message, as far as they were kept, for somebody who may see its device.
SELECT coalesce((SELECT s.payload FROM quarantine s WHERE coalesce(s.device_pk, 0) = coalesce(q.device_pk, 0)
                 AND s.digest = q.digest ORDER BY octet_length(s.payload) DESC LIMIT 1), '') AS payload
FROM quarantine q WHERE q.id = $1::bigint;

-- name: chosen
-- Entries to try again: $1 ids, or all of a device ($2 device_id; null with $4: of unknown ones) and a reason ($3)
-- that were not tried since $5; at most $6 of them.
SELECT q.id FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::bigint[] IS NULL OR q.id = ANY ($1))
  AND ($1::bigint[] IS NOT NULL OR (
      ($2::text IS NULL OR d.device_id = $2) AND (NOT $4::boolean OR q.device_pk IS NULL)
      AND ($3::text IS NULL OR q.error = $3) AND q.state IN ('refused', 'held')
      AND (q.tried_at IS NULL OR q.tried_at < $5::timestamptz)))
ORDER BY q.tried_at NULLS FIRST, q.id LIMIT $6::integer;

-- name: lock_devices
-- The contact rows of the devices of some entries, in the order of ingest, which locks them before it comes here.
SELECT c.device_pk FROM device_contact c
WHERE c.device_pk IN (SELECT q.device_pk FROM quarantine q WHERE q.id = ANY ($1::bigint[]))
ORDER BY c.device_pk FOR UPDATE;

-- name: messages
-- The messages of some entries, each with all its entries and its bytes, locked.
WITH asked AS (
    SELECT DISTINCT coalesce(device_pk, 0) AS device, digest FROM quarantine WHERE id = ANY ($1::bigint[])
), found AS (
    SELECT q.* FROM asked a JOIN quarantine q ON coalesce(q.device_pk, 0) = a.device AND q.digest = a.digest
    ORDER BY q.id FOR UPDATE OF q
)
SELECT f.device_pk, f.digest, min(f.topic) AS topic, min(f.first_at) AS first_at, max(f.size) AS size,
       array_agg(f.id ORDER BY f.id) AS ids, array_agg(f.reading_index ORDER BY f.id) AS indexes,
       array_agg(f.state ORDER BY f.id) AS states,
       (array_agg(f.payload ORDER BY octet_length(f.payload) DESC))[1] AS payload
FROM found f GROUP BY f.device_pk, f.digest ORDER BY min(f.first_at), min(f.id);

-- name: tried
-- What became of entries when their bytes were decoded anew. $1 id, $2 state, $3 error, $4 field, $5 detail,
-- $6 note; null: as it was. $7 when, $8 who.
UPDATE quarantine q SET state = coalesce(t.state, q.state), error = coalesce(t.error, q.error),
    field = CASE WHEN t.error IS NULL THEN q.field ELSE t.field END, detail = coalesce(t.detail, q.detail),
    note = t.note, tried_at = $7::timestamptz, handled_at = $7::timestamptz, handled_by = $8::text
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS t (id, state, error, field, detail, note)
WHERE q.id = t.id;

-- name: waiting
-- How many entries of a device and reason were not tried since a moment. As chosen, $1 to $4 are its $2 to $5.
SELECT count(*) FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
WHERE ($1::text IS NULL OR d.device_id = $1) AND (NOT $3::boolean OR q.device_pk IS NULL)
  AND ($2::text IS NULL OR q.error = $2) AND q.state IN ('refused', 'held')
  AND (q.tried_at IS NULL OR q.tried_at < $4::timestamptz);

-- name: dismiss
-- Nothing more is to be done: $1 ids, or of a ward ($2) or unknown devices ($5) by device ($3) and reason ($4);
-- $6 when, $7 who, $8 why.
WITH chosen AS (
    SELECT q.id FROM quarantine q LEFT JOIN device d ON d.id = q.device_pk
    WHERE q.state IN ('refused', 'held') AND ($1::bigint[] IS NULL OR q.id = ANY ($1))
      AND ($2::bigint IS NULL OR d.ward_id = $2) AND ($3::text IS NULL OR d.device_id = $3)
      AND ($4::text IS NULL OR q.error = $4) AND (NOT $5::boolean OR q.device_pk IS NULL)
    ORDER BY q.device_pk NULLS FIRST, q.digest, q.reading_index FOR UPDATE OF q
)
UPDATE quarantine q SET state = 'dismissed', handled_at = $6::timestamptz, handled_by = $7::text, note = $8::text
FROM chosen c WHERE q.id = c.id;

-- name: registered
-- The device of a name, if it may send.
SELECT id, organisation_id FROM device WHERE device_id = $1::text AND revoked_at IS NULL;
