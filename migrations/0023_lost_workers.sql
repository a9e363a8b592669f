-- A worker that somebody lost takes no rooms until it has been seen again.

ALTER TABLE media_worker ADD COLUMN doubted_at timestamptz;    -- real; when its room was last found gone
-- Which epoch of the room was found gone: a worker is doubted once for each, however many ask for another.
ALTER TABLE consultation ADD COLUMN lost_epoch integer;
