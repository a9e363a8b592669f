-- name: resident
-- Everything held of one resident, section by section: who they are.
SELECT r.id, r.nhs_number, r.family_name, r.given_name, r.title, r.gender, r.born, r.zone, r.died_at, r.simulated,
       w.name AS ward, r.created_by, r.created_at
FROM resident r JOIN ward w ON w.id = r.ward_id WHERE r.id = $1::bigint;

-- name: spells
-- Stays on virtual wards.
SELECT w.name AS ward, s.pathway, s.pathway_version, s.schedule, lower(s.during) AS "from", upper(s.during) AS "to",
       s.end_kind, s.end_reason, s.created_by, s.created_at, s.ended_by
FROM spell s JOIN ward w ON w.id = s.ward_id WHERE s.resident_id = $1::bigint ORDER BY lower(s.during);

-- name: pauses
-- When monitoring was paused.
SELECT lower(during) AS "from", upper(during) AS "to", reason, created_by, created_at, ended_by
FROM pause WHERE resident_id = $1::bigint ORDER BY lower(during);

-- name: rules
-- The rules that were in force, from when on, and what of them was personal.
SELECT valid_from, rules, spo2_scale, overrides, reason, created_by, created_at
FROM rule_version WHERE resident_id = $1::bigint ORDER BY valid_from, id;

-- name: devices
-- Devices that were theirs, and seats on devices of several people.
SELECT d.device_id, d.model, NULL AS seat_kind, NULL AS label, lower(a.during) AS "from", upper(a.during) AS "to",
       a.created_by, a.created_at, a.ended_by
FROM device_assignment a JOIN device d ON d.id = a.device_pk WHERE a.resident_id = $1::bigint
UNION ALL
SELECT d.device_id, d.model, s.kind, s.label, lower(s.during), upper(s.during), s.created_by, s.created_at, s.ended_by
FROM device_seat s JOIN device d ON d.id = s.device_pk WHERE s.resident_id = $1::bigint
ORDER BY 5, 1;

-- name: attributions
-- Every decision about which readings are theirs, or are not any more. Of others only that it was somebody else.
SELECT t.at, t.kind, d.device_id, lower(t.during) AS "from", upper(t.during) AS "to", t.subject, t.reading_taken_at,
       t.reading_identity, t.resident_id IS NOT DISTINCT FROM $1::bigint AS to_this_resident,
       coalesce(t.from_resident_id = $1::bigint, false) AS from_this_resident, t.effective_at, t.effective_before,
       t.reason, t.actor
FROM attribution t LEFT JOIN device d ON d.id = t.device_pk
WHERE t.resident_id = $1::bigint OR t.from_resident_id = $1::bigint ORDER BY t.at, t.id;

-- name: readings
-- Every reading of theirs, as sent and canonical, with our marks and all its times.
SELECT r.taken_at, r.taken_us, r.effective_at, r.received_at, r.sent_at, d.device_id, r.code, r.value, r.value_code,
       r.unit, r.value_sent, r.unit_sent, r.absent, r.method, r.flags, r.marks, r.context, r.set_id, r.source_id,
       r.subject, r.stream, r.seq, r.struck, r.entered_by, r.identity, r.value_key
FROM reading r LEFT JOIN device d ON d.id = r.device_pk
WHERE r.resident_id = $1::bigint ORDER BY r.taken_at, r.identity, r.value_key;

-- name: strikes
-- Entries made in error.
SELECT taken_at, identity, value_key::text AS value_key, reason, actor, at
FROM reading_strike WHERE resident_id = $1::bigint ORDER BY at, id;

-- name: doubts
-- Readings that may be somebody else's.
SELECT taken_at, identity, value_key::text AS value_key, usual, allowed, at
FROM reading_doubt WHERE resident_id = $1::bigint ORDER BY taken_at, identity, value_key;

-- name: episodes
-- What the rules found.
SELECT id, rule, started_at, ended_at, peak_at, peak_value, priority, provisional, evidence
FROM episode WHERE resident_id = $1::bigint ORDER BY started_at, rule, id;

