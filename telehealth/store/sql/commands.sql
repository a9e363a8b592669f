-- name: ask
-- Commands to measure $2 again for residents $1, about readings of $3, until $4, to the devices that they have at $5 and
-- that say that they measure it, or, of those that say nothing, have just done so. One command for all codes of a device.
INSERT INTO device_command (organisation_id, device_pk, resident_id, kind, codes, subject, about_at, created_at, expires_at)
SELECT d.organisation_id, d.id, w.resident_id, 'measure', array_agg(DISTINCT w.code ORDER BY w.code), h.subject, w.about_at,
       $5::timestamptz, max(w.until)
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS w (resident_id, code, about_at, until)
CROSS JOIN LATERAL (
    SELECT a.device_pk, NULL::text AS subject FROM device_assignment a
    WHERE a.resident_id = w.resident_id AND a.during @> $5::timestamptz
    UNION
    SELECT s.device_pk, CASE s.kind WHEN 'subject' THEN s.label END FROM device_seat s
    WHERE s.resident_id = w.resident_id AND s.during @> $5::timestamptz
) AS h
JOIN device d ON d.id = h.device_pk
WHERE d.revoked_at IS NULL
  AND (w.code = ANY (d.codes) OR (d.codes = '{}' AND EXISTS (
      SELECT FROM reading r WHERE r.resident_id = w.resident_id AND r.code = w.code AND r.device_pk = d.id
        AND r.effective_at = w.about_at AND r.taken_at BETWEEN w.about_at - interval '1 day' AND w.about_at + interval '1 day')))
  AND NOT EXISTS (
      SELECT FROM device_command c WHERE c.resident_id = w.resident_id AND c.about_at = w.about_at AND c.device_pk = d.id
        AND w.code = ANY (c.codes))
GROUP BY d.organisation_id, d.id, w.resident_id, h.subject, w.about_at
RETURNING id;

-- name: tell
-- Commands to show words $4 to resident $1, whose answers to $5 at $6 made rule $2 red in an episode since $3, until $7, to
-- the devices that they have at $8; none if no device sent such an answer, or this was told in the episode already.
INSERT INTO device_command (organisation_id, device_pk, resident_id, kind, codes, subject, about_at, created_at, expires_at,
                            rule, text)
SELECT DISTINCT ON (d.id) d.organisation_id, d.id, $1::bigint, 'message', $5::text[], h.subject, $6::timestamptz,
       $8::timestamptz, $7::timestamptz, $2::text, $4::text
FROM (
    SELECT a.device_pk, NULL::text AS subject FROM device_assignment a
    WHERE a.resident_id = $1::bigint AND a.during @> $8::timestamptz
    UNION
    SELECT s.device_pk, CASE s.kind WHEN 'subject' THEN s.label END FROM device_seat s
    WHERE s.resident_id = $1 AND s.during @> $8::timestamptz
) AS h
JOIN device d ON d.id = h.device_pk
WHERE d.revoked_at IS NULL
  AND EXISTS (SELECT FROM reading r WHERE r.resident_id = $1::bigint AND r.code = ANY ($5::text[]) AND r.device_pk IS NOT NULL
              AND r.effective_at >= $6::timestamptz AND r.effective_at < $6 + interval '1 millisecond' AND NOT r.struck
              AND r.taken_at BETWEEN $6 - interval '1 day' AND $6 + interval '1 day')
  AND NOT EXISTS (SELECT FROM device_command c WHERE c.resident_id = $1 AND c.kind = 'message' AND c.rule = $2::text
                  AND c.about_at >= $3::timestamptz - interval '1 millisecond')
ORDER BY d.id, h.subject NULLS LAST
RETURNING id;

-- name: told
-- What devices were to show to resident $1 about rule $2, of answers from $3 to $4.
SELECT d.device_id, c.text, c.about_at, c.created_at, c.expires_at, c.state, c.settled_at
FROM device_command c JOIN device d ON d.id = c.device_pk
WHERE c.resident_id = $1::bigint AND c.kind = 'message' AND c.rule = $2::text
  AND c.about_at BETWEEN $3::timestamptz - interval '1 millisecond' AND $4::timestamptz
ORDER BY c.created_at, d.device_id LIMIT 100;

-- name: by_device
-- Whether a device sent an answer of resident $1 to one of $2 at $3.
SELECT EXISTS (SELECT FROM reading r WHERE r.resident_id = $1::bigint AND r.code = ANY ($2::text[]) AND r.device_pk IS NOT NULL
               AND r.effective_at >= $3::timestamptz AND r.effective_at < $3 + interval '1 millisecond'
               AND r.taken_at BETWEEN $3 - interval '1 day' AND $3 + interval '1 day') AS found;

