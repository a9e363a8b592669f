-- name: role
-- Whether the connected role could look past row-level security.
SELECT current_user::text AS name, r.rolsuper AS super, r.rolbypassrls AS bypass,
       coalesce((SELECT pg_has_role(c.relowner, 'MEMBER') FROM pg_class c WHERE c.oid = to_regclass('public.reading')), false)
           AS owner,
       to_regclass('public.schema_migration') IS NOT NULL AS migrated
FROM pg_roles r WHERE r.rolname = current_user;

-- name: applied
-- Migrations that have been applied, with their checksums.
SELECT name, checksum FROM schema_migration ORDER BY name;

-- name: database_now
-- The database server's clock.
SELECT clock_timestamp() AS at;
