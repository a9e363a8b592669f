-- What clears itself and was left to the service by its rule; what comes again soon; and what devices are asked to do.

-- Alerts ------------------------------------------------------------------------------------------

-- automatic: cleared before anybody handled it, by a rule that leaves that to the service. Nobody has acknowledged it.
ALTER TABLE alert DROP CONSTRAINT alert_handling_check,
    ADD CONSTRAINT alert_handling_check
        CHECK (handling IN ('new', 'acknowledged', 'snoozed', 'escalated', 'resolved', 'automatic'));
-- auto_handled: by the service. resumed: active again within the rule's refractory time, which calls nobody.
ALTER TABLE alert_event DROP CONSTRAINT alert_event_event_check,
    ADD CONSTRAINT alert_event_event_check CHECK (event IN ('raised', 'joined', 'worsened', 'eased', 'cleared',
        'returned', 'resumed', 'withdrawn', 'acknowledged', 'resolved', 'snoozed', 'escalated', 'auto_handled',
        'reopened'));

-- The expression of a generated column cannot be changed in PostgreSQL 15: a new one, with its indexes.
ALTER TABLE alert DROP COLUMN open;
ALTER TABLE alert ADD COLUMN open boolean NOT NULL GENERATED ALWAYS AS
    (condition = 'active' OR handling NOT IN ('acknowledged', 'resolved', 'automatic')) STORED;
CREATE UNIQUE INDEX alert_open_resident ON alert (resident_id, rule) WHERE open AND resident_id IS NOT NULL;
CREATE UNIQUE INDEX alert_open_device ON alert (device_pk, rule) WHERE open AND device_pk IS NOT NULL;
CREATE INDEX alert_open_ward ON alert (ward_id) WHERE open;
CREATE INDEX alert_automatic_ward ON alert (ward_id, changed_at) WHERE handling = 'automatic';

-- Commands ----------------------------------------------------------------------------------------

-- What a device is asked to do: written with what caused it, published afterwards, at least once.
CREATE TABLE device_command (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint NOT NULL REFERENCES device,
    resident_id bigint NOT NULL REFERENCES resident,
    kind text NOT NULL CHECK (kind IN ('measure')),
    codes text[] NOT NULL CHECK (codes <> '{}'),
    subject text,                          -- the resident's name on a kit that several share
    about_at timestamptz NOT NULL,         -- effective_at of the reading that is to be repeated
    created_at timestamptz NOT NULL,       -- clinical time, as the two below
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'published', 'expired')),
    settled_at timestamptz,                -- when the broker had it, or it was given up
    CHECK ((state = 'waiting') = (settled_at IS NULL))
);
CREATE INDEX device_command_waiting ON device_command (created_at) WHERE state = 'waiting';
CREATE INDEX device_command_resident ON device_command (resident_id, about_at);

ALTER TABLE device_command ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_command FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON device_command TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_trusted ON device_command TO telehealth_app USING ((SELECT actor_trusted()));
CREATE POLICY app_staff ON device_command FOR SELECT TO telehealth_app
    USING (resident_id IN (SELECT r.id FROM resident r));
GRANT SELECT, INSERT, UPDATE ON device_command TO telehealth_app;
CREATE TRIGGER device_command_mixing BEFORE INSERT ON device_command
    FOR EACH ROW EXECUTE FUNCTION refuse_mixing();
