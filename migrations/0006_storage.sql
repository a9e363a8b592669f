-- Storage: partitions made ahead without stopping ingest for long, and what may be forgotten after a time.

-- Creates the partition of a month and moves what DEFAULT held of it, in the caller's transaction. What takes long
-- comes before the lock that stops everybody; the caller sets lock_timeout, so that nobody waits long behind it, and
-- tries again. limit_rows: leave the month alone (null) if DEFAULT holds more of it; null: no limit.
CREATE FUNCTION make_reading_partition(month date, limit_rows bigint) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$
DECLARE
    first date := date_trunc('month', month)::date;
    lower_at timestamptz := (first::timestamp AT TIME ZONE 'UTC');
    upper_at timestamptz := ((first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    name text := 'reading_' || to_char(first, 'YYYY_MM');
    move text := 'WITH moved AS (DELETE FROM public.reading_default WHERE taken_at >= %L AND taken_at < %L RETURNING *)
                  INSERT INTO public.%I SELECT * FROM moved';
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('reading_partition', 0));
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF limit_rows IS NOT NULL AND (SELECT count(*) FROM (
            SELECT FROM public.reading_default WHERE taken_at >= lower_at AND taken_at < upper_at
            LIMIT limit_rows + 1) AS bounded) > limit_rows THEN
        RETURN NULL;
    END IF;
    -- With its indexes: attaching would build them under the lock.
    EXECUTE format('CREATE TABLE public.%I (LIKE public.reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS
                    INCLUDING INDEXES INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING STATISTICS)', name);
    EXECUTE format(move, lower_at, upper_at, name);
    LOCK TABLE public.reading_default IN ACCESS EXCLUSIVE MODE;
    -- What came meanwhile.
    EXECUTE format(move, lower_at, upper_at, name);
    EXECUTE format('ALTER TABLE public.reading ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   name, lower_at, upper_at);
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION ensure_reading_partition(month date) RETURNS boolean LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT make_reading_partition(month, NULL) $$;

-- What lies in DEFAULT, by month; a row of 2038 or of 1970 among them.
CREATE FUNCTION reading_default_months() RETURNS TABLE (month date, readings bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$
    SELECT date_trunc('month', taken_at AT TIME ZONE 'UTC')::date, count(*)
    FROM public.reading_default GROUP BY 1 ORDER BY 1
$$;

-- Rows of each partition, counted: the application has no grants on partitions.
CREATE FUNCTION reading_partition_rows() RETURNS TABLE (name text, readings bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT tableoid::regclass::text, count(*) FROM public.reading GROUP BY 1 $$;

REVOKE ALL ON FUNCTION make_reading_partition(date, bigint), reading_default_months(), reading_partition_rows() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_reading_partition(date, bigint), reading_default_months(), reading_partition_rows()
    TO telehealth_app;

-- Streams of receipts that nobody has continued in a long time.
GRANT DELETE ON device_stream TO telehealth_app;
CREATE INDEX device_stream_updated ON device_stream (updated_at);
CREATE INDEX quarantine_last ON quarantine (last_at);
