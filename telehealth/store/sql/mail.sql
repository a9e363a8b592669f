-- name: write
-- A mail about resident $2, to be sent at $9; the same key twice is one.
INSERT INTO mail (organisation_id, appointment_id, resident_id, contact_id, about, key, to_address, subject, body, calendar,
                  calendar_method, due_at, written_at)
SELECT r.organisation_id, $1::bigint, r.id, $3::bigint, $4::text, $5::text, $6::text, $7::text, $8::text, $10::text, $11::text,
       $9::timestamptz, $12::timestamptz
FROM resident r WHERE r.id = $2::bigint
ON CONFLICT (key) DO NOTHING
RETURNING id;

-- name: claim
-- Mails that are due at $1, at most $2, for this process alone: put off to $3, so that another tries when this one dies.
UPDATE mail SET attempts = m.attempts + 1, due_at = $3::timestamptz
FROM (
    SELECT w.id, w.attempts FROM mail w WHERE w.state = 'waiting' AND w.due_at <= $1::timestamptz
    ORDER BY w.due_at, w.id LIMIT $2::integer FOR UPDATE SKIP LOCKED
) AS m
WHERE mail.id = m.id
RETURNING mail.id, mail.appointment_id, mail.about, mail.to_address, mail.subject, mail.body, mail.calendar,
          mail.calendar_method, mail.attempts, mail.written_at;

-- name: drop_pointless
-- Mails that nobody needs any more at $1 clinical, $2 real: the visit was called off or is over, the contact removed, the
-- resident died, or was discharged from the ward whose rounds it is about.
UPDATE mail SET state = 'dropped', settled_at = $2::timestamptz
WHERE mail.state = 'waiting' AND mail.due_at <= $2 AND (
    (mail.about IN ('booked', 'moved', 'reminder', 'invitation') AND EXISTS (
        SELECT FROM appointment a LEFT JOIN consultation c ON c.appointment_id = a.id
        WHERE a.id = mail.appointment_id AND (a.cancelled_at IS NOT NULL OR c.ended_at IS NOT NULL
            OR a.starts_at + a.minutes * interval '1 minute' < $1::timestamptz
            OR (a.series_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM spell s WHERE s.resident_id = mail.resident_id AND s.during @> $1)))))
    OR EXISTS (SELECT FROM resident r WHERE r.id = mail.resident_id AND r.died_at IS NOT NULL)
    OR EXISTS (SELECT FROM contact k WHERE k.id = mail.contact_id AND (k.removed_at IS NOT NULL
        OR (mail.about = 'reminder' AND NOT k.reminders))))
RETURNING mail.id;

-- name: still_wanted
-- Whether a mail that was claimed is still to be sent.
SELECT state = 'waiting' FROM mail WHERE id = $1::uuid;

-- name: settle
-- Sent, refused or dropped at $3.
UPDATE mail SET state = $2::text, settled_at = $3::timestamptz, last_error = left($4::text, 200)
WHERE id = $1::uuid AND state = 'waiting' RETURNING id;

-- name: put_off
-- To be tried again at $2.
UPDATE mail SET due_at = $2::timestamptz, last_error = left($3::text, 200) WHERE id = $1::uuid AND state = 'waiting';

-- name: drop_of_appointment
-- Mails of an appointment that was moved or cancelled and that were not sent yet, those of a contact.
UPDATE mail SET state = 'dropped', settled_at = $2::timestamptz
WHERE appointment_id = $1::bigint AND state = 'waiting' RETURNING id;

-- name: bodies
-- Mails of an appointment that hold a way in of a contact, newest first.
SELECT contact_id, body FROM mail WHERE appointment_id = $1::bigint AND contact_id IS NOT NULL AND body LIKE '%/join/%'
ORDER BY written_at DESC, due_at DESC;

-- name: listing
-- Mails, newest first: of resident $1, in state $2; null means any.
SELECT m.id, m.appointment_id, m.resident_id, m.contact_id, m.about, m.to_address, m.subject, m.state, m.attempts, m.last_error,
       m.due_at, m.written_at, m.settled_at
FROM mail m
WHERE ($1::bigint IS NULL OR m.resident_id = $1) AND ($2::text IS NULL OR m.state = $2)
ORDER BY m.written_at DESC, m.id LIMIT $3::integer;

-- name: standing
-- How many mails wait that should have been sent, since when, and how many were refused in the last day.
SELECT (count(*) FILTER (WHERE state = 'waiting' AND (due_at <= $1::timestamptz OR attempts > 0)))::integer AS due,
       min(written_at) FILTER (WHERE state = 'waiting' AND (due_at <= $1 OR attempts > 0)) AS oldest,
       (count(*) FILTER (WHERE state = 'refused' AND settled_at > $1 - interval '1 day'))::integer AS refused
FROM mail WHERE state = 'waiting' OR settled_at > $1 - interval '1 day';

-- name: scrub
-- Secrets of ways in go from mails that have been settled once nobody can use them.
UPDATE mail SET body = regexp_replace(body, '/join/[A-Za-z0-9_-]+', '/join/-', 'g'),
    calendar = regexp_replace(replace(replace(calendar, E'\r\n ', ''), E'\n ', ''), '/join/[A-Za-z0-9_-]+', '/join/-', 'g')
WHERE id IN (
    SELECT m.id FROM mail m LEFT JOIN consultation c ON c.appointment_id = m.appointment_id
    WHERE m.state <> 'waiting' AND m.body ~ '/join/[A-Za-z0-9_-]{20}'
      AND (c.ended_at IS NOT NULL OR m.appointment_id IS NULL)
    LIMIT 1000);

-- name: heard
-- Contacts whom something about an appointment was sent, or was due to be sent by $2.
SELECT DISTINCT m.contact_id FROM mail m
WHERE m.appointment_id = $1::bigint AND m.contact_id IS NOT NULL
  AND (m.attempts > 0 OR (m.state = 'waiting' AND m.due_at <= $2::timestamptz));

-- name: forget
-- At most $2 mails that were settled before $1. Of a visit to come they are kept: its way in is found there when it is moved.
DELETE FROM mail WHERE id IN (
    SELECT m.id FROM mail m LEFT JOIN appointment a ON a.id = m.appointment_id LEFT JOIN consultation c ON c.appointment_id = a.id
    WHERE m.settled_at < $1::timestamptz AND (a.id IS NULL OR a.cancelled_at IS NOT NULL OR c.ended_at IS NOT NULL)
    ORDER BY m.settled_at LIMIT $2::integer FOR UPDATE OF m SKIP LOCKED)
RETURNING id;
