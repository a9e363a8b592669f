-- Devices as things: what is wrong with them, what of them runs out or has to be checked, and by which numbers that is
-- judged.

-- A time during which something was wrong with a device, as its status messages and its silence told. Levels only rise
-- within one; "until" null: it still is.
CREATE TABLE device_condition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint NOT NULL REFERENCES device,
    kind text NOT NULL CHECK (kind IN ('battery', 'firmware', 'silent')),
    since timestamptz NOT NULL,
    until timestamptz CHECK (until >= since),
    level text NOT NULL CHECK (level IN ('low', 'critical', 'old', 'silent')),
    detail jsonb NOT NULL,                 -- what was said, and the numbers it was judged by
    UNIQUE (device_pk, kind, since)
);
CREATE UNIQUE INDEX device_condition_now ON device_condition (device_pk, kind) WHERE until IS NULL;

-- What of a device runs out (strips, electrodes, a battery pack) or has to be checked (a cuff's calibration), and when.
-- Another date is another row: what was known when stays.
CREATE TABLE device_upkeep (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint NOT NULL REFERENCES device,
    kind text NOT NULL CHECK (kind IN ('consumable', 'calibration')),
    item text NOT NULL CHECK (item ~ '^[a-z0-9_]{1,40}$'),
    due_on date NOT NULL,                  -- the last day on which it may be used
    warn_days integer NOT NULL CHECK (warn_days BETWEEN 0 AND 365),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= created_at),
    ended_by text
);
CREATE UNIQUE INDEX device_upkeep_now ON device_upkeep (device_pk, kind, item) WHERE ended_at IS NULL;
CREATE INDEX device_upkeep_device ON device_upkeep (device_pk);

-- Numbers of the organisation's own, of one model or of all ('' ): the newest counts, a null value is the default again.
CREATE TABLE technical_setting (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    name text NOT NULL CHECK (name ~ '^[a-z_]{1,40}$'),
    model text NOT NULL CHECK (length(model) <= 100),
    value text CHECK (length(value) <= 64),
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 500),
    approval text NOT NULL CHECK (length(approval) BETWEEN 1 AND 500),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL
);
CREATE INDEX technical_setting_newest ON technical_setting (organisation_id, name, model, id);

-- Access ------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
    own_device constant text := 'device_pk IN (SELECT d.id FROM device d)';
    rules constant jsonb := jsonb_build_object(
        'device_condition', own_device,
        'device_upkeep', own_device,
        'technical_setting', 'organisation_id IN (SELECT w.organisation_id FROM ward w)');
BEGIN
    FOR t IN SELECT jsonb_object_keys(rules) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY app_trusted ON %I TO telehealth_app USING ((SELECT actor_trusted()))', t);
        EXECUTE format('CREATE POLICY app_staff ON %I FOR SELECT TO telehealth_app USING (%s)', t, rules ->> t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO telehealth_app', t);
    END LOOP;
END
$$;
GRANT UPDATE ON device_condition, device_upkeep TO telehealth_app;
