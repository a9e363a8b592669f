-- name: settled
-- How many messages of a stream are settled, over all devices.
SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM device_stream, unnest(settled) AS r WHERE stream = $1::text;

-- name: due
-- Whether something came in for these residents that is not evaluated yet.
SELECT EXISTS (SELECT FROM evaluation_due WHERE due_at = '-infinity' AND resident_id = ANY ($1::bigint[]));

-- name: readings_of
-- How many readings these residents have.
SELECT count(*) FROM reading WHERE resident_id = ANY ($1::bigint[]);

-- name: alerted
-- How many of these residents have had an alert of a rule.
SELECT count(DISTINCT resident_id) FROM alert WHERE rule = $1::text AND resident_id = ANY ($2::bigint[]);

-- name: readings
-- How many readings there are.
SELECT count(*) FROM reading;

-- name: position
-- Bytes of write-ahead log since the beginning of the cluster.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: table_bytes
-- Of the readings, without their indexes.
SELECT sum(pg_table_size(relid))::bigint FROM pg_partition_tree('reading') WHERE isleaf;

-- name: index_bytes
-- Of the indexes of readings, by what they are on.
SELECT regexp_replace(i.relname, '_idx$|^reading_([0-9_]+|default)_', '', 'g') AS name,
       sum(pg_relation_size(i.oid))::bigint AS bytes
FROM pg_partition_tree('reading') AS t JOIN pg_index x ON x.indrelid = t.relid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.isleaf GROUP BY 1 ORDER BY 1;

-- name: all_bytes
-- Of all tables with their indexes.
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r';
