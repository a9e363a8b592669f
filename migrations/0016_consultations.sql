-- Consultations: appointments, who is invited, the visit itself and what of it belongs to the record.
-- Times are clinical unless a comment says real: what browsers, workers and mail servers do is real time.

-- Before -----------------------------------------------------------------------------------------

-- Whom reminders go to. Never a device's or a rule's business.
CREATE TABLE contact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    resident_id bigint NOT NULL REFERENCES resident,
    relation text NOT NULL CHECK (relation IN ('self', 'carer', 'family', 'care_home', 'interpreter')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    email text NOT NULL CHECK (email ~ '^[^@\s<>",;:]{1,64}@[A-Za-z0-9.-]{1,190}$'),
    reminders boolean NOT NULL DEFAULT true,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE INDEX contact_resident ON contact (resident_id) WHERE removed_at IS NULL;

-- What a ward has decided about its visits; a ward without a row has the defaults of telehealth.model.visits.
CREATE TABLE visit_policy (
    ward_id bigint PRIMARY KEY REFERENCES ward,
    organisation_id bigint NOT NULL REFERENCES organisation,
    keep_chat boolean NOT NULL,
    recording boolean NOT NULL,            -- may be asked for at all
    keep_recording_days integer NOT NULL CHECK (keep_recording_days BETWEEN 1 AND 3650),
    reminder_hours integer[] NOT NULL CHECK (cardinality(reminder_hours) <= 5),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- A ward round or clinic that comes again: appointments are made from it some weeks ahead.
CREATE TABLE appointment_series (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    ward_id bigint NOT NULL REFERENCES ward,
    kind text NOT NULL CHECK (kind IN ('one_to_one', 'carer', 'group', 'ward_round', 'case_conference')),
    weekdays integer[] NOT NULL CHECK (weekdays <@ '{0,1,2,3,4,5,6}' AND weekdays <> '{}'),  -- Monday is 0
    every_weeks integer NOT NULL DEFAULT 1 CHECK (every_weeks BETWEEN 1 AND 12),
    local_time time NOT NULL,
    zone text NOT NULL CHECK (length(zone) BETWEEN 1 AND 64),
    minutes integer NOT NULL CHECK (minutes BETWEEN 5 AND 480),
    first_on date NOT NULL,
    last_on date,
    made_until date,                       -- appointments up to this day have been made
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 200),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_by text,
    ended_at timestamptz
);

CREATE TABLE appointment_series_subject (
    series_id bigint NOT NULL REFERENCES appointment_series,
    resident_id bigint NOT NULL REFERENCES resident,
    position integer NOT NULL CHECK (position BETWEEN 0 AND 99),
    PRIMARY KEY (series_id, resident_id)
);

CREATE TABLE appointment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    ward_id bigint NOT NULL REFERENCES ward,
    series_id bigint REFERENCES appointment_series,
    kind text NOT NULL CHECK (kind IN ('one_to_one', 'carer', 'group', 'ward_round', 'case_conference')),
    starts_at timestamptz NOT NULL,
    minutes integer NOT NULL CHECK (minutes BETWEEN 5 AND 480),
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 200),   -- for staff; never in a mail
    uid uuid NOT NULL DEFAULT gen_random_uuid(),                     -- of calendar files
    revision integer NOT NULL DEFAULT 0,                             -- SEQUENCE of calendar files
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    cancel_reason text CHECK (length(cancel_reason) BETWEEN 1 AND 200),
    CHECK ((cancelled_at IS NULL) = (cancel_reason IS NULL)),
    UNIQUE (series_id, starts_at)
);
CREATE INDEX appointment_ward ON appointment (ward_id, starts_at);

CREATE TABLE appointment_subject (
    appointment_id bigint NOT NULL REFERENCES appointment,
    resident_id bigint NOT NULL REFERENCES resident,
    position integer NOT NULL CHECK (position BETWEEN 0 AND 99),
    PRIMARY KEY (appointment_id, resident_id)
);
CREATE INDEX appointment_subject_resident ON appointment_subject (resident_id);

