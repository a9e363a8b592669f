-- name: of
-- The rules of resident $1 in force at $2, and the newest state of the fold.
SELECT v.rules, c.state
FROM (SELECT rules FROM rule_version WHERE resident_id = $1::bigint AND valid_from <= $2::timestamptz
      ORDER BY valid_from DESC, id DESC LIMIT 1) AS v
LEFT JOIN checkpoint c ON c.resident_id = $1::bigint AND c.kind = 'head';