-- name: waiting
-- Commands that wait to be published, oldest first; at most $1. Those of a device that was
-- revoked, and of a visit that is over, have expired.
SELECT c.id, d.device_id, c.codes, c.subject,
       CASE WHEN d.revoked_at IS NULL AND v.ended_at IS NULL THEN c.expires_at ELSE c.created_at END AS expires_at,
       c.kind, (SELECT l.id FROM join_link l WHERE l.consultation_id = c.consultation_id AND l.resident_id = c.resident_id
                AND l.role = 'resident' AND l.revoked_at IS NULL ORDER BY l.bound_at DESC NULLS LAST, l.id DESC LIMIT 1) AS link_id, c.text
FROM device_command c JOIN device d ON d.id = c.device_pk LEFT JOIN consultation v ON v.id = c.consultation_id
WHERE c.state = 'waiting'
ORDER BY c.created_at, c.id LIMIT $1::bigint;

-- name: outstanding
-- What device $1 is asked to do and could still do at $2, newest first; at most $3.
SELECT c.id, d.device_id, c.codes, c.subject, c.expires_at, c.kind,
       (SELECT l.id FROM join_link l WHERE l.consultation_id = c.consultation_id AND l.resident_id = c.resident_id
        AND l.role = 'resident' AND l.revoked_at IS NULL ORDER BY l.bound_at DESC NULLS LAST, l.id DESC LIMIT 1) AS link_id, c.text
FROM device_command c JOIN device d ON d.id = c.device_pk LEFT JOIN consultation v ON v.id = c.consultation_id
WHERE d.device_id = $1::text AND d.revoked_at IS NULL AND v.ended_at IS NULL
  AND c.created_at <= $2::timestamptz AND c.expires_at > $2 AND c.state <> 'expired'
ORDER BY c.created_at DESC, c.id LIMIT $3::bigint;

-- name: about
-- What devices were asked to repeat of resident $1, about readings of codes $2 from $3 to $4.
SELECT c.codes, d.device_id, c.about_at, c.created_at, c.expires_at, c.state, c.settled_at
FROM device_command c JOIN device d ON d.id = c.device_pk
WHERE c.resident_id = $1::bigint AND c.codes && $2::text[] AND c.about_at BETWEEN $3::timestamptz AND $4::timestamptz
  AND c.consultation_id IS NULL AND c.kind = 'measure'
ORDER BY c.about_at, d.device_id LIMIT 100;

-- name: settle
-- Commands that the broker has, or that came too late: at $3.
UPDATE device_command SET state = $2::text, settled_at = $3::timestamptz
WHERE id = ANY ($1::uuid[]) AND state = 'waiting';

-- name: ask_in_visit
-- In visit $1, for its subject $2, a command of kind $3 with codes $4 to the devices that they have at $5, until $6: for a
-- measurement to those that say that they measure it, or, of those that say nothing, have done so in the last 90 days.
INSERT INTO device_command (organisation_id, device_pk, resident_id, kind, codes, subject, about_at, created_at, expires_at,
                            consultation_id)
SELECT d.organisation_id, d.id, $2::bigint, $3::text, t.codes, h.subject, $5::timestamptz, $5, $6::timestamptz, $1::bigint
FROM consultation_subject v
CROSS JOIN LATERAL (
    SELECT a.device_pk, NULL::text AS subject FROM device_assignment a
    WHERE a.resident_id = v.resident_id AND a.during @> $5::timestamptz
    UNION
    SELECT s.device_pk, CASE s.kind WHEN 'subject' THEN s.label END FROM device_seat s
    WHERE s.resident_id = v.resident_id AND s.during @> $5::timestamptz
) AS h
JOIN device d ON d.id = h.device_pk
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(w.code ORDER BY w.code), '{}') AS codes FROM unnest($4::text[]) AS w (code)
    WHERE w.code = ANY (d.codes) OR (d.codes = '{}' AND EXISTS (
        SELECT FROM reading r WHERE r.resident_id = v.resident_id AND r.code = w.code AND r.device_pk = d.id
          AND r.taken_at BETWEEN $5::timestamptz - interval '90 days' AND $5 + interval '1 day'))
) AS t
WHERE v.consultation_id = $1 AND v.resident_id = $2 AND d.revoked_at IS NULL AND ($3 = 'ring' OR t.codes <> '{}')
RETURNING device_pk, codes;

-- name: asked_in_visit
-- What was asked of devices in a visit, newest first.
SELECT c.kind, c.codes, d.device_id, c.resident_id, c.created_at, c.expires_at, c.state
FROM device_command c JOIN device d ON d.id = c.device_pk
WHERE c.consultation_id = $1::bigint ORDER BY c.created_at DESC, d.device_id LIMIT 100;
