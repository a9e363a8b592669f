-- name: read
-- The clock row.
SELECT mode, at, fired_to FROM clock;

-- name: set_virtual
-- Begin, or move forward, virtual time; nothing of it has fired yet beyond fired_to.
UPDATE clock SET mode = 'virtual', at = $1::timestamptz, fired_to = $2::timestamptz
WHERE mode = 'real' OR (at <= $1::timestamptz AND fired_to <= $2::timestamptz)
RETURNING at, fired_to;

-- name: settle
-- Let time-driven rules fire up to the present moment.
UPDATE clock SET fired_to = at WHERE mode = 'virtual' RETURNING at, fired_to;

-- name: move
-- Move the present moment, never backwards; what fires then waits for the next step.
UPDATE clock SET at = $1::timestamptz WHERE mode = 'virtual' AND at <= $1::timestamptz RETURNING at, fired_to;

-- name: make_real
-- End virtual time.
UPDATE clock SET mode = 'real', at = NULL, fired_to = NULL;

-- name: work_left
-- Whether any evaluation is due up to a moment.
SELECT EXISTS (SELECT FROM evaluation_due
    WHERE due_at <= $1::timestamptz AND (due_at > '-infinity' OR resident_id IS NULL OR earliest_at <= $1::timestamptz));

-- name: notify
-- Tell every process that the clock row has changed, and the evaluator to look.
SELECT pg_notify('clock', ''), pg_notify('evaluation_due', '');
