-- Which of a participant's browsers holds the socket of a visit now, and when it was last heard of.
-- Real time. Several processes of the service hold sockets of one visit; they meet here.
ALTER TABLE participant
    ADD COLUMN socket uuid,
    ADD COLUMN seen_at timestamptz;
CREATE INDEX participant_inside ON participant (consultation_id) WHERE state = 'joined';
