-- name: add
-- A visit of ward $1, of appointment $2 or about alert $3; 0 rows when the ward is not the actor's.
INSERT INTO consultation (organisation_id, ward_id, appointment_id, alert_id, kind, state, keep_chat, subject_id, created_by,
                          created_at, changed_at)
SELECT w.organisation_id, w.id, $2::bigint, $3::bigint, $4::text, 'scheduled', coalesce(p.keep_chat, false), $5::bigint,
       $6::text, $7::timestamptz, $7::timestamptz
FROM ward w LEFT JOIN visit_policy p ON p.ward_id = w.id
WHERE w.id = $1::bigint
RETURNING id;

-- name: add_subjects
-- Who it is about, in order; only residents of the actor's, so fewer rows than asked for means that one is not.
INSERT INTO consultation_subject (consultation_id, resident_id, position)
SELECT $1::bigint, r.id, array_position($2::bigint[], r.id) - 1 FROM resident r WHERE r.id = ANY ($2::bigint[])
RETURNING resident_id;

-- name: of_appointment
-- The visit of an appointment.
SELECT id FROM consultation WHERE appointment_id = $1::bigint;

-- name: appointment
-- What a visit takes over from its appointment; held, so that one visit is made of it.
SELECT a.ward_id, a.kind, a.cancelled_at,
       (SELECT array_agg(s.resident_id ORDER BY s.position) FROM appointment_subject s WHERE s.appointment_id = a.id) AS residents
FROM appointment a WHERE a.id = $1::bigint FOR UPDATE;

-- name: alert
-- Whom an alert is about.
SELECT resident_id FROM alert WHERE id = $1::bigint;

-- name: one
-- A visit.
SELECT c.id, c.organisation_id, c.ward_id, w.name AS ward, c.appointment_id, c.alert_id, c.kind, c.state, c.locked, c.keep_chat,
       c.subject_id, c.seq, c.created_by, c.created_at, c.started_at, c.changed_at, c.ended_at, c.ended_by, c.outcome,
       c.worker_id, c.epoch, a.starts_at, a.minutes, w.simulated
FROM consultation c JOIN ward w ON w.id = c.ward_id LEFT JOIN appointment a ON a.id = c.appointment_id
WHERE c.id = $1::bigint;

-- name: hold
-- Keeps a visit as it is until the end of the transaction.
SELECT id FROM consultation WHERE id = $1::bigint FOR UPDATE;

-- name: people
-- Everybody who ever came, in the order in which they did.
SELECT p.id, p.role, p.staff_id, p.link_id, p.resident_id, p.name, p.state, p.identity, p.waiting_since, p.reason, p.admitted_by,
       p.let_in_at, p.joined_at, p.left_at, p.audio, p.video, p.screen, p.muted_by_host, p.hand_at, p.pinned, p.consent_at, p.ready, p.quality,
       coalesce(l.wrong_births, 0) AS wrong_births, coalesce(l.refused_browsers, 0) AS refused_browsers,
       coalesce(l.allow_another, false) AS allow_another
FROM participant p LEFT JOIN join_link l ON l.id = p.link_id
WHERE p.consultation_id = $1::bigint ORDER BY p.id;

-- name: subjects
-- Whom it is about, in order.
SELECT r.id, concat_ws(' ', r.title, r.given_name, r.family_name) AS name, r.given_name, r.born, r.nhs_number, r.zone,
       r.ward_id, s.position, s.since, s.until
FROM consultation_subject s JOIN resident r ON r.id = s.resident_id
WHERE s.consultation_id = $1::bigint ORDER BY s.position;

-- name: policy
-- What the ward has decided.
SELECT p.keep_chat, p.recording, p.keep_recording_days, p.reminder_hours
FROM visit_policy p JOIN consultation c ON c.ward_id = p.ward_id WHERE c.id = $1::bigint;

-- name: set_state
-- The visit as it is after a step; $5 is when, $6 who.
UPDATE consultation SET state = $2::text, locked = $3::boolean, subject_id = $4::bigint,
    started_at = CASE WHEN $2 = 'live' THEN coalesce(started_at, $5::timestamptz) ELSE started_at END,
    ended_at = CASE WHEN $2 IN ('ended', 'did_not_attend', 'cancelled') THEN coalesce(ended_at, $5) END,
    ended_by = CASE WHEN $2 IN ('ended', 'did_not_attend', 'cancelled') THEN coalesce(ended_by, $6::text, actor()) END
WHERE id = $1::bigint;

