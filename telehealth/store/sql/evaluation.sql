-- name: candidates
-- Subjects with work due: live ($4) from what came in and from time itself, so that neither starves the other, and
-- late ($5) once it has waited $6 seconds for more of the same resident; rows that another evaluator holds are left
-- to it. $7: rows of late work. "waiting": there is late work. Readings after $3 wait: under a virtual clock those
-- of one step come in any order, and none may make time pass for another. The newest of what is live too: the oldest
-- rows may all be of a few residents who are much work, and nobody is to wait behind them.
WITH came AS (
    SELECT resident_id, device_pk FROM evaluation_due
    WHERE $4::boolean AND due_at = '-infinity' AND NOT late
      AND (resident_id IS NULL OR earliest_at <= $3::timestamptz)
    ORDER BY late, id LIMIT $2::integer FOR UPDATE SKIP LOCKED
), newest AS (
    SELECT resident_id, device_pk FROM evaluation_due
    WHERE $4::boolean AND due_at = '-infinity' AND NOT late
      AND (resident_id IS NULL OR earliest_at <= $3::timestamptz)
    ORDER BY late DESC, id DESC LIMIT $2::integer / 4 FOR UPDATE SKIP LOCKED
), came_late AS (
    SELECT resident_id, device_pk FROM evaluation_due
    WHERE $5::boolean AND due_at = '-infinity' AND late AND (resident_id IS NULL OR earliest_at <= $3::timestamptz)
      -- Written in the future is before the clock was put back: that has waited long enough.
      AND (written_at <= clock_timestamp() - make_interval(secs => $6::double precision)
           OR written_at > clock_timestamp())
    ORDER BY late, id LIMIT $7::integer FOR UPDATE SKIP LOCKED
), fell AS (
    SELECT resident_id, device_pk FROM evaluation_due
    WHERE $4::boolean AND due_at > '-infinity' AND due_at <= $1::timestamptz
    ORDER BY due_at, id LIMIT $2::integer FOR UPDATE SKIP LOCKED
), all_kinds AS (SELECT * FROM came UNION SELECT * FROM newest UNION SELECT * FROM came_late UNION SELECT * FROM fell)
SELECT coalesce(array_agg(DISTINCT resident_id) FILTER (WHERE resident_id IS NOT NULL), '{}')::bigint[] AS residents,
       coalesce(array_agg(DISTINCT device_pk) FILTER (WHERE resident_id IS NULL AND device_pk IS NOT NULL), '{}')::bigint[] AS devices,
       EXISTS (SELECT FROM evaluation_due WHERE due_at = '-infinity' AND late) AS waiting
FROM all_kinds;

-- name: lock_residents
-- One evaluator at a time per resident; a resident whom another holds is left to it. No weaker lock
-- would exclude a second evaluator, no stronger one is needed: foreign keys may still be checked.
SELECT r.id, r.organisation_id, r.ward_id, r.zone
FROM resident r WHERE r.id = ANY ($1::bigint[])
ORDER BY r.id FOR NO KEY UPDATE SKIP LOCKED;

-- name: lock_devices
-- As lock_residents, for devices without a resident.
SELECT d.id, d.organisation_id, d.ward_id
FROM device d WHERE d.id = ANY ($1::bigint[])
ORDER BY d.id FOR NO KEY UPDATE SKIP LOCKED;

-- name: take_of_residents
-- The due rows of residents whom this transaction has locked; late ones only if $4. What another evaluator looks at
-- right now is left to it.
SELECT id, resident_id AS subject, CASE WHEN isfinite(earliest_at) THEN earliest_at END AS earliest_at, cause, detail
FROM evaluation_due WHERE resident_id = ANY ($1::bigint[]) AND due_at <= $2::timestamptz
  AND (due_at > '-infinity' OR earliest_at <= $3::timestamptz) AND (NOT late OR $4::boolean)
ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: take_of_devices
-- The due rows of devices which this transaction has locked.
SELECT id, device_pk AS subject, CASE WHEN isfinite(earliest_at) THEN earliest_at END AS earliest_at, cause, detail
FROM evaluation_due WHERE device_pk = ANY ($1::bigint[]) AND resident_id IS NULL AND due_at <= $2::timestamptz
ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: still_here
-- The process that holds this transaction is alive and at work.
SELECT 1;

