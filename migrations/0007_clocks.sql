-- Device clocks: what is known of each, and when each was wrong.

-- What devices.clockwork has learnt of the device's clock, under the lock of this row.
ALTER TABLE device_contact ADD COLUMN clock jsonb;

-- A time during which a device's clock was known to be wrong, by the service's own clock.
CREATE TABLE device_clock (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint NOT NULL REFERENCES device,
    kind text NOT NULL CHECK (kind IN ('fast', 'slow', 'unset')),
    since timestamptz NOT NULL,            -- when the first message that showed it was received
    until timestamptz CHECK (until >= since),   -- null: it still is
    skew_ms bigint NOT NULL,               -- device minus true
    step_ms bigint,                        -- by how much it changed then; null: it was not known before
    sure boolean NOT NULL,                 -- more than one message said so: then it is an alert
    UNIQUE (device_pk, since)
);
CREATE UNIQUE INDEX device_clock_now ON device_clock (device_pk) WHERE until IS NULL;

-- Access ------------------------------------------------------------------------------------------

ALTER TABLE device_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_clock FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON device_clock TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_all ON device_clock TO telehealth_app USING ((SELECT actor_trusted()));
CREATE POLICY app_staff ON device_clock FOR SELECT TO telehealth_app USING (device_pk IN (SELECT d.id FROM device d));
GRANT SELECT, INSERT, UPDATE ON device_clock TO telehealth_app;
