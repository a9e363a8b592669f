-- Which of its room's workers writes a recording: when the room is given to another one, it writes files of its own.
ALTER TABLE recording ADD COLUMN epoch integer NOT NULL DEFAULT 0;