-- The visit ---------------------------------------------------------------------------------------

CREATE TABLE consultation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    ward_id bigint NOT NULL REFERENCES ward,
    appointment_id bigint UNIQUE REFERENCES appointment,
    alert_id bigint REFERENCES alert,
    kind text NOT NULL CHECK (kind IN ('one_to_one', 'carer', 'group', 'ward_round', 'case_conference')),
    state text NOT NULL CHECK (state IN ('scheduled', 'waiting', 'admitted', 'live', 'interrupted', 'ended',
        'did_not_attend', 'cancelled')),
    locked boolean NOT NULL DEFAULT false,
    keep_chat boolean NOT NULL,
    subject_id bigint REFERENCES resident, -- the current one
    seq bigint NOT NULL DEFAULT 0,         -- counts changes, so that a screen knows what it has seen
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,                -- first live
    changed_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    outcome text CHECK (outcome IN ('completed', 'advice', 'treatment_changed', 'visit_arranged', 'admitted_to_hospital',
        'technical_failure', 'declined', 'other')),
    -- the room: where its media are, in real time
    worker_id uuid,
    epoch integer NOT NULL DEFAULT 0,      -- grows whenever the room is given to a worker
    CHECK ((state IN ('ended', 'did_not_attend', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX consultation_open ON consultation (ward_id) WHERE ended_at IS NULL;
CREATE INDEX consultation_ended ON consultation (ward_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX consultation_worker ON consultation (worker_id) WHERE ended_at IS NULL AND worker_id IS NOT NULL;

CREATE TABLE consultation_subject (
    consultation_id bigint NOT NULL REFERENCES consultation,
    resident_id bigint NOT NULL REFERENCES resident,
    position integer NOT NULL CHECK (position BETWEEN 0 AND 99),
    since timestamptz,                     -- when they became the current subject for the first time
    until timestamptz,                     -- and stopped being it for the last time
    PRIMARY KEY (consultation_id, resident_id)
);
CREATE INDEX consultation_subject_resident ON consultation_subject (resident_id);

-- A way in for somebody without an account: bound to the browser that first presses the button.
CREATE TABLE join_link (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    consultation_id bigint NOT NULL REFERENCES consultation,
    role text NOT NULL CHECK (role IN ('resident', 'carer', 'family', 'interpreter', 'guest_clinician')),
    resident_id bigint NOT NULL REFERENCES resident,     -- who joins, or with whom
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    token_hash bytea NOT NULL UNIQUE,
    browser_hash bytea,
    bound_at timestamptz,                  -- real, as the next four
    expires_at timestamptz NOT NULL,
    wrong_births integer NOT NULL DEFAULT 0,
    refused_browsers integer NOT NULL DEFAULT 0,
    allow_another boolean NOT NULL DEFAULT false,        -- staff let the next browser take it over
    revoked_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX join_link_consultation ON join_link (consultation_id);

CREATE TABLE participant (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    consultation_id bigint NOT NULL REFERENCES consultation,
    role text NOT NULL CHECK (role IN ('staff', 'resident', 'carer', 'family', 'interpreter', 'guest_clinician')),
    staff_id bigint REFERENCES staff,
    link_id bigint UNIQUE REFERENCES join_link,
    resident_id bigint REFERENCES resident,              -- who it is, or with whom they came; null: staff
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    state text NOT NULL CHECK (state IN ('checking', 'waiting', 'admitted', 'joined', 'left', 'removed')),
    identity text NOT NULL CHECK (identity IN ('signed_in', 'birth_date', 'link_only', 'not_checked')),
    waiting_since timestamptz,
    reason text CHECK (length(reason) <= 200),           -- what they said they wait for
    admitted_by text,
    joined_at timestamptz,                 -- first
    left_at timestamptz,                   -- last
    -- what the screen shows of them
    audio boolean NOT NULL DEFAULT true,
    video boolean NOT NULL DEFAULT true,
    screen boolean NOT NULL DEFAULT false,
    muted_by_host boolean NOT NULL DEFAULT false,
    hand_at timestamptz,
    pinned boolean NOT NULL DEFAULT false,
    consent_at timestamptz,                -- to recording, in force now
    ready jsonb,                           -- the device check
    quality jsonb,                         -- what was measured, summed up
    UNIQUE (consultation_id, staff_id),
    CHECK ((role = 'staff') = (staff_id IS NOT NULL))
);
CREATE INDEX participant_consultation ON participant (consultation_id);
-- Nobody is in two calls at once: the guard against the wrong resident on the screen.
CREATE UNIQUE INDEX participant_staff_joined ON participant (staff_id) WHERE state = 'joined' AND staff_id IS NOT NULL;

-- Everything that happened, in order; append-only.
CREATE TABLE consultation_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    consultation_id bigint NOT NULL REFERENCES consultation,
    participant_id bigint REFERENCES participant,
    resident_id bigint REFERENCES resident,              -- the current subject then
    event text NOT NULL CHECK (event ~ '^[a-z_]{1,40}$'),
    detail jsonb,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    real_at timestamptz NOT NULL
);
CREATE INDEX consultation_event_of ON consultation_event (consultation_id, id);

-- In the call -------------------------------------------------------------------------------------

CREATE TABLE consultation_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    consultation_id bigint NOT NULL REFERENCES consultation,
    participant_id bigint REFERENCES participant,        -- who wrote; null: the service
    to_participant_id bigint REFERENCES participant,     -- to somebody who waits; null: to everybody in the room
    resident_id bigint REFERENCES resident,              -- the current subject then
    client_key uuid NOT NULL,                            -- makes a repeated send one message
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
    at timestamptz NOT NULL,
    UNIQUE (consultation_id, client_key)
);

-- Notes as they are typed, one per subject and author; they become part of the encounter at the end.
CREATE TABLE consultation_note (
    consultation_id bigint NOT NULL REFERENCES consultation,
    resident_id bigint NOT NULL REFERENCES resident,
    staff_id bigint NOT NULL REFERENCES staff,
    organisation_id bigint NOT NULL REFERENCES organisation,
    text text NOT NULL CHECK (length(text) <= 20000),
    version integer NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (consultation_id, resident_id, staff_id)
);

-- Readings of the current subject that came in during the call, and what the clinician says of them.
CREATE TABLE consultation_reading (
    consultation_id bigint NOT NULL REFERENCES consultation,
    resident_id bigint NOT NULL REFERENCES resident,
    organisation_id bigint NOT NULL REFERENCES organisation,
    taken_at timestamptz NOT NULL,
    identity uuid NOT NULL,
    value_key bigint NOT NULL,
    code text NOT NULL,
    state text NOT NULL CHECK (state IN ('offered', 'accepted', 'left_out')),
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (consultation_id, taken_at, identity, value_key)
);

-- In the record: what came of it, for each subject.
CREATE TABLE encounter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    resident_id bigint NOT NULL REFERENCES resident,
    ward_id bigint NOT NULL REFERENCES ward,
    consultation_id bigint NOT NULL REFERENCES consultation,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    outcome text NOT NULL,
    coding text CHECK (length(coding) <= 200),           -- what the ward's own coding says, as typed
    participants jsonb NOT NULL,           -- [{role, name, staff_id, identity, joined_at, left_at, quality}]
    readings jsonb NOT NULL,               -- [{code, value, unit, effective_at, state}]
    messages jsonb NOT NULL,               -- the chat, where the ward keeps it
    summary text NOT NULL DEFAULT '' CHECK (length(summary) <= 4000),   -- to the resident, in plain words
    written_by text NOT NULL,
    written_at timestamptz NOT NULL,
    UNIQUE (consultation_id, resident_id)
);
CREATE INDEX encounter_resident ON encounter (resident_id, started_at);

CREATE TABLE encounter_note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    encounter_id bigint NOT NULL REFERENCES encounter,
    resident_id bigint NOT NULL REFERENCES resident,
    staff_id bigint NOT NULL REFERENCES staff,
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 20000),
    written_at timestamptz NOT NULL
);
CREATE INDEX encounter_note_of ON encounter_note (encounter_id);

