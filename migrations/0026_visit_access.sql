-- Visits: since when somebody may read along, and whose recordings staff see.

-- Clinical; when staff let somebody in the last time. A connection that came back by itself is no letting in.
ALTER TABLE participant ADD COLUMN let_in_at timestamptz;

-- Of a browser that asks for another link's page.
CREATE INDEX join_link_browser ON join_link (browser_hash) WHERE browser_hash IS NOT NULL;

-- A recording of somebody who is on another ward now, or of who came with them, is not for staff of the visit's ward.
ALTER POLICY app_staff ON recording USING (participant_id IN (
    SELECT p.id FROM participant p WHERE p.resident_id IS NULL OR p.resident_id IN (SELECT r.id FROM resident r)));
