-- name: register
-- A media worker takes rooms from now on. $1 id, $2 host, $3 port, $4 token, $5 capacity, $6 now.
INSERT INTO media_worker (id, host, port, token, capacity, started_at, seen_at)
VALUES ($1::uuid, $2::text, $3::integer, $4::text, $5::integer, $6::timestamptz, $6::timestamptz);

-- name: beat
-- Worker $1 is alive at $2 and forwards $3 streams.
UPDATE media_worker SET seen_at = $2::timestamptz, streams = $3::integer
WHERE id = $1::uuid RETURNING id;

-- name: remove
-- Workers that are no more.
DELETE FROM media_worker WHERE id = ANY ($1::uuid[]);

-- name: forget
-- Workers of machines that ended without a word: not seen since $1.
DELETE FROM media_worker WHERE seen_at < $1::timestamptz;

-- name: hold
-- A visit's room, locked until the end of the transaction.
SELECT id, worker_id, epoch, lost_epoch, ended_at FROM consultation WHERE id = $1::bigint FOR UPDATE;

-- name: current
-- Where a visit's media are; nothing if it has ended, has no room, or its worker is no more.
SELECT c.epoch, w.id, w.host, w.port, w.token, w.seen_at
FROM consultation c JOIN media_worker w ON w.id = c.worker_id
WHERE c.id = $1::bigint AND c.ended_at IS NULL;

-- name: best
-- The worker for one more room: seen since $1 and since it was last lost, with streams to spare, the least loaded; $2,
-- where the room was, comes last.
-- A room that nobody has joined yet counts as one of two people.
SELECT w.id, w.host, w.port, w.token
FROM media_worker w
    LEFT JOIN LATERAL (SELECT count(*) AS rooms FROM consultation c
                       WHERE c.worker_id = w.id AND c.ended_at IS NULL) AS given ON true
WHERE w.seen_at >= $1::timestamptz AND w.streams < w.capacity
    AND (w.doubted_at IS NULL OR w.seen_at > w.doubted_at)
ORDER BY w.id IS NOT DISTINCT FROM $2::uuid, greatest(w.streams, 4 * given.rooms)::float8 / w.capacity, w.id
LIMIT 1;

-- name: doubt
-- Epoch $2 of visit $1, at worker $3, was found gone at $4.
WITH told AS (UPDATE consultation SET lost_epoch = $2::integer WHERE id = $1::bigint)
UPDATE media_worker SET doubted_at = $4::timestamptz WHERE id = $3::uuid;

-- name: give
-- Visit $1 is at worker $2 from now on, if nobody has given it away since epoch $3; the new epoch.
UPDATE consultation SET worker_id = $2::uuid, epoch = epoch + 1
WHERE id = $1::bigint AND epoch = $3::integer AND ended_at IS NULL RETURNING epoch;

-- name: tell
-- Whoever shows visit $1 looks again.
SELECT pg_notify('visits', $1::text);
