-- name: open_of
-- What of a visit is being recorded now.
SELECT id, participant_id, key_id, wrapped_key, epoch FROM recording
WHERE consultation_id = $1::bigint AND ended_at IS NULL AND deleted_at IS NULL ORDER BY started_at, id;

-- name: add
-- A recording that begins; $8 is when its ward wants it deleted, $9 the epoch of its room.
INSERT INTO recording (id, organisation_id, consultation_id, participant_id, started_at, key_id, wrapped_key, consents, delete_after, epoch)
SELECT $1::uuid, c.organisation_id, c.id, $3::bigint, $4::timestamptz, $5::text, $6::bytea, $7::jsonb, $8::timestamptz, $9::integer
FROM consultation c WHERE c.id = $2::bigint;

-- name: last
-- The last that was said of it: whether everybody is asked for consent (and since for what is recorded), or why it stopped.
SELECT id, event, detail, at FROM consultation_event
WHERE consultation_id = $1::bigint AND event IN ('recording_asked', 'recording_stopped') ORDER BY id DESC LIMIT 1;

-- name: clear_consents
-- Nobody agrees to the next recording before they are asked for it.
UPDATE participant SET consent_at = NULL WHERE consultation_id = $1::bigint AND consent_at IS NOT NULL;

-- name: begun_since
-- Whether anything was recorded since event $2 of a visit.
SELECT EXISTS (SELECT FROM consultation_event WHERE consultation_id = $1::bigint AND event = 'recording_started' AND id > $2::bigint);

-- name: switched_since
-- Whether a visit has gone on to another resident since event $2.
SELECT EXISTS (SELECT FROM consultation_event WHERE consultation_id = $1::bigint AND event = 'subject' AND id > $2::bigint);

-- name: against
-- Who said no to being recorded, or took their consent back, and nothing since; of the last time that people were asked.
SELECT participant_id FROM (
    SELECT DISTINCT ON (participant_id) participant_id, event FROM consultation_event
    WHERE consultation_id = $1::bigint AND event IN ('consent_given', 'consent_refused', 'consent_withdrawn')
      AND id > (SELECT coalesce(max(id), 0) FROM consultation_event
                WHERE consultation_id = $1::bigint AND event = 'recording_asked')
    ORDER BY participant_id, id DESC
) newest WHERE event <> 'consent_given';

-- name: progress
-- How a file stands; never back to fewer chunks, and nothing of one that was deleted.
UPDATE recording SET chunks = $2::integer, bytes = $3::bigint, head = $4::bytea
WHERE id = $1::uuid AND deleted_at IS NULL AND coalesce(chunks, 0) <= $2::integer;

-- name: finish
-- Nothing more is written to it. Its visit, where that was not known before.
UPDATE recording SET ended_at = $2::timestamptz WHERE id = $1::uuid AND ended_at IS NULL RETURNING consultation_id;

-- name: finish_all
-- Nothing more of a visit is recorded.
UPDATE recording SET ended_at = $2::timestamptz WHERE consultation_id = $1::bigint AND ended_at IS NULL RETURNING id;

-- name: finish_of_ended
-- Of visits that are over, whatever became of who wrote it.
UPDATE recording r SET ended_at = greatest(c.ended_at, r.started_at) FROM consultation c
WHERE c.id = r.consultation_id AND r.ended_at IS NULL AND c.ended_at IS NOT NULL RETURNING r.id;

-- name: of_consultation
-- All recordings of a visit, those that were deleted too.
SELECT r.id, r.consultation_id, r.participant_id, p.name, p.role, r.started_at, r.ended_at, r.chunks, r.bytes, r.delete_after, r.deleted_at
FROM recording r JOIN participant p ON p.id = r.participant_id
WHERE r.consultation_id = $1::bigint ORDER BY r.started_at, r.participant_id, r.id;

-- name: one
-- One recording with whose it is and what opens it. What staff and guests of nobody said belongs to whose turn it was then.
SELECT r.id, r.consultation_id, r.participant_id, p.name, p.role, r.started_at, r.ended_at, r.chunks, r.bytes, r.delete_after, r.deleted_at,
       r.head, r.key_id, r.wrapped_key, r.consents, r.organisation_id, c.ward_id, w.name AS ward, w.simulated,
       coalesce(p.resident_id, (SELECT e.resident_id FROM consultation_event e
           WHERE e.consultation_id = c.id AND e.event = 'recording_started' AND e.detail ->> 'recording' = r.id::text),
           c.subject_id) AS resident_id
FROM recording r JOIN participant p ON p.id = r.participant_id JOIN consultation c ON c.id = r.consultation_id
JOIN ward w ON w.id = c.ward_id
WHERE r.id = $1::uuid;

-- name: listing
-- Recordings, the newest first: of visit $1 if given, deleted ones only if $2; at most $3.
SELECT r.id, r.consultation_id, r.participant_id, p.role, w.name AS ward, r.started_at, r.ended_at, r.chunks, r.bytes, r.key_id,
       r.delete_after, r.deleted_at
FROM recording r JOIN participant p ON p.id = r.participant_id JOIN consultation c ON c.id = r.consultation_id
JOIN ward w ON w.id = c.ward_id
WHERE ($1::bigint IS NULL OR r.consultation_id = $1) AND ($2::boolean OR r.deleted_at IS NULL)
ORDER BY r.started_at DESC, r.id LIMIT $3::integer;

-- name: due
-- Whose time is over, held for being deleted; at most $2.
SELECT r.id FROM recording r WHERE r.deleted_at IS NULL AND r.delete_after <= $1::timestamptz ORDER BY r.delete_after, r.id
LIMIT $2::integer FOR UPDATE SKIP LOCKED;

-- name: shred
-- Without its key nobody reads a copy of the file either. Who, how long and the hash stay.
UPDATE recording SET wrapped_key = ''::bytea, deleted_at = $2::timestamptz, ended_at = coalesce(ended_at, $2::timestamptz)
WHERE id = $1::uuid AND deleted_at IS NULL RETURNING consultation_id;

-- name: deleted_among
-- Which of these are deleted: their files are noise, and may go.
SELECT id FROM recording WHERE id = ANY ($1::uuid[]) AND deleted_at IS NOT NULL;

-- name: key_ids
-- How many recordings that are kept need which master key.
SELECT key_id, count(*) FROM recording WHERE deleted_at IS NULL GROUP BY key_id ORDER BY key_id;
