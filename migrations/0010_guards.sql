-- What the application promises, kept by the database as well: readings do not change, whatever is decided about whose they
-- are; simulated and real, and organisations, never mix; staff change what they decide about and nothing else.

-- The service's shares of the broker's messages ---------------------------------------------------
-- Whoever knows a name could join that group, and where the broker's rules do not apply to subscribing (Mosquitto with a
-- file of topic rules) what fell to them would be lost. So the name is a secret of the service's processes. A newer row is
-- a new name; sessions leave the older ones when they connect.

CREATE TABLE share_group (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9-]{1,64}$'),
    since timestamptz NOT NULL
);
INSERT INTO share_group (name, since) VALUES
    ('telehealth', '-infinity'),           -- of versions before
    ('t-' || replace(gen_random_uuid()::text, '-', ''), clock_timestamp());

ALTER TABLE share_group ENABLE ROW LEVEL SECURITY;
ALTER TABLE share_group FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON share_group TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_trusted ON share_group FOR SELECT TO telehealth_app USING ((SELECT actor_trusted()));
GRANT SELECT ON share_group TO telehealth_app;

-- Readings ----------------------------------------------------------------------------------------

-- What was measured never changes; what is derived or decided does.
REVOKE UPDATE ON reading FROM telehealth_app;
GRANT UPDATE (resident_id, effective_at, marks, struck) ON reading TO telehealth_app;

-- Staff add what they key, in their own name; what devices bring is the service's to add.
DROP POLICY app_staff ON reading;
CREATE POLICY app_staff ON reading FOR SELECT TO telehealth_app USING (
    resident_id IN (SELECT r.id FROM resident r)
    OR (resident_id IS NULL AND device_pk IN (SELECT d.id FROM device d)));
CREATE POLICY app_staff_adds ON reading FOR INSERT TO telehealth_app WITH CHECK (
    resident_id IN (SELECT r.id FROM resident r) AND device_pk IS NULL AND entered_by = (SELECT actor()));
CREATE POLICY app_staff_decides ON reading FOR UPDATE TO telehealth_app USING (
    resident_id IN (SELECT r.id FROM resident r)
    OR (resident_id IS NULL AND device_pk IN (SELECT d.id FROM device d)));

-- A decision about a reading is about one that the actor sees; else it could draw somebody else's to them when that
-- is derived anew.
ALTER POLICY app_staff_adds ON attribution WITH CHECK (
    actor = (SELECT actor()) AND kind IN ('repair', 'time')
    AND (resident_id IS NULL OR resident_id IN (SELECT r.id FROM resident r))
    AND (from_resident_id IS NULL OR from_resident_id IN (SELECT r.id FROM resident r))
    AND ((resident_id IS NOT NULL AND from_resident_id IS NOT NULL) OR device_pk IN (SELECT d.id FROM device d))
    AND (reading_identity IS NULL OR EXISTS (
        SELECT FROM reading g WHERE g.taken_at = attribution.reading_taken_at AND g.identity = attribution.reading_identity
            AND g.device_pk IS NOT DISTINCT FROM attribution.device_pk)));

-- Never mixed -------------------------------------------------------------------------------------

