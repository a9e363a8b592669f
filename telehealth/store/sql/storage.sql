-- name: upkeep_turn
-- Only one of several processes looks after storage at a time.
SELECT pg_try_advisory_xact_lock(hashtextextended('upkeep', 0));

-- name: patience
-- How long this transaction may wait for a lock, behind which others wait; and how long it may take. Milliseconds.
SELECT set_config('lock_timeout', $1::text, true), set_config('statement_timeout', $2::text, true);

-- name: months
-- Which months have partitions.
SELECT to_date(substr(c.relname, 9), 'YYYY_MM') AS month
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'public.reading'::regclass AND c.relname ~ '^reading_[0-9]{4}_[0-9]{2}$' ORDER BY 1;

-- name: default_months
-- What lies in DEFAULT, by month.
SELECT month, readings FROM reading_default_months();

-- name: make_partition
-- Make the partition of a month: true; false: it is there; null: DEFAULT holds more than $2 readings of it.
SELECT make_reading_partition($1::date, $2::bigint);

-- name: thin_checkpoints
-- Daily states older than $1, but for the first of every $2 days of each resident, so that a reading that comes very
-- late is never folded from more than that before; at most $3.
DELETE FROM checkpoint WHERE (resident_id, kind, at) IN (
    SELECT resident_id, kind, at FROM (
        SELECT resident_id, kind, at, row_number() OVER (
            PARTITION BY resident_id, date_bin(make_interval(days => $2::integer), at, 'epoch'::timestamptz)
            ORDER BY at) AS place
        FROM checkpoint WHERE kind = 'daily' AND at < $1::timestamptz
    ) AS old WHERE place > 1 LIMIT $3::integer);

-- name: forget_streams
-- Streams that were not continued since $1; at most $2.
DELETE FROM device_stream WHERE (device_pk, stream) IN (
    SELECT device_pk, stream FROM device_stream WHERE updated_at < $1::timestamptz ORDER BY updated_at
    LIMIT $2::integer);

-- name: thin_streams
-- Of every device's streams all but the $1 that were continued last; at most $2. A stream more is a row more, and a device
-- that names a new one in every message would have as many as messages.
DELETE FROM device_stream WHERE (device_pk, stream) IN (
    SELECT device_pk, stream FROM (
        SELECT device_pk, stream, row_number() OVER (PARTITION BY device_pk ORDER BY updated_at DESC, stream) AS place
        FROM device_stream
    ) AS ranked WHERE place > $1::integer LIMIT $2::integer);

-- name: forget_undated
-- When messages without a time first came, of before $1; at most $2.
DELETE FROM undated WHERE (device_pk, message_key) IN (
    SELECT device_pk, message_key FROM undated WHERE received_at < $1::timestamptz ORDER BY received_at
    LIMIT $2::integer);

-- name: forget_seen
-- Sets that were seen before $1, told of or not; at most $2.
DELETE FROM seen_set WHERE (device_pk, set_id) IN (
    SELECT device_pk, set_id FROM seen_set WHERE seen_at < $1::timestamptz ORDER BY seen_at LIMIT $2::integer);

-- name: tables
-- How large every table is, a partitioned one with all its partitions; bytes.
SELECT p.relname AS name, sum(pg_table_size(c.oid) - coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0))::bigint AS heap,
       sum(pg_indexes_size(c.oid))::bigint AS indexes,
       coalesce(sum(pg_relation_size(nullif(c.reltoastrelid, 0))), 0)::bigint AS toast
FROM pg_class p
CROSS JOIN LATERAL (
    SELECT p.oid WHERE p.relkind = 'r'
    UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = p.oid
) AS part
JOIN pg_class c ON c.oid = part.oid
WHERE p.relnamespace = 'public'::regnamespace AND p.relkind IN ('r', 'p') AND NOT p.relispartition
GROUP BY p.relname ORDER BY sum(pg_total_relation_size(c.oid)) DESC, p.relname;

-- name: partitions
-- The partitions of readings with their sizes in bytes; readings: as last estimated, -1 if never.
SELECT c.relname AS name, c.reltuples::bigint AS readings,
       (pg_total_relation_size(c.oid) - pg_indexes_size(c.oid))::bigint AS heap, pg_indexes_size(c.oid)::bigint AS indexes
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'public.reading'::regclass ORDER BY c.relname;

-- name: partition_rows
-- How many readings each partition holds, counted.
SELECT name, readings FROM reading_partition_rows();