CREATE TABLE follow_up (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    resident_id bigint NOT NULL REFERENCES resident,
    encounter_id bigint NOT NULL REFERENCES encounter,
    what text NOT NULL CHECK (length(what) BETWEEN 1 AND 500),
    due_on date,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    done_by text,
    done_at timestamptz
);
CREATE INDEX follow_up_open ON follow_up (resident_id) WHERE done_at IS NULL;

-- Recording ---------------------------------------------------------------------------------------

-- One file of encrypted chunks for each participant and stretch of recording.
CREATE TABLE recording (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id bigint NOT NULL REFERENCES organisation,
    consultation_id bigint NOT NULL REFERENCES consultation,
    participant_id bigint NOT NULL REFERENCES participant,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    key_id text NOT NULL,                  -- which master key wraps it
    wrapped_key bytea NOT NULL,
    consents jsonb NOT NULL,               -- [{participant_id, consent_at}] of everyone present when it began
    chunks integer,
    bytes bigint,
    head bytea,                            -- of the chain of chunks
    delete_after timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE INDEX recording_of ON recording (consultation_id);
CREATE INDEX recording_to_delete ON recording (delete_after) WHERE deleted_at IS NULL;

-- Media workers -----------------------------------------------------------------------------------

CREATE TABLE media_worker (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    port integer NOT NULL,
    token text NOT NULL,                   -- who may give it orders
    capacity integer NOT NULL,             -- forwarded streams
    streams integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,       -- real, as the next
    seen_at timestamptz NOT NULL,
    stopping boolean NOT NULL DEFAULT false
);

-- Mail --------------------------------------------------------------------------------------------

-- Written with what caused it, sent afterwards, at least once.
CREATE TABLE mail (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organisation_id bigint NOT NULL REFERENCES organisation,
    appointment_id bigint REFERENCES appointment,
    resident_id bigint NOT NULL REFERENCES resident,
    contact_id bigint REFERENCES contact,
    about text NOT NULL CHECK (about IN ('booked', 'moved', 'cancelled', 'reminder', 'invitation', 'summary')),
    key text NOT NULL UNIQUE CHECK (length(key) <= 200), -- makes what is asked for twice one mail
    to_address text NOT NULL,
    subject text NOT NULL CHECK (length(subject) <= 200),
    body text NOT NULL CHECK (length(body) <= 20000),
    calendar text CHECK (length(calendar) <= 20000),
    calendar_method text CHECK (calendar_method IN ('REQUEST', 'CANCEL')),
    due_at timestamptz NOT NULL,           -- real, as all below
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'refused', 'dropped')),
    attempts integer NOT NULL DEFAULT 0,
    last_error text CHECK (length(last_error) <= 200),
    written_at timestamptz NOT NULL,
    settled_at timestamptz,
    CHECK ((state = 'waiting') = (settled_at IS NULL))
);
CREATE INDEX mail_waiting ON mail (due_at) WHERE state = 'waiting';

