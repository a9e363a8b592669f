-- name: not_attended
-- Visits whose planned end lies before $1, into which nobody ever came and of which nothing was noted, beginning after visit $2.
SELECT c.id FROM consultation c JOIN appointment a ON a.id = c.appointment_id
WHERE c.ended_at IS NULL AND c.state IN ('scheduled', 'waiting') AND c.id > $2::bigint
  AND a.starts_at + a.minutes * interval '1 minute' < $1::timestamptz
  AND NOT EXISTS (SELECT FROM participant p WHERE p.consultation_id = c.id
                  AND (p.state = 'joined' OR (p.role <> 'staff' AND (p.joined_at IS NOT NULL OR p.state = 'waiting'))))
  AND NOT EXISTS (SELECT FROM consultation_note n WHERE n.consultation_id = c.id AND n.text ~ '\S')
ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED;

-- name: never_used
-- Visits that were begun at once before $1 and into which no guest ever came, beginning after visit $2.
SELECT c.id FROM consultation c
WHERE c.ended_at IS NULL AND c.state NOT IN ('live', 'interrupted') AND c.appointment_id IS NULL
  AND c.created_at < $1::timestamptz AND c.id > $2::bigint
  AND NOT EXISTS (SELECT FROM participant p WHERE p.consultation_id = c.id
                  AND (p.state = 'joined' OR (p.role <> 'staff' AND p.joined_at IS NOT NULL)))
  AND NOT EXISTS (SELECT FROM consultation_note n WHERE n.consultation_id = c.id AND n.text ~ '\S')
ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED;

-- name: of_the_dead
-- Appointments to come after appointment $1 all of whose residents have died.
SELECT a.id FROM appointment a JOIN consultation c ON c.appointment_id = a.id
WHERE a.cancelled_at IS NULL AND c.state = 'scheduled' AND a.id > $1::bigint
  AND NOT EXISTS (SELECT FROM appointment_subject s JOIN resident r ON r.id = s.resident_id
                  WHERE s.appointment_id = a.id AND r.died_at IS NULL)
  AND NOT EXISTS (SELECT FROM consultation_note n WHERE n.consultation_id = c.id AND n.text ~ '\S')
ORDER BY a.id LIMIT 1 FOR UPDATE OF a SKIP LOCKED;
