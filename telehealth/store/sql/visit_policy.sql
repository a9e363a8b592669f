-- name: of_ward
-- What a ward has decided about its visits.
SELECT keep_chat, recording, keep_recording_days, reminder_hours FROM visit_policy WHERE ward_id = $1::bigint;

-- name: set
-- What it decides now.
INSERT INTO visit_policy (ward_id, organisation_id, keep_chat, recording, keep_recording_days, reminder_hours, changed_by,
                          changed_at)
SELECT w.id, w.organisation_id, $2::boolean, $3::boolean, $4::integer, $5::integer[], $6::text, $7::timestamptz
FROM ward w WHERE w.id = $1::bigint
ON CONFLICT (ward_id) DO UPDATE SET keep_chat = excluded.keep_chat, recording = excluded.recording,
    keep_recording_days = excluded.keep_recording_days, reminder_hours = excluded.reminder_hours,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at
RETURNING ward_id;
