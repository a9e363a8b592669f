-- name: judge
-- Weights of residents from a clinical time on, each against what was usual for its resident in the $3 before it:
-- the median of at least three readings of three days. Remarkable: further away than $4 kg and the part $5 of it.
-- Whom it fits: who else had a place on the device then, if it is at most half as far from their usual weight.
-- What a person has said whose it is, is not doubted again.
WITH weighed AS (
    SELECT r.taken_at, r.identity, r.value_key, r.organisation_id, r.resident_id, r.device_pk, r.effective_at, r.value,
           coalesce('maybe_other' = ANY (r.marks), false) AS marked, p.zone
    FROM unnest($1::bigint[], $2::timestamptz[]) AS w (resident_id, since)
    JOIN resident p ON p.id = w.resident_id
    JOIN reading r ON r.resident_id = w.resident_id AND r.code = 'weight' AND r.effective_at >= w.since
    WHERE NOT r.struck AND r.value IS NOT NULL
), judged AS (
    SELECT w.*, u.usual, greatest($4::float8, $5::float8 * u.usual) AS allowed,
           coalesce(abs(w.value - u.usual) > greatest($4::float8, $5::float8 * u.usual), false)
           AND NOT EXISTS (SELECT FROM attribution t WHERE t.reading_identity = w.identity AND t.kind = 'repair') AS doubted
    FROM weighed w LEFT JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b.value) AS usual FROM reading b
        WHERE b.resident_id = w.resident_id AND b.code = 'weight' AND NOT b.struck AND b.value IS NOT NULL
          AND b.effective_at >= w.effective_at - $3::interval AND b.effective_at < w.effective_at
        HAVING count(*) >= 3 AND count(DISTINCT (b.effective_at AT TIME ZONE w.zone)::date) >= 3
    ) AS u ON true
), cleared AS (
    DELETE FROM reading_doubt o USING judged j
    WHERE NOT j.doubted AND o.identity = j.identity AND o.taken_at = j.taken_at AND o.value_key = j.value_key
), doubts AS (
    INSERT INTO reading_doubt AS o (taken_at, identity, value_key, organisation_id, resident_id, usual, allowed,
                                    fits_resident_id, at)
    SELECT j.taken_at, j.identity, j.value_key, j.organisation_id, j.resident_id, j.usual, j.allowed, f.resident_id,
           $6::timestamptz
    FROM judged j LEFT JOIN LATERAL (
        SELECT s.resident_id FROM device_seat s CROSS JOIN LATERAL (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b.value) AS usual FROM reading b
            WHERE b.resident_id = s.resident_id AND b.code = 'weight' AND NOT b.struck AND b.value IS NOT NULL
              AND b.effective_at >= j.effective_at - $3::interval AND b.effective_at < j.effective_at
            HAVING count(*) >= 3
        ) AS other
        WHERE s.device_pk = j.device_pk AND s.during @> j.effective_at AND s.resident_id <> j.resident_id
          AND abs(j.value - other.usual) <= abs(j.value - j.usual) / 2
          AND abs(j.value - other.usual) <= greatest($4::float8, $5::float8 * other.usual)
        ORDER BY abs(j.value - other.usual), s.resident_id LIMIT 1
    ) AS f ON true
    WHERE j.doubted
    ON CONFLICT (identity, taken_at, value_key) DO UPDATE SET resident_id = excluded.resident_id,
        usual = excluded.usual, allowed = excluded.allowed, fits_resident_id = excluded.fits_resident_id
)
UPDATE reading r
SET marks = nullif(CASE WHEN j.doubted THEN array_append(coalesce(r.marks, '{}'), 'maybe_other')
                        ELSE array_remove(r.marks, 'maybe_other') END, '{}')
FROM judged j
WHERE j.doubted IS DISTINCT FROM j.marked
  AND r.taken_at = j.taken_at AND r.identity = j.identity AND r.value_key = j.value_key;