-- name: alerts
-- Alerts with their episodes and everything that happened to them.
SELECT a.id, a.rule, a.kind, a.priority, a.condition, a.handling, a.provisional, a.late, a.onset_at, a.raised_at,
       a.changed_at, a.reason, a.evidence, w.name AS ward,
       (SELECT coalesce(jsonb_agg(l.episode_id ORDER BY l.episode_id), '[]') FROM alert_episode l WHERE l.alert_id = a.id)
           AS episodes,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('at', e.at, 'event', e.event, 'actor', e.actor, 'priority',
               e.priority, 'note', e.note, 'outcome', e.outcome) ORDER BY e.id), '[]')
        FROM alert_event e WHERE e.alert_id = a.id) AS events
FROM alert a JOIN ward w ON w.id = a.ward_id WHERE a.resident_id = $1::bigint ORDER BY a.raised_at, a.id;

-- name: contacts
-- Whom mails about their visits go to, or went.
SELECT relation, name, email, reminders, created_by, created_at, removed_at
FROM contact WHERE resident_id = $1::bigint ORDER BY id;

-- name: appointments
-- Video visits that were booked.
SELECT a.id, w.name AS ward, a.kind, a.starts_at, a.minutes, a.reason, a.created_by, a.created_at, a.changed_by,
       a.changed_at, a.cancelled_at, a.cancel_reason
FROM appointment_subject s JOIN appointment a ON a.id = s.appointment_id JOIN ward w ON w.id = a.ward_id
WHERE s.resident_id = $1::bigint ORDER BY a.starts_at, a.id;

-- name: visits
-- Video visits that they were a subject of, those too of which nothing came. Of others in them nothing.
SELECT c.id, w.name AS ward, c.appointment_id, c.alert_id, c.kind, c.state, c.created_at, c.started_at, c.ended_at,
       c.outcome, s.since AS "from", s.until AS "to"
FROM consultation_subject s JOIN consultation c ON c.id = s.consultation_id JOIN ward w ON w.id = c.ward_id
WHERE s.resident_id = $1::bigint ORDER BY c.id;

-- name: encounters
-- What came of visits, as it was written into their record, with notes.
SELECT e.id, w.name AS ward, e.consultation_id AS visit, e.kind, e.started_at, e.ended_at, e.outcome, e.coding,
       e.participants, e.readings, e.messages, e.summary, e.written_by, e.written_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('by', 'staff:' || n.staff_id, 'text', n.text, 'at', n.written_at)
               ORDER BY n.id), '[]') FROM encounter_note n WHERE n.encounter_id = e.id) AS notes
FROM encounter e JOIN ward w ON w.id = e.ward_id WHERE e.resident_id = $1::bigint ORDER BY e.started_at, e.id;

-- name: follow_ups
-- What was to be done after visits.
SELECT encounter_id AS encounter, what, due_on, created_by, created_at, done_by, done_at
FROM follow_up WHERE resident_id = $1::bigint ORDER BY id;

-- name: recordings
-- Recordings in which they, or who came with them, were recorded; what they show is exported by itself.
SELECT g.id, g.consultation_id AS visit, p.role, p.name, g.started_at, g.ended_at, g.bytes, g.delete_after, g.deleted_at
FROM recording g JOIN participant p ON p.id = g.participant_id
WHERE p.resident_id = $1::bigint ORDER BY g.started_at, g.id;

-- name: mails
-- Mails about them; without what they say, which holds ways in.
SELECT about, to_address, subject, due_at, state, settled_at FROM mail WHERE resident_id = $1::bigint ORDER BY due_at, id;

-- name: audit
-- Who looked at them and what was done, in real time; only operators see it. Not whose readings were moved to or from.
SELECT u.at, u.actor, s.display_name AS name, u.action, u.outcome, u.object_kind, u.object_id,
       CASE jsonb_typeof(u.detail) WHEN 'object' THEN u.detail - '{from,to}'::text[] ELSE u.detail END AS detail
FROM audit u LEFT JOIN staff s ON u.actor = 'staff:' || s.id
WHERE u.resident_id = $1::bigint ORDER BY u.at, u.id;
