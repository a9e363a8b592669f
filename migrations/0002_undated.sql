-- Readings that were sent without a time: when the message that holds them first came, so that it has the same
-- identity every time it comes again.

CREATE TABLE undated (
    device_pk bigint NOT NULL REFERENCES device,
    organisation_id bigint NOT NULL REFERENCES organisation,
    message_key bytea NOT NULL,            -- of its stream and seq, its id, or its bytes
    received_at timestamptz NOT NULL,      -- first
    at timestamptz NOT NULL,               -- the time given to its readings
    PRIMARY KEY (device_pk, message_key)
);
CREATE INDEX undated_received ON undated (received_at);

ALTER TABLE undated ENABLE ROW LEVEL SECURITY;
ALTER TABLE undated FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON undated TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_all ON undated TO telehealth_app USING ((SELECT actor_trusted()));
GRANT SELECT, INSERT, UPDATE, DELETE ON undated TO telehealth_app;