-- Commands to devices -----------------------------------------------------------------------------

ALTER TABLE device_command DROP CONSTRAINT device_command_kind_check,
    DROP CONSTRAINT device_command_codes_check,
    ADD COLUMN consultation_id bigint REFERENCES consultation,
    ADD CONSTRAINT device_command_kind_check CHECK (kind IN ('measure', 'ring')),
    ADD CONSTRAINT device_command_codes_check CHECK (codes <> '{}' OR kind = 'ring');

-- Access ------------------------------------------------------------------------------------------

-- Subjects are of the ward's organisation and sort.
CREATE FUNCTION refuse_strange_subjects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
DECLARE
    ward bigint;
BEGIN
    IF TG_TABLE_NAME = 'appointment_subject' THEN
        ward := (SELECT a.ward_id FROM appointment a WHERE a.id = NEW.appointment_id);
    ELSIF TG_TABLE_NAME = 'appointment_series_subject' THEN
        ward := (SELECT s.ward_id FROM appointment_series s WHERE s.id = NEW.series_id);
    ELSE
        ward := (SELECT c.ward_id FROM consultation c WHERE c.id = NEW.consultation_id);
    END IF;
    IF NOT EXISTS (SELECT FROM resident r JOIN ward w ON w.id = ward
                   WHERE r.id = NEW.resident_id AND r.organisation_id = w.organisation_id
                     AND r.simulated = w.simulated) THEN
        RAISE EXCEPTION 'simulated and real, and organisations, never mix' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER appointment_subject_mixing BEFORE INSERT OR UPDATE ON appointment_subject
    FOR EACH ROW EXECUTE FUNCTION refuse_strange_subjects();
