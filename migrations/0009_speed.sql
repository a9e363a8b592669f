-- Late work apart from live work, and the cheap question of every policy first.

-- Set by ingest for readings that were old when they came: a backlog. They are evaluated after what is live, and
-- those of one resident together.
ALTER TABLE evaluation_due ADD COLUMN late boolean NOT NULL DEFAULT false;

DROP INDEX evaluation_due_at;
CREATE INDEX evaluation_due_came ON evaluation_due (late, id) WHERE due_at = '-infinity';
CREATE INDEX evaluation_due_fell ON evaluation_due (due_at, id) WHERE due_at > '-infinity';

-- Permissive policies are asked from the last name to the first, until one says yes. "app_all", which costs nothing,
-- came after "app_staff", for which services too first read all residents or devices, in every statement.
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT tablename FROM pg_policies WHERE schemaname = 'public' AND policyname = 'app_all' LOOP
        EXECUTE format('ALTER POLICY app_all ON %I RENAME TO app_trusted', t);
    END LOOP;
END
$$;
