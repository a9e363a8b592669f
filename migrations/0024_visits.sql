-- Visits: which page of somebody's holds their socket; who writes captions; mails that may be forgotten.

-- Another page of the same browser is asked before it takes over.
ALTER TABLE participant ADD COLUMN tab uuid;

-- A speech-to-text reporter, who comes by a link as an interpreter does.
ALTER TABLE participant DROP CONSTRAINT participant_role_check,
    ADD CONSTRAINT participant_role_check
        CHECK (role IN ('staff', 'resident', 'carer', 'family', 'interpreter', 'captioner', 'guest_clinician'));
ALTER TABLE join_link DROP CONSTRAINT join_link_role_check,
    ADD CONSTRAINT join_link_role_check
        CHECK (role IN ('resident', 'carer', 'family', 'interpreter', 'captioner', 'guest_clinician'));

-- Captions are lines of what is said in the room: kept as the chat is, or not.
ALTER TABLE consultation_message ADD COLUMN caption boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT consultation_message_caption_to_all CHECK (NOT caption OR to_participant_id IS NULL);
CREATE INDEX consultation_message_of ON consultation_message (consultation_id, caption, id);

-- Settled mails go after a time.
GRANT DELETE ON mail TO telehealth_app;
CREATE INDEX mail_settled ON mail (settled_at) WHERE settled_at IS NOT NULL;