CREATE TRIGGER appointment_series_subject_mixing BEFORE INSERT OR UPDATE ON appointment_series_subject
    FOR EACH ROW EXECUTE FUNCTION refuse_strange_subjects();
CREATE TRIGGER consultation_subject_mixing BEFORE INSERT OR UPDATE ON consultation_subject
    FOR EACH ROW EXECUTE FUNCTION refuse_strange_subjects();
CREATE TRIGGER join_link_mixing BEFORE INSERT OR UPDATE OF consultation_id, resident_id ON join_link
    FOR EACH ROW EXECUTE FUNCTION refuse_strange_subjects();

-- Residents and guests never have a session of the database: what they do is done by service:web, for exactly the
-- participant that their browser is bound to.
DO $$
DECLARE
    t text;
    own_ward constant text := 'ward_id = ANY ((SELECT actor_wards())::bigint[])';
    own_visit constant text := 'consultation_id IN (SELECT c.id FROM consultation c)';
    own_resident constant text := 'resident_id IN (SELECT r.id FROM resident r)';
    rules constant jsonb := jsonb_build_object(
        'contact', own_resident,
        'visit_policy', own_ward,
        'appointment_series', own_ward,
        'appointment_series_subject', 'series_id IN (SELECT s.id FROM appointment_series s)',
        'appointment', own_ward,
        'appointment_subject', 'appointment_id IN (SELECT a.id FROM appointment a)',
        'consultation', own_ward,
        'consultation_subject', own_visit,
        'join_link', own_visit,
        'participant', own_visit,
        'consultation_event', own_visit,
        'consultation_message', own_visit,
        'consultation_note', own_visit,
        'consultation_reading', own_visit,
        'encounter', own_resident,
        'encounter_note', own_resident,
        'follow_up', own_resident,
        'recording', own_visit,
        'media_worker', 'false',
        'mail', own_resident);
    reads_only constant text[] := '{visit_policy, recording}';
BEGIN
    FOR t IN SELECT jsonb_object_keys(rules) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY app_trusted ON %I TO telehealth_app USING ((SELECT actor_trusted()))', t);
        EXECUTE format('CREATE POLICY app_staff ON %I FOR %s TO telehealth_app USING (%s)',
                       t, CASE WHEN t = ANY (reads_only) THEN 'SELECT' ELSE 'ALL' END, rules ->> t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO telehealth_app', t);
    END LOOP;
END
$$;
-- Append-only for the application: consultation_event, encounter, encounter_note.
GRANT UPDATE ON contact, visit_policy, appointment_series, appointment, consultation, consultation_subject, join_link,
    participant, consultation_note, consultation_reading, follow_up, recording, media_worker, mail TO telehealth_app;
GRANT DELETE ON appointment_series_subject, appointment_subject, consultation_message, consultation_note, media_worker
    TO telehealth_app;
-- A member of staff asks a device to measure or ring: they may ask in a call.
CREATE POLICY app_staff_adds ON device_command FOR INSERT TO telehealth_app
    WITH CHECK (resident_id IN (SELECT r.id FROM resident r) AND device_pk IN (SELECT d.id FROM device d));
