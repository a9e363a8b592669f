-- name: beat
-- This process is alive, with what troubles it. $1 name, $2 holder, $3 seconds, $4 trouble.
INSERT INTO lease AS l (name, kind, holder, since, expires_at, trouble)
VALUES ($1::text, 'process', $2::text, clock_timestamp(), clock_timestamp() + make_interval(secs => $3::float8), $4::text)
ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at, trouble = excluded.trouble,
    since = CASE WHEN l.expires_at <= clock_timestamp() THEN excluded.since ELSE l.since END;

-- name: renew
-- Keep the slots ($1 names, $2 their epochs) of holder $3 for $4 seconds more; those that still were theirs.
UPDATE lease l SET expires_at = clock_timestamp() + make_interval(secs => $4::float8)
FROM unnest($1::text[], $2::bigint[]) AS mine (name, epoch)
WHERE l.name = mine.name AND l.epoch = mine.epoch AND l.holder = $3::text
RETURNING l.name;

-- name: state
-- Every lease whose name begins so, in order; gone_seconds: since when it has been nobody's, negative while it is held.
SELECT name, kind, holder, epoch, trouble,
       extract(epoch FROM clock_timestamp() - expires_at)::float8 AS gone_seconds
FROM lease WHERE starts_with(name, $1::text)
ORDER BY kind, since, name;

-- name: take
-- Slot $1 for holder $2 and $3 seconds, if it is nobody's now; its epoch.
INSERT INTO lease AS l (name, kind, holder, since, expires_at)
VALUES ($1::text, 'slot', $2::text, clock_timestamp(), clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, epoch = l.epoch + 1, since = excluded.since, expires_at = excluded.expires_at
    WHERE l.expires_at <= clock_timestamp()
RETURNING epoch;

-- name: release
-- Slot $1 is nobody's from now on, if holder $2 still had it with epoch $3.
UPDATE lease SET expires_at = clock_timestamp(), since = clock_timestamp()
WHERE name = $1::text AND holder = $2::text AND epoch = $3::bigint;

-- name: remove
-- Slot $1 will not be needed again, if holder $2 still had it with epoch $3.
DELETE FROM lease WHERE name = $1::text AND holder = $2::text AND epoch = $3::bigint;

-- name: leave
-- Process $1 ends.
DELETE FROM lease WHERE name = $1::text AND kind = 'process';

-- name: forget
-- Processes of this prefix that ended long ago without a word.
DELETE FROM lease WHERE starts_with(name, $1::text) AND kind = 'process'
    AND expires_at < clock_timestamp() - interval '1 hour';

-- name: groups
-- What the service's shared subscriptions are called, the newest name first.
SELECT name FROM share_group ORDER BY since DESC, name;
