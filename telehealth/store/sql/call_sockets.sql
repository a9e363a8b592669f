-- name: take
-- This socket, of page $4, is the participant's from now on; whoever had another one lost it.
UPDATE participant SET socket = $2::uuid, seen_at = $3::timestamptz, tab = $4::uuid
WHERE id = $1::bigint RETURNING consultation_id;

-- name: held_by_other
-- Whether another page than $2 holds the socket, and was heard of since $3. Held.
SELECT socket IS NOT NULL AND tab IS NOT NULL AND tab <> $2::uuid AND seen_at >= $3::timestamptz FROM participant
WHERE id = $1::bigint FOR UPDATE;

-- name: closed
-- Visits, other than $2, that a member of staff is still noted as in although they have closed its page.
SELECT p.consultation_id, p.id FROM participant p JOIN consultation c ON c.id = p.consultation_id
WHERE p.staff_id = $1::bigint AND p.state = 'joined' AND p.socket IS NULL AND p.seen_at IS NOT NULL AND c.ended_at IS NULL
  AND c.id IS DISTINCT FROM $2::bigint;

-- name: still_closed
-- The same of one, held.
SELECT id FROM participant WHERE id = $1::bigint AND state = 'joined' AND socket IS NULL FOR UPDATE;

-- name: has_none
-- Whether nobody holds a socket of a participant. Held.
SELECT id FROM participant WHERE id = $1::bigint AND socket IS NULL FOR UPDATE;

-- name: keep
-- Which of these sockets are still their participants'; they were heard of now. Who is being changed is left for the next time.
WITH mine AS (
    SELECT * FROM unnest($1::bigint[], $2::uuid[]) AS given (id, socket)
), free AS (
    SELECT p.id FROM participant p JOIN mine ON mine.id = p.id AND mine.socket = p.socket
    ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED
), kept AS (
    UPDATE participant p SET seen_at = $3::timestamptz FROM free WHERE p.id = free.id
)
SELECT p.id FROM participant p JOIN mine ON mine.id = p.id AND mine.socket = p.socket;

-- name: drop
-- The socket is gone; unless another one was taken meanwhile.
UPDATE participant SET socket = NULL WHERE id = $1::bigint AND socket = $2::uuid;

-- name: seen
-- When the people of a visit were last heard of.
SELECT id, socket, seen_at FROM participant WHERE consultation_id = $1::bigint;

-- name: lost
-- Who is inside, and nobody has heard of since $1, in visits that are not over.
SELECT p.consultation_id, p.id FROM participant p JOIN consultation c ON c.id = p.consultation_id
WHERE p.state = 'joined' AND c.ended_at IS NULL AND p.seen_at < $1::timestamptz
ORDER BY p.id LIMIT 200;

-- name: still_lost
-- The same of one, held.
SELECT id FROM participant
WHERE id = $1::bigint AND state = 'joined' AND seen_at < $2::timestamptz FOR UPDATE;

-- name: rang
-- The last ring of a visit, by the number of its event.
SELECT id, resident_id, detail, real_at FROM consultation_event
WHERE consultation_id = $1::bigint AND event = 'rang' ORDER BY id DESC LIMIT 1;

-- name: marks
-- What changes whenever a screen of a visit does: counted changes, the room's epoch, who was heard of since $2, how well.
SELECT c.id, c.seq, c.epoch, count(*) FILTER (WHERE p.socket IS NOT NULL AND p.seen_at >= $2::timestamptz)::integer AS connected,
       coalesce(sum(hashtext(p.id || ' ' || coalesce(p.quality ->> 'now', ''))::bigint), 0)::bigint AS words
FROM consultation c LEFT JOIN participant p ON p.consultation_id = c.id
WHERE c.id = ANY ($1::bigint[]) GROUP BY c.id;

-- name: elsewhere
-- Another visit that the same member of staff is in.
SELECT other.consultation_id FROM participant me
JOIN participant other ON other.staff_id = me.staff_id AND other.state = 'joined' AND other.id <> me.id
JOIN consultation c ON c.id = other.consultation_id AND c.ended_at IS NULL
WHERE me.id = $1::bigint LIMIT 1;

-- name: caring
-- On the residents of which wards these members of staff may act now; testers on simulated ones only, administrators on none.
SELECT m.staff_id, m.ward_id FROM membership m JOIN staff t ON t.id = m.staff_id JOIN ward w ON w.id = m.ward_id
WHERE m.staff_id = ANY ($1::bigint[]) AND t.disabled_at IS NULL
  AND (t.role = 'clinician' OR (t.role = 'tester' AND w.simulated));

-- name: rebuilt
-- Whether it is noted that the room got this epoch.
SELECT EXISTS (SELECT FROM consultation_event WHERE consultation_id = $1::bigint AND event = 'rebuilt'
    AND detail ->> 'epoch' = $2::integer::text);

-- name: valid_links
-- Which of these links still belong to these browsers.
SELECT l.id FROM join_link l JOIN unnest($1::bigint[], $2::bytea[]) AS mine (id, browser) ON mine.id = l.id
WHERE l.browser_hash = mine.browser AND (l.revoked_at IS NULL OR EXISTS (
    SELECT FROM consultation c WHERE c.id = l.consultation_id AND c.ended_at IS NOT NULL));