-- name: delete_taken
-- The work that this transaction has done, and nothing that came since.
DELETE FROM evaluation_due WHERE id = ANY ($1::bigint[]);

-- name: postpone
-- Work that failed: kept, and tried again later.
UPDATE evaluation_due e SET due_at = $2::timestamptz, detail = coalesce(e.detail, '{}') || $3::jsonb
WHERE e.id = ANY ($1::bigint[]);

-- name: replace_wakes
-- The next time-driven work of residents, one row each, in place of what was there; null: none.
-- It touches no reading, hence earliest_at infinity.
WITH wanted AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS w (resident_id, organisation_id, due_at)
), gone AS (
    DELETE FROM evaluation_due e USING wanted w
    WHERE e.resident_id = w.resident_id AND e.cause = 'time' AND e.due_at IS DISTINCT FROM w.due_at
)
INSERT INTO evaluation_due (organisation_id, resident_id, due_at, earliest_at, cause, written_at)
SELECT w.organisation_id, w.resident_id, w.due_at, 'infinity', 'time', $4::timestamptz FROM wanted w
WHERE w.due_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM evaluation_due e WHERE e.resident_id = w.resident_id AND e.cause = 'time' AND e.due_at = w.due_at);

-- name: queue
-- How much is due (counted up to a bound), and how long the oldest of what came has waited.
WITH came AS (SELECT FROM evaluation_due WHERE due_at = '-infinity' LIMIT 10000
), fell AS (SELECT FROM evaluation_due WHERE due_at > '-infinity' AND due_at <= $1::timestamptz LIMIT 10000
), live AS (SELECT written_at FROM evaluation_due WHERE due_at = '-infinity' AND NOT late ORDER BY late, id LIMIT 1000
), late AS (SELECT written_at FROM evaluation_due WHERE due_at = '-infinity' AND late ORDER BY late, id LIMIT 1000)
SELECT least(10000, (SELECT count(*) FROM came) + (SELECT count(*) FROM fell))::integer AS rows,
       least((SELECT min(written_at) FROM live), (SELECT min(written_at) FROM late)) AS oldest;

-- name: checkpoints
-- For each resident the newest checkpoint before the first event touched.
SELECT w.resident_id, c.kind, c.state, c.readings, c.place
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, earliest_at)
CROSS JOIN LATERAL (
    SELECT k.kind, k.state, k.readings, k.place
    FROM (VALUES ('head'), ('recent'), ('daily')) AS kinds (kind)
    CROSS JOIN LATERAL (
        SELECT p.kind, p.at, p.state, p.readings, p.place FROM checkpoint p
        WHERE p.resident_id = w.resident_id AND p.kind = kinds.kind AND p.at < w.earliest_at
        ORDER BY p.at DESC LIMIT 1) AS k
    ORDER BY k.at DESC, k.kind = 'head' DESC LIMIT 1) AS c;

-- name: weights
-- About how many readings folds of residents from given moments would read, counted up to $4 each.
SELECT w.resident_id, (
    SELECT count(*) FROM (
        SELECT FROM reading r
        WHERE r.resident_id = w.resident_id AND r.code = ANY ($3::text[]) AND r.effective_at > w.since
          AND r.taken_at > w.since
        LIMIT $4::integer) AS bounded) AS readings
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since);

-- name: versions
-- Which rule versions residents have.
SELECT id, resident_id, valid_from FROM rule_version WHERE resident_id = ANY ($1::bigint[])
ORDER BY resident_id, valid_from, id;

-- name: rules
-- The rules of versions; they never change.
SELECT id, rules FROM rule_version WHERE id = ANY ($1::bigint[]);

-- name: spells
-- Stays of residents.
SELECT resident_id, lower(during) AS started_at, upper(during) AS ended_at, schedule
FROM spell WHERE resident_id = ANY ($1::bigint[]) ORDER BY resident_id, during;

-- name: pauses
-- Pauses of residents.
SELECT resident_id, lower(during) AS started_at, upper(during) AS ended_at
FROM pause WHERE resident_id = ANY ($1::bigint[]) ORDER BY resident_id, during;

