-- Quarantine as something that people work on: how often what came, what was done about it, and when a device
-- says nothing but nonsense.

ALTER TABLE quarantine
    ADD COLUMN tried_at timestamptz,       -- when its bytes were last decoded anew
    ADD COLUMN handled_at timestamptz,
    ADD COLUMN handled_by text,            -- actor
    ADD COLUMN note text CHECK (length(note) <= 500);  -- why it was dismissed, or what trying again came to

-- Newest first within a device; the oldest of a device that sends too much are found by it as well.
CREATE INDEX quarantine_device ON quarantine (coalesce(device_pk, 0), last_at, id);

-- How often refusals came, by hour of clinical time. Bounded where quarantine is bounded too: entries go, counts stay.
CREATE TABLE quarantine_count (
    hour timestamptz NOT NULL,
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint REFERENCES device,    -- null: devices that are not known
    error text NOT NULL,
    times bigint NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX quarantine_count_once ON quarantine_count (coalesce(device_pk, 0), hour, error);
CREATE INDEX quarantine_count_hour ON quarantine_count (hour);

ALTER TABLE quarantine_count ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarantine_count FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON quarantine_count TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_all ON quarantine_count TO telehealth_app USING ((SELECT actor_trusted()));
CREATE POLICY app_staff ON quarantine_count FOR SELECT TO telehealth_app
    USING (device_pk IN (SELECT d.id FROM device d));
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantine_count TO telehealth_app;

-- Messages refused whole since one was last taken in; the row is locked by every ingest transaction anyway.
ALTER TABLE device_contact
    ADD COLUMN accepted_at timestamptz,    -- when a reading of it was last taken in
    ADD COLUMN refused_run integer NOT NULL DEFAULT 0,
    ADD COLUMN refused_since timestamptz;  -- when that run began

-- Staff dismiss what their own wards' devices sent, in their own name, and change nothing else.
CREATE POLICY app_staff_dismisses ON quarantine FOR UPDATE TO telehealth_app
    USING (device_pk IN (SELECT d.id FROM device d))
    WITH CHECK (device_pk IN (SELECT d.id FROM device d) AND state = 'dismissed' AND handled_by = (SELECT actor()));

GRANT DELETE ON quarantine TO telehealth_app;