-- Whether a device and two residents, as far as they are given, are of one organisation, and all simulated or all real.
CREATE FUNCTION of_one_sort(organisation bigint, device bigint, one bigint, other bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS
$$
    SELECT count(DISTINCT (s.organisation_id, s.simulated)) <= 1 AND coalesce(bool_and(s.organisation_id = organisation), true)
    FROM (
        SELECT d.organisation_id, w.simulated FROM device d JOIN ward w ON w.id = d.ward_id WHERE d.id = device
        UNION ALL
        SELECT r.organisation_id, r.simulated FROM resident r WHERE r.id IN (one, other)
    ) AS s
$$;
REVOKE ALL ON FUNCTION of_one_sort(bigint, bigint, bigint, bigint) FROM PUBLIC;

-- Reads past the policies: whoever acts may not see the device.
CREATE FUNCTION refuse_mixing() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
DECLARE
    before bigint;
BEGIN
    IF TG_TABLE_NAME = 'attribution' THEN
        before := NEW.from_resident_id;
    ELSIF TG_OP = 'UPDATE' THEN
        before := OLD.resident_id;
    END IF;
    IF NOT of_one_sort(NEW.organisation_id, NEW.device_pk, NEW.resident_id, before) THEN
        RAISE EXCEPTION 'simulated and real, and organisations, never mix' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER device_assignment_mixing BEFORE INSERT OR UPDATE OF device_pk, resident_id, organisation_id
    ON device_assignment FOR EACH ROW EXECUTE FUNCTION refuse_mixing();
CREATE TRIGGER device_seat_mixing BEFORE INSERT OR UPDATE OF device_pk, resident_id, organisation_id
    ON device_seat FOR EACH ROW EXECUTE FUNCTION refuse_mixing();
CREATE TRIGGER attribution_mixing BEFORE INSERT ON attribution FOR EACH ROW EXECUTE FUNCTION refuse_mixing();
-- Of readings only when they go to somebody else: what ingest adds follows from assignments and seats.
CREATE TRIGGER reading_mixing BEFORE UPDATE OF resident_id ON reading FOR EACH ROW
    WHEN (NEW.resident_id IS DISTINCT FROM OLD.resident_id) EXECUTE FUNCTION refuse_mixing();

-- Whether something was decided about whose a device's readings are that the actor does not see: then they must not be
-- derived in the actor's name.
CREATE FUNCTION decided_unseen(wanted bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
    SELECT NOT actor_trusted() AND EXISTS (
        SELECT FROM (
            SELECT a.resident_id FROM device_assignment a WHERE a.device_pk = wanted
            UNION ALL SELECT s.resident_id FROM device_seat s WHERE s.device_pk = wanted
            UNION ALL SELECT t.resident_id FROM attribution t
                WHERE t.device_pk = wanted AND t.kind = 'repair' AND t.reading_identity IS NULL AND t.resident_id IS NOT NULL
        ) AS whose JOIN resident r ON r.id = whose.resident_id
        WHERE r.ward_id <> ALL (actor_wards()))
$$;
REVOKE ALL ON FUNCTION decided_unseen(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decided_unseen(bigint) TO telehealth_app;

-- Quarantine --------------------------------------------------------------------------------------

-- Staff dismiss: what came, from whom, how often and why it was refused stays as it was.
CREATE FUNCTION keep_what_came() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS
$$
BEGIN
    IF (NEW.id, NEW.organisation_id, NEW.device_pk, NEW.topic, NEW.digest, NEW.reading_index, NEW.error, NEW.field, NEW.detail,
        NEW.stream, NEW.seq, NEW.message_id, NEW.size, NEW.payload, NEW.first_at, NEW.last_at, NEW.times, NEW.tried_at)
       IS DISTINCT FROM
       (OLD.id, OLD.organisation_id, OLD.device_pk, OLD.topic, OLD.digest, OLD.reading_index, OLD.error, OLD.field, OLD.detail,
        OLD.stream, OLD.seq, OLD.message_id, OLD.size, OLD.payload, OLD.first_at, OLD.last_at, OLD.times, OLD.tried_at)
    THEN
        RAISE EXCEPTION 'staff dismiss what is in quarantine and change nothing else' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER quarantine_staff BEFORE UPDATE ON quarantine FOR EACH ROW
    WHEN (actor_staff() IS NOT NULL) EXECUTE FUNCTION keep_what_came();

-- Partitions --------------------------------------------------------------------------------------

-- They are made by services and operators, never in the name of a member of staff.
ALTER FUNCTION make_reading_partition(date, bigint) RENAME TO make_reading_partition_now;
REVOKE ALL ON FUNCTION make_reading_partition_now(date, bigint) FROM telehealth_app;
CREATE FUNCTION make_reading_partition(month date, limit_rows bigint) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
BEGIN
    IF actor() IS NOT NULL AND NOT actor_trusted() THEN
        RAISE EXCEPTION 'only services and operators make partitions' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN make_reading_partition_now(month, limit_rows);
END
$$;
REVOKE ALL ON FUNCTION make_reading_partition(date, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_reading_partition(date, bigint) TO telehealth_app;

-- What was seen is no news after a while.
CREATE INDEX seen_set_seen ON seen_set (seen_at);
GRANT DELETE ON seen_set TO telehealth_app;