-- name: readings
-- Readings of residents after each one's checkpoint, of the codes that rules name ($3), packed: 36 bytes each, in the
-- order and the forms of loading.PACKED, because making an object of each takes longer than folding them. Nearly always
-- effective_at is taken_at, which names the partitions; the few others have an index of their own.
-- OFFSET keeps the look-ups by index, whatever the statistics say.
SELECT r.resident_id, string_agg(
    timestamptz_send(r.effective_at) || uuid_send(r.identity)
    || float8send(CASE
        WHEN r.value IS NOT NULL THEN r.value
        WHEN length(r.value_code) = 1 AND strpos($6::text, r.value_code) > 0 THEN strpos($6::text, r.value_code) - 1
        ELSE 'NaN' END)
    || int2send(array_position($3::text[], r.code)::smallint)
    || int2send(CASE WHEN r.marks IS NULL AND r.flags IS NULL THEN 0::smallint ELSE (
        (SELECT coalesce(bit_or(m.bit), 0) FROM unnest($7::text[], $8::integer[]) AS m (name, bit)
         WHERE m.name = ANY (r.marks))
        | CASE WHEN r.flags && $9::text[] THEN $10::integer ELSE 0 END)::smallint END),
    '') AS packed
FROM (
    SELECT r.resident_id, r.effective_at, r.code, r.value, r.value_code, r.identity, r.flags, r.marks
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since) CROSS JOIN LATERAL (
        SELECT * FROM reading r
        WHERE r.resident_id = w.resident_id AND r.code = ANY ($3::text[])
            AND r.effective_at > w.since AND r.taken_at > w.since AND r.effective_at = r.taken_at AND NOT r.struck
            AND r.effective_at <= $5::timestamptz
        OFFSET 0
    ) AS r
    UNION ALL
    SELECT r.resident_id, r.effective_at, r.code, r.value, r.value_code, r.identity, r.flags, r.marks
    FROM reading r
    JOIN unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since) ON r.resident_id = w.resident_id
    WHERE r.effective_at IS DISTINCT FROM r.taken_at AND r.effective_at > $4::timestamptz AND r.effective_at > w.since
      AND r.effective_at <= $5::timestamptz AND r.code = ANY ($3::text[]) AND NOT r.struck
) AS r
GROUP BY r.resident_id;

-- name: hold_back
-- Work for the readings of residents that were left for later, where no other due row covers them.
INSERT INTO evaluation_due (organisation_id, resident_id, earliest_at, cause, written_at)
SELECT later.organisation_id, later.resident_id, later.earliest_at, 'reading', $3::timestamptz
FROM (SELECT organisation_id, resident_id, min(effective_at) AS earliest_at FROM reading
      WHERE resident_id = ANY ($1::bigint[]) AND effective_at > $2::timestamptz AND NOT struck
      GROUP BY organisation_id, resident_id) AS later
WHERE NOT EXISTS (SELECT FROM evaluation_due e WHERE e.resident_id = later.resident_id AND e.due_at = '-infinity'
    AND e.earliest_at <= later.earliest_at);

-- name: touched
-- Episodes of residents that were open at each one's checkpoint or began or ended after it: what a fold from there says
-- again. Usually it says the same, and nothing else has to be read.
SELECT p.resident_id AS subject, p.rule, p.started_at, p.ended_at, p.peak_at, p.peak_value, p.priority, p.provisional,
       p.evidence
FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since)
JOIN episode p ON p.resident_id = w.resident_id AND coalesce(p.ended_at, 'infinity'::timestamptz) > w.since;

-- name: episodes
-- The touched episodes of residents, those whose alert is open, and all others of the alerts of these.
WITH touched AS (
    SELECT p.id FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since)
    JOIN episode p ON p.resident_id = w.resident_id AND coalesce(p.ended_at, 'infinity'::timestamptz) > w.since
), open_ones AS (
    SELECT a.id FROM alert a WHERE a.resident_id = ANY ($1::bigint[]) AND a.open
), alerts AS (
    SELECT l.alert_id FROM alert_episode l WHERE l.episode_id IN (SELECT id FROM touched) UNION SELECT id FROM open_ones
), wanted AS (
    SELECT id FROM touched
    UNION SELECT l.episode_id FROM alert_episode l WHERE l.alert_id IN (SELECT alert_id FROM alerts)
)
SELECT p.id, p.resident_id AS subject, p.rule, p.started_at, p.ended_at, p.peak_at, p.peak_value, p.priority,
       p.provisional, p.evidence, l.alert_id
