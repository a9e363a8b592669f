-- Words that a resident's devices are to show when their own answer makes a rule red: what to do at once.

ALTER TABLE device_command DROP CONSTRAINT device_command_kind_check,
    ADD COLUMN rule text,
    ADD COLUMN text text CHECK (length(text) BETWEEN 1 AND 300),
    ADD CONSTRAINT device_command_kind_check CHECK (kind IN ('measure', 'ring', 'message')),
    ADD CONSTRAINT device_command_message_check CHECK ((kind = 'message') = (text IS NOT NULL AND rule IS NOT NULL));
-- A device shows the words about an answer once.
CREATE UNIQUE INDEX device_command_told ON device_command (resident_id, rule, about_at, device_pk) WHERE kind = 'message';
