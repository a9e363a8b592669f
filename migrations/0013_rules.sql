-- A resident's rules: what of them is personal, with who, when, why and until when; changed by staff, one version after the
-- other; and the pathways of a hospital's own, kept as they were when residents were admitted with them.

ALTER TABLE rule_version
    -- NEWS2 and SpO2 limits; null: of a version from before, whose rules say it.
    ADD COLUMN spo2_scale smallint CHECK (spo2_scale IN (1, 2)),
    -- [{rule, field, value, by, at, why, review_on}]; field null: the rule is left out.
    ADD COLUMN overrides jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(overrides) = 'array'),
    -- The version that it changes; two changes of one version at one time cannot both be made.
    ADD COLUMN follows bigint UNIQUE REFERENCES rule_version;

CREATE POLICY app_staff_adds ON rule_version FOR INSERT TO telehealth_app
    WITH CHECK (resident_id IN (SELECT r.id FROM resident r) AND created_by = (SELECT actor()));

CREATE TABLE pathway_file (
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    version text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$'),
    content text NOT NULL CHECK (length(content) <= 1000000),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);
ALTER TABLE pathway_file ENABLE ROW LEVEL SECURITY;
ALTER TABLE pathway_file FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON pathway_file TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY app_trusted ON pathway_file TO telehealth_app USING ((SELECT actor_trusted()));
-- It holds nothing of anybody.
CREATE POLICY app_staff ON pathway_file FOR SELECT TO telehealth_app USING ((SELECT actor_staff()) IS NOT NULL);
GRANT SELECT, INSERT ON pathway_file TO telehealth_app;