FROM wanted JOIN episode p USING (id) JOIN alert_episode l ON l.episode_id = p.id;

-- name: device_episodes
-- As episodes, for devices.
WITH touched AS (
    SELECT p.id FROM unnest($1::bigint[], $2::timestamptz[]) AS w (device_pk, since)
    JOIN episode p ON p.device_pk = w.device_pk AND coalesce(p.ended_at, 'infinity'::timestamptz) > w.since
), open_ones AS (
    SELECT a.id FROM alert a WHERE a.device_pk = ANY ($1::bigint[]) AND a.open
), alerts AS (
    SELECT l.alert_id FROM alert_episode l WHERE l.episode_id IN (SELECT id FROM touched) UNION SELECT id FROM open_ones
), wanted AS (
    SELECT id FROM touched
    UNION SELECT l.episode_id FROM alert_episode l WHERE l.alert_id IN (SELECT alert_id FROM alerts)
)
SELECT p.id, p.device_pk AS subject, p.rule, p.started_at, p.ended_at, p.peak_at, p.peak_value, p.priority,
       p.provisional, p.evidence, l.alert_id
FROM wanted JOIN episode p USING (id) JOIN alert_episode l ON l.episode_id = p.id;

-- name: alerts
-- Open alerts of residents, and those named.
SELECT a.id, a.resident_id AS subject, a.rule, a.condition, a.handling, a.priority, a.raised_at
FROM alert a WHERE (a.resident_id = ANY ($1::bigint[]) AND a.open) OR a.id = ANY ($2::bigint[])
ORDER BY a.id;

-- name: device_alerts
-- Open alerts of devices, and those named.
SELECT a.id, a.device_pk AS subject, a.rule, a.condition, a.handling, a.priority, a.raised_at
FROM alert a WHERE (a.device_pk = ANY ($1::bigint[]) AND a.open) OR a.id = ANY ($2::bigint[])
ORDER BY a.id;

-- name: lock_alerts
-- Nobody may handle these alerts while the transaction decides what becomes of them.
SELECT id FROM alert
WHERE (resident_id = ANY ($1::bigint[]) AND open) OR (device_pk = ANY ($2::bigint[]) AND open) OR id = ANY ($3::bigint[])
ORDER BY id FOR UPDATE;

-- name: remove_episodes
-- Episodes that a refold no longer has; their links go with them.
DELETE FROM episode WHERE id = ANY ($1::bigint[]);

-- name: update_episodes
-- Episodes that go on, or have another end, peak or evidence.
UPDATE episode p SET ended_at = e.ended_at, peak_at = e.peak_at, peak_value = e.peak_value, priority = e.priority,
    provisional = e.provisional, evidence = e.evidence
FROM jsonb_to_recordset($1::jsonb) AS e (id bigint, ended_at timestamptz, peak_at timestamptz,
    peak_value double precision, priority text, provisional boolean, evidence jsonb)
WHERE p.id = e.id;

-- name: insert_episodes
-- New episodes.
INSERT INTO episode (organisation_id, resident_id, device_pk, rule, started_at, ended_at, peak_at, peak_value, priority,
    provisional, evidence)
SELECT e.organisation_id, e.resident_id, e.device_pk, e.rule, e.started_at, e.ended_at, e.peak_at, e.peak_value,
    e.priority, e.provisional, e.evidence
FROM jsonb_to_recordset($1::jsonb) AS e (organisation_id bigint, resident_id bigint, device_pk bigint, rule text,
    started_at timestamptz, ended_at timestamptz, peak_at timestamptz, peak_value double precision, priority text,
    provisional boolean, evidence jsonb)
RETURNING id, resident_id, device_pk, rule, started_at;

