-- Whose a reading is, beyond the device's assignment: seats on shared kits, repairs by staff, doubts.

-- During this time a device is a shared kit: its readings are nobody's unless they say whose they are.
ALTER TABLE device ADD COLUMN shared tstzmultirange NOT NULL DEFAULT '{}';
-- Whether more than its assignments was ever decided about whose its readings are; kept by a trigger below, so that
-- devices of which it was not cost nothing more at ingest.
ALTER TABLE device ADD COLUMN several boolean NOT NULL DEFAULT false;
CREATE INDEX device_several ON device (id) WHERE several;

-- A place on a device that several people use: the subject that it names, or the number of a user on it.
CREATE TABLE device_seat (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint NOT NULL REFERENCES organisation,
    device_pk bigint NOT NULL REFERENCES device,
    kind text NOT NULL CHECK (kind IN ('subject', 'slot')),
    label text NOT NULL CHECK (length(label) BETWEEN 1 AND 64),
    resident_id bigint NOT NULL REFERENCES resident,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_by text,
    EXCLUDE USING gist (device_pk WITH =, kind WITH =, label WITH =, during WITH &&)
);
CREATE INDEX device_seat_device ON device_seat (device_pk);
CREATE INDEX device_seat_resident ON device_seat (resident_id);

-- The log now also tells of seats, of sharing, and of repairs: of single readings (reading_identity), of
-- what a device has brought and will still bring of a time (during), and of times set by staff (effective_at).
-- operation: what one person did in one go.
ALTER TABLE attribution DROP CONSTRAINT attribution_kind_check;
ALTER TABLE attribution
    ADD CONSTRAINT attribution_kind_check CHECK (kind IN ('assigned', 'unassigned', 'seated', 'unseated',
        'shared', 'unshared', 'subject', 'repair', 'time')),
    ADD COLUMN from_resident_id bigint REFERENCES resident,
    ADD COLUMN seat_kind text CHECK (seat_kind IN ('subject', 'slot')),
    ADD COLUMN effective_at timestamptz,
    ADD COLUMN effective_before timestamptz,
    ADD COLUMN operation uuid;
CREATE INDEX attribution_moves ON attribution (device_pk) WHERE kind = 'repair' AND reading_identity IS NULL;
CREATE INDEX attribution_resident ON attribution (resident_id, at) WHERE kind IN ('repair', 'time');
CREATE INDEX attribution_from ON attribution (from_resident_id, at) WHERE kind IN ('repair', 'time');

CREATE FUNCTION note_several() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
BEGIN
    UPDATE device SET several = true WHERE id = NEW.device_pk AND NOT several;
    RETURN NULL;
END
$$;
CREATE TRIGGER attribution_several AFTER INSERT ON attribution FOR EACH ROW
    WHEN (NEW.kind = 'shared' OR (NEW.kind = 'repair' AND NEW.reading_identity IS NULL))
    EXECUTE FUNCTION note_several();
CREATE TRIGGER device_seat_several AFTER INSERT ON device_seat FOR EACH ROW EXECUTE FUNCTION note_several();

-- What waits for a person, found without a walk through all readings.
CREATE INDEX reading_held ON reading (device_pk, received_at) WHERE resident_id IS NULL AND NOT struck;
CREATE INDEX reading_questioned ON reading (resident_id, received_at)
    WHERE resident_id IS NOT NULL AND NOT struck AND marks && '{conflict,maybe_other}'::text[];

-- A reading of nobody that is set aside is struck too, and then has no resident.
ALTER TABLE reading_strike ALTER COLUMN resident_id DROP NOT NULL, ADD COLUMN device_pk bigint REFERENCES device;
CREATE INDEX reading_strike_identity ON reading_strike (identity);

-- Why a reading may be somebody else's: how far it is from what is usual for its resident, and whom else it fits.
CREATE TABLE reading_doubt (
    taken_at timestamptz NOT NULL,
    identity uuid NOT NULL,
    value_key bigint NOT NULL,
    organisation_id bigint NOT NULL REFERENCES organisation,
    resident_id bigint NOT NULL REFERENCES resident,
    usual double precision NOT NULL,       -- median of the resident's own, canonical unit
    allowed double precision NOT NULL,     -- how far from it was not remarkable
    fits_resident_id bigint REFERENCES resident,
    at timestamptz NOT NULL,
    PRIMARY KEY (identity, taken_at, value_key)
);

-- Access ------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
    own_resident constant text := 'resident_id IN (SELECT r.id FROM resident r)';
    own_device constant text := 'device_pk IN (SELECT d.id FROM device d)';
    rules constant jsonb := jsonb_build_object(
        'device_seat', own_device || ' AND ' || own_resident,
        'reading_doubt', own_resident);
BEGIN
    FOR t IN SELECT jsonb_object_keys(rules) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY app_all ON %I TO telehealth_app USING ((SELECT actor_trusted()))', t);
        EXECUTE format('CREATE POLICY app_staff ON %I FOR SELECT TO telehealth_app USING (%s)', t, rules ->> t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO telehealth_app', t);
    END LOOP;
END
$$;
GRANT DELETE ON reading_doubt TO telehealth_app;

-- Both residents' records show what was moved between them.
ALTER POLICY app_staff ON attribution USING (
    device_pk IN (SELECT d.id FROM device d) OR resident_id IN (SELECT r.id FROM resident r)
    OR from_resident_id IN (SELECT r.id FROM resident r));

-- Staff repair in their own name, and only between residents whom they see; what is or becomes nobody's
-- must be of a device that they see.
CREATE POLICY app_staff_adds ON attribution FOR INSERT TO telehealth_app WITH CHECK (
    actor = (SELECT actor()) AND kind IN ('repair', 'time')
    AND (resident_id IS NULL OR resident_id IN (SELECT r.id FROM resident r))
    AND (from_resident_id IS NULL OR from_resident_id IN (SELECT r.id FROM resident r))
    AND ((resident_id IS NOT NULL AND from_resident_id IS NOT NULL) OR device_pk IN (SELECT d.id FROM device d)));

ALTER POLICY app_staff ON reading_strike USING (
    resident_id IN (SELECT r.id FROM resident r)
    OR (resident_id IS NULL AND device_pk IN (SELECT d.id FROM device d)));
ALTER POLICY app_staff_adds ON reading_strike WITH CHECK (
    actor = (SELECT actor())
    AND (resident_id IN (SELECT r.id FROM resident r)
         OR (resident_id IS NULL AND device_pk IN (SELECT d.id FROM device d))));

-- A repair waits for what the device is just sending, and that for it; whoever may repair may not see the device.
CREATE FUNCTION hold_device(wanted bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
BEGIN
    PERFORM 1 FROM device_contact c WHERE c.device_pk = wanted FOR UPDATE;
END
$$;
REVOKE ALL ON FUNCTION hold_device(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_device(bigint) TO telehealth_app;
