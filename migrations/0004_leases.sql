-- Who does what when several processes share the work, and what staff have seen.

-- Leases count in real time by this server's clock, so that the clocks of the processes do not matter. kind 'process':
-- a process that is alive, with what troubles it; kind 'slot': a share of the broker's messages, which has one holder at a
-- time. A row that has expired is nobody's. The rows change all the time: room for that on the same page.
CREATE TABLE lease (
    name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('process', 'slot')),
    holder text NOT NULL CHECK (length(holder) <= 120),
    epoch bigint NOT NULL DEFAULT 1,       -- rises with every change of holder
    since timestamptz NOT NULL,            -- of this holder
    expires_at timestamptz NOT NULL,
    trouble text CHECK (length(trouble) <= 300)
) WITH (fillfactor = 50);

-- The sessions of earlier versions, which had one process and these client ids: they are emptied and ended once.
INSERT INTO lease (name, kind, holder, since, expires_at)
VALUES ('ingest-before', 'slot', '', clock_timestamp(), clock_timestamp());

-- A member of the care team has opened the resident's page after this set of readings of a device was there.
CREATE TABLE seen_set (
    device_pk bigint NOT NULL REFERENCES device,
    set_id text NOT NULL,
    organisation_id bigint NOT NULL REFERENCES organisation,
    seen_at timestamptz NOT NULL,
    told_at timestamptz,                   -- when its device was told; null: not yet
    PRIMARY KEY (device_pk, set_id)
);
CREATE INDEX seen_set_untold ON seen_set (seen_at) WHERE told_at IS NULL;

DO $$
DECLARE
    t text;
    rules constant jsonb := jsonb_build_object(
        'lease', 'false',
        'seen_set', 'device_pk IN (SELECT d.id FROM device d)');
BEGIN
    FOR t IN SELECT jsonb_object_keys(rules) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY app_all ON %I TO telehealth_app USING ((SELECT actor_trusted()))', t);
        EXECUTE format('CREATE POLICY app_staff ON %I FOR SELECT TO telehealth_app USING (%s)', t, rules ->> t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO telehealth_app', t);
    END LOOP;
END
$$;
CREATE POLICY app_staff_adds ON seen_set FOR INSERT TO telehealth_app
    WITH CHECK (device_pk IN (SELECT d.id FROM device d));
GRANT UPDATE, DELETE ON lease TO telehealth_app;
GRANT UPDATE ON seen_set TO telehealth_app;