-- name: insert_alerts
-- New alerts; at most one per subject and rule, because they are open.
INSERT INTO alert (organisation_id, ward_id, resident_id, device_pk, rule, kind, priority, condition, handling,
    provisional, late, onset_at, raised_at, changed_at, reason, evidence)
SELECT a.organisation_id, a.ward_id, a.resident_id, a.device_pk, a.rule, a.kind, a.priority, a.condition, a.handling,
    a.provisional, a.late, a.onset_at, $2::timestamptz, $2::timestamptz, a.reason, a.evidence
FROM jsonb_to_recordset($1::jsonb) AS a (organisation_id bigint, ward_id bigint, resident_id bigint, device_pk bigint,
    rule text, kind text, priority text, condition text, handling text, provisional boolean, late boolean,
    onset_at timestamptz, reason text, evidence jsonb)
RETURNING id, resident_id, device_pk, rule;

-- name: update_alerts
-- What became of alerts; null: as it was.
UPDATE alert a SET priority = c.priority, condition = c.condition, handling = c.handling, provisional = c.provisional,
    onset_at = coalesce(c.onset_at, a.onset_at), changed_at = greatest(a.changed_at, $2::timestamptz),
    reason = coalesce(c.reason, a.reason), evidence = coalesce(c.evidence, a.evidence)
FROM jsonb_to_recordset($1::jsonb) AS c (id bigint, priority text, condition text, handling text, provisional boolean,
    onset_at timestamptz, reason text, evidence jsonb)
WHERE a.id = c.id;

-- name: insert_events
-- What the service did to alerts, in order.
INSERT INTO alert_event (organisation_id, alert_id, at, event, actor, priority, detail)
SELECT e.organisation_id, e.alert_id, $2::timestamptz, e.event, $3::text, e.priority, e.detail
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS raw (item, position)
CROSS JOIN LATERAL jsonb_to_record(raw.item) AS e (organisation_id bigint, alert_id bigint, event text, priority text,
    detail jsonb)
ORDER BY raw.position;

-- name: unlink
-- Forget the links of episodes that become another alert's.
DELETE FROM alert_episode WHERE episode_id = ANY ($1::bigint[]);

-- name: link
-- Which episodes an alert stands for.
INSERT INTO alert_episode (alert_id, episode_id) SELECT * FROM unnest($1::bigint[], $2::bigint[]);

-- name: move_heads
-- The newest state of residents who had one.
UPDATE checkpoint c SET at = h.at, state = h.state, readings = h.readings, place = h.place
FROM jsonb_to_recordset($1::jsonb) AS h (resident_id bigint, at timestamptz, state jsonb, readings integer, place integer)
WHERE c.resident_id = h.resident_id AND c.kind = 'head'
RETURNING c.resident_id;

-- name: insert_checkpoints
-- States of residents.
INSERT INTO checkpoint (resident_id, kind, at, organisation_id, state, readings, place)
SELECT c.resident_id, c.kind, c.at, c.organisation_id, c.state, c.readings, c.place
FROM jsonb_to_recordset($1::jsonb) AS c (resident_id bigint, kind text, at timestamptz, organisation_id bigint,
    state jsonb, readings integer, place integer)
ON CONFLICT (resident_id, kind, at) DO UPDATE
SET state = excluded.state, readings = excluded.readings, place = excluded.place;

-- name: forget_overtaken
-- States of the day and since that a refold has overtaken.
DELETE FROM checkpoint c USING unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since)
WHERE c.resident_id = w.resident_id AND c.kind IN ('daily', 'recent') AND c.at > w.since;

-- name: thin_recent
-- Of the recent states of residents keep the newest (number $2) and ever fewer of the older ones: the one of number n
-- until 2 k newer ones were kept, k being the greatest power of two that divides n. So a refold from the newest
-- before a late reading takes at most about three times the readings that it must, and few states are kept.
DELETE FROM checkpoint c USING unnest($1::bigint[], $2::integer[]) AS w (resident_id, newest)
WHERE c.resident_id = w.resident_id AND c.kind = 'recent'
  AND (c.place > w.newest OR w.newest - c.place >= 2 * (c.place & -c.place));