-- name: set_outcome
-- What came of it.
UPDATE consultation SET outcome = $2::text WHERE id = $1::bigint;

-- name: subject_from
-- A resident is the current subject from $3 on.
UPDATE consultation_subject SET since = coalesce(since, $3::timestamptz), until = NULL
WHERE consultation_id = $1::bigint AND resident_id = $2::bigint;

-- name: subject_until
-- A resident is not the current subject any more.
UPDATE consultation_subject SET until = $3::timestamptz
WHERE consultation_id = $1::bigint AND resident_id = $2::bigint AND since IS NOT NULL;

-- name: set_presence
-- Where somebody is now, since $3; $4: who let them in.
UPDATE participant SET state = $2::text,
    waiting_since = CASE WHEN $2 = 'waiting' THEN $3::timestamptz ELSE waiting_since END,
    admitted_by = CASE WHEN $2 = 'admitted' THEN coalesce($4::text, admitted_by) ELSE admitted_by END,
    let_in_at = CASE WHEN $2 = 'admitted' AND state <> 'joined' THEN $3 ELSE let_in_at END,
    joined_at = CASE WHEN $2 = 'joined' THEN coalesce(joined_at, $3) ELSE joined_at END,
    left_at = CASE WHEN $2 IN ('left', 'removed') THEN $3 ELSE left_at END,
    hand_at = CASE WHEN $2 = 'joined' THEN hand_at END,
    screen = screen AND $2 = 'joined',
    pinned = pinned AND $2 IN ('joined', 'admitted'),
    consent_at = CASE WHEN $2 IN ('joined', 'admitted') THEN consent_at END
WHERE id = $1::bigint;

-- name: bump
-- Counts a change.
UPDATE consultation SET seq = seq + 1, changed_at = greatest(changed_at, $2::timestamptz) WHERE id = $1::bigint
RETURNING organisation_id, ward_id, subject_id;

-- name: note_event
-- What happened; $9 is real time. Without $7 the actor is the transaction's.
INSERT INTO consultation_event (organisation_id, consultation_id, participant_id, resident_id, event, detail, actor, at, real_at)
VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::text, $6::jsonb, coalesce($7::text, actor()), $8::timestamptz,
        $9::timestamptz);

-- name: notify
-- Tell whoever serves the visit.
SELECT pg_notify('visits', $1::bigint::text);

-- name: events
-- Everything that happened in a visit, oldest first, with names.
SELECT e.id, e.at, e.event, e.actor, coalesce(s.display_name, p.name) AS name, e.participant_id, e.resident_id, e.detail
FROM consultation_event e LEFT JOIN staff s ON e.actor = 'staff:' || s.id LEFT JOIN participant p ON p.id = e.participant_id
WHERE e.consultation_id = $1::bigint ORDER BY e.id;

-- name: set_media
-- What somebody sends.
UPDATE participant SET audio = $2::boolean, video = $3::boolean, screen = $4::boolean
WHERE id = $1::bigint AND (audio, video, screen) IS DISTINCT FROM ($2, $3, $4) RETURNING id;

-- name: set_hand
-- A hand goes up, or down (null).
UPDATE participant SET hand_at = $2::timestamptz WHERE id = $1::bigint;

-- name: set_muted
-- The host silences somebody, or stops doing so.
UPDATE participant SET muted_by_host = $2::boolean WHERE id = $1::bigint;

-- name: set_pinned
-- One tile at most is pinned.
UPDATE participant SET pinned = (id = $2::bigint AND $3::boolean)
WHERE consultation_id = $1::bigint AND (pinned OR id = $2);

-- name: set_consent
-- Consent to recording, or its withdrawal (null).
UPDATE participant SET consent_at = $2::timestamptz WHERE id = $1::bigint;

-- name: set_arrival
-- What the device check said, and what somebody waits for.
UPDATE participant SET ready = coalesce($2::jsonb, ready), reason = nullif($3::text, '') WHERE id = $1::bigint;

-- name: noted
-- Whether anybody has written anything of anybody in a visit.
SELECT EXISTS (SELECT FROM consultation_note WHERE consultation_id = $1::bigint AND text ~ '\S');

-- name: revoke_links
-- Links die with their visit.
UPDATE join_link SET revoked_at = $2::timestamptz WHERE consultation_id = $1::bigint AND revoked_at IS NULL;

-- name: drop_messages
-- The chat of a ward that does not keep it.
DELETE FROM consultation_message WHERE consultation_id = $1::bigint;
